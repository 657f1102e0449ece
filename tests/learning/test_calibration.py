"""A temperature is found again, makes confidence honest on rows it never saw, and never changes a prediction."""

import numpy as np
import pytest

from affectory.learning.calibration import FEWEST_ROWS, HIGHEST, LOWEST, calibrated, fit_temperatures
from affectory.results.metrics import ece


def logits_at(temperature: float, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits [n, 4] whose labels are drawn from softmax(logits / temperature)."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (rows, 4)) * temperature
    noise = generator.gumbel(size=logits.shape)
    return logits, (logits / temperature + noise).argmax(1)


def all_tested(logits: np.ndarray) -> np.ndarray:
    return np.ones(logits.shape[:2], bool)


@pytest.mark.parametrize("planted", [0.3, 1.0, 4.0])
def test_a_planted_temperature_is_found(planted):
    logits, labels = logits_at(planted, 4000)
    assert fit_temperatures(logits[None], labels, all_tested(logits[None])) == pytest.approx([planted], rel=0.06)


def test_each_condition_has_its_own_temperature_from_its_own_rows():
    (first, labels), (second, others) = logits_at(0.5, 2000), logits_at(3.0, 2000, seed=1)
    logits = np.stack([np.concatenate([first, first]), np.concatenate([second, second])])
    tested = np.repeat(np.eye(2, dtype=bool), 2000, axis=1)
    found = fit_temperatures(logits, np.concatenate([labels, others]), tested)
    assert found == pytest.approx([0.5, 3.0], rel=0.1)


def test_calibration_brings_confidence_to_accuracy_on_held_out_rows_and_keeps_predictions():
    logits, labels = logits_at(3.0, 2000)
    held_out, truth = logits_at(3.0, 2000, seed=1)
    temperatures = fit_temperatures(logits[None], labels, all_tested(logits[None]))
    before, after = calibrated(held_out[None], np.ones(1))[0], calibrated(held_out[None], temperatures)[0]
    assert ece(truth, after) < 0.04 < 0.1 < ece(truth, before)
    assert (before.argmax(1) == after.argmax(1)).all()
    assert after.sum(1) == pytest.approx(np.ones(2000))


def test_a_condition_with_few_rows_takes_the_temperature_of_all():
    logits, labels = logits_at(2.0, 500)
    two = np.stack([logits, logits])
    tested = np.stack([np.ones(500, bool), np.arange(500) < FEWEST_ROWS - 1])
    first, second = fit_temperatures(two, labels, tested)
    pooled = np.concatenate([logits, logits[: FEWEST_ROWS - 1]])
    again = fit_temperatures(pooled[None], np.concatenate([labels, labels[: FEWEST_ROWS - 1]]), np.ones((1, 519), bool))
    assert first == pytest.approx(2.0, rel=0.2)
    assert second == again[0]


def test_rows_all_right_and_rows_all_wrong_stay_within_the_bounds():
    labels = np.arange(40) % 2
    logits = np.eye(2)[labels] * 8
    assert LOWEST <= fit_temperatures(logits[None], labels, np.ones((1, 40), bool))[0] < 1
    assert LOWEST <= fit_temperatures(logits[None] / 100, labels, np.ones((1, 40), bool))[0] < LOWEST * 1.01
    assert fit_temperatures(logits[None], 1 - labels, np.ones((1, 40), bool)) == pytest.approx([HIGHEST], rel=0.01)


def test_one_class_infinite_logits_and_no_rows_still_give_a_number():
    logits = np.zeros((3, 30, 3))
    logits[1] = np.inf
    tested = np.array([[True], [True], [False]]).repeat(30, 1)
    found = fit_temperatures(logits, np.zeros(30, int), tested)
    assert np.isfinite(found).all()
    assert ((found >= LOWEST) & (found <= HIGHEST)).all()
    assert fit_temperatures(logits, np.zeros(30, int), np.zeros((3, 30), bool)).tolist() == [1, 1, 1]


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"got \(1, 5, 2\), \(4,\), \(1, 5\)"):
        fit_temperatures(np.zeros((1, 5, 2)), np.zeros(4, int), np.ones((1, 5), bool))

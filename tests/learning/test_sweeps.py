"""As more goes missing: what is dropped, what is left, and that nothing dropped is what was scored before."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, Sequences
from affectory.learning import sweeps
from affectory.learning.evaluation import logits_under
from affectory.learning.experiment import Fold, Trained, train_experiment
from affectory.learning.sweeps import FRAMES_MISSING, MODALITIES_MISSING, RATES, drop_frames, drop_modalities, sweep
from affectory.models import mmin
from affectory.results import metrics
from affectory.vocabulary import Condition, Modality
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
DATASET = small_dataset(96, missing={6: [V], 7: [A, V]})
TEST = DATASET.rows("test")


def trained_on(dataset: Dataset, name: str = "augmented_baseline") -> Trained:
    """Long enough to tell the classes apart now and then."""
    config = mmin.FAMILY.experiments("debug")[name]
    config = replace(config, schedule=replace(config.schedule, constant_epochs=12))
    return train_experiment("mmin", config, Fold(dataset, torch.device("cpu")), seed=0)


@pytest.fixture(scope="module")
def trained() -> Trained:
    return trained_on(DATASET)


def features_seen(monkeypatch: pytest.MonkeyPatch, dataset: Dataset, rows: np.ndarray) -> list[PackedFeatures]:
    """What the model is shown at each rate of dropped frames."""
    seen: list[PackedFeatures] = []

    def spy(model: Any, data: PackedFeatures, *given: Any) -> np.ndarray:
        seen.append(data)
        return logits_under(model, data, *given)

    monkeypatch.setattr(sweeps, "logits_under", spy)
    sweep(trained_on(dataset), dataset, rows, seed=0)
    return seen


@pytest.mark.parametrize("name", ["augmented_baseline", "best"])
def test_at_rate_zero_both_kinds_score_the_rows_as_they_are(name: str):
    model = trained_on(DATASET, name)
    found = sweep(model, DATASET, TEST, seed=0)
    plain = logits_under(model.model, model.data, TEST, None)[0].argmax(-1)
    assert len(set(plain.tolist())) == 2
    for kind in (MODALITIES_MISSING, FRAMES_MISSING):
        at_zero = found[(found["kind"] == kind) & (found["rate"] == 0)].set_index("metric")["value"].to_dict()
        assert at_zero == {metric: of(DATASET.labels[TEST], plain) for metric, of in metrics.CLASSIFICATION.items()}


def test_a_sweep_has_every_metric_at_every_rate_of_both_kinds_and_its_seed_reproduces_it(trained: Trained):
    found = sweep(trained, DATASET, TEST, seed=4)
    assert len(found) == 2 * len(RATES) * len(metrics.CLASSIFICATION) and found["value"].between(0, 1).all()
    assert not found.duplicated(["kind", "rate", "metric"]).any()
    assert found.equals(sweep(trained, DATASET, TEST, seed=4))
    assert not found.equals(sweep(trained, DATASET, TEST, seed=5))


def test_no_row_loses_all_its_modalities_and_none_gains_one():
    present = np.random.default_rng(0).random((500, 3)) < 0.6
    present[0] = False
    left = drop_modalities(present, [0.0, 0.5, 0.99, 1.0], seed=1)
    assert np.array_equal(left[0], present) and not (left & ~present).any()
    assert np.array_equal(left.any(-1), np.broadcast_to(present.any(1), left.shape[:2]))
    assert (left[-1].sum(1) <= 1).all()


def test_modalities_go_at_the_rate_and_what_is_gone_at_one_rate_is_gone_at_the_next():
    left = drop_modalities(np.ones((20_000, 3), bool), RATES, seed=0)
    expected = [1 - rate + rate**3 / 3 for rate in RATES]  # the third that is kept when all three would go
    assert left.mean((1, 2)) == pytest.approx(expected, abs=0.01)
    assert not (left[1:] & ~left[:-1]).any()


def test_the_seed_decides_which_modalities_go():
    present = np.ones((50, 3), bool)
    first = drop_modalities(present, RATES, seed=1)
    assert np.array_equal(first, drop_modalities(present, RATES, seed=1))
    assert not np.array_equal(first, drop_modalities(present, RATES, seed=2))


def test_frames_go_at_the_rate_and_the_others_keep_their_order():
    rows = [np.arange(1000.0)[:, None], None, np.arange(5000.0, 9000.0)[:, None]]
    left = drop_frames(Sequences.from_rows("set", rows, 1, "7"), 0.3, np.random.default_rng(0))
    assert left.lengths.tolist() == pytest.approx([700, 0, 2800], abs=60)
    assert (np.diff(left.row(0)[:, 0]) > 0).all() and (np.diff(left.row(2)[:, 0]) > 0).all()
    assert left.row(0).max() < 1000 and left.row(2).min() >= 5000
    assert (left.feature_set, left.version) == ("set", "7")


def test_no_frame_goes_at_rate_zero_and_a_row_that_loses_all_misses_the_modality():
    sequences = DATASET.sequences[A]
    kept = drop_frames(sequences, 0.0, np.random.default_rng(0))
    assert np.array_equal(kept.frames, sequences.frames) and np.array_equal(kept.lengths, sequences.lengths)
    gone = drop_frames(sequences, 1.0, np.random.default_rng(0))
    assert gone.frames.shape == (0, 5) and not gone.lengths.any()


def test_the_model_is_shown_as_many_frames_as_the_rate_leaves(monkeypatch: pytest.MonkeyPatch):
    seen = features_seen(monkeypatch, DATASET, TEST)
    frames = np.array([sum(int(lengths.sum()) for lengths in data.lengths.values()) for data in seen])
    assert frames[0] == sum(DATASET.sequences[m].lengths[TEST].sum() for m in Modality)
    assert frames / frames[0] == pytest.approx([1 - rate for rate in RATES], abs=0.1)


def test_a_row_that_has_lost_every_frame_keeps_one_modality_whole(monkeypatch: pytest.MonkeyPatch):
    dataset = small_dataset(96, vector=True, missing={6: [A], 7: [A, V]})
    seen = features_seen(monkeypatch, dataset, TEST)
    for data, rate in zip(seen, RATES, strict=True):
        assert data.present.any(1).all()
        assert float(data.present.float().mean()) == pytest.approx(1 - rate + rate**3 / 3, abs=0.15)
    present, before = seen[-1].present.numpy(), dataset.present[TEST]
    assert not (present & ~before).any() and (present.sum(1) == 1).any()


def test_a_model_of_one_modality_is_swept_over_that_one():
    dataset = DATASET.only(Condition([V]))
    found = sweep(trained_on(dataset), dataset, dataset.rows("test"), seed=0)
    by_modality = found[(found["kind"] == MODALITIES_MISSING) & (found["metric"] == "ua")]["value"]
    assert by_modality.nunique() == 1  # its only modality is never taken

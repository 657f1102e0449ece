"""A study's figures say what they should, cut no name, and are the same bytes for the same data."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from affectory.results.tables import EXPERIMENT_TITLES, conditions_table
from affectory.study_plots import imagined_scatter, rate_curves, reliability, study_bars
from tests.fixtures.reports import results_frame

MANY = (*EXPERIMENT_TITLES, *(f"an ablation with a long name, number {number}" for number in range(13)))
TABLE = conditions_table(results_frame(MANY, seeds=2))
GENERATOR = np.random.default_rng(0)


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def sweep(*values: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["experiment", "rate", "value"]).assign(deviation=0.01)


def points(rows: int) -> tuple[np.ndarray, dict[str, float]]:
    return GENERATOR.normal(size=(2, rows, 2)), {"relative_error": 0.618, "cosine": 0.5}


def test_every_experiment_of_a_large_study_is_named_in_full():
    shown = texts(study_bars(TABLE))
    assert set(EXPERIMENT_TITLES.values()) <= set(shown)
    assert {"{a}", "{a,v,t}", "Average", MANY[-1], "UA; lines are one deviation over runs each way"} <= set(shown)


def test_the_best_value_of_a_condition_is_written_and_a_tie_has_none():
    values = pd.DataFrame({"experiment": ["mmin", "mctn"], "condition": "{a}", "metric": "ua", "mean": [0.6123, 0.5]})
    table = values.assign(deviation=0.01)
    assert "0.612" in texts(study_bars(table))
    assert not any("0.500" in text or "0.612" in text for text in texts(study_bars(table.assign(mean=0.5))))


def test_intervals_stand_in_for_means_and_deviations():
    intervals = pd.DataFrame(
        {
            "experiment": ["mmin", "mctn"],
            "condition": "{a}",
            "metric": "ua",
            "value": [0.777, 0.7],
            "low": 0.6,
            "high": 0.8,
        }
    )
    shown = texts(study_bars(TABLE, "ua", intervals))
    assert {"0.777", "UA; lines are 95 % intervals"} <= set(shown)
    assert "{a,v,t}" not in shown


def test_runs_without_a_deviation_and_tables_without_rows_still_draw():
    assert study_bars(conditions_table(results_frame(seeds=1))).startswith(b"<?xml")
    assert study_bars(TABLE[:0]).startswith(b"<?xml")
    assert rate_curves(sweep()).startswith(b"<?xml")


def test_curves_are_named_at_their_ends_from_low_to_high_whatever_the_order_of_their_rows():
    rows = [("mmin", 0.5, 0.6), ("mmin", 0.0, 0.7), ("mctn", 0.0, 0.8), ("mctn", 0.5, 0.5), ("best", 0.5, 0.6001)]
    shown = texts(rate_curves(sweep(*rows), chance=0.25))
    assert [text for text in shown if text in EXPERIMENT_TITLES.values()] == [
        "MCTN (one a condition)",
        "MMIN",
        "Best (preset `best`)",
    ]
    assert {"0 %", "50 %", "chance 0.25", "Missing rate", "UA"} <= set(shown)


def test_names_of_curves_that_end_together_do_not_lie_over_each_other():
    svg = rate_curves(sweep(*((name, rate, 0.5) for name in MANY for rate in (0.0, 0.7))))
    named = [e for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text") and e.text in set(MANY[-13:])]
    heights = sorted(float(element.attrib["y"]) for element in named if "y" in element.attrib)
    assert len(heights) == 13
    assert min(np.diff(heights)) > 9  # points, of letters of 8.5


def test_calibration_shows_the_error_before_and_after():
    truth = np.array([0, 1] * 10)
    sure = np.tile([0.9, 0.1], (20, 1))  # right half the time
    shown = texts(reliability(truth, sure, np.full((20, 2), 0.5)))
    assert {"Before calibration, ECE 0.400", "After calibration, ECE 0.000", "Confidence", "Accuracy"} <= set(shown)


def test_imagined_points_are_shown_by_condition_with_classes_and_distances():
    labels = ["angry", "sad"] * 10
    shown = texts(imagined_scatter({"{a}": points(20), "{a,v}": points(20), "{v}": points(20)}, labels))
    assert {"Imagined from {a}", "Imagined from {a,v}", "Imagined from {v}", "angry", "sad"} <= set(shown)
    assert shown.count("relative error 0.62 · cosine 0.50") == 3


def test_points_in_one_place_still_draw():
    assert imagined_scatter({"{a}": (np.zeros((2, 3, 2)), {})}, ["a", "b", "c"], form="png").startswith(b"\x89PNG")


@pytest.mark.filterwarnings("error::UserWarning")
def test_hostile_names_are_drawn_as_text():
    name = "<script>$x_1$&" + "w" * 80
    svg = study_bars(conditions_table(results_frame((name, "mmin"), seeds=1)))
    assert name in texts(svg)
    assert b"<script" not in svg + rate_curves(sweep((name, 0.0, 0.5), (name, 0.5, 0.4)))


def test_the_same_data_gives_the_same_bytes():
    shown, rows = {"{a}": points(9)}, sweep(("mmin", 0.0, 0.7), ("mmin", 0.5, 0.6))
    truth, probabilities = np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]])
    for draw in (
        lambda: study_bars(TABLE),
        lambda: rate_curves(rows),
        lambda: reliability(truth, probabilities, probabilities),
        lambda: imagined_scatter(shown, list("abcabcabc")),
    ):
        assert draw() == draw()

"""Bars and dots name what they show, cut no name that has room, and mark only what is strictly best."""

import numpy as np
import pandas as pd
import pytest

from affectory.report.figures.bars import class_bars, condition_bars, condition_panels, row_bars, study_bars
from affectory.results.tables import Cell, conditions_table
from tests.fixtures.names import NAMES
from tests.fixtures.pages import texts
from tests.fixtures.reports import results_frame

MANY = (*NAMES, *(f"an ablation with a long name, number {number}" for number in range(20)))
TABLE = conditions_table(results_frame(MANY, seeds=2), names=NAMES)
CLASS_COLUMNS = ["experiment", "label", "value", "deviation"]


def test_bars_name_conditions_experiments_and_chance():
    words = texts(condition_bars(conditions_table(results_frame()), names=NAMES, chance=0.25))
    assert {"{a}", "{a,v,t}", "Average", "MMIN", "Augmented baseline", "chance", "0.25", "UA"} <= set(words)


@pytest.mark.slow
def test_every_experiment_of_a_large_study_is_named_in_full():
    for picture in (condition_bars(TABLE, names=NAMES), study_bars(TABLE, names=NAMES)):
        assert {*(name.title.replace("`", "") for name in NAMES.values()), *MANY[len(NAMES) :]} <= set(texts(picture))
    assert {"{a}", "{a,v,t}", "Average", "UA; lines are one deviation over runs each way"} <= set(
        texts(study_bars(TABLE, names=NAMES))
    )


def test_the_best_value_of_a_condition_is_written_and_a_tie_has_none():
    values = pd.DataFrame({"experiment": ["mmin", "mctn"], "condition": "{a}", "metric": "ua", "mean": [0.6123, 0.5]})
    table = values.assign(deviation=0.01)
    assert "0.612" in texts(study_bars(table))
    assert not any("0.500" in text or "0.612" in text for text in texts(study_bars(table.assign(mean=0.5))))


def test_intervals_stand_in_for_means_and_deviations():
    values = {"experiment": ["mmin", "mctn"], "value": [0.777, 0.7], "low": 0.6, "high": 0.8}
    intervals = pd.DataFrame({**values, "condition": "{a}", "metric": "ua"})
    words = texts(study_bars(TABLE, "ua", intervals))
    assert {"0.777", "UA; lines are 95 % intervals"} <= set(words)
    assert "{a,v,t}" not in words


def test_runs_without_a_deviation_and_tables_without_rows_still_draw():
    for table in (conditions_table(results_frame(seeds=1)), TABLE[:0]):
        assert study_bars(table).startswith(b"<?xml")


def test_a_class_or_a_dimension_that_a_row_never_met_leaves_a_gap():
    classes = pd.DataFrame([("mmin", "joy", 0.5, 0.1), ("best", "anger", 0.4, 0.1)], columns=CLASS_COLUMNS)
    assert {"joy", "anger", "MMIN", "Best (preset best)"} <= set(texts(class_bars(classes, names=NAMES)))
    rows = {
        "A": {"valence": Cell(0.1, np.nan, False), "arousal": Cell(-0.2, 0.1, False)},
        "B": {"arousal": Cell(0, 0, False)},
    }
    assert {"A", "B", "valence", "arousal", "CCC"} <= set(texts(row_bars(rows)))


def test_several_metrics_have_a_panel_each():
    table = conditions_table(results_frame(("mmin", "best")), names=NAMES)
    assert {"WA", "UA", "{a}", "Average", "{a,v,t}", "MMIN"} <= set(texts(condition_panels(table, names=NAMES)))

"""The conditions table is the published one: averages recomputed, deviations over runs, a mark only where earned."""

import math

import pandas as pd
import pytest

from affectory.results.tables import (
    AVERAGE,
    cells,
    columns_of,
    conditions_table,
    confusion_counts,
    full_condition,
    missing_phrase,
    paired_difference,
    repeated,
    runs_phrase,
)
from affectory.results.words import NO_BREAK
from tests.fixtures.names import NAMES
from tests.fixtures.reports import results_frame

SEVEN = ["{a}", "{v}", "{t}", "{a,v}", "{a,t}", "{v,t}", "{a,v,t}"]


def rows(experiment: str, values: dict[str, float], seed: int = 0, metric: str = "ua") -> pd.DataFrame:
    frame = pd.DataFrame({"condition": list(values), "value": list(values.values())})
    return frame.assign(experiment=experiment, metric=metric, fold=0, seed=seed)


def test_the_average_is_the_mean_of_the_six_missing_conditions_and_not_of_the_full_one():
    values = dict(zip(SEVEN, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9], strict=True))
    stored = rows("mmin", {**values, "Average": 0.99})
    table = conditions_table(stored, ["ua"])
    assert columns_of(table) == [*SEVEN[:6], AVERAGE, "{a,v,t}"]
    assert cells(table, "ua")["mmin"][AVERAGE].mean == pytest.approx(0.35)


def test_the_published_average_of_mmin_is_reproduced():
    published = [0.5900, 0.5160, 0.6802, 0.6543, 0.7514, 0.7361, 0.7812]
    table = conditions_table(rows("mmin", dict(zip(SEVEN, published, strict=True))), ["ua"])
    assert cells(table, "ua")["mmin"][AVERAGE].mean == pytest.approx(0.6547, abs=5e-5)  # the slide prints 0.6524


def test_an_incomplete_run_has_no_average():
    table = conditions_table(rows("mmin", {"{a}": 0.5, "{a,v}": 0.7}), ["ua"])
    assert columns_of(table) == ["{a}", "{a,v}"]


def test_the_six_missing_conditions_alone_still_have_their_average():
    table = conditions_table(rows("mmin", dict.fromkeys(SEVEN[:6], 0.5)), ["ua"])
    assert columns_of(table) == [*SEVEN[:6], AVERAGE]


def test_one_modality_has_one_condition_and_no_average():
    assert columns_of(conditions_table(rows("full_baseline", {"{t}": 0.5}), ["ua"])) == ["{t}"]


def test_the_deviation_is_the_sample_deviation_over_seeds():
    table = conditions_table(
        pd.concat([rows("mmin", {"{a}": v}, seed) for seed, v in enumerate((0.5, 0.6, 0.7))]), ["ua"]
    )
    cell = cells(table, "ua")["mmin"]["{a}"]
    assert cell.mean == pytest.approx(0.6)
    assert cell.deviation == pytest.approx(0.1)  # sqrt((0.01 + 0 + 0.01) / 2)
    assert list(table["runs"]) == [3]


def test_one_seed_has_no_deviation():
    table = conditions_table(rows("mmin", {"{a}": 0.5}), ["ua"])
    assert math.isnan(table["deviation"].iloc[0])
    assert not repeated(table)


def test_the_average_deviates_less_than_its_conditions_when_they_move_apart():
    table = conditions_table(
        pd.concat(
            [
                rows("mmin", {"{a}": 0.4, "{v}": 0.6, "{a,v}": 0.7}),
                rows("mmin", {"{a}": 0.6, "{v}": 0.4, "{a,v}": 0.7}, 1),
            ]
        ),
        ["ua"],
    )
    row = cells(table, "ua")["mmin"]
    assert row["{a}"].deviation == pytest.approx(math.sqrt(0.02))
    assert row[AVERAGE].deviation == pytest.approx(0)


@pytest.mark.parametrize(
    ("ours", "theirs", "marked"), [(0.61, 0.60, True), (0.60, 0.60, False), (0.6001, 0.6004, False)]
)
def test_best_is_marked_only_where_it_is_strictly_best_as_shown(ours, theirs, marked):
    table = conditions_table(pd.concat([rows("mmin", {"{a}": ours}), rows("full_baseline", {"{a}": theirs})]), ["ua"])
    assert cells(table, "ua")["mmin"]["{a}"].best is marked
    assert cells(table, "ua")["full_baseline"]["{a}"].best is False


def test_a_lone_experiment_is_not_called_best():
    assert not conditions_table(rows("mmin", {"{a}": 0.9}), ["ua"])["best"].any()


def test_experiments_stand_in_the_order_of_their_names_and_metrics_in_the_asked_one():
    rows = results_frame(("mmin", "zeta", "full_baseline", "augmented_baseline"))
    table = conditions_table(rows, ("wa", "ua"), NAMES)
    assert list(dict.fromkeys(table["metric"])) == ["wa", "ua"]
    assert list(dict.fromkeys(table["experiment"])) == ["full_baseline", "augmented_baseline", "mmin", "zeta"]


def test_two_values_for_one_cell_are_refused_with_the_cell():
    twice = pd.concat([rows("mmin", {"{a}": 0.5}), rows("mmin", {"{a}": 0.6})])
    with pytest.raises(
        ValueError, match=r"one value for experiment mmin, metric ua, fold 0, seed 0, condition \{a\}, got two"
    ):
        conditions_table(twice, ["ua"])


def test_no_results_make_an_empty_table():
    assert len(conditions_table(results_frame()[:0])) == 0


def test_the_difference_is_paired_by_run():
    ours = [rows("mmin", {"{a}": value}, seed) for seed, value in enumerate((0.5, 0.7, 0.9))]
    theirs = [rows("full_baseline", {"{a}": value}, seed) for seed, value in enumerate((0.4, 0.6))]
    found = paired_difference(pd.concat([*ours, *theirs]), "ua", "mmin", "full_baseline", "{a}")
    assert found is not None
    assert (found.runs, found.experiment_mean) == (2, pytest.approx(0.6))  # seed 2 has no partner
    assert found.mean == pytest.approx(0.1)
    assert found.deviation == pytest.approx(0)


def test_what_has_no_common_run_has_no_difference():
    apart = pd.concat([rows("mmin", {"{a}": 0.5}, 0), rows("full_baseline", {"{a}": 0.5}, 1)])
    assert paired_difference(apart, "ua", "mmin", "full_baseline", "{a}") is None
    assert paired_difference(apart, "ua", "mmin", "absent", "{a}") is None


def test_the_phrase_of_runs_counts_seeds_and_folds():
    phrases = [runs_phrase(results_frame(seeds=seeds, folds=folds)) for seeds, folds in ((1, 1), (3, 1), (2, 5))]
    assert [phrase.replace(NO_BREAK, " ") for phrase in phrases] == ["1 seed", "3 seeds", "2 seeds × 5 folds"]


@pytest.mark.parametrize(
    ("names", "full", "missing"),
    [
        (SEVEN, "{a,v,t}", "six missing conditions"),
        (["{v}", "{t}"], "{v,t}", "two missing conditions"),
        (["{t}"], "{t}", ""),
        (["Average"], "", ""),
    ],
)
def test_what_was_tested_says_which_condition_is_full_and_how_many_are_missing(names, full, missing):
    tested = rows("mmin", dict.fromkeys(names, 0.5))
    assert (full_condition(tested), missing_phrase(tested)) == (full, missing)


def test_confusion_counts_sum_over_seeds_and_keep_the_order_of_the_classes():
    predictions = pd.DataFrame(
        [("sad", "sad", 0), ("sad", "happy", 0), ("sad", "sad", 1), (None, "sad", 1)],
        columns=["label", "predicted", "seed"],
    ).assign(experiment="mmin", condition="{a}")
    counts = confusion_counts(predictions, ["sad", "calm"])["mmin", "{a}"]
    assert counts["sad", "sad"] == 2
    assert counts["sad", "happy"] == 1
    assert counts["calm", "sad"] == 0
    assert list(dict.fromkeys(label for label, _ in counts)) == ["sad", "calm", "happy"]

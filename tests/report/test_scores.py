"""Scores are means over runs with averages of their own, and every table says what its numbers are."""

from dataclasses import replace

import pandas as pd
import pytest

from affectory.report.markdown import grid_markdown
from affectory.report.scores import (
    bars_figure,
    calibration_figure,
    calibration_grid,
    calibration_table,
    chance,
    class_f1,
    class_grid,
    further_scores,
    learning_figure,
    main_scores,
    rates,
    scores,
    scores_grid,
    scores_note,
    sweep_figure,
)
from affectory.report.study_data import blocks, plain
from affectory.results.frames import records
from affectory.results.names import AVERAGE
from affectory.results.tables import cells
from affectory.results.words import NO_BREAK
from tests.fixtures.studies import CLEAR, LABELS, of_study, of_values, whole_study

PLAIN = plain(whole_study())
FULL = "{a,v}"
PREDICTIONS = ["experiment", "fold", "seed", "condition", "utterance_id", "label", "predicted"]


def test_averages_are_recomputed_and_stored_ones_ignored():
    lies = PLAIN.results[PLAIN.results["condition"] == "{a}"].assign(condition="average", value=0.99)
    table = scores(replace(PLAIN, results=pd.concat([PLAIN.results, lies])), ["ua"])
    for row in cells(table, "ua").values():
        assert row[AVERAGE].mean == pytest.approx((row["{a}"].mean + row["{v}"].mean) / 2)


def test_the_tables_have_two_metrics_and_then_the_others_folded_with_the_best_of_their_own_block_bold():
    for block in blocks(whole_study()):
        main, further = main_scores(block), further_scores(block)
        assert main and [group.heading for group in main.groups] == ["UA", "WA"] and not main.folded
        assert further and [group.heading for group in further.groups] == ["Macro F1", "Weighted F1"] and further.folded
        assert main.columns == ("{a}", "{v}", "Average", FULL) and main.emphasised == {2}
        titles = [title for title, _ in main.groups[0].lines]
        assert titles == [block.names.title(name) for name in block.rows()]
        assert [title for title, values in main.groups[0].lines if values[2].strong] == ["Best (preset `best`)"]
    assert further_scores(replace(PLAIN, metrics=("ua", "wa"))) is None
    assert main_scores(of_study("mmin_study")) is None


def test_what_is_not_ranked_has_no_best_value_and_no_mark():
    grid = scores_grid(PLAIN, ["ua"], "Distances", note="Of features.", ranked=False)
    assert grid and (grid.title, grid.note) == ("Distances", "Of features.")
    assert not any(value.strong or value.mark for _, values in grid.groups[0].lines for value in values)


def test_the_note_says_over_what_the_means_run_who_has_fewer_runs_and_what_is_marked():
    note = scores_note(PLAIN).replace(NO_BREAK, " ")
    assert note.startswith("Test part, mean ± sample standard deviation over 2 seeds × 5 folds. Columns: ")
    assert "a acoustic, v visual, t textual. Average: mean over the two missing conditions, recomputed" in note
    assert "†: MMIN differs from this row, ‡: Best (preset `best`) differs from this row" in note
    assert f"made in the average and under {FULL} only." in note
    few = PLAIN.results.query("not (experiment == 'linear_svm' and seed > 0)")
    fewer = scores_note(replace(PLAIN, results=few)).replace(NO_BREAK, " ")
    assert "over 2 seeds × 5 folds; fewer runs: Linear SVM on functionals (5). " in fewer


def test_one_run_has_no_deviation_and_one_modality_no_average():
    one = of_values({"full_baseline": [0.4]})
    alone = replace(one, results=one.results[one.results["condition"] == "{a}"].assign(selected_on="val"))
    note = scores_note(alone).replace(NO_BREAK, " ")
    assert note.startswith("Test part, 1 seed. ") and "±" not in note and "Average" not in note
    assert "†" not in note and note.endswith("The epoch of each run was selected on the validation part.")
    grid = main_scores(alone)
    assert grid and grid_markdown(grid).splitlines()[-3] == "| Full-modality baseline | 0.400 |"


def test_bars_say_whether_they_are_of_predictions_or_of_runs():
    pooled, of_runs = bars_figure(PLAIN), bars_figure(of_values(CLEAR))
    assert pooled and "95 % bootstrap intervals, whole speakers drawn" in pooled.caption
    assert of_runs and of_runs.caption.startswith("Dots: mean UA over runs. Lines: one standard deviation each way.")
    assert bars_figure(of_study("mmin_study")) is None


def test_a_sweep_is_the_mean_and_deviation_over_runs_and_speaks_of_chance_where_it_is_drawn():
    table = rates(PLAIN, "frames")
    values = PLAIN.sweeps.query("experiment == 'mmin' and kind == 'frames' and rate == 0.4")["value"]
    row = table.query("experiment == 'mmin' and rate == 0.4")
    assert row["value"].item() == pytest.approx(values.mean())
    assert row["deviation"].item() == pytest.approx(values.std(ddof=1))
    assert chance(PLAIN) == 1 / len(LABELS)
    drawn = sweep_figure(PLAIN, "frames", "Lost")
    unlabelled = sweep_figure(replace(PLAIN, predictions=PLAIN.predictions[:0]), "frames", "Lost")
    assert drawn and drawn.name == "missing_frames" and "dashed: chance" in drawn.caption
    assert unlabelled and "chance" not in unlabelled.caption
    assert sweep_figure(of_values(CLEAR), "frames", "Lost") is None


def test_calibration_is_shown_before_and_after_where_there_are_probabilities():
    table = calibration_table(PLAIN)
    assert set(table["experiment"]) == set(PLAIN.rows()) - {"linear_svm"}
    assert all(row["after"] < row["before"] for row in records(table))
    grid = calibration_grid(PLAIN)
    assert grid and calibration_figure(PLAIN)
    lines = {title: [value.text for value in values] for title, values in grid.groups[0].lines}
    assert all("→" in text for text in lines["MMIN"]) and lines["MCTN (one a condition)"][-1] == "–"
    bare = of_values(CLEAR)
    assert calibration_figure(bare) is None and calibration_grid(bare) is None and len(calibration_table(bare)) == 0


def test_f1_of_each_class_is_the_mean_over_runs_of_the_methods_alone_with_every_modality_there():
    pairs = [("joy", "joy"), ("joy", "anger"), ("anger", "anger"), ("fear", "joy")]  # label, predicted
    right = [(label, label) for label, _ in pairs]
    runs = [("mmin", 0, pairs), ("mmin", 1, right), ("best", 0, pairs)]
    rows = [
        (name, 0, seed, condition, f"u{place}", label, label if condition == "{a}" else predicted)
        for name, seed, answers in runs
        for condition in ("{a}", FULL)
        for place, (label, predicted) in enumerate(answers)
    ]
    data = replace(of_values({"mmin": [0.5]}), predictions=pd.DataFrame(rows, columns=PREDICTIONS))
    table = class_f1(data, ("mmin", "mctn")).set_index("label")
    assert set(table["experiment"]) == {"mmin"}
    # One of two found, one wrong: 1/2; one found, one wrong: 2/3; none: 0. The other run is right.
    assert table["value"].to_dict() == pytest.approx({"joy": 3 / 4, "anger": 5 / 6, "fear": 1 / 2})
    grid = class_grid(data, ("mmin",))
    assert grid and grid.columns == ("anger", "fear", "joy") and grid.note.endswith(f"under {FULL}.")
    assert [value.text for value in grid.groups[0].lines[0][1]] == ["0.833", "0.500", "0.750"]
    assert class_grid(data, ("mctn",)) is None


def test_learning_curves_are_of_the_pictured_row():
    figure = learning_figure(PLAIN)
    assert figure and figure.title == "Learning curves of MMIN"
    assert learning_figure(replace(PLAIN, pictured="best")) is None

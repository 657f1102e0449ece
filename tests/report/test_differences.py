"""A difference counts where the paired test holds it; marks, tables and intervals say the same."""

from dataclasses import replace

import pandas as pd

from affectory.report.differences import difference_grids, differences, marks
from affectory.report.markdown import grid_markdown
from affectory.report.scores import main_scores
from affectory.report.study_data import blocks, plain
from affectory.results.frames import records, where
from affectory.results.names import AVERAGE
from affectory.results.words import NO_BREAK
from tests.fixtures.studies import CLEAR, UNCLEAR, of_study, of_values, whole_study

LEVEL = {**UNCLEAR, "full_baseline": UNCLEAR["mmin"]}  # nothing differs from MMIN


def test_a_mark_stands_only_where_the_paired_test_holds():
    for block in blocks(whole_study()):
        held = records(where(differences(block), significant=True))
        wanted = {(row["baseline"], row["condition"], block.references[row["experiment"]]) for row in held}
        given = marks(block, ["ua"])
        assert {(name, place, sign) for (_, name, place), both in given.items() for sign in both} == wanted != set()
    assert marks(of_values(CLEAR), ["ua"]) and not marks(of_values(LEVEL), ["ua"])


def test_marks_reach_the_table():
    marked, bare = main_scores(of_values(CLEAR)), main_scores(of_values(LEVEL))
    assert marked and bare
    assert "| Full-modality baseline | 0.408 ± 0.008 | 0.408 ± 0.008 | 0.408† ± 0.008 |" in grid_markdown(marked)
    assert not any(value.mark for _, values in bare.groups[0].lines for value in values)


def test_differences_are_paired_with_intervals_around_the_pooled_difference():
    table = differences(plain(whole_study()))
    row = table[(table["experiment"] == "best") & (table["baseline"] == "mctn")]
    assert list(row["condition"]) == [AVERAGE]  # MCTN has no full condition
    assert row["low"].item() < row["difference"].item() < row["high"].item()
    assert (row["runs"].item(), row["verdict"].item()) == (10, "holds")
    assert set(table["verdict"]) == {"holds", "not shown"}
    lower = differences(of_values({**CLEAR, "best": CLEAR["full_baseline"]}))
    assert set(where(lower, experiment="best", baseline="mmin")["verdict"]) == {"holds, below"}


def test_rows_normalised_by_speaker_are_tested_among_themselves():
    _, normalised = blocks(whole_study())
    assert set(differences(normalised)["baseline"]) == {"mmin", "best", "linear_svm"}


def test_without_predictions_there_is_no_interval_and_two_folds_are_no_test():
    clear = differences(of_values(CLEAR))
    assert len(clear) and clear[["low", "high"]].isna().to_numpy().all()
    few = of_values({name: values[:2] for name, values in CLEAR.items()})
    assert set(differences(few)["verdict"]) == {"not tested"} and not marks(few, ["ua"])


def test_without_results_or_references_nothing_is_compared():
    for data in (of_study("mmin_study"), of_values({"mctn": [0.5] * 3}), replace(of_values(CLEAR), references={})):
        assert len(differences(data)) == 0 and difference_grids(data) == [] and marks(data, ["ua"]) == {}


def test_each_reference_has_a_table_with_the_conditions_side_by_side_and_a_gap_where_one_is_lacking():
    of_mmin, of_best = difference_grids(plain(whole_study()))
    assert (of_mmin.title, of_best.title) == (
        "MMIN minus every other row, UA",
        "Best (preset `best`) minus every other row, UA",
    )
    assert of_best.spans == (("Average", 5), ("{a,v}", 5))
    lines = dict(of_best.groups[0].lines)
    assert len(lines) == 11 and list(lines)[3:5] == ["MCTN (one a condition)", "Attention fusion"]  # short titles
    assert [value.text for value in lines["MCTN (one a condition)"][5:]] == ["–", "", "", "", ""]
    difference, interval, effect, p, verdict = lines["Full-modality baseline"][:5]
    assert difference.text.startswith("+0.") and f"{NO_BREAK}to{NO_BREAK}" in interval.text
    assert effect.text[1] == "." and p.text and verdict.text == "holds" and verdict.strong
    assert "whole speakers drawn" in of_best.note and "(10)" in of_best.note


def test_who_shares_fewer_runs_is_named():
    full = of_values(CLEAR)
    few = full.results.query("not (experiment == 'full_baseline' and fold > 2)")
    (grid,) = difference_grids(replace(full, results=few))
    assert "the runs that both have (5; Full-modality baseline 3)." in grid.note


def test_a_row_that_shares_no_run_is_left_out():
    full = of_values(CLEAR)
    apart = full.results.assign(seed=full.results["seed"] + 9 * (full.results["experiment"] == "full_baseline"))
    assert set(differences(replace(full, results=pd.DataFrame(apart)))["baseline"]) == {"augmented_baseline"}

"""Sentences follow the numbers, and claim an order only where the paired test holds it."""

from dataclasses import replace

import pytest

from affectory.report.sentences import (
    against,
    calibration,
    gap,
    highest_rows,
    in_the_mean,
    left_out,
    published_order,
    scope,
    with_all,
)
from affectory.report.study_data import StudyData, plain
from affectory.results.names import AVERAGE
from affectory.results.words import NO_BREAK
from tests.fixtures.studies import CLEAR, CONDITIONS, UNCLEAR, of_study, of_values, three_modalities, whole_study

PLACE = "in the mean over the missing conditions"
PAIRS = (("augmented_baseline", "mmin"), ("mctn", "augmented_baseline"), ("mmin_ae", "mmin"))


def text(sentences: list[str]) -> str:
    return "\n".join(sentences).replace(NO_BREAK, " ")


def only(data: StudyData, *conditions: str) -> StudyData:
    return replace(data, results=data.results[data.results["condition"].isin(conditions)])


def test_the_highest_row_is_told_from_those_that_the_test_tells_it_from():
    clear = text(highest_rows(of_values(CLEAR)))
    assert clear.splitlines()[0] == (
        "In the mean over the two missing conditions, MMIN has the highest UA of 3 rows, 0.612 ± 0.012; the paired "
        "test tells it from both others."
    )
    assert "With both modalities, {a,v}, MMIN has the highest UA of 3 rows" in clear
    unclear = text(highest_rows(of_values({**CLEAR, "augmented_baseline": [0.59, 0.63, 0.60, 0.62, 0.605]})))
    assert "tells it from 1 of the 2 others, not from the augmented baseline (0.609)." in unclear.splitlines()[0]
    level = text(highest_rows(of_values({"mmin": CLEAR["mmin"], "mctn": [0.2, 0.9, 0.3, 0.9, 0.7]})))
    assert "the paired test does not tell it from MCTN (0.600)." in level
    assert "the highest UA of 4 rows" in text(highest_rows(three_modalities()))  # MCTN has no full condition
    assert "With every modality there, {a,v,t}, the preset best" in text(highest_rows(three_modalities()))


def test_a_winner_that_was_not_named_beforehand_is_said_to_be_picked():
    picked = "it was picked by these very numbers, which the test does not allow for"
    assert picked in text(highest_rows(of_values({**CLEAR, "mmin_ae": [0.7, 0.71, 0.72, 0.70, 0.71]})))
    assert picked not in text(highest_rows(of_values(CLEAR)))


def test_too_few_runs_and_too_few_rows_claim_nothing():
    few = of_values({name: values[:2] for name, values in CLEAR.items()})
    assert all(line.endswith("; too few runs to test it.") for line in highest_rows(few))
    assert "Fewer than three folds or seeds: no difference is tested" in text(scope(few))
    assert highest_rows(of_values({"mmin": [0.5] * 5})) == []
    assert highest_rows(of_study("mmin_study")) == []


def test_one_modality_has_one_condition_and_no_mean_over_missing_ones():
    (line,) = highest_rows(only(of_values(CLEAR), "{a}"))
    assert line.startswith("With every modality there, {a}, MMIN has the highest UA of 3 rows")


def test_the_slides_order_holds_or_is_not_shown_or_is_the_other_way_round():
    holds = text(published_order(of_values(CLEAR), PAIRS, AVERAGE, PLACE))
    assert holds.startswith("Of the slides’ order the paired test holds: MMIN above the augmented baseline by 0.100 (p")
    assert "pairs" not in holds  # of one alone
    values = {**UNCLEAR, "mctn": [0.55] * 5, "mmin_ae": UNCLEAR["mmin"]}
    weak, reversed_ = published_order(of_values(values), PAIRS, AVERAGE, PLACE)
    assert weak.startswith(f"In the slides’ direction, but not shown by the test ({PLACE}; Holm over 3 pairs): MMIN")
    assert reversed_.startswith("Against the slides’ order: the augmented baseline below MCTN by 0.038 (the test holds")
    assert "MMIN level with MMIN-AE (not shown" in reversed_


def test_an_order_of_rows_that_are_not_there_or_share_no_run_is_not_spoken_of():
    clear = of_values(CLEAR)
    apart = clear.results.assign(seed=clear.results["seed"] + 9 * (clear.results["experiment"] == "mmin"))
    for data in (of_study("mmin_study"), of_values({"mmin": [0.5] * 5}), replace(clear, results=apart)):
        assert published_order(data, PAIRS, AVERAGE, PLACE) == []
    assert published_order(clear, (), AVERAGE, PLACE) == []


def test_a_gap_gives_size_side_and_what_the_test_says():
    rows = against(of_values(CLEAR), "mmin", AVERAGE)
    assert set(rows) == {"full_baseline", "augmented_baseline"}
    words = gap(of_values(CLEAR), rows["augmented_baseline"]).replace(NO_BREAK, " ")
    assert words.startswith("0.100 above the augmented baseline (0.512; the test holds it, p < 0.001)")
    level = of_values({"mmin": [0.5, 0.6, 0.7], "best": [0.5, 0.6, 0.7]})
    assert (
        gap(level, against(level, "best", "{a,v}")["mmin"]) == f"level with MMIN (0.600; not shown, p{NO_BREAK}1.000)"
    )
    assert against(of_values(CLEAR), "best", AVERAGE) == {} == against(of_study("mmin_study"), "", "")


def test_what_is_not_a_number_counts_as_not_there():
    data = of_values({**CLEAR, "best": [float("nan")] * 5})
    assert text(highest_rows(data)) == text(highest_rows(of_values(CLEAR)))
    assert against(data, "best", AVERAGE) == {} and "best" not in against(data, "mmin", AVERAGE)


def test_calibration_is_told_of_the_references_and_counted_over_all_rows():
    assert text(calibration(whole_study())).endswith("it is lower in 11 of 11 rows.")
    assert "for the preset best and from " in text(calibration(whole_study()))
    others = replace(plain(whole_study()), references={})
    assert "averaged over the missing conditions, is lower in 11 of 11 rows." in text(calibration(others))
    assert calibration(of_values(CLEAR)) == [] == calibration(of_study("mmin_study"))


def test_the_scope_of_the_test_is_folds_or_one_split():
    assert "counts 5 folds, each averaged over its seeds" in text(scope(whole_study()))
    assert "speaks of training again on this split, not of other speakers" in text(scope(three_modalities()))


def test_rows_that_were_left_out_are_named_by_reason():
    reasons = {"mmin": "no weights", "mctn": "no weights", "x": "y."}
    data = replace(of_study("mmin_study"), left_out=reasons)
    assert left_out(data) == ["Not trained: MMIN and MCTN (one a condition): no weights; x: y."]
    assert left_out(of_values(CLEAR)) == []


@pytest.mark.parametrize(
    ("conditions", "mean", "whole"),
    [
        (CONDITIONS, "In the mean over the two missing conditions", "With both modalities, {a,v}"),
        (("{v}",), "In the mean over the ", "With every modality there, {v}"),
    ],
)
def test_conditions_are_called_by_how_many_there_are(conditions, mean, whole):
    data = only(of_values(CLEAR), *conditions)
    assert (in_the_mean(data), with_all(data)) == (mean, whole)

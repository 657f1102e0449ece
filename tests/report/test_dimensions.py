"""Scores of valence and arousal are means over runs of what each row was tested under, and tables say so."""

from dataclasses import replace
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest

from affectory.report.dimensions import (
    TOTAL,
    after_training_grid,
    agreement_figure,
    best_by_validation,
    ccc_bars_figure,
    ccc_by_condition,
    ccc_grid,
    cells_of,
    conditions_figure,
    drawn_predictions,
    further_grid,
    gap_words,
    longest_video,
    timeline_figure,
    values_of,
)
from affectory.report.section import Grid
from affectory.results.metrics import ccc
from affectory.results.names import AVERAGE
from affectory.results.words import NO_BREAK, number
from tests.fixtures.dimensions import both, dimension_data, of_values
from tests.fixtures.studies import of_study

ROWS = ("conv2d_5", "vgg16")
SOUND = of_values(
    {"conv2d_5": {"{a}": [0.1, 0.3]}, "vgg16": {"{a}": [0.2, 0.2]}},
    {"conv2d_5": {"{a}": [0.3, 0.4]}, "vgg16": {"{a}": [0.0, 0.1]}},
)
PUBLISHED = {"conv2d_5": (0.122, 0.211), "vgg16": (0.251, 0.078)}


def line(grid: Grid | None, title: str) -> list[str]:
    """The texts of a line."""
    assert grid is not None
    return next(
        [value.text for value in values] for group in grid.groups for name, values in group.lines if name == title
    )


def test_the_total_is_the_sum_within_each_run_and_a_run_that_lacks_a_dimension_has_none():
    assert values_of(SOUND, TOTAL)["conv2d_5"] == {(0, 0): pytest.approx(0.4), (0, 1): pytest.approx(0.7)}
    lacking = SOUND.results.query("not (experiment == 'vgg16' and seed == 1 and metric == 'ccc_arousal')")
    assert values_of(replace(SOUND, results=lacking), TOTAL)["vgg16"] == {(0, 0): pytest.approx(0.2)}
    cell = cells_of(SOUND, TOTAL, ROWS)["conv2d_5"]
    assert (cell.mean, cell.deviation) == (pytest.approx(0.55), pytest.approx(0.3 / sqrt(2)))


def test_a_row_is_scored_under_the_fullest_condition_that_it_has_unless_another_is_asked_for():
    data = of_values({"multimodal": {"{a}": [0.1], "{v}": [0.2], "{a,v}": [0.5]}, "visual": {"{v}": [0.4]}})
    assert values_of(data, "ccc_valence") == {"multimodal": {(0, 0): 0.5}, "visual": {(0, 0): 0.4}}
    assert values_of(data, "ccc_valence", AVERAGE) == {"multimodal": {(0, 0): pytest.approx(0.15)}}
    assert isnan(cells_of(data, "ccc_valence", ["visual"])["visual"].deviation)  # one run


def test_a_table_of_rows_has_means_with_deviations_and_the_strictly_highest_bold():
    grid = ccc_grid(SOUND, ROWS, "CCC by network")
    assert grid and grid.columns == ("Valence", "Arousal", "Total") and not grid.spans
    ((_, ours), _) = grid.groups[0].lines
    assert [value.text for value in ours] == ["0.200", "0.350", "0.550"]
    assert [value.spread for value in ours] == [f"± {number(n / sqrt(2))}" for n in (0.2, 0.1, 0.3)]
    assert [value.strong for value in ours] == [False, True, True]  # valence is a tie
    assert "Total: sum of both. Bold: strictly highest" in grid.note
    assert ccc_grid(of_study("omg_study", dimensions=("valence",)), ROWS, "CCC") is None


def test_published_numbers_stand_behind_ours_in_the_order_of_our_columns():
    grid = ccc_grid(SOUND, ROWS, "CCC", published=PUBLISHED, published_note="Theirs.")
    assert grid and grid.spans == (("Here", 3), ("Slides, other data", 3)) and grid.emphasised == {3, 4, 5}
    assert line(grid, "5Conv2D")[3:] == ["0.122", "0.211", "0.333"]
    assert line(grid, "VGG16 (NP)")[3:] == ["0.251", "0.078", "0.329"]
    assert grid.note.endswith(" Theirs.")
    some = ccc_grid(SOUND, ROWS, "CCC", published={"vgg16": PUBLISHED["vgg16"]})
    assert line(some, "5Conv2D")[3:] == ["–"] * 3
    none = ccc_grid(SOUND, ROWS, "CCC", published={"mine": (0.1, 0.2)}, published_note="Theirs.")
    assert none and len(none.columns) == 3 and "Theirs" not in none.note


def test_with_one_dimension_there_is_no_total_and_what_is_published_has_that_dimension_alone():
    one = of_values({"vgg16": {"{a}": [0.1]}})
    grid = ccc_grid(one, ["vgg16"], "CCC of valence", published=PUBLISHED)
    assert grid and grid.columns == ("Valence", "Valence") and line(grid, "VGG16 (NP)") == ["0.100", "0.251"]
    assert "Total" not in grid.note and grid.groups[0].lines[0][1][0].spread == ""
    arousal = replace(one, dimensions=("arousal",), results=one.results.replace("ccc_valence", "ccc_arousal"))
    assert line(ccc_grid(arousal, ["vgg16"], "CCC", published=PUBLISHED), "VGG16 (NP)") == ["0.100", "0.078"]


def test_the_note_says_who_has_fewer_runs_and_what_selected_them():
    grid = ccc_grid(of_values({"vgg16": {"{a}": [0.1]}, "conv2d_5": {"{a}": [0.1, 0.2]}}), ROWS, "CCC")
    assert grid and "; fewer runs: VGG16 (NP) (1). The epoch of each run was selected on the validation" in grid.note


def test_a_cell_with_two_values_is_refused():
    with pytest.raises(ValueError, match="expected one value for experiment conv2d_5"):
        ccc_grid(replace(SOUND, results=pd.concat([SOUND.results, SOUND.results])), ROWS, "CCC")


def test_the_best_by_validation_is_not_the_best_on_test_and_is_validated_under_its_own_condition():
    values = {"conv2d_5": {"{a}": [0.1]}, "vgg16": {"{a}": [0.9]}}
    validated = {
        "conv2d_5": {"{a}": [0.6]},
        "vgg16": {"{a}": [0.5], "{v}": [0.9]},
    }  # what it got under {v} is not of it
    assert best_by_validation(of_values(values, val_ccc=validated), values) == "conv2d_5"
    assert best_by_validation(SOUND, ROWS) == "" == best_by_validation(of_study("omg_study"), ROWS)


def test_a_gap_says_whether_it_is_more_than_the_spread_over_runs():
    def words(ours: list[float], theirs: list[float], shift: int = 0) -> str:
        run = {(0, seed): value for seed, value in enumerate(ours)}
        other = {(0, seed + shift): value for seed, value in enumerate(theirs)}
        return gap_words(SOUND, run, other, "GRU").replace(NO_BREAK, " ")

    # Differences 0.2, 0.1, 0.3: 0.2 ± 0.1, t(2) = 2 sqrt(3), p 0.074.
    assert words([0.4, 0.6, 0.8], [0.2, 0.5, 0.5]) == (
        "0.200 ± 0.100 above GRU (0.400), more than the spread over runs (paired p 0.074)"
    )
    assert ", no more than the spread over runs" in words([0.4, 0.6, 0.8], [0.2, 0.8, 0.6])
    assert words([0.4, 0.6], [0.5, 0.8]) == "0.150 ± 0.071 below GRU (0.650), more than the spread over runs"
    assert words([0.4], [0.2]) == "0.200 above GRU (0.200), in one run"
    assert words([0.4, 0.4], [0.4, 0.4]) == "level with GRU (0.400)"
    assert words([0.4], [0.2], shift=5) == "GRU (0.200) has no run in common"


def test_further_scores_are_by_video_and_squared_errors():
    data = of_values({"vgg16": {"{a}": [0.1]}}, video_ccc_valence={"vgg16": {"{a}": [0.05]}})
    grid = further_grid(data, ["vgg16"])
    assert grid and grid.columns == ("Valence, by video", "MSE, valence") and grid.folded
    assert line(grid, "VGG16 (NP)") == ["0.050", "–"]
    assert further_grid(SOUND, ROWS) is None


def test_rescaled_and_smoothed_stand_beside_the_score_as_it_is_of_the_rows_that_have_them():
    after = {"rescaled_ccc_valence": 0.3, "smoothed_ccc_valence": 0.2}
    more = {metric: {"vgg16": {"{a}": [value]}} for metric, value in after.items()}
    data = of_values({"vgg16": {"{a}": [0.1]}, "alexnet": {"{a}": [0.5]}}, **more)
    grid = after_training_grid(data, {"Sound": ["vgg16", "alexnet"], "Faces": []})
    assert line(grid, "VGG16 (NP)") == ["0.100", "0.300", "0.200"]
    assert grid and [(group.heading, len(group.lines)) for group in grid.groups] == [("Sound", 1)]
    assert after_training_grid(SOUND, {"Sound": ROWS}) is None


def test_the_table_of_conditions_has_a_group_a_dimension_and_their_mean():
    data = both({"multimodal": {"{a}": [0.1, 0.2], "{v}": [0.3, 0.4], "{a,v}": [0.5, 0.6]}})
    grid = ccc_by_condition(data, ["multimodal"])
    assert grid and [group.heading for group in grid.groups] == ["CCC of valence", "CCC of arousal", "Mean CCC"]
    assert grid.columns == ("{a}", "{v}", "Average", "{a,v}")
    average, whole = grid.groups[2].lines[0][1][2:]
    assert (average.text, average.spread, whole.text) == ("0.250", f"± {number(0.1 / sqrt(2))}", "0.550")
    assert "Average: mean over the two missing conditions" in grid.note
    one = of_values({"multimodal": {"{a}": [0.1]}})
    alone = ccc_by_condition(one, ["multimodal"])
    assert alone and [group.heading for group in alone.groups] == ["CCC of valence"] and "Average" not in alone.note
    assert conditions_figure(one, ["multimodal"]) is None and ccc_by_condition(one, ["visual"]) is None


def test_alt_texts_tell_the_numbers():
    bars = ccc_bars_figure(SOUND, "sound_rows", [*ROWS, "alexnet"], "sound")
    assert bars and bars.alt == "5Conv2D valence 0.200, arousal 0.350; VGG16 (NP) valence 0.200, arousal 0.050."
    assert ccc_bars_figure(SOUND, "sound_rows", ["alexnet"], "sound") is None
    data = both({"multimodal": {"{a}": [0.1], "{v}": [0.3], "{a,v}": [0.5]}})
    conditions = conditions_figure(data, ["multimodal"])
    assert conditions and "Mean CCC, Multimodal: Average 0.200, {a,v} 0.500." in conditions.alt
    agreement = agreement_figure(dimension_data(), "multimodal_augmented")
    rows = dimension_data().predictions.query("dimension == 'valence'")
    reached = number(ccc(rows["label"].to_numpy(), rows["predicted"].to_numpy()))
    assert agreement and f"valence: CCC {reached} over 84 utterances" in agreement.alt
    assert "Multimodal, augmented, fold 0, seed 0, under {a,v,t}; test part." in agreement.caption


def test_predictions_are_drawn_of_the_preferred_row_or_of_the_best_by_validation_in_its_first_run():
    table = dimension_data().predictions
    later = table.assign(seed=1, condition="{a}")
    other = table.assign(experiment="multimodal", fold=3)
    data = replace(dimension_data(), predictions=pd.concat([later, other, table]))
    for preferred, row, fold in (("multimodal", "multimodal", 3), ("visual", "multimodal_augmented", 0)):
        drawn = drawn_predictions(data, preferred)
        assert set(drawn["experiment"]) == {row} and set(drawn["fold"]) == {fold} and set(drawn["seed"]) == {0}
        assert set(drawn["condition"]) == {"{a,v,t}"}
    nothing = of_study("omg_study", dimensions=("valence",))
    for figure in (agreement_figure, timeline_figure):
        assert figure(nothing, "visual") is None
        assert figure(replace(dimension_data(), predictions=table.assign(label=np.nan)), "visual") is None


def test_the_timeline_is_of_the_longest_video_with_gaps_where_a_dimension_has_no_label():
    rows = drawn_predictions(dimension_data(), "multimodal_augmented")
    video = longest_video(rows)
    assert set(video["dialogue_id"]) == {"video1"} and video["place"].is_monotonic_increasing  # of equals the first
    gaps = rows.drop(rows.query("dimension == 'valence' and dialogue_id == 'video1' and place < 3").index)
    figure = timeline_figure(replace(dimension_data(), predictions=gaps), "multimodal_augmented")
    assert figure and "The longest tested video, video1, 22 utterances in order." in figure.caption
    assert "Valence: labels from " in figure.alt and figure.draw("svg").startswith(b"<?xml")

"""Scores of valence and arousal are means over runs of what each row was tested under; the slides' stand apart."""

from dataclasses import replace
from math import isnan, sqrt

import numpy as np
import pandas as pd
import pytest

from affectory.dimension_data import DimensionData
from affectory.dimension_rows import SLIDES_NUMBERS, in_order, row, title
from affectory.dimension_tables import (
    AUDIO,
    MULTIMODAL,
    PUBLISHED,
    Grid,
    after_training,
    condition_scores,
    further,
    main_table,
    published_table,
)
from affectory.dimension_values import TOTAL, best_by_validation, rows_by_group, values_of
from affectory.results.tables import AVERAGE, Cell, cells
from tests.fixtures.dimensions import dimension_data, of_values

DATA = dimension_data()
SOUND = of_values(
    {"conv2d_5": {"{a}": [0.1, 0.3]}, "vgg16": {"{a}": [0.2, 0.2]}},
    {"conv2d_5": {"{a}": [0.3, 0.4]}, "vgg16": {"{a}": [0.0, 0.1]}},
)


def line(table: Grid | None, name: str) -> tuple[Cell | str, ...]:
    assert table is not None
    return next(cells for _, lines in table.groups for title, cells in lines if title == name)


def means(table: Grid | None, name: str) -> list[float]:
    return [cell.mean for cell in line(table, name) if isinstance(cell, Cell)]


def test_the_total_is_the_sum_within_each_run():
    assert values_of(SOUND, TOTAL)["conv2d_5"] == {(0, 0): pytest.approx(0.4), (0, 1): pytest.approx(0.7)}
    table = main_table(SOUND, "audio")
    assert means(table, "5Conv2D") == pytest.approx([0.2, 0.35, 0.55])
    deviations = [cell.deviation for cell in line(table, "5Conv2D") if isinstance(cell, Cell)]
    assert deviations == pytest.approx([0.2 / sqrt(2), 0.1 / sqrt(2), 0.3 / sqrt(2)])


def test_a_run_that_lacks_a_dimension_has_no_total():
    results = SOUND.results.query("not (experiment == 'vgg16' and seed == 1 and metric == 'ccc_arousal')")
    assert values_of(replace(SOUND, results=results), TOTAL)["vgg16"] == {(0, 0): pytest.approx(0.2)}


def test_only_a_strictly_highest_mean_is_marked():
    best = [cell.best for cell in line(main_table(SOUND, "audio"), "5Conv2D") if isinstance(cell, Cell)]
    assert best == [False, True, True]  # valence is a tie


def test_the_slides_numbers_stand_behind_ours_in_the_order_of_our_columns():
    table = main_table(SOUND, "audio")
    assert table and table.theirs == 3 and table.columns == ("Valence", "Arousal", "Total") * 2
    assert line(table, "5Conv2D")[3:] == ("0.122", "0.211", "0.333")
    assert line(table, "VGG16 (NP)")[3:] == ("0.251", "0.078", "0.329")
    assert "another data set, unless this corpus is that one" in table.note


@pytest.mark.parametrize(
    ("name", "total"),
    [("vgg16_pretrained", 0.480), ("conv_1d_2d", 0.240), ("resnet50_gru", 0.626), ("vgg16_rnn", 0.497)],
)
def test_the_slides_numbers_add_up_to_their_printed_totals(name, total):
    assert sum(SLIDES_NUMBERS[name]) == pytest.approx(total)


def test_nine_networks_of_sound_and_eleven_of_faces_have_a_number_on_the_slides():
    assert set(AUDIO) < set(SLIDES_NUMBERS) and len(AUDIO) == 9 and len(SLIDES_NUMBERS) == 20


def test_the_published_systems_have_valence_before_arousal():
    assert len(PUBLISHED) == 12
    assert PUBLISHED["GammaLab (VA)"] == ("0.498", "0.361")
    assert PUBLISHED["ResNet50 + GRU (V), slides"] == ("0.446", "0.180")


def test_rows_are_titled_by_network_and_by_what_runs_over_the_faces():
    assert title("resnet50_pretrained") == "ResNet50 (P)"
    assert title("vgg16_conv1d_4") == "VGG16 + 4Conv1D"
    assert title("mobilenet_v3_small_gru_random") == "MobileNetV3-Small + GRU (random weights)"
    assert title("resnet50_gru_fine_tuned_random") == "ResNet50 + GRU (fine-tuned, random weights)"
    assert title("efficient_net_rnn") == "efficient_net + RNN"
    assert row("conv_attention_of_mine") == ("conv_attention_of_mine", "")


def test_rows_are_ordered_as_on_the_slides_and_random_weights_come_last():
    names = [
        "mine",
        "vgg16_rnn_random",
        "multimodal",
        "vgg16_rnn",
        "resnet50_lstm",
        "resnet50_gru",
        "vgg16",
        "conv2d_5",
    ]
    wanted = [
        "conv2d_5",
        "vgg16",
        "resnet50_gru",
        "resnet50_lstm",
        "vgg16_rnn",
        "vgg16_rnn_random",
        "multimodal",
        "mine",
    ]
    assert in_order(names) == wanted


def test_an_unknown_row_is_shown_with_those_of_several_modalities():
    groups = rows_by_group(of_values({"mine": {"{a}": [0.1]}, "vgg16": {"{a}": [0.1]}}))
    assert groups == {"audio": ["vgg16"], "features": [], "faces": [], "modalities": ["mine"]}


def test_a_row_is_scored_under_the_fullest_condition_that_it_has():
    data = of_values({"multimodal": {"{a}": [0.1], "{v}": [0.2], "{a,v}": [0.5]}, "visual": {"{v}": [0.4]}})
    assert values_of(data, "ccc_valence") == {"multimodal": {(0, 0): 0.5}, "visual": {(0, 0): 0.4}}
    assert values_of(data, "ccc_valence", AVERAGE) == {"multimodal": {(0, 0): pytest.approx(0.15)}}


def test_the_conditions_table_has_a_block_a_dimension_and_the_mean():
    of = {"multimodal": {"{a}": [0.1, 0.2], "{v}": [0.3, 0.4], "{a,v}": [0.5, 0.6]}}
    table = condition_scores(of_values(of, of, ccc=of))
    assert list(dict.fromkeys(table["metric"])) == ["CCC of valence", "CCC of arousal", "Mean CCC"]
    found = cells(table, "Mean CCC")["Multimodal"]
    assert found[AVERAGE].mean == pytest.approx(0.25) and found["{a,v}"].mean == pytest.approx(0.55)
    assert found[AVERAGE].deviation == pytest.approx(0.1 / sqrt(2))


def test_the_rows_by_condition_keep_their_order():
    order = list(dict.fromkeys(condition_scores(DATA)["experiment"]))
    assert order == [name for name, _ in MULTIMODAL.values()]


def test_our_rows_beside_the_published_are_chosen_on_validation_and_not_on_test():
    values = {"conv2d_5": {"{a}": [0.1]}, "vgg16": {"{a}": [0.9]}}
    data = of_values(values, values, val_ccc={"conv2d_5": {"{a}": [0.6]}, "vgg16": {"{a}": [0.5]}})
    assert best_by_validation(data, values) == "conv2d_5"
    table = published_table(data)
    assert table and next(heading for heading, _ in table.groups) == "Here, on this corpus"
    assert means(table, "Sound: 5Conv2D") == pytest.approx([0.1, 0.1])


def test_without_validation_scores_no_row_of_ours_is_chosen():
    table = published_table(SOUND)
    assert table and len(table.groups) == 1 and "none was chosen" in table.note


def test_published_systems_are_beside_the_study_alone():
    assert published_table(replace(DATA, study="valence_arousal")) is None


def test_further_scores_are_by_video_and_squared_errors():
    table = further(of_values({"vgg16": {"{a}": [0.1]}}, video_ccc_valence={"vgg16": {"{a}": [0.05]}}), "audio")
    assert table and table.columns == ("Valence, by video", "MSE, valence")
    assert means(table, "VGG16 (NP)") == [0.05] and line(table, "VGG16 (NP)")[1] == "–"


def test_rescaled_and_smoothed_stand_beside_the_score_as_it_is():
    of = {
        name: {"vgg16": {"{a}": [value]}}
        for name, value in (("rescaled_ccc_valence", 0.3), ("smoothed_ccc_valence", 0.2))
    }
    table = after_training(of_values({"vgg16": {"{a}": [0.1]}, "alexnet": {"{a}": [0.5]}}, **of))
    assert means(table, "VGG16 (NP)") == [0.1, 0.3, 0.2]
    assert table and [len(lines) for _, lines in table.groups] == [1]  # AlexNet was not changed
    assert after_training(SOUND) is None


def test_with_one_dimension_there_is_no_total_and_the_slides_have_that_dimension_alone():
    table = main_table(of_values({"vgg16": {"{a}": [0.1]}}), "audio")
    assert table and table.columns == ("Valence", "Valence")
    assert line(table, "VGG16 (NP)") == (Cell(0.1, line(table, "VGG16 (NP)")[0].deviation, False), "0.251")  # pyright: ignore
    assert set(condition_scores(dimension_data(1, ("arousal",)))["metric"]) == {"CCC of arousal"}


def test_with_one_run_there_is_no_deviation():
    cell = line(main_table(of_values({"vgg16": {"{a}": [0.1]}}), "audio"), "VGG16 (NP)")[0]
    assert isinstance(cell, Cell) and isnan(cell.deviation)


def test_the_note_says_who_has_fewer_runs():
    table = main_table(of_values({"vgg16": {"{a}": [0.1]}, "conv2d_5": {"{a}": [0.1, 0.2]}}), "audio")
    assert table and "; fewer runs: VGG16 (NP) (1). The epoch of each run was selected on the validation" in table.note


def test_a_cell_with_two_values_is_refused():
    with pytest.raises(ValueError, match="expected one value for experiment conv2d_5"):
        main_table(replace(SOUND, results=pd.concat([SOUND.results, SOUND.results])), "audio")


def test_what_is_no_dimension_or_lacks_columns_is_refused_by_name():
    with pytest.raises(ValueError, match=r"unknown dimensions \['dominance'\]"):
        DimensionData(study="s", dimensions=("dominance",))
    with pytest.raises(ValueError, match=r"study s: predictions lacks columns \['place'\]"):
        DimensionData(study="s", predictions=DATA.predictions.drop(columns="place"))
    with pytest.raises(ValueError, match=r"sound mel: expected frames \[T, D\], got shape \(3,\)"):
        DimensionData(study="s", sounds={"mel": np.zeros(3)})
    with pytest.raises(ValueError, match=r"expected faces \[n, height, width, 3\], got \(2, 112, 112\)"):
        DimensionData(study="s", faces=np.zeros((2, 112, 112), np.uint8))

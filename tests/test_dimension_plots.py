"""Pictures of valence and arousal: what they show, of odd data too, and that they are the same bytes each time."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from affectory.dimension_data import DimensionData
from affectory.dimension_pictures import longest_video, pictures, points_of, shown_predictions, shown_row
from affectory.dimension_plots import agreement, condition_panels, face_strip, row_bars, sound_panels, timeline
from affectory.dimension_tables import condition_scores
from affectory.results.tables import Cell
from tests.fixtures.dimensions import dimension_data, of_values
from tests.test_report import HOSTILE

DATA = dimension_data()
LABEL, PREDICTED = np.array([0.0, 1.0]), np.array([0.0, 1.0])
NAMES = {"sound_rows", "face_rows", "ccc_by_condition", "agreement", "timeline", "learning_curves", "sounds", "faces"}


def texts(picture: bytes) -> list[str]:
    return re.findall(r">([^<>]+)</text>", picture.decode())


def test_everything_that_is_there_is_drawn_as_png_for_a_tracking_server():
    drawn = pictures(DATA)
    assert set(drawn) == NAMES
    assert all(picture.startswith(b"\x89PNG") for picture in drawn.values())


def test_the_same_data_gives_the_same_bytes():
    one = dimension_data(1, ("valence",))
    assert pictures(one, "svg") == pictures(one, "svg")


def test_nothing_is_drawn_of_nothing():
    assert pictures(DimensionData(study="omg_study")) == {}


def test_a_bar_of_a_row_without_a_dimension_is_left_out():
    rows = {
        "A": {"valence": Cell(0.1, np.nan, False), "arousal": Cell(-0.2, 0.1, False)},
        "B": {"arousal": Cell(0, 0, False)},
    }
    assert {"A", "B", "valence", "arousal", "CCC"} <= set(texts(row_bars(rows)))


def test_one_condition_is_not_drawn_by_condition_and_several_have_a_panel_a_metric():
    assert "ccc_by_condition" not in pictures(of_values({"multimodal": {"{a}": [0.1]}}))
    shown = texts(condition_panels(condition_scores(DATA)))
    assert {"CCC of valence", "CCC of arousal", "Mean CCC", "{a}", "Average", "{a,v,t}", "Textual alone"} <= set(shown)


def test_the_title_of_agreement_tells_the_ccc():
    # Means 0.5 and 0.75, variances 1/4 and 1/16, covariance 1/8: 2/8 / (5/16 + 1/16) = 2/3.
    shown = texts(agreement({"valence": (LABEL, PREDICTED), "arousal": (LABEL, np.array([0.5, 1.0]))}))
    assert {"Valence, CCC 1.000", "Arousal, CCC 0.667", "Label", "Prediction"} <= set(shown)
    assert "Valence, CCC −1.000" in texts(agreement({"valence": (LABEL, 1 - LABEL)}))


def test_values_beyond_the_scale_stay_in_the_picture():
    assert "4" in texts(timeline({"arousal": (np.array([0.5, 4.0]), np.array([0.0, 1.0]))}))


def test_a_video_of_one_utterance_is_drawn():
    assert "Utterance of the video" in texts(timeline({"valence": (LABEL[:1], PREDICTED[:1])}))


def test_the_longest_video_is_shown_in_the_order_of_its_utterances():
    rows = longest_video(replace(DATA, predictions=DATA.predictions[::-1]))
    assert set(rows["dialogue_id"]) == {"video1"}  # as long as video4, and before it by name
    assert rows.query("dimension == 'valence'")["place"].tolist() == list(range(22))


def test_predictions_of_one_seed_under_the_fullest_condition_are_shown():
    more = [DATA.predictions, DATA.predictions.assign(seed=1), DATA.predictions.assign(condition="{a}")]
    rows = shown_predictions(replace(DATA, predictions=pd.concat(more)))
    assert len(rows) == len(DATA.predictions)
    assert set(rows["seed"]) == {0} and set(rows["condition"]) == {"{a,v,t}"}
    assert len(points_of(DATA, rows)["valence"][0]) == 14 + 22 + 9 + 17 + 22


def test_without_the_augmented_row_the_best_on_validation_is_shown():
    predictions = pd.concat([DATA.predictions.assign(experiment=name) for name in ("vgg16", "alexnet")])
    data = of_values({}, {"vgg16": {"{a}": [0.1]}}, val_ccc={"vgg16": {"{a}": [0.1]}, "alexnet": {"{a}": [0.2]}})
    assert shown_row(replace(data, predictions=predictions)) == "alexnet"
    assert shown_row(replace(data, predictions=predictions, results=DATA.results[:0])) == "vgg16"


def test_sounds_have_a_panel_each_with_seconds_and_what_is_on_the_other_axis():
    shown = texts(sound_panels(DATA.sounds))
    assert {"Spectrogram, dB", "Mel spectrogram, dB", "Log-mel spectrogram, dB", "MFCC"} <= set(shown)
    assert {"Time, s", "Hz", "Mel band", "Coefficient", "8000"} <= set(shown)
    assert "3.0" in shown and "3.5" not in shown  # 94 frames at 31.25 a second


@pytest.mark.parametrize(
    "sounds",
    [{"mel": np.zeros((5, 90))}, {"mfcc": np.full((1, 40), np.nan)}, {name: np.ones((3, 2)) for name in "abcde"}],
    ids=["silence", "unknown", "five sets"],
)
def test_odd_sounds_are_drawn(sounds):
    assert len(sound_panels(sounds, form="png")) > 2000


def test_an_empty_sound_is_none():
    assert pictures(DimensionData(study="s", sounds={"mel": np.zeros((0, 90))})) == {}


@pytest.mark.parametrize("faces", [1, 8, 16])
def test_each_face_has_its_number(faces):
    shown = texts(face_strip(np.zeros((faces, 112, 112, 3), np.uint8)))
    assert shown == [str(number) for number in range(1, faces + 1)]


def test_names_from_data_stay_text():
    table = condition_scores(of_values({HOSTILE: {"{a}": [0.1], "{v}": [0.1]}}))
    bars = row_bars({HOSTILE: {"valence": Cell(0.1, 0.1, False)}})
    for picture in (condition_panels(table), bars, sound_panels({HOSTILE: np.ones((3, 2))})):
        assert b"<script" not in picture

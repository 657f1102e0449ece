"""Figures of a study of conversations: what they say of hostile names, many speakers and long dialogues."""

import re

import numpy as np
import pandas as pd
import pytest

from affectory.conversation_plots import class_bars, depth_curve, edge_map
from tests.test_report import HOSTILE


def edges(utterances: int = 12, speakers: int = 2, modalities: tuple[str, ...] = ("acoustic", "visual", "textual")):
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        [
            (to, source, f"u{turn}", turn, f"s{turn % speakers}", "sad", turn == 3, weight)
            for to in modalities
            for source in modalities
            for turn, weight in enumerate(generator.random(utterances) * (to == source), start=1)
        ],
        columns=["modality", "from_modality", "utterance_id", "turn", "speaker", "label", "chosen", "weight"],
    )


def texts(picture: bytes) -> list[str]:
    return re.findall(r">([^<>]+)</text>", picture.decode())


def test_speakers_are_letters_in_the_order_in_which_they_first_speak():
    found = texts(edge_map(edges(speakers=3)))
    assert found.count("A") == 4 and found.count("B") == 4 and "Speakers: A = s1, B = s2, C = s0" in found
    assert {"acoustic", "visual", "textual", "a", "v", "t"} <= set(found)
    assert "Outlined: utterance 3, sad" in found


@pytest.mark.parametrize(
    ("utterances", "speakers", "modalities"),
    [(1, 1, ("textual",)), (110, 40, ("visual",)), (3, 2, ("acoustic", "textual"))],
)
def test_short_and_endless_dialogues_of_any_number_of_speakers_are_drawn(utterances, speakers, modalities):
    table = edges(max(utterances, 3), speakers, modalities)
    assert len(edge_map(table, form="png")) > 2000


def test_names_from_data_stay_text():
    bad = edges().assign(speaker=HOSTILE, label=HOSTILE)
    table = pd.DataFrame(
        [("mmgcn", HOSTILE, 0.5, np.nan), ("utterance", "joy", 0.4, 0.1)],
        columns=["experiment", "label", "value", "deviation"],
    )
    for picture in (edge_map(bad), class_bars(table)):
        assert b"<script" not in picture


def test_a_class_that_a_row_never_met_leaves_a_gap():
    table = pd.DataFrame(
        [("mmgcn", "joy", 0.5, 0.1), ("utterance", "anger", 0.4, 0.1)],
        columns=["experiment", "label", "value", "deviation"],
    )
    assert {"joy", "anger", "MMGCN", "Utterance alone"} <= set(texts(class_bars(table)))


def test_depth_is_told_in_layers():
    table = pd.DataFrame({"layers": [1, 4, 64], "value": [0.5, 0.6, 0.55], "deviation": [0.1, np.nan, 0.0]})
    assert {"1", "4", "64", "Layers", "Weighted F1"} <= set(texts(depth_curve(table, "weighted_f1")))


def test_one_modality_has_no_panel_of_edges_across():
    assert "Across" in texts(edge_map(edges())) and "Across" not in texts(edge_map(edges(modalities=("textual",))))

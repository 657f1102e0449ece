"""What a feature set is: a named, versioned way from utterances to frames, and the fingerprint of what it computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol

import numpy as np

from affectory.vocabulary import Modality

REMEDY = "pip install 'affectory[extract]'"


class FeatureSetError(RuntimeError):
    """The feature set itself cannot be used (no engine, no weights, a wrong digest): no utterance is to blame."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One utterance to extract from. `end_s` None means to the end of the file."""

    utterance_id: str
    media: Path | None = None  # absolute
    media_sha256: str | None = None
    start_s: float = 0.0
    end_s: float | None = None
    transcript: str | None = None
    has_audio: bool = False
    has_video: bool = False

    @property
    def corpus_folder(self) -> Path | None:
        """The nearest folder above the media file that holds a corpus.toml or, without one, its `media` folder."""
        parents = self.media.parents if self.media else ()
        described = (parent for parent in parents if (parent / "corpus.toml").exists())
        holding = (parent.parent for parent in parents if parent.name == "media")
        return next(described, None) or next(holding, None)

    @property
    def media_in_corpus(self) -> str | None:
        """The media file's path inside the corpus folder; its name where there is no such folder."""
        if self.media is None:
            return None
        return str(self.media.relative_to(self.corpus_folder or self.media.parent))


@dataclass(frozen=True)
class FeatureRow:
    """The frames of one utterance, float32 [T, D]; a missing modality has T = 0 and says why.

    `reason` is a snake_case word, `detail` one sentence; `coverage` is the share (0..1) of the sampled signal that the
    frames stand for. `refused` marks a fault (a broken file, a crash) as opposed to something that is not there.
    """

    utterance_id: str
    frames: np.ndarray
    valid: bool = True
    reason: str = ""
    coverage: float = 1.0
    detail: str = ""
    refused: bool = False


def missing_row(
    utterance_id: str, width: int, reason: str, detail: str, coverage: float = 0.0, *, refused: bool = False
) -> FeatureRow:
    """A row without frames: [0, width], never zeros that could pass for data."""
    frames = np.empty((0, width), np.float32)
    return FeatureRow(utterance_id, frames, False, reason, coverage, detail, refused)


# A track that gives less of an utterance than this is broken there, or the times are wrong.
LEAST_DECODED = 0.5


def decoded_share(segment: Segment, decoded_s: float) -> float:
    """The share (0..1) of the utterance that the track gave; 1 where its end is not known."""
    if segment.end_s is None or segment.end_s <= segment.start_s:
        return 1.0
    return min(1.0, decoded_s / (segment.end_s - segment.start_s))


@lru_cache
def installed(package: str) -> str:
    """`opensmile 2.6.0`; raises FeatureSetError naming the remedy where it is not installed."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError as error:
        raise FeatureSetError(f"{package} is not installed: {REMEDY}") from error


class FeatureSet(Protocol):
    """One way to turn a modality into frames. Instances are picklable and hold no engine: it is loaded at first use."""

    @property
    def name(self) -> str: ...

    @property
    def modality(self) -> Modality: ...

    @property
    def means(self) -> str:
        """What a row holds, in one clause, for the documents."""
        ...

    @property
    def width(self) -> int:
        """D, the values of one frame."""
        ...

    @property
    def rate_hz(self) -> float | None:
        """Frames a second; None where a frame is a token or the whole utterance."""
        ...

    @property
    def version(self) -> str:
        """Recipe number and the engine's package version: whatever changes the numbers."""
        ...

    @property
    def options(self) -> Mapping[str, object]: ...

    def source(self, segment: Segment) -> tuple[object, ...]:
        """What the frames are computed from: media digest and times, or the transcript."""
        ...

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        """One row a segment, each as soon as it is known. All segments lie in one media file (textual: any).

        Raises MediaError where the file cannot be decoded, FeatureSetError where the set cannot be used at all.
        """
        ...


def media_source(segment: Segment) -> tuple[object, ...]:
    """The part of a media file that the utterance covers; the path does not matter, the content does."""
    return ("media", segment.media_sha256, segment.start_s, segment.end_s)


def fingerprint(feature_set: FeatureSet, segment: Segment) -> str:
    """Hex sha256 of the source, the extractor, its version and its options.

    The utterance id belongs to it: thousands of utterances say just 'Yeah.', and each needs a row of its own.
    """
    parts = [
        segment.utterance_id,
        list(feature_set.source(segment)),
        feature_set.name,
        feature_set.version,
        dict(feature_set.options),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True).encode()).hexdigest()

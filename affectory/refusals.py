"""What was refused and why: the rows of `quarantine`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One refused item. `reason` is a snake_case word; `detail` says what was expected, what came, and the remedy."""

    stage: str  # media_files, utterances, acoustic_features, visual_features, textual_features
    reason: str
    detail: str
    media: str | None = None  # path inside the corpus folder
    utterance_id: str | None = None
    sha256: str | None = None

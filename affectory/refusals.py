"""What was refused and why: the rows of `quarantine`, and messages that may be stored and shown."""

from __future__ import annotations

import re
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


def without_secrets(text: str) -> str:
    """The text without the user and password of any address in it: `http://me:secret@host` -> `http://host`."""
    return re.sub(r"(?<=://)[^/@\s]+@", "", text)

"""A corpus: what its corpus.toml says of it, its utterances as they were read, and the error where it cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affectory.refusals import Refusal
from affectory.vocabulary import UTTERANCE_COLUMNS

UNKNOWN = "unknown"
NUMBERS = ("start_s", "end_s", "valence", "arousal", "dominance")


class CorpusError(ValueError):
    """A corpus folder that cannot be read; names the folder or file, what was expected, what came and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """One corpus. `name` is its folder's name; `emotions` None means the common vocabulary or the layout's own set.

    `recording_types` None means all; only a layout that knows such types looks at them. `shared_speakers`: its given
    splits share speakers and are used so all the same.
    """

    name: str
    root: Path
    licence: str = UNKNOWN
    culture: str = UNKNOWN
    layout: str = "folder"
    emotions: tuple[str, ...] | None = None
    recording_types: tuple[str, ...] | None = None
    description: str = ""
    shared_speakers: bool = False

    @property
    def table(self) -> Path:
        """Its utterances.csv, which need not exist."""
        return self.root / "utterances.csv"

    @property
    def media(self) -> Path:
        """Its media folder, which need not exist."""
        return self.root / "media"

    @property
    def known_culture(self) -> str | None:
        """Its culture, None where that is unknown: what an utterance has whose row names no other."""
        return None if self.culture == UNKNOWN else self.culture


@dataclass(frozen=True, kw_only=True)
class UtteranceReading:
    """The utterances of a corpus. `table` has UTTERANCE_COLUMNS; `source`: annotations or voice_activity."""

    table: pd.DataFrame
    refusals: list[Refusal]
    source: str


def utterance_table(utterances: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Utterances as a table with UTTERANCE_COLUMNS: texts are str or None, numbers float64, `turn` Int64."""
    return pd.DataFrame(
        {
            column: pd.Series([utterance.get(column) for utterance in utterances], dtype=_dtype(column))
            for column in UTTERANCE_COLUMNS
        }
    )


def _dtype(column: str) -> str:
    if column in NUMBERS:
        return "float64"
    return "Int64" if column == "turn" else "object"

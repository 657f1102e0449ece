"""A corpus folder: what corpus.toml says of it, and what keeps it from being read."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affectory.refusals import Refusal
from affectory.vocabulary import UTTERANCE_COLUMNS

UNKNOWN = "unknown"
CAST_LAYOUTS = ("meld", "emorynlp")  # of a series: the cast plays in all official parts
# What Dagster's partition keys, MLflow's model names and a file name all bear.
NAME = re.compile(r"\w[\w.\-]{0,79}")


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


@dataclass(frozen=True, kw_only=True)
class UtteranceReading:
    """The utterances of a corpus. `table` has UTTERANCE_COLUMNS; `source`: annotations or voice_activity."""

    table: pd.DataFrame
    refusals: list[Refusal]
    source: str


NUMBERS = ("start_s", "end_s", "valence", "arousal", "dominance")


def utterance_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a table with UTTERANCE_COLUMNS: texts are str or None, numbers float64, `turn` Int64."""
    return pd.DataFrame(
        {column: pd.Series([row.get(column) for row in rows], dtype=_dtype(column)) for column in UTTERANCE_COLUMNS}
    )


def _dtype(column: str) -> str:
    if column in NUMBERS:
        return "float64"
    return "Int64" if column == "turn" else "object"


def read_corpus(root: Path) -> Corpus:
    """The corpus of a folder. Raises CorpusError.

    Without corpus.toml a folder with media/ or utterances.csv is a corpus of unknown licence and culture.
    """
    if not NAME.fullmatch(root.name) or ".." in root.name:
        raise CorpusError(
            f"corpus folder {root.name!r}: expected a name of at most 80 letters, digits and _ - . that starts with a "
            "letter or digit; rename the folder"
        )
    said = _read_toml(root / "corpus.toml")
    layout = _text(root, said, "layout", "folder")
    return Corpus(
        name=root.name,
        root=root.absolute(),
        licence=_text(root, said, "licence"),
        culture=_text(root, said, "culture"),
        layout=layout,
        emotions=_words(root, said, "emotions"),
        recording_types=_words(root, said, "recording_types"),
        description=_text(root, said, "description", ""),
        shared_speakers=_yes_or_no(root, said, "shared_speakers", layout in CAST_LAYOUTS),
    )


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"licence": UNKNOWN, "culture": UNKNOWN}
    if not path.is_file():
        raise CorpusError(f"{_shown(path)}: expected a TOML file, came a folder or a pipe; remove it")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise CorpusError(f"{_shown(path)}: expected a TOML file in UTF-8, came: {said}; correct the file") from error


def _text(root: Path, said: dict[str, Any], key: str, default: str | None = None) -> str:
    value = said.get(key, default)
    if not isinstance(value, str):
        came = "nothing" if value is None else repr(value)
        raise CorpusError(f'{_shown(root / "corpus.toml")}: expected {key} = "...", came {came}; add it')
    return value


def _yes_or_no(root: Path, said: dict[str, Any], key: str, default: bool) -> bool:
    value = said.get(key, default)
    if not isinstance(value, bool):
        raise CorpusError(f"{_shown(root / 'corpus.toml')}: expected {key} = true or false, came {value!r}; correct it")
    return value


def _words(root: Path, said: dict[str, Any], key: str) -> tuple[str, ...] | None:
    value = said.get(key)
    if value is None:
        return None
    words = isinstance(value, list) and all(isinstance(word, str) and word for word in value)
    if not words or not value or len(set(value)) < len(value):
        came = f'expected {key} = ["...", ...], distinct words, came {value!r}; correct it'
        raise CorpusError(f"{_shown(root / 'corpus.toml')}: {came}")
    return tuple(value)


def _shown(path: Path) -> str:
    """The corpus's name and the file's: a message need not tell where a machine keeps its corpora."""
    return f"{path.parent.name}/{path.name}"

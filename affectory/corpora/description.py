"""corpus.toml: what a corpus folder says of itself, every key checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affectory.corpora.corpus import UNKNOWN, Corpus, CorpusError
from affectory.corpora.layout import Layout

# What Dagster's partition keys, MLflow's model names and a file name all bear.
NAME = re.compile(r"\w[\w.\-]{0,79}")


def read_description(root: Path, layouts: Mapping[str, Layout]) -> Corpus:
    """The corpus of a folder, in one of the layouts {name: layout}. Raises CorpusError.

    Without corpus.toml a folder with media/ or utterances.csv is a corpus of unknown licence and culture.
    """
    if not NAME.fullmatch(root.name) or ".." in root.name:
        raise CorpusError(
            f"corpus folder {root.name!r}: expected a name of at most 80 letters, digits and _ - . that starts with a "
            "letter or digit; rename the folder"
        )
    values = _read_toml(root / "corpus.toml")
    layout = _layout(root, values, layouts)
    corpus = Corpus(
        name=root.name,
        root=root.absolute(),
        licence=_text(root, values, "licence"),
        culture=_text(root, values, "culture"),
        layout=layout.name,
        emotions=_words(root, values, "emotions"),
        recording_types=_words(root, values, "recording_types"),
        description=_text(root, values, "description", ""),
        shared_speakers=_yes_or_no(root, values, "shared_speakers", layout.shared_speakers),
    )
    if layout.emotions is not None:
        check_words(corpus, "emotions", corpus.emotions, layout.emotions)
    return corpus


def check_words(corpus: Corpus, key: str, words: tuple[str, ...] | None, allowed: tuple[str, ...]) -> None:
    """Raises CorpusError where corpus.toml names something under `key` that the layout does not allow."""
    if unknown := [word for word in words or () if word not in allowed]:
        raise CorpusError(
            f"{corpus.name}/corpus.toml: expected {key} to be some of {', '.join(allowed)} in layout "
            f'"{corpus.layout}", came {", ".join(unknown)}; correct it'
        )


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"licence": UNKNOWN, "culture": UNKNOWN}
    if not path.is_file():
        raise CorpusError(f"{_in_corpus(path)}: expected a TOML file, came a folder or a pipe; remove it")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        came = getattr(error, "strerror", None) or error
        message = f"{_in_corpus(path)}: expected a TOML file in UTF-8, came: {came}; correct the file"
        raise CorpusError(message) from error


def _layout(root: Path, values: dict[str, Any], layouts: Mapping[str, Layout]) -> Layout:
    name = _text(root, values, "layout", "folder")
    if name not in layouts:
        raise CorpusError(
            f'corpus {root.name}: expected layout to be one of {", ".join(layouts)}, came "{name}", which '
            "is not supported yet; bring the corpus into the folder layout: media/ and utterances.csv"
        )
    return layouts[name]


def _text(root: Path, values: dict[str, Any], key: str, default: str | None = None) -> str:
    value = values.get(key, default)
    if not isinstance(value, str):
        came = "nothing" if value is None else repr(value)
        raise CorpusError(f'{_in_corpus(root / "corpus.toml")}: expected {key} = "...", came {came}; add it')
    return value


def _yes_or_no(root: Path, values: dict[str, Any], key: str, default: bool) -> bool:
    value = values.get(key, default)
    if not isinstance(value, bool):
        path = _in_corpus(root / "corpus.toml")
        raise CorpusError(f"{path}: expected {key} = true or false, came {value!r}; correct it")
    return value


def _words(root: Path, values: dict[str, Any], key: str) -> tuple[str, ...] | None:
    value = values.get(key)
    if value is None:
        return None
    words = isinstance(value, list) and all(isinstance(word, str) and word for word in value)
    if not words or not value or len(set(value)) < len(value):
        came = f'expected {key} = ["...", ...], distinct words, came {value!r}; correct it'
        raise CorpusError(f"{_in_corpus(root / 'corpus.toml')}: {came}")
    return tuple(value)


def _in_corpus(path: Path) -> str:
    """The corpus's name and the file's: a message need not tell where a machine keeps its corpora."""
    return f"{path.parent.name}/{path.name}"

"""What the readers of official releases share: their text files, their label codes and their refusals."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from affectory.corpora.corpus import Corpus
from affectory.corpora.rows import RowError, UtteranceRow
from affectory.media import MediaError
from affectory.media.opening import check_regular
from affectory.media.probing import locate
from affectory.refusals import Refusal
from affectory.vocabulary import UTTERANCE_COLUMNS


def read_text(corpus: Corpus, path: str, errors: str = "replace") -> str:
    """A text file of the release, bytes that are not UTF-8 as U+FFFD or as another of Python's error handlers has it.

    Raises MediaError for one that is absent, empty, no regular file or outside the corpus folder.
    """
    file = locate(corpus.root, path)
    check_regular(file)
    try:
        return file.read_text(encoding="utf-8-sig", errors=errors)
    except OSError as error:
        raise MediaError("unreadable_media", f"{path}: expected a readable file, came: {error.strerror}") from error


def refuse_file(path: str, error: MediaError) -> Refusal:
    """The refusal of a text file that read_text could not give."""
    detail = f"{path}: expected a text file of the release, came: {error.reason}; copy it from the release again"
    return Refusal(stage="utterances", reason="unreadable_annotations", detail=detail)


def is_there(corpus: Corpus, path: str) -> bool:
    """Whether the corpus folder holds something of that name, be it a broken link."""
    return os.path.lexists(corpus.root / path)


def first_there(corpus: Corpus, paths: Iterable[str]) -> str:
    """The first of the paths that the corpus folder holds; empty where it holds none of them."""
    return next((path for path in paths if is_there(corpus, path)), "")


def row_of(path: str, line: int, **fields: str) -> UtteranceRow:
    """The row of a line of a text file; columns without a field are empty."""
    place = f"{PurePosixPath(path).name} line {line}"
    return UtteranceRow(place, dict.fromkeys(UTTERANCE_COLUMNS, "") | fields)


def bad_line(expected: str, line: str) -> RowError:
    """Why a line of a text file is refused."""
    return RowError("bad_row", f"expected {expected}, came {line[:60]!r}; copy the file from the release again")


def label_of(code: str, names: Mapping[str, str], labels: tuple[str, ...]) -> str:
    """The label of a code, empty where its name is none of the labels. Raises RowError for an unknown code."""
    if code not in names:
        came = f"expected a label among {', '.join(names)}, came {code[:40]!r}; copy the file from the release again"
        raise RowError("unknown_label", came)
    return names[code] if names[code] in labels else ""

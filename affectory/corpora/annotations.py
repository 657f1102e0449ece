"""utterances.csv: one row an utterance, every row checked on its own, texts kept to the letter."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from affectory.corpora.corpus import UNKNOWN, Corpus, CorpusError, UtteranceReading, utterance_table
from affectory.media import MediaError, check_inside
from affectory.refusals import Refusal
from affectory.vocabulary import EMOTIONS, UTTERANCE_COLUMNS, Split

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,9}(\.0*)?", re.ASCII)  # 3.0 is what a spreadsheet makes of 3
END_TOLERANCE_S = 0.1  # annotators round; a longer excess is a row that belongs to another file
TEXTS = ("dialogue_id", "speaker", "culture", "transcript", "sentiment")


@dataclass(frozen=True)
class Row:
    """One utterance as its corpus writes it: where it stands (`line 3`) and its texts by column, all present."""

    place: str
    fields: Mapping[str, str]


class RowError(Exception):
    """Why one row is refused."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def annotated_media(corpus: Corpus) -> list[str]:
    """The files that utterances.csv names inside the corpus folder and that are there, in its order, each once."""
    rows, _ = _read_rows(corpus)
    return media_of(corpus, rows)


def media_of(corpus: Corpus, rows: Sequence[Row]) -> list[str]:
    """The files that the rows name inside the corpus folder and that are there, in their order, each once."""
    named = dict.fromkeys(_normal(row.fields["media"]) for row in rows if row.fields["media"])
    return [media for media in named if _is_inside(media) and os.path.lexists(corpus.root / media)]


def read_annotations(corpus: Corpus, media_files: pd.DataFrame) -> UtteranceReading:
    """The utterances that utterances.csv describes; rows that cannot be used are refusals. Raises CorpusError."""
    rows, refusals = _read_rows(corpus)
    return read_rows(corpus, rows, refusals, media_files)


def read_rows(
    corpus: Corpus, rows: Sequence[Row], refusals: Sequence[Refusal], media_files: pd.DataFrame
) -> UtteranceReading:
    """The utterances of the rows; those that cannot be used are refused, after the refusals there are already.

    An empty start_s is 0, an empty end_s the media file's duration, an empty culture the corpus's.
    """
    refusals = list(refusals)
    files = {file["media"]: file for file in media_files.to_dict("records")}
    utterances: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for row in rows:
        try:
            _check_id(row, seen)
            utterances.append(_utterance(row, corpus, files))
        except RowError as error:
            refusals.append(refuse(row, error.reason, error.detail))
    return UtteranceReading(table=utterance_table(utterances), refusals=refusals, source="annotations")


def _read_rows(corpus: Corpus) -> tuple[list[Row], list[Refusal]]:
    """Every line with as many fields as the header; the others are refusals."""
    rows: list[Row] = []
    refusals: list[Refusal] = []
    for line, fields, header in _lines(corpus):
        row = Row(f"line {line}", dict.fromkeys(UTTERANCE_COLUMNS, "") | dict(zip(header, fields, strict=False)))
        if len(fields) == len(header):
            rows.append(row)
        elif fields:
            came = f"expected {len(header)} fields, came {len(fields)}; put texts with commas in double quotes"
            refusals.append(refuse(row, "bad_row", came))
    return rows, refusals


def _lines(corpus: Corpus) -> Iterator[tuple[int, list[str], list[str]]]:
    """(line number, fields, header) of each line after the header. Raises CorpusError."""
    shown, line = f"{corpus.name}/{corpus.table.name}", 1
    try:
        with corpus.table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(shown, header)
            for fields in reader:
                line = reader.line_num
                yield line, fields, header
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        said = f"{getattr(error, 'strerror', None) or error}, after line {line}"
        remedy = "save it as CSV UTF-8, with texts in double quotes and quotes within them doubled"
        raise CorpusError(f"{shown}: expected a CSV file in UTF-8, came: {said}; {remedy}") from error


def _check_header(shown: str, header: list[str]) -> None:
    if "utterance_id" not in header:
        came = f"expected a first line with the column utterance_id, came: {', '.join(header)[:80] or 'nothing'}"
        raise CorpusError(f"{shown}: {came}; name the columns in the first line, separated by commas")
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise CorpusError(f"{shown}: expected each column once, came twice: {', '.join(twice)}; remove one")


def refuse(row: Row, reason: str, detail: str) -> Refusal:
    """The refusal of one row."""
    utterance_id = row.fields["utterance_id"]
    return Refusal(
        stage="utterances",
        reason=reason,
        detail=f"utterance {utterance_id} ({row.place}): {detail}",
        media=row.fields["media"] or None,
        utterance_id=utterance_id or None,
    )


def _check_id(row: Row, seen: dict[str, str]) -> None:
    utterance_id = row.fields["utterance_id"]
    if not utterance_id:
        raise RowError("missing_utterance_id", "expected an utterance_id, came none; give each row its own")
    if utterance_id in seen:
        came = f"expected ids used once, came that of {seen[utterance_id]} again; give each row its own"
        raise RowError("duplicate_utterance_id", came)
    seen[utterance_id] = row.place


def _utterance(row: Row, corpus: Corpus, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A row's values in their types. Raises RowError."""
    fields = row.fields
    media, duration_s = _media(fields["media"], corpus, files)
    start_s, end_s = _span(fields, duration_s)
    culture = None if corpus.culture == UNKNOWN else corpus.culture
    return {
        **{column: fields[column] if fields[column].strip() else None for column in TEXTS},
        "utterance_id": fields["utterance_id"],
        "culture": fields["culture"] or culture,
        "turn": _whole(fields, "turn"),
        "split": _word(fields, "split", tuple(Split), "unknown_split", "correct it, or leave it empty"),
        "emotion": _word(
            fields,
            "emotion",
            corpus.emotions or EMOTIONS,
            "unknown_label",
            "correct it, or add it to emotions in corpus.toml",
        ),
        "media": media,
        "start_s": start_s,
        "end_s": end_s,
        **{column: _number(fields, column) for column in ("valence", "arousal", "dominance")},
    }


def _media(media: str, corpus: Corpus, files: Mapping[str, Mapping[str, Any]]) -> tuple[str | None, float | None]:
    """The file's path and duration, or (None, None) for an utterance without media. Raises RowError."""
    if not media:
        return None, None
    media = _normal(media)
    try:
        check_inside(media)
    except MediaError as error:
        raise RowError(error.reason, error.detail) from error
    file = files.get(media)
    if file is None:
        raise RowError("media_not_found", _not_found(corpus, media))
    if file["verdict"] == "accepted":
        return media, float(file["duration_s"])
    outside = file["reason"] == "media_outside_corpus"
    raise RowError(file["reason"] if outside else "media_refused", f"{file['reason']}: {file['detail']}")


def _not_found(corpus: Corpus, media: str) -> str:
    if os.path.lexists(corpus.root / media):
        return f"expected {media} among the probed files, came a file that is newer; materialize media_files again"
    return f"expected {media} in the corpus folder, came no such file; name it from there, such as media/a.mp4"


def _normal(media: str) -> str:
    """media/a.mp4 for ./media//a.mp4: one name a file."""
    return str(PurePosixPath(media))


def _is_inside(media: str) -> bool:
    try:
        check_inside(media)
    except MediaError:
        return False
    return True


def _span(fields: Mapping[str, str], duration_s: float | None) -> tuple[float, float | None]:
    start_s, end_s = _number(fields, "start_s") or 0.0, _number(fields, "end_s")
    if start_s < 0:
        raise RowError("bad_number", f"expected start_s of at least 0, came {start_s:g}; correct it")
    if end_s is None:
        end_s = duration_s
    if end_s is not None and start_s >= end_s:
        came = f"expected start_s before end_s, came {start_s:g} and {end_s:g}; correct them"
        raise RowError("beyond_media_end", came)
    if duration_s is not None and end_s is not None and end_s > duration_s + END_TOLERANCE_S:
        came = f"expected end_s of at most the media's {duration_s:.2f} s, came {end_s:g}; correct it"
        raise RowError("beyond_media_end", came)
    return start_s, end_s


def _number(fields: Mapping[str, str], column: str) -> float | None:
    text = fields[column].strip()
    if not text:
        return None
    if not NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise RowError("bad_number", f"expected a number in {column}, came {text[:40]!r}; correct it or leave it empty")
    return float(text)


def _whole(fields: Mapping[str, str], column: str) -> int | None:
    text = fields[column].strip()
    if not text:
        return None
    if not WHOLE.fullmatch(text):
        raise RowError("bad_number", f"expected a whole number in {column}, came {text[:40]!r}; correct it")
    return int(float(text))


def _word(fields: Mapping[str, str], column: str, known: tuple[str, ...], reason: str, remedy: str) -> str | None:
    word = fields[column]
    if word and word not in known:
        raise RowError(reason, f"expected {column} to be one of {', '.join(known)}, came {word[:40]!r}; {remedy}")
    return word or None

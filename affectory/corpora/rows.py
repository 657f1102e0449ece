"""From what a corpus's tables say to its utterances: every row is checked on its own, texts are kept to the letter."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from affectory.corpora.corpus import Corpus, UtteranceReading, utterance_table
from affectory.media import MediaError, check_inside
from affectory.refusals import Refusal
from affectory.vocabulary import EMOTIONS, Split

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,9}(\.0*)?", re.ASCII)  # 3.0 is what a spreadsheet makes of 3
END_TOLERANCE_S = 0.1  # annotators round; a longer excess is a row that belongs to another file
TEXTS = ("dialogue_id", "speaker", "culture", "transcript", "sentiment")


@dataclass(frozen=True)
class UtteranceRow:
    """One utterance as its corpus writes it: where it stands (`line 3`) and its texts by column, all present."""

    place: str
    fields: Mapping[str, str]


class RowError(Exception):
    """Why one row is refused."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def media_of(corpus: Corpus, rows: Sequence[UtteranceRow]) -> list[str]:
    """The files that the rows name inside the corpus folder and that are there, in their order, each once."""
    named = dict.fromkeys(_normal(row.fields["media"]) for row in rows if row.fields["media"])
    return [media for media in named if _is_inside(media) and os.path.lexists(corpus.root / media)]


def check_rows(
    corpus: Corpus, rows: Sequence[UtteranceRow], refusals: Sequence[Refusal], media_files: pd.DataFrame
) -> UtteranceReading:
    """The utterances of the rows, and after `refusals`, which reading the tables left, those of the rows amiss.

    An empty start_s is 0, an empty end_s the media file's duration, an empty culture the corpus's.
    """
    refusals = list(refusals)
    files = {file["media"]: file for file in media_files.to_dict("records")}
    utterances: list[dict[str, Any]] = []
    places: dict[str, str] = {}
    for row in rows:
        try:
            _check_id(row, places)
            utterances.append(_utterance(row, corpus, files))
        except RowError as error:
            refusals.append(refuse(row, error.reason, error.detail))
    return UtteranceReading(table=utterance_table(utterances), refusals=refusals, source="annotations")


def refuse(row: UtteranceRow, reason: str, detail: str) -> Refusal:
    """The refusal of one row."""
    utterance_id = row.fields["utterance_id"]
    return Refusal(
        stage="utterances",
        reason=reason,
        detail=f"utterance {utterance_id} ({row.place}): {detail}",
        media=row.fields["media"] or None,
        utterance_id=utterance_id or None,
    )


def _check_id(row: UtteranceRow, places: dict[str, str]) -> None:
    utterance_id = row.fields["utterance_id"]
    if not utterance_id:
        raise RowError("missing_utterance_id", "expected an utterance_id, came none; give each row its own")
    if utterance_id in places:
        came = f"expected ids used once, came that of {places[utterance_id]} again; give each row its own"
        raise RowError("duplicate_utterance_id", came)
    places[utterance_id] = row.place


def _utterance(row: UtteranceRow, corpus: Corpus, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A row's values in their types. Raises RowError."""
    fields = row.fields
    media, duration_s = _media(fields["media"], corpus, files)
    start_s, end_s = _span(fields, duration_s)
    return {
        **{column: fields[column] if fields[column].strip() else None for column in TEXTS},
        "utterance_id": fields["utterance_id"],
        "culture": fields["culture"] or corpus.known_culture,
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


def _word(fields: Mapping[str, str], column: str, allowed: tuple[str, ...], reason: str, remedy: str) -> str | None:
    word = fields[column]
    if word and word not in allowed:
        raise RowError(reason, f"expected {column} to be one of {', '.join(allowed)}, came {word[:40]!r}; {remedy}")
    return word or None

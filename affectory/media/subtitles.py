"""What was said and when, read from a file beside the video, and given to the utterances that voice activity found."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path

MAX_BYTES = 10_000_000  # a day of subtitles is about 2 MB
SUBTITLE_TIMES = re.compile(r"^\s*((?:\d+:)?\d+:\d+[.,]\d+)\s*-->\s*((?:\d+:)?\d+:\d+[.,]\d+)")


class TranscriptError(ValueError):
    """The file is no transcript that can be used; the message says what was expected and what came."""


@dataclass(frozen=True)
class Cue:
    """Text that is said between two times of the media file, in seconds; a plain text spans the whole file."""

    start_s: float
    end_s: float
    text: str


def read_transcript(path: Path) -> list[Cue]:
    """The cues of a `.srt`, `.vtt` or `.csv` (start_s, end_s, transcript) file; a `.txt` is one cue without times."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        suffix = path.suffix or "no suffix"
        raise TranscriptError(f"transcript {path}: expected one of {', '.join(READERS)}, got {suffix}")
    if not path.is_file():
        raise TranscriptError(f"transcript {path}: expected a regular file, found none")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TranscriptError(f"transcript {path}: expected at most {MAX_BYTES} bytes, got {path.stat().st_size}")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TranscriptError(f"transcript {path}: expected a readable UTF-8 text file: {error}") from error
    cues = [cue for cue in reader(path, text) if cue.text]
    if not cues:
        raise TranscriptError(f"transcript {path}: expected text, found none")
    return sorted(cues, key=lambda cue: cue.start_s)


def assign(cues: Sequence[Cue], spans: Sequence[tuple[float, float]]) -> tuple[list[str | None], list[Cue]]:
    """The text of each span, None where nothing was said, and the cues that overlap no span.

    A cue belongs to the one span that it overlaps most. A plain text can belong to a single span only: TranscriptError.
    """
    if len(spans) > 1 and any(cue.end_s == inf for cue in cues):
        raise TranscriptError(
            f"a plain text has no times, and voice activity found {len(spans)} utterances: "
            "give the transcript as .srt, .vtt or .csv (start_s, end_s, transcript)"
        )
    texts: list[list[str]] = [[] for _ in spans]
    outside: list[Cue] = []
    for cue in cues:
        overlaps = [min(cue.end_s, end_s) - max(cue.start_s, start_s) for start_s, end_s in spans]
        longest_s = max(overlaps, default=0.0)
        if longest_s > 0:
            texts[overlaps.index(longest_s)].append(cue.text)
        else:
            outside.append(cue)
    return [" ".join(text) or None for text in texts], outside


def _read_subtitles(_: Path, text: str) -> list[Cue]:
    """SubRip and WebVTT: blocks between empty lines, the text under the line with the arrow."""
    cues = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        lines = block.split("\n")
        for number, line in enumerate(lines):
            if times := SUBTITLE_TIMES.match(line):
                spoken = " ".join(line.strip() for line in lines[number + 1 :])
                cues.append(Cue(_seconds(times[1]), _seconds(times[2]), re.sub(r"<[^>]*>", "", spoken).strip()))
                break
    return cues


def _seconds(clock: str) -> float:
    """`01:02:03,500` or `02:03.500` -> seconds."""
    seconds = 0.0
    for part in clock.replace(",", ".").split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _read_table(path: Path, text: str) -> list[Cue]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    expected = {"start_s", "end_s", "transcript"}
    if missing := sorted(expected - set(rows.fieldnames or ())):
        raise TranscriptError(f"transcript {path}: expected columns start_s, end_s, transcript; {missing} missing")
    cues = []
    for row in rows:
        try:
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
            if not (isfinite(start_s) and isfinite(end_s)):
                raise ValueError
        except (TypeError, ValueError):
            times = f"{row['start_s']!r} and {row['end_s']!r}"
            raise TranscriptError(f"transcript {path}, line {rows.line_num}: expected seconds, got {times}") from None
        cues.append(Cue(start_s, end_s, (row["transcript"] or "").strip()))
    return cues


def _read_plain(_: Path, text: str) -> list[Cue]:
    return [Cue(0.0, inf, " ".join(text.split()))]


READERS = {".srt": _read_subtitles, ".vtt": _read_subtitles, ".csv": _read_table, ".txt": _read_plain}

"""The CSV tables of official releases, line by line, whatever bytes they hold.

Scripts and subtitles went through spreadsheets on their way into such tables: a curly apostrophe may be UTF-8, a byte
of Windows' cp1252, or that byte's number written in UTF-8 (U+0092). All three are read as the apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from affectory.corpora.corpus import Corpus, CorpusError
from affectory.corpora.official import is_there, read_text, refuse_file, row_of
from affectory.corpora.rows import RowError, UtteranceRow, refuse
from affectory.media import MediaError
from affectory.refusals import Refusal

Part = TypeVar("Part", bound=str)


def _meant(byte: int) -> str:
    return bytes([byte]).decode("cp1252", errors="replace")


# Where a byte stands that is not UTF-8 (as Python's surrogateescape writes it), or a control character of Latin-1.
_CP1252 = {0xDC00 + byte: _meant(byte) for byte in range(0x80, 0x100)} | {
    control: _meant(control) for control in range(0x80, 0xA0)
}


def check_tables(corpus: Corpus, tables: Sequence[str]) -> None:
    """Raises CorpusError where the first of the tables is not in the corpus folder; the others may be absent."""
    needed, *others = tables
    if not is_there(corpus, needed):
        raise CorpusError(
            f"corpus {corpus.name}: expected {needed} in the corpus folder, came no such file; copy the release's "
            f"tables there: {needed} and, where you have them, {', '.join(others)}"
        )


def read_tables(
    corpus: Corpus,
    tables: Mapping[Part, str],
    columns: Sequence[str],
    name: str,
    fields_of: Callable[[Part, dict[str, str]], dict[str, str]],
) -> tuple[list[UtteranceRow], list[Refusal]]:
    """The rows of those of the tables {part: path} that are there, and the refusals of the lines that can be none.

    `fields_of` maps a part and a line's texts to a row's fields and raises RowError; `name` is what a refused line is
    called, in terms of `part` and the columns. Raises CorpusError for a table without one of `columns`.
    """
    rows: list[UtteranceRow] = []
    refusals: list[Refusal] = []
    for part, path in tables.items():
        for line, fields in read_table(corpus, path, columns, refusals) if is_there(corpus, path) else ():
            try:
                rows.append(row_of(path, line, **fields_of(part, fields)))
            except RowError as error:
                utterance_id = name.format_map({"part": part} | {column: text[:40] for column, text in fields.items()})
                refusals.append(refuse(row_of(path, line, utterance_id=utterance_id), error.reason, error.detail))
    return rows, refusals


def read_table(
    corpus: Corpus, path: str, columns: Sequence[str], refusals: list[Refusal]
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, {column: text without the blanks around it}) of each line that has as many fields as the header.

    Other lines go to `refusals`, as does a table that cannot be read at all. Raises CorpusError where one of `columns`
    is not in the header. Columns beyond these are given as well.
    """
    try:
        text = read_text(corpus, path, errors="surrogateescape").translate(_CP1252)
    except MediaError as error:
        refusals.append(refuse_file(path, error))
        return
    lines = text.split("\n")
    header = _fields(lines[0]) or []
    _check_header(corpus, path, header, columns)
    for number, line in enumerate(lines[1:], start=2):
        fields = _fields(line)
        if fields is not None and len(fields) == len(header):
            yield number, dict(zip(header, fields, strict=True))
        elif line:
            refusals.append(_torn(path, number, len(header), fields))


def _fields(line: str) -> list[str] | None:
    """A line's fields without the blanks around them, or None where its quotes do not close.

    Each line is read on its own, so that an open quote costs its own line and none of those below it.
    """
    try:
        return [field.strip() for field in next(csv.reader([line], strict=True), [])]
    except csv.Error:
        return None


def _check_header(corpus: Corpus, path: str, header: Sequence[str], columns: Sequence[str]) -> None:
    if absent := [name for name in columns if name not in header]:
        raise CorpusError(
            f"{corpus.name}/{path}: expected a first line with the columns {', '.join(columns)}, came one without "
            f"{', '.join(absent)}: {', '.join(header)[:80]!r}; copy the table from the release again"
        )


def _torn(path: str, line: int, n_columns: int, fields: list[str] | None) -> Refusal:
    """The refusal of a line that a missing or needless quote or comma tore apart."""
    came = "quotes that do not close" if fields is None else str(len(fields))
    detail = f"expected {n_columns} fields, came {came}; copy the table from the release again"
    return refuse(row_of(path, line), "bad_row", detail)


def whole_number(fields: Mapping[str, str], column: str) -> str:
    """The number in a column, without leading zeros. Raises RowError for anything but a whole number from 0 on."""
    text = fields[column]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise RowError(
            "bad_row", f"expected a whole number in {column}, came {text[:40]!r}; copy the table from the release again"
        )
    return str(int(text))

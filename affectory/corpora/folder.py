"""The layout "folder": media/ with any files, and utterances.csv where there are annotations.

utterances.csv has one row an utterance and some of UTTERANCE_COLUMNS, named in its first line; texts are kept to the
letter. Without it, every file under media/ is segmented by voice activity.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator

from affectory.corpora.corpus import Corpus, CorpusError
from affectory.corpora.layout import Layout
from affectory.corpora.rows import UtteranceRow, refuse
from affectory.refusals import Refusal
from affectory.vocabulary import UTTERANCE_COLUMNS


def check(corpus: Corpus) -> None:
    """Raises CorpusError for a folder with neither media nor a table."""
    if corpus.table.exists() and not corpus.table.is_file():
        raise CorpusError(f"corpus {corpus.name}: expected utterances.csv as a file, came something else; remove it")
    if not corpus.media.is_dir() and not corpus.table.exists():
        raise CorpusError(
            f"corpus {corpus.name}: expected media/ with videos or utterances.csv, came neither; make media/ and put "
            "the files there (features/ alone does not say which utterances there are), or name the layout of an "
            "official release in corpus.toml"
        )


def rows(corpus: Corpus) -> tuple[list[UtteranceRow], list[Refusal]] | None:
    """Every line of utterances.csv with as many fields as the header; the others are refusals."""
    if not corpus.table.exists():
        return None
    whole: list[UtteranceRow] = []
    refusals: list[Refusal] = []
    for line, fields, header in _lines(corpus):
        row = UtteranceRow(
            f"line {line}", dict.fromkeys(UTTERANCE_COLUMNS, "") | dict(zip(header, fields, strict=False))
        )
        if len(fields) == len(header):
            whole.append(row)
        elif fields:
            came = f"expected {len(header)} fields, came {len(fields)}; put texts with commas in double quotes"
            refusals.append(refuse(row, "bad_row", came))
    return whole, refusals


def _lines(corpus: Corpus) -> Iterator[tuple[int, list[str], list[str]]]:
    """(line number, fields, header) of each line after the header. Raises CorpusError."""
    name, line = f"{corpus.name}/{corpus.table.name}", 1
    try:
        with corpus.table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [column.strip() for column in next(reader, [])]
            _check_header(name, header)
            for fields in reader:
                line = reader.line_num
                yield line, fields, header
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        came = f"{getattr(error, 'strerror', None) or error}, after line {line}"
        remedy = "save it as CSV UTF-8, with texts in double quotes and quotes within them doubled"
        raise CorpusError(f"{name}: expected a CSV file in UTF-8, came: {came}; {remedy}") from error


def _check_header(name: str, header: list[str]) -> None:
    if "utterance_id" not in header:
        came = f"expected a first line with the column utterance_id, came: {', '.join(header)[:80] or 'nothing'}"
        raise CorpusError(f"{name}: {came}; name the columns in the first line, separated by commas")
    if twice := sorted({column for column in header if column and header.count(column) > 1}):
        raise CorpusError(f"{name}: expected each column once, came twice: {', '.join(twice)}; remove one")


LAYOUT = Layout(name="folder", check=check, rows=rows)

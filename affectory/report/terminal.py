"""A conditions table in fixed width, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

import pandas as pd

from affectory.results.names import NO_NAMES, Names, condition_title, metric_title
from affectory.results.tables import Cell, cells, columns_of
from affectory.results.words import GAP, number

_WIDEST_LABEL = 30


def to_text(table: pd.DataFrame, names: Names = NO_NAMES) -> str:
    """A conditions table of at most 100 columns under seven conditions.

    Each experiment takes a line of means and, with two runs or more, a line of deviations; `*` marks the best. Titles
    are short ones; a name that is longer still is wrapped.
    """
    columns = columns_of(table)
    titles = {name: wrap(names.short(name), _WIDEST_LABEL) or [""] for name in dict.fromkeys(table["experiment"])}
    label = max((len(line) for lines in titles.values() for line in lines), default=0)
    widths = [max(len(condition_title(column)) + 1, 7) for column in columns]
    parts = []
    for metric in dict.fromkeys(table["metric"]):
        lines = [_line(metric_title(metric), label, map(condition_title, columns), widths)]
        for experiment, row in cells(table, metric).items():
            in_order = [row.get(name) for name in columns]
            lines += _lines_of(titles[experiment], label, in_order, widths)
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _lines_of(title: Sequence[str], label: int, row: Sequence[Cell | None], widths: Sequence[int]) -> list[str]:
    """The means, below them the deviations where there are any, and the title's words beside."""
    means, deviations = [_mean(cell) for cell in row], [_deviation(cell) for cell in row]
    values = [means, *([deviations] if any(deviations) else [])]
    values += [[""] * len(row)] * (len(title) - len(values))
    words = [*title, *[""] * (len(values) - len(title))]
    return [_line(word, label, line, widths) for word, line in zip(words, values, strict=True)]


def _line(title: str, label: int, values: Iterable[str], widths: Sequence[int]) -> str:
    """Values right-aligned; the column's last place is kept for the mark."""
    placed = (value if value.endswith("*") else f"{value} " for value in values)
    return (
        f"{title:<{label}}{''.join(f'{value:>{width}}' for value, width in zip(placed, widths, strict=True))}".rstrip()
    )


def _mean(cell: Cell | None) -> str:
    return GAP if cell is None else f"{number(cell.mean)}{'*' if cell.best else ''}"


def _deviation(cell: Cell | None) -> str:
    return "" if cell is None or pd.isna(cell.deviation) else f"±{number(cell.deviation)}"

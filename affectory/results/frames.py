"""Small helpers for the plain tables that results travel in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, column name -> value."""
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def records_or_none(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as dictionaries, None where a value is missing (None, NaN, NaT)."""
    return records(frame.astype(object).where(frame.notna(), None))


def where(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows whose columns, named by the keywords, equal these values: `where(results, metric="ua", seed=0)`."""
    chosen = pd.Series(True, index=frame.index, dtype=bool)
    for name, value in values.items():
        chosen &= frame[name].eq(value)
    return pd.DataFrame(frame[chosen])


def empty(columns: Sequence[str]) -> pd.DataFrame:
    """A frame with these columns and no rows."""
    return pd.DataFrame(columns=list(columns))


def check_columns(item: str, frames: Mapping[str, pd.DataFrame], expected: Mapping[str, Sequence[str]]) -> None:
    """ValueError, naming the item, where a frame lacks one of its expected columns; more columns do no harm."""
    for name, columns in expected.items():
        if absent := [column for column in columns if column not in frames[name].columns]:
            raise ValueError(f"{item}: {name} lacks columns {absent}; it has {list(frames[name].columns)}")

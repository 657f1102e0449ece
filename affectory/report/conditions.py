"""A conditions table as a grid, and the note on what its numbers are."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from affectory.report.section import Grid, Group, Value
from affectory.results.names import (
    AVERAGE,
    METRIC_MEANINGS,
    NO_NAMES,
    Names,
    condition_title,
    metric_title,
    modality_keys,
)
from affectory.results.selected import selection_note
from affectory.results.tables import cells, columns_of, missing_phrase, repeated, runs_phrase

BOLD_NOTE = "Bold: strictly highest mean of its column at three decimals, not a test of significance."
Marks = Mapping[tuple[str, str, str], str]  # (metric, experiment, condition) -> what stands right behind that mean


def conditions_grid(
    table: pd.DataFrame,
    title: str,
    note: str = "",
    *,
    names: Names = NO_NAMES,
    marked: Marks | None = None,
    folded: bool = False,
) -> Grid:
    """A conditions table, of `tables.conditions_table`: a group a metric, a line an experiment."""
    columns, marks = columns_of(table), marked or {}
    groups = [
        Group(
            tuple(
                (
                    names.title(experiment),
                    tuple(Value.of(row.get(place), marks.get((metric, experiment, place), "")) for place in columns),
                )
                for experiment, row in cells(table, metric).items()
            ),
            metric_title(metric),
            METRIC_MEANINGS.get(metric, ""),
        )
        for metric in dict.fromkeys(table["metric"])
    ]
    return Grid(
        title=title,
        head="Experiment",
        columns=tuple(map(condition_title, columns)),
        groups=tuple(groups),
        note=note,
        emphasised=frozenset(place for place, name in enumerate(columns) if name == AVERAGE),
        folded=folded,
    )


def conditions_note(table: pd.DataFrame, results: pd.DataFrame, names: Names = NO_NAMES) -> str:
    """What is averaged, marked and selected in a table of these results."""
    columns = columns_of(table)
    spread = " ± sample standard deviation" if repeated(table) else ""
    note = [f"Test part, mean{spread} over {runs_phrase(results)}."]
    if len(columns) > 1:
        note.append(f"Columns: the modalities that the model was given, {modality_keys()}.")
    if AVERAGE in columns:
        note.append(f"Average: mean over the {missing_phrase(results)}, recomputed from them in each run.")
    if len(set(table["experiment"])) > 1:
        note.append(BOLD_NOTE)
    return " ".join(filter(None, [*note, selection_note(results, names)]))

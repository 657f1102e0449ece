"""Valence and arousal in Markdown, for the guide's results, Dagster's page and the tracking server."""

from __future__ import annotations

from html import escape
from math import isnan

from affectory.dimension_data import DimensionData
from affectory.dimension_findings import findings
from affectory.dimension_pictures import pictures
from affectory.dimension_section import meanings
from affectory.dimension_tables import (
    GROUP_TITLES,
    Grid,
    after_training,
    condition_scores,
    conditions_note,
    further,
    main_table,
    published_table,
)
from affectory.dimension_values import AUDIO_GROUP, FACES_GROUP, FEATURES_GROUP, MODALITIES_GROUP
from affectory.report_data import where
from affectory.report_summary import score
from affectory.results import tables
from affectory.results.tables import Cell

__all__ = ["DimensionData", "findings", "pictures", "to_markdown"]


def to_markdown(data: DimensionData) -> str:
    """How it was made, the findings, every table with its note, and what each row is."""
    lede = " ".join(escape(text, quote=False) for text in (data.protocol, data.runs_note) if text)
    said = "\n".join(f"- {_text(line)}" for line in findings(data))
    parts = [lede, said]
    for group in (AUDIO_GROUP, FACES_GROUP):
        names = (group, FEATURES_GROUP) if group == AUDIO_GROUP else (group,)
        found = [*(main_table(data, name) for name in names), further(data, group)]
        parts += _under(GROUP_TITLES[group], [part for table in found if table for part in grid_markdown(table)])
    parts += _under(GROUP_TITLES[MODALITIES_GROUP], _by_condition(data))
    for name, table in (("Published systems", published_table(data)), ("After training", after_training(data))):
        parts += _under(name, grid_markdown(table) if table else [])
    return "\n\n".join(part for part in [*parts, _meanings(data)] if part) + "\n"


def grid_markdown(table: Grid) -> list[str]:
    """The table and its note; published numbers say so in their column, lines under a heading in their title."""
    ours = len(table.columns) - table.theirs
    heads = [f"Slides: {name.lower()}" if place >= ours else name for place, name in enumerate(table.columns)]
    lines = [f"| {table.title} | {' | '.join(heads)} |", "|:--|" + "--:|" * len(heads)]
    for heading, rows in table.groups:
        if heading:
            lines.append(f"| *{_text(heading)}* |{' |' * len(heads)}")
        lines += [f"| {_text(name)} | {' | '.join(map(_cell, cells))} |" for name, cells in rows]
    return ["\n".join(lines), _text(table.note)]


def _by_condition(data: DimensionData) -> list[str]:
    table = condition_scores(data)
    if not len(table):
        return []
    found = [tables.to_markdown(where(table, metric=metric)) for metric in dict.fromkeys(table["metric"])]
    more = further(data, MODALITIES_GROUP)
    return [*found, _text(conditions_note(data)), *(grid_markdown(more) if more else [])]


def _under(heading: str, parts: list[str]) -> list[str]:
    return [f"#### {heading}", *parts] if parts else []


def _meanings(data: DimensionData) -> str:
    """A fenced block, one line a row."""
    found = meanings(data)
    if not found:
        return ""
    width = max(len(name) for name, _ in found)
    return "\n".join(["```text", *(f"{name:<{width}}  {what}" for name, what in found), "```"])


def _cell(cell: Cell | str) -> str:
    if isinstance(cell, str):
        return cell
    spread = "" if isnan(cell.deviation) else f" ± {score(cell.deviation)}"
    return (f"**{score(cell.mean)}**" if cell.best else score(cell.mean)) + spread


def _text(words: str) -> str:
    return escape(words, quote=False).replace("|", "\\|")

"""Sections as GitHub-flavoured Markdown, for Dagster's pages, MLflow's notes and the guide. Pictures are not in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import chain, repeat

from affectory.report.section import Block, Grid, Group, Section, Value
from affectory.results.words import markdown_text


def section_markdown(section: Section) -> str:
    """How it was made, every table with its note, and what each row is; the findings are in `findings_markdown`."""
    parts = [_text(" ".join(section.lede)), *map(_block, section.blocks), _meanings(section)]
    return "\n\n".join(filter(None, parts)) + "\n"


def findings_markdown(section: Section) -> str:
    """What the numbers show and do not show, as a list."""
    return bullets(section.findings)


def bullets(lines: Iterable[str]) -> str:
    """Sentences as a list."""
    return "\n".join(f"- {_text(line)}" for line in lines)


def grid_markdown(grid: Grid) -> str:
    """The table, its title in the place of the corner, and its note below."""
    lines = [
        _line(_text(grid.title), map(_text, _heads(grid))),
        "|:--|" + "".join(":--|" if place in grid.worded else "--:|" for place in range(len(grid.columns))),
        *chain.from_iterable(_group(group, len(grid.columns)) for group in grid.groups),
    ]
    return "\n\n".join(filter(None, ["\n".join(lines), _text(grid.note)]))


def _block(block: Block) -> str:
    tables = [grid_markdown(item) for item in block.items if isinstance(item, Grid)]
    heading = f"#### {_text(block.heading)}" if block.heading and tables else ""
    return "\n\n".join(filter(None, [heading, *tables]))


def _heads(grid: Grid) -> list[str]:
    """The titles of the columns; one that occurs twice says under which span it stands."""
    spans = list(chain.from_iterable(repeat(title, width) for title, width in grid.spans)) or [""] * len(grid.columns)
    times = Counter(grid.columns)
    return [
        f"{span}: {column}" if span and times[column] > 1 else column
        for span, column in zip(spans, grid.columns, strict=True)
    ]


def _group(group: Group, columns: int) -> list[str]:
    heading = ", ".join(filter(None, [group.heading, group.meaning]))
    lines = [_line(_text(title), map(_value, values)) for title, values in group.lines]
    return [_line(f"*{_text(heading)}*", [""] * columns), *lines] if heading else lines


def _line(title: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([title, *cells])} |"


def _value(value: Value) -> str:
    text = _text(value.text)
    spread = f" {_text(value.spread)}" if value.spread else ""
    return (f"**{text}**" if value.strong else text) + _text(value.mark) + spread


def _meanings(section: Section) -> str:
    """A fenced block, one line a row; without backticks, which would end it."""
    if not section.meanings:
        return ""
    rows = [(_plain(title), _plain(meaning)) for title, meaning in section.meanings]
    width = max(len(title) for title, _ in rows)
    return "\n".join(["```text", *(f"{title:<{width}}  {meaning}" for title, meaning in rows), "```"])


def _plain(words: str) -> str:
    return " ".join(words.replace("`", "").split())


def _text(words: str) -> str:
    return markdown_text(words).replace("\n", " ")

"""What is shown of results, before it is laid out: sections of sentences, tables and figures.

A section is made once, by whoever knows the results, and rendered twice: by `html` into the page, by `markdown` into
Dagster's and MLflow's. All texts are raw; each renderer escapes them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isnan
from typing import Literal

from affectory.results.tables import Cell
from affectory.results.words import GAP, number

Form = Literal["svg", "png"]


@dataclass(frozen=True)
class Value:
    """One cell as it is written; `spread` stands behind or below the value, `mark` right after it."""

    text: str
    spread: str = ""
    mark: str = ""
    strong: bool = False

    @classmethod
    def of(cls, cell: Cell | None, mark: str = "") -> Value:
        """A mean with its deviation; a dash where there is none."""
        if cell is None:
            return cls(GAP)
        spread = "" if isnan(cell.deviation) else f"± {number(cell.deviation)}"
        return cls(number(cell.mean), spread, mark, cell.best)


@dataclass(frozen=True)
class Group:
    """Lines of a grid under a heading ("": none); each is a title and its cells, as many as the grid has columns."""

    lines: tuple[tuple[str, tuple[Value, ...]], ...]
    heading: str = ""
    meaning: str = ""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """One table: lines in groups, one value a column."""

    title: str
    columns: tuple[str, ...]
    groups: tuple[Group, ...]
    note: str = ""
    head: str = "Row"  # above the titles of the lines
    spans: tuple[tuple[str, int], ...] = ()  # headings over so many columns each, from the left
    emphasised: frozenset[int] = frozenset()  # places of columns that stand apart, as averages and published numbers
    folded: bool = False  # a page shows it when it is opened

    def __post_init__(self) -> None:
        for group in self.groups:
            for title, values in group.lines:
                if len(values) != len(self.columns):
                    raise ValueError(
                        f"table {self.title}: line {title} has {len(values)} values for {len(self.columns)} columns"
                    )
        if self.spans and sum(width for _, width in self.spans) != len(self.columns):
            raise ValueError(f"table {self.title}: its spans do not cover its {len(self.columns)} columns")

    @property
    def worded(self) -> frozenset[int]:
        """Places of the columns whose values are words, as verdicts are; all others are set as numbers."""
        columns = zip(*(values for group in self.groups for _, values in group.lines), strict=True)
        texts = [" ".join(value.text for value in column) for column in columns]
        return frozenset(
            place for place, text in enumerate(texts) if not any(map(str.isdigit, text)) and any(map(str.isalpha, text))
        )


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One picture, drawn when a renderer asks for it."""

    name: str  # of the file, and in Dagster
    title: str
    caption: str
    draw: Callable[[Form], bytes] = field(repr=False)
    alt: str = ""  # what it shows, for whom cannot see it; empty: the caption says it


Item = Grid | Figure


@dataclass(frozen=True)
class Block:
    """Tables and figures that belong together, under a heading ("": none)."""

    items: tuple[Item, ...]
    heading: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one study, or one deployed model, has shown."""

    title: str
    headline: str = ""  # the finding that the page's summary repeats
    lede: tuple[str, ...] = ()  # how it was made
    findings: tuple[str, ...] = ()  # what the numbers show and do not show
    meanings: tuple[tuple[str, str], ...] = ()  # title of a row, and what it is
    blocks: tuple[Block, ...] = ()
    notes: tuple[str, ...] = ()  # what is not there, and why

    @property
    def figures(self) -> tuple[Figure, ...]:
        return tuple(item for block in self.blocks for item in block.items if isinstance(item, Figure))

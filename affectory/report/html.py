"""Sections, and the page around them, as HTML: one file that carries its style and pictures in itself.

It runs no script and loads nothing from outside. Every text is escaped; what stands in backticks is set as code.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from affectory.report.figures.style import data_uri
from affectory.report.section import Figure, Grid, Section
from affectory.results.words import count, number, percent

_CODE = re.compile(r"`([^`]+)`")
_INDEX = re.compile(r"\b([a-z])_([a-z])\b")  # as in d_z
_WIDE, _DENSE = 5, 9  # columns of a table: with more it takes the page's width, with more still small letters


def render_page(**parts: Any) -> str:
    """The page; `parts` are what `page.html.j2` names."""
    return _environment().get_template("page.html.j2").render(**parts)


def section_html(section: Section, identifier: str = "section") -> str:
    """One section by itself, as it stands in a page."""
    macros: Any = _environment().get_template("section.html.j2").module
    return str(macros.section(section, identifier))


def marked(text: str) -> Markup:
    """A text, escaped, with what stands in backticks as code and a letter's index below it."""
    parts = enumerate(_CODE.split(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part)
        if place % 2
        else Markup(_INDEX.sub(r"\1<sub>\2</sub>", str(escape(part))))
        for place, part in parts
    )


@cache
def _environment() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    words = {"number": number, "count": count, "percent": percent, "marked": marked}
    environment.filters |= {**words, "classes": _classes, "starts": _starts, "uri": _uri}
    environment.tests["grid"] = lambda item: isinstance(item, Grid)
    return environment


def _classes(grid: Grid) -> str:
    """Of a table, by how much it holds."""
    columns = len(grid.columns)
    kinds = {"scores": True, "wide": columns > _WIDE, "dense": columns > _DENSE, "spanned": bool(grid.spans)}
    return " ".join(name for name, applies in kinds.items() if applies)


def _starts(grid: Grid) -> frozenset[int]:
    """Places of the columns with which a span begins."""
    return frozenset(accumulate((width for _, width in grid.spans), initial=0)) if grid.spans else frozenset()


def _uri(figure: Figure) -> str:
    return data_uri(figure.draw("svg"))

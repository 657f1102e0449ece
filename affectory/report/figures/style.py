"""The look of every figure: colours, type, and how a drawing becomes bytes.

Drawn without a display and without pyplot's global state. Colours are Okabe and Ito's: distinct under the common
colour-vision deficiencies, of different lightness in grey. Text in an SVG stays text in the reader's own interface
font, so that figures and page look alike.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import cycle
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from affectory.report.section import Form
from affectory.results.names import Names

INK, MUTED, RULE = "#1d2530", "#5a6472", "#e3e7ec"
SHADE, QUIET, BLUE = "#f2f4f7", "#aeb6c0", "#0a62a9"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#5a6472")
CHANCE = "#b3401a"

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # names come from data; a `$` is a dollar sign
    "axes.edgecolor": "#aeb6c0",
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.major.size": 0,
    "xtick.major.size": 0,
    "grid.color": RULE,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "affectory",  # the same data gives the same bytes
}
# Measured with DejaVu Sans, shown in the reader's interface font: narrower, so nothing that fits here overflows there.
_SVG_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"


def colours_of(names: Names, experiments: Iterable[str]) -> dict[str, str]:
    """A colour each: the named one, else the next that no experiment of this drawing has, then all again."""
    own = {name: names[name].colour if name in names else "" for name in experiments}
    free = cycle([colour for colour in COLOURS if colour not in own.values()] or COLOURS)
    return {name: colour or next(free) for name, colour in own.items()}


def title_of(names: Names, experiment: str) -> str:
    """As a table calls it; a picture has no code to set in backticks."""
    return names.title(experiment).replace("`", "")


def class_colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def shorten(name: str, most: int = 24) -> str:
    """A name in a legend; a longer one would take the place of the drawing."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def widest(titles: Sequence[str]) -> float:
    """Inches that the longest of the titles takes as drawn."""
    font = FontProperties(family=mpl.rcParams["font.family"], size=mpl.rcParams["font.size"])
    return max((TextPath((0, 0), title, prop=font).get_extents().width / 72 for title in titles if title), default=0.0)


def data_uri(image: bytes, form: Form = "svg") -> str:
    """`data:image/...;base64,...` for an `img` element or a Markdown picture."""
    kind = "svg+xml" if form == "svg" else form
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def render(figure: Figure, form: Form) -> bytes:
    buffer = BytesIO()
    if form == "png":
        figure.savefig(buffer, format="png", dpi=144)
        return buffer.getvalue()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return buffer.getvalue().decode().replace("'DejaVu Sans'", _SVG_FONTS).encode()

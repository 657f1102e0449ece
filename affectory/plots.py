"""Figures as bytes: bars by condition and learning curves (a study's others are in `study_plots`).

Drawn without a display and without pyplot's global state.

Colours are Okabe and Ito's: distinct under the common colour-vision deficiencies, of different lightness in grey.
Text in an SVG stays text in the reader's own interface font, so that figures and page look alike.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from io import BytesIO
from itertools import cycle
from math import ceil, isfinite, log10
from statistics import fmean
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from affectory.results.tables import AVERAGE, cells, columns_of, condition_title, experiment_title, metric_title

Form = Literal["svg", "png"]
Curves = dict[str, dict[int, list[tuple[int, float]]]]  # name -> seed -> [(epoch, value)]

INK, MUTED, RULE = "#1d2530", "#5a6472", "#e3e7ec"
EXPERIMENT_COLOURS = {
    "full_baseline": "#bcc3cc",
    "augmented_baseline": "#6fbbe8",
    "partial_baseline": "#86909d",
    "mctn": "#e69f00",
    "attention_fusion": "#d55e00",
    "mmin_ae": "#93d3bd",
    "mmin_no_cycle": "#009e73",
    "mmin": "#0a62a9",
    "augmented_pretrained": "#cc79a7",
    "mmin_no_imagination": "#7b5ea7",
    "linear_svm": "#7a6a00",
    "best": INK,
    "utterance": "#bcc3cc",
    "bc_lstm": "#6fbbe8",
    "cmn": "#cc79a7",
    "icon": "#e69f00",
    "dialogue_rnn": "#93d3bd",
    "dialogue_gcn": "#009e73",
    "mmgcn": "#0a62a9",
    "mmgcn_augmented": INK,
}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a6a00", "#5a6472")
CHANCE = "#b3401a"
MEAN_SCORE = "val/score"  # mean of the conditions' validation scores: what selects

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


def condition_bars(
    table: pd.DataFrame, metric: str = "ua", *, chance: float | None = None, form: Form = "svg"
) -> bytes:
    """Grouped bars of one metric of a conditions table; whiskers are one deviation each way, a line marks chance."""
    rows, columns = cells(table, metric), columns_of(table)
    names, colours = [shorten(experiment_title(name), 60) for name in rows], experiment_colours(rows)
    inches = 1.3 + 1.13 * len(columns)
    ncols = min(4, max(1, int((inches - 1) / (0.45 + 0.068 * max(map(len, names), default=1)))))
    above = 0.33 + 0.19 * (ceil(len(names) / ncols) - 1)  # the legend's place, in inches
    with mpl.rc_context(STYLE):
        height = 2.97 + above
        figure = Figure(figsize=(inches, height))
        axes = figure.subplots()
        figure.subplots_adjust(0.5 / inches, 0.297 / height, 1 - 0.55 / inches, 1 - above / height)
        width = 0.78 / max(len(rows), 1)
        for number, (experiment, row) in enumerate(rows.items()):
            places = np.arange(len(columns)) + (number - (len(rows) - 1) / 2) * width
            means = np.array([row[name].mean if name in row else np.nan for name in columns])
            spreads = np.array([row[name].deviation if name in row else np.nan for name in columns])
            axes.bar(places, means, width * 0.92, color=colours[experiment], label=names[number], zorder=2)
            if not np.isnan(spreads).all():
                axes.errorbar(places, means, spreads, fmt="none", ecolor=INK, elinewidth=0.9, capsize=1.8, zorder=3)
        if chance is not None:
            axes.axhline(chance, color=CHANCE, linewidth=1.1, linestyle=(0, (4, 3)), zorder=4)
            right = axes.get_yaxis_transform()
            axes.text(1.008, chance, f"chance\n{chance:.2f}", transform=right, color=CHANCE, va="center", fontsize=8)
        axes.set_xticks(range(len(columns)), [condition_title(name) for name in columns])
        axes.set_xlim(-0.55, len(columns) - 0.45)
        axes.set_ylim(0, 1)
        axes.set_ylabel(metric_title(metric))
        if AVERAGE in columns:
            place = columns.index(AVERAGE)
            axes.axvspan(place - 0.5, place + 0.5, color="#f2f4f7", zorder=0)
        axes.grid(axis="y", zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, borderaxespad=0.2, handlelength=1.2)
        return render(figure, form)


def learning_curves(history: pd.DataFrame, *, form: Form = "svg") -> bytes:
    """One experiment's curves: each loss term (names `loss/...`) above, each validation score (`val/...`) below.

    `history` columns: seed, epoch, name, value. One thin line a seed; a dot marks the first epoch of its highest score.
    """
    curves = curves_by_name(history)
    losses = {name: curves[name] for name in loss_names(history)}
    scores = {name: curves[name] for name in score_names(history)}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.75, 4.1))
        above, below = figure.subplots(2, 1, sharex=True)
        # Fixed margins: a third of the time of a computed layout, and the figures of a report line up.
        figure.subplots_adjust(left=0.12, right=0.98, bottom=0.1, top=0.94, hspace=0.2)
        _lines(above, losses)
        above.set_title("Training loss by term")
        if _spans_decades(losses):
            above.set_title("Training loss by term, log scale")
            above.set_yscale("log")
            decades = log10(max(_values(losses)) / min(_values(losses)))
            above.yaxis.set_major_locator(LogLocator(subs=(1, 3) if decades < 2.5 else (1,), numticks=8))
            above.yaxis.set_major_formatter(lambda value, _: _power(value))
            above.yaxis.set_minor_locator(NullLocator())
        _lines(below, scores)
        for number, seeds in enumerate(scores.values()):
            peaks = [peak(points) for points in seeds.values()]
            below.plot(*zip(*peaks, strict=True), "o", color=COLOURS[number % len(COLOURS)], markersize=3.6)
        if all(0 <= value <= 1 for value in _values(scores)):
            below.set_ylim(0, 1)
        below.set_title("Validation score")
        below.set_xlabel("Epoch")
        below.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        return render(figure, form)


def experiment_colours(experiments: Iterable[str]) -> dict[str, str]:
    """A colour each: the study's experiments have theirs, others the next that no shown one has, then all again."""
    names = list(experiments)
    taken = {EXPERIMENT_COLOURS[name] for name in names if name in EXPERIMENT_COLOURS}
    free = cycle([colour for colour in COLOURS if colour not in taken] or COLOURS)
    return {name: EXPERIMENT_COLOURS.get(name) or next(free) for name in names}


def curves_by_name(history: pd.DataFrame) -> Curves:
    """name -> seed -> [(epoch, value)] by epoch; folds of a seed are averaged, values not finite left out."""
    sums: dict[tuple[str, int, int], list[float]] = {}
    columns = (history[name].tolist() for name in ("name", "seed", "epoch", "value"))
    for name, seed, epoch, value in zip(*columns, strict=True):
        if isfinite(value):
            sums.setdefault((str(name), int(seed), int(epoch)), []).append(float(value))
    curves: Curves = {str(name): {} for name in history["name"]}
    for (name, seed, epoch), values in sorted(sums.items(), key=lambda item: item[0][1:]):
        curves[name].setdefault(seed, []).append((epoch, fmean(values)))
    return {name: seeds for name, seeds in curves.items() if seeds}


def loss_names(history: pd.DataFrame) -> list[str]:
    """The loss terms; their total would only repeat a single term or stand above several."""
    return [name for name in curves_by_name(history) if name.startswith("loss/") and name != "loss/total"]


def score_names(history: pd.DataFrame) -> list[str]:
    """The mean score where there is one, else all under `val/` but losses, which do not share the scores' scale."""
    curves = curves_by_name(history)
    scores = [name for name in curves if name.startswith("val/") and "loss" not in name]
    return [MEAN_SCORE] if MEAN_SCORE in curves else scores


def peak(points: list[tuple[int, float]]) -> tuple[int, float]:
    """The first (epoch, value) with the highest value."""
    return max(points, key=lambda point: (point[1], -point[0]))


def data_uri(image: bytes, form: Form = "svg") -> str:
    """`data:image/...;base64,...` for an `img` element or a Markdown picture."""
    kind = "svg+xml" if form == "svg" else form
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _lines(axes: Axes, curves: Curves) -> None:
    for number, (name, seeds) in enumerate(curves.items()):
        for place, points in enumerate(seeds.values()):
            label = shorten(name.split("/", 1)[1]) if place == 0 else "_nolegend_"
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.1, alpha=0.85, label=label)
    axes.grid(axis="y")
    if curves:
        axes.legend(fontsize=7.5, handlelength=1.2, ncols=2, columnspacing=1)


def shorten(name: str, most: int = 24) -> str:
    """A name in a legend; a longer one would take the place of the drawing."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _power(value: float) -> str:
    """A tick of a log axis: `0.001`, and below that, where zeros no longer can be counted at a glance, `10⁻⁴`."""
    exponent = log10(value)
    if value >= 0.001 or abs(exponent - round(exponent)) > 1e-6:
        return f"{value:g}"
    return "10" + str(round(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _values(curves: Curves) -> list[float]:
    return [value for seeds in curves.values() for points in seeds.values() for _, value in points]


def _spans_decades(curves: Curves) -> bool:
    values = _values(curves)
    return bool(values) and 0 < min(values) < max(values) / 30


def render(figure: Figure, form: Form) -> bytes:
    buffer = BytesIO()
    if form == "png":
        figure.savefig(buffer, format="png", dpi=144)
        return buffer.getvalue()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    return buffer.getvalue().decode().replace("'DejaVu Sans'", _SVG_FONTS).encode()

"""A study's figures as bytes: many experiments under every condition, missing rates, calibration, imagined points.

The style is that of `plots`. Names are never cut: the figure makes room for them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.isotonic import isotonic_regression

from affectory.plots import (
    CHANCE,
    COLOURS,
    EXPERIMENT_COLOURS,
    INK,
    MUTED,
    RULE,
    STYLE,
    Form,
    experiment_colours,
    render,
)
from affectory.results.metrics import ece, reliability_bins
from affectory.results.tables import (
    AVERAGE,
    DIGITS,
    columns_of,
    condition_title,
    experiment_title,
    in_order,
    metric_title,
    records,
)

BEST = EXPERIMENT_COLOURS["mmin"]
_SHADE, _FAINT, _PALE = "#f2f4f7", "#d5dae1", "#6fbbe8"
_MARKERS = "osD^vPX<>*"
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
Panel = dict[str, tuple[float, float, float]]  # experiment -> value, low, high
Panels = dict[str, Panel]  # by condition


def study_bars(
    table: pd.DataFrame, metric: str = "ua", intervals: pd.DataFrame | None = None, *, form: Form = "svg"
) -> bytes:
    """A dot and a line for each experiment (rows) under each condition (panels, equal scale, each at its own place).

    `table` is a conditions table: dots are means over runs, lines one deviation each way. With `intervals` (condition,
    metric, experiment, value, low, high, as of `significance.dialogue_bootstrap`) dots and lines are those. The
    strictly best dot of a panel at DIGITS decimals is coloured and its value written above.
    """
    shown = _shown(table, intervals, metric)
    columns = columns_of(pd.DataFrame({"condition": list(shown)}))
    experiments = in_order(name for panel in shown.values() for name in panel)
    titles = [experiment_title(name) for name in experiments]
    with mpl.rc_context(STYLE):
        label, height = 0.2 + _widest(titles), 0.95 + 0.19 * max(len(titles), 1)
        inches = label + 1.08 * max(len(columns), 1) + 0.1
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(1, max(len(columns), 1), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(label / inches, 0.55 / height, 1 - 0.1 / inches, 1 - 0.4 / height, wspace=0.12)
        panels[0].set_yticks(range(len(titles)), titles)
        panels[0].tick_params(axis="y", labelcolor=INK)
        panels[0].set_ylim(max(len(titles), 1) - 0.4, -0.6)
        span = max((np.ptp(_ends(panel)) for panel in shown.values()), default=0.0)
        for axes, column in zip(panels, columns, strict=False):
            _dots(axes, shown[column], experiments, max(float(span), 0.02))
            axes.set_title(condition_title(column))
            if column == AVERAGE:
                axes.set_facecolor(_SHADE)
        lines = "one deviation over runs each way" if intervals is None else "95 % intervals"
        figure.text(label / inches, 0.12 / height, f"{metric_title(metric)}; lines are {lines}", color=MUTED)
        return render(figure, form)


def rate_curves(sweep: pd.DataFrame, metric: str = "ua", *, chance: float | None = None, form: Form = "svg") -> bytes:
    """A metric against the missing rate: one line an experiment, named at its end; bands are one deviation each way.

    `sweep`: experiment, rate in [0, 1], value, deviation (NaN draws no band).
    """
    experiments = in_order(sweep["experiment"])
    colours, ends = experiment_colours(experiments), {}
    height = max(3.2, 0.7 + 0.17 * len(experiments))
    with mpl.rc_context(STYLE):
        inches = 4.4 + 0.45 + _widest([experiment_title(name) for name in experiments])
        figure = Figure(figsize=(inches, height))
        axes = figure.subplots()
        figure.subplots_adjust(0.5 / inches, 0.45 / height, 4.4 / inches, 1 - 0.15 / height)
        for number, name in enumerate(experiments):
            rate, value, spread = _curve(sweep, name)
            marker = _MARKERS[number % len(_MARKERS)]
            axes.plot(rate, value, color=colours[name], marker=marker, markersize=3.8, linewidth=1.3, zorder=3)
            axes.fill_between(rate, value - spread, value + spread, color=colours[name], alpha=0.13, linewidth=0)
            ends[name] = (rate[-1], value[-1])
        if chance is not None:
            axes.axhline(chance, color=CHANCE, linewidth=1.1, linestyle=(0, (4, 3)))
            axes.annotate(f"chance {chance:.2f}", (0, chance), (3, 3), textcoords="offset points", color=CHANCE)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel("Missing rate")
        axes.set_ylabel(metric_title(metric))
        axes.margins(x=0.02)
        axes.grid(axis="y")
        _name_ends(axes, ends, colours, gap=0.165 / (height - 0.6))
        return render(figure, form)


def reliability(
    truth: np.ndarray, before: np.ndarray, after: np.ndarray, *, bins: int = 15, form: Form = "svg"
) -> bytes:
    """Accuracy against confidence before and after calibration, with the expected calibration error of each.

    `truth` [n], probabilities `before` and `after` [n, C]. Below each stand the rows of each bin.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.8, 3.7))
        panels = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(4, 1))
        figure.subplots_adjust(0.115, 0.125, 0.98, 0.93, wspace=0.16, hspace=0.1)
        for number, (title, probabilities) in enumerate((("Before", before), ("After", after))):
            rows, confidence, accuracy = reliability_bins(truth, probabilities, bins)
            above, below = panels[:, number]
            _reliability_panel(above, confidence, accuracy)
            above.set_title(f"{title} calibration, ECE {ece(truth, probabilities, bins):.3f}")
            below.bar((np.arange(bins) + 0.5) / bins, rows / rows.sum(), 0.92 / bins, color="#aeb6c0")
            below.set_xlabel("Confidence")
        panels[0, 0].set_ylabel("Accuracy")
        panels[1, 0].set_ylabel("Rows")
        panels[1, 0].yaxis.set_major_locator(MaxNLocator(2))
        panels[1, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        figure.align_ylabels()
        return render(figure, form)


def imagined_scatter(
    shown: Mapping[str, tuple[np.ndarray, Mapping[str, float]]], labels: Sequence[str], *, form: Form = "svg"
) -> bytes:
    """True and imagined points side by side for each condition; each kind stands in grey behind the other.

    `shown`: condition -> (points [2, n, 2] of `projection.project`, its `distances`, written above); `labels` [n] are
    the classes, by colour. Points are drawn as a picture inside an SVG, text is not.
    """
    kinds, classes = np.asarray(labels, object), sorted(set(labels))
    pairs = min(2, max(len(shown), 1))
    lines = ceil(max(len(shown), 1) / pairs)
    inches, height = 0.3 + 3.85 * pairs, 0.4 + 2.3 * lines
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(inches, height))
        for place, (condition, (points, distances)) in enumerate(shown.items()):
            left, bottom = 0.15 + 3.85 * (place % pairs), height - 0.4 - 2.3 * (place // pairs + 1) + 0.12
            size = 1.75 / inches, 1.75 / height
            sides = [figure.add_axes((x / inches, bottom / height, *size)) for x in (left, left + 1.82)]
            _true_and_imagined(sides, points, kinds, classes)
            sides[0].set_title("From all modalities", color=MUTED, fontsize=8.5)
            sides[1].set_title(f"Imagined from {condition_title(condition)}", fontsize=8.5)
            words = " · ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in distances.items())
            figure.text(left / inches, (bottom + 2) / height, words, color=MUTED, fontsize=8)
        colours = map(_class_colour, range(len(classes)))
        dots = [Line2D([], [], linestyle="", marker="o", markersize=4.5, color=colour) for colour in colours]
        figure.legend(dots, classes, loc="upper left", bbox_to_anchor=(0.05 / inches, 1), ncols=6, handletextpad=0.1)
        return render(figure, form)


def _shown(table: pd.DataFrame, intervals: pd.DataFrame | None, metric: str) -> Panels:
    panels: Panels = {}
    for row in records(table if intervals is None else intervals):
        if row["metric"] == metric and intervals is None:
            mean, deviation = row["mean"], row["deviation"]
            panels.setdefault(row["condition"], {})[row["experiment"]] = mean, mean - deviation, mean + deviation
        elif row["metric"] == metric:
            panels.setdefault(row["condition"], {})[row["experiment"]] = row["value"], row["low"], row["high"]
    return panels


def _ends(panel: Panel) -> tuple[float, float]:
    values = np.array(list(panel.values()))
    return float(np.nanmin(values)), float(np.nanmax(values))


def _dots(axes: Axes, panel: Panel, experiments: Sequence[str], span: float) -> None:
    middle = sum(_ends(panel)) / 2
    axes.set_xlim(middle - 0.56 * span, middle + 0.56 * span)
    step = next((step for step in _STEPS if span / step <= 3.2), _STEPS[-1])
    ticks = step * np.arange(ceil((middle - 0.45 * span) / step), (middle + 0.45 * span) / step)
    axes.set_xticks(ticks)  # none at an edge, where it would run into the next panel's
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2f}".removeprefix("0"))
    axes.grid(axis="x", zorder=0)
    for edge in np.arange(2.5, len(experiments) - 1, 3):  # every third row, for the eye
        axes.axhline(edge, color=RULE, linewidth=0.6, zorder=0)
    rounded = [round(value, DIGITS) for value, _, _ in panel.values()]
    best = max(rounded) if len(rounded) > 1 and rounded.count(max(rounded)) == 1 else np.nan
    for experiment, (value, low, high) in panel.items():
        place, is_best = experiments.index(experiment), round(value, DIGITS) == best
        colour = BEST if is_best else "#7d8895"
        axes.plot((low, high), (place, place), color=colour, linewidth=2 if is_best else 1.2, zorder=2)
        axes.plot(value, place, "o", color=colour, markersize=5.2 if is_best else 3.6, zorder=3)
    if not np.isnan(best):
        axes.axvline(best, color=BEST, linewidth=0.7, alpha=0.45, zorder=1)
        axes.set_title(f"{best:.{DIGITS}f}", loc="right", color=BEST, fontsize=8.5)


def _curve(sweep: pd.DataFrame, experiment: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, rising, with their values and deviations."""
    rows = np.array(
        [(row["rate"], row["value"], row["deviation"]) for row in records(sweep) if row["experiment"] == experiment],
        np.float64,
    )
    rate, value, deviation = rows[np.argsort(rows[:, 0])].T
    return rate, value, deviation


def _name_ends(axes: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str], gap: float) -> None:
    """Each curve's name right of its last point, moved apart to `gap` of the axis' height, a thin line between."""
    if not ends:
        return
    (bottom, top), (left, right) = axes.get_ylim(), axes.get_xlim()
    names = sorted(ends, key=lambda name: ends[name][1])
    wanted = np.array([(ends[name][1] - bottom) / (top - bottom) for name in names])
    steps = gap * np.arange(len(names))
    places = np.clip(isotonic_regression(wanted - steps), 0, max(0, 1 - gap * len(names) + gap)) + steps
    for name, place in zip(names, places, strict=True):
        level, beyond = bottom + place * (top - bottom), right + (right - left) * np.array([0.005, 0.035])
        axes.plot((ends[name][0], *beyond), (ends[name][1], level, level), color=colours[name], clip_on=False, lw=0.8)
        axes.plot(beyond, (level, level), color=colours[name], clip_on=False, linewidth=3)
        axes.text(1.045, level, experiment_title(name), transform=axes.get_yaxis_transform(), va="center")
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _reliability_panel(axes: Axes, confidence: np.ndarray, accuracy: np.ndarray) -> None:
    bins = len(confidence)
    centres, width = (np.arange(bins) + 0.5) / bins, 0.92 / bins
    axes.bar(centres, accuracy, width, color=_PALE, label="accuracy", zorder=2)
    gap = {"bottom": accuracy, "facecolor": "none", "edgecolor": COLOURS[1], "hatch": "////", "linewidth": 0.6}
    axes.bar(centres, confidence - accuracy, width, label="gap to confidence", zorder=3, **gap)
    axes.plot((0, 1), (0, 1), color=MUTED, linewidth=1, linestyle=(0, (4, 3)), zorder=4)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(axis="y")
    axes.legend(loc="upper left", fontsize=7.5, handlelength=1.2)


def _true_and_imagined(sides: Sequence[Axes], points: np.ndarray, kinds: np.ndarray, classes: Sequence[str]) -> None:
    middle, reach = (points.max((0, 1)) + points.min((0, 1))) / 2, 0.54 * np.ptp(points, axis=(0, 1)).max() or 1.0
    size = float(np.clip(2200 / max(len(kinds), 1), 3, 16))
    for axes, own, other, marker in zip(sides, points, points[::-1], "o^", strict=True):
        axes.scatter(*other.T, s=size * 0.6, color=_FAINT, linewidths=0, rasterized=True)
        for number, name in enumerate(classes):
            of_class = own[kinds == name]
            axes.scatter(*of_class.T, s=size, marker=marker, color=_class_colour(number), linewidths=0, rasterized=True)
        axes.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(RULE)


def _widest(names: Sequence[str]) -> float:
    """Inches that the longest of the names takes as drawn."""
    font = FontProperties(family=mpl.rcParams["font.family"], size=mpl.rcParams["font.size"])
    return max((TextPath((0, 0), name, prop=font).get_extents().width / 72 for name in names if name), default=0.0)


def _class_colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]

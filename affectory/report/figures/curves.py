"""Values along an axis: of training by epoch, as more goes missing, over depth, and along a video."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, log10
from statistics import fmean

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, PercentFormatter
from scipy.optimize import isotonic_regression

from affectory.report.figures.scales import DIMENSION_COLOURS, Points, ends_of
from affectory.report.figures.style import (
    CHANCE,
    COLOURS,
    INK,
    STYLE,
    class_colour,
    colours_of,
    render,
    shorten,
    title_of,
    widest,
)
from affectory.report.section import Form
from affectory.results.frames import records
from affectory.results.names import NO_NAMES, Names, metric_title

MEAN_SCORE = "val/score"  # mean of the conditions' validation scores: what selects
_MARKERS = "osD^vPX<>*"
Curves = dict[str, dict[int, list[tuple[int, float]]]]  # name -> seed -> [(epoch, value)]


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
            below.plot(*zip(*peaks, strict=True), "o", color=class_colour(number), markersize=3.6)
        if all(0 <= value <= 1 for value in _values(scores)):
            below.set_ylim(0, 1)
        below.set_title("Validation score")
        below.set_xlabel("Epoch")
        below.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        return render(figure, form)


def rate_curves(
    sweep: pd.DataFrame,
    metric: str = "ua",
    *,
    names: Names = NO_NAMES,
    chance: float | None = None,
    form: Form = "svg",
) -> bytes:
    """A metric against the missing rate: one line an experiment, named at its end; bands are one deviation each way.

    `sweep`: experiment, rate in [0, 1], value, deviation (NaN draws no band).
    """
    experiments = names.in_order(sweep["experiment"])
    colours, ends = colours_of(names, experiments), {}
    height = max(3.2, 0.7 + 0.17 * len(experiments))
    with mpl.rc_context(STYLE):
        inches = 4.4 + 0.45 + widest([title_of(names, name) for name in experiments])
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
        _name_ends(axes, ends, colours, names, gap=0.165 / (height - 0.6))
        return render(figure, form)


def depth_curve(table: pd.DataFrame, metric: str, *, form: Form = "svg") -> bytes:
    """A metric over the layers of graph convolution, on a scale of doublings; `table`: layers, value, deviation."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 2.6))
        axes = figure.subplots()
        figure.subplots_adjust(0.14, 0.18, 0.97, 0.95)
        points = table["layers"], table["value"], table["deviation"].fillna(0)
        axes.errorbar(*points, color=COLOURS[0], marker="o", markersize=4, linewidth=1.3, capsize=2)
        axes.set_xscale("log", base=2)
        axes.set_xticks(table["layers"], [f"{layers}" for layers in table["layers"]])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="Layers", ylabel=metric_title(metric))
        axes.grid(axis="y")
        return render(figure, form)


def timeline(points: Mapping[str, Points], *, form: Form = "svg") -> bytes:
    """Dimension -> label and prediction of one video's utterances in order: a panel each, below each other."""
    with mpl.rc_context(STYLE):
        most = max((len(label) for label, _ in points.values()), default=1)
        inches, height = float(np.clip(1.0 + 0.22 * most, 5.0, 9.0)), 0.75 + 1.6 * len(points)
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(len(points), 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(0.6 / inches, 0.45 / height, 1 - 0.1 / inches, 1 - 0.3 / height, hspace=0.3)
        for axes, (dimension, (label, predicted)) in zip(panels, points.items(), strict=True):
            steps, colour = np.arange(1, len(label) + 1), DIMENSION_COLOURS[dimension]
            axes.plot(steps, label, color=INK, marker="o", markersize=3, linewidth=1.1, label="label")
            axes.plot(steps, predicted, color=colour, marker="s", markersize=3, linewidth=1.3, label="prediction")
            axes.set_title(dimension.capitalize())
            axes.set_ylim(*ends_of(dimension, label, predicted))
            axes.grid(axis="y")
            axes.legend(loc="lower right", bbox_to_anchor=(1, 0.96), ncols=2, borderaxespad=0, handlelength=1.6)
        panels[-1].set(xlabel="Utterance of the video", xlim=(0.5, most + 0.5))
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
        return render(figure, form)


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


def _lines(axes: Axes, curves: Curves) -> None:
    for number, (name, seeds) in enumerate(curves.items()):
        for place, points in enumerate(seeds.values()):
            label = shorten(name.split("/", 1)[1]) if place == 0 else "_nolegend_"
            colour = class_colour(number)
            axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.1, alpha=0.85, label=label)
    axes.grid(axis="y")
    if curves:
        axes.legend(fontsize=7.5, handlelength=1.2, ncols=2, columnspacing=1)


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


def _curve(sweep: pd.DataFrame, experiment: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates, rising, with their values and deviations."""
    rows = np.array(
        [(row["rate"], row["value"], row["deviation"]) for row in records(sweep) if row["experiment"] == experiment],
        np.float64,
    )
    rate, value, deviation = rows[np.argsort(rows[:, 0])].T
    return rate, value, deviation


def _name_ends(
    axes: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str], names: Names, gap: float
) -> None:
    """Each curve's name right of its last point, moved apart to `gap` of the axis' height, a thin line between."""
    if not ends:
        return
    (bottom, top), (left, right) = axes.get_ylim(), axes.get_xlim()
    experiments = sorted(ends, key=lambda name: ends[name][1])
    wanted = np.array([(ends[name][1] - bottom) / (top - bottom) for name in experiments])
    steps = gap * np.arange(len(experiments))
    rising = isotonic_regression(wanted - steps).x
    places = np.clip(rising, 0, max(0, 1 - gap * len(experiments) + gap)) + steps
    for name, place in zip(experiments, places, strict=True):
        level, beyond = bottom + place * (top - bottom), right + (right - left) * np.array([0.005, 0.035])
        axes.plot((ends[name][0], *beyond), (ends[name][1], level, level), color=colours[name], clip_on=False, lw=0.8)
        axes.plot(beyond, (level, level), color=colours[name], clip_on=False, linewidth=3)
        axes.text(1.045, level, title_of(names, name), transform=axes.get_yaxis_transform(), va="center")
    axes.set(xlim=(left, right), ylim=(bottom, top))

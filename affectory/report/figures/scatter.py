"""Points in a plane: imagined features beside true ones, and predictions against labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from affectory.report.figures.scales import DIMENSION_COLOURS, Points, ends_of
from affectory.report.figures.style import MUTED, RULE, STYLE, class_colour, render
from affectory.report.section import Form
from affectory.results.metrics import ccc
from affectory.results.names import condition_title
from affectory.results.words import number

_FAINT = "#d5dae1"


def imagined_scatter(
    by_condition: Mapping[str, tuple[np.ndarray, Mapping[str, float]]], labels: Sequence[str], *, form: Form = "svg"
) -> bytes:
    """True and imagined points side by side for each condition; each kind stands in grey behind the other.

    `by_condition`: condition -> (points [2, n, 2], true and imagined, and named distances, written above); `labels` [n]
    are the classes, by colour. Points are drawn as a picture inside an SVG, text is not.
    """
    kinds, classes = np.asarray(labels, object), sorted(set(labels))
    pairs = min(2, max(len(by_condition), 1))
    lines = ceil(max(len(by_condition), 1) / pairs)
    inches, height = 0.3 + 3.85 * pairs, 0.4 + 2.3 * lines
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(inches, height))
        for place, (condition, (points, distances)) in enumerate(by_condition.items()):
            left, bottom = 0.15 + 3.85 * (place % pairs), height - 0.4 - 2.3 * (place // pairs + 1) + 0.12
            size = 1.75 / inches, 1.75 / height
            sides = [figure.add_axes((x / inches, bottom / height, *size)) for x in (left, left + 1.82)]
            _true_and_imagined(sides, points, kinds, classes)
            sides[0].set_title("From all modalities", color=MUTED, fontsize=8.5)
            sides[1].set_title(f"Imagined from {condition_title(condition)}", fontsize=8.5)
            words = " · ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in distances.items())
            figure.text(left / inches, (bottom + 2) / height, words, color=MUTED, fontsize=8)
        colours = map(class_colour, range(len(classes)))
        dots = [Line2D([], [], linestyle="", marker="o", markersize=4.5, color=colour) for colour in colours]
        figure.legend(dots, classes, loc="upper left", bbox_to_anchor=(0.05 / inches, 1), ncols=6, handletextpad=0.1)
        return render(figure, form)


def agreement(points: Mapping[str, Points], *, form: Form = "svg") -> bytes:
    """Dimension -> label and prediction [n]: a panel each, the diagonal where both are equal, the CCC above."""
    with mpl.rc_context(STYLE):
        inches, height = 0.55 + 3.1 * len(points), 3.25
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(1, len(points), squeeze=False)[0]
        figure.subplots_adjust(0.55 / inches, 0.45 / height, 1 - 0.12 / inches, 1 - 0.3 / height, wspace=0.24)
        for axes, (dimension, (label, predicted)) in zip(panels, points.items(), strict=True):
            low, high = ends_of(dimension, label, predicted)
            axes.plot((low, high), (low, high), color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=3)
            size = float(np.clip(2400 / max(len(label), 1), 3, 16))
            kind = {"s": size, "color": DIMENSION_COLOURS[dimension], "alpha": 0.5, "linewidths": 0, "rasterized": True}
            axes.scatter(label, predicted, zorder=2, **kind)
            axes.set(xlim=(low, high), ylim=(low, high), xlabel="Label", aspect="equal")
            axes.set_title(f"{dimension.capitalize()}, CCC {number(ccc(label, predicted))}")
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.grid(zorder=1)
        panels[0].set_ylabel("Prediction")
        return render(figure, form)


def _true_and_imagined(sides: Sequence[Axes], points: np.ndarray, kinds: np.ndarray, classes: Sequence[str]) -> None:
    middle, reach = (points.max((0, 1)) + points.min((0, 1))) / 2, 0.54 * np.ptp(points, axis=(0, 1)).max() or 1.0
    size = float(np.clip(2200 / max(len(kinds), 1), 3, 16))
    for axes, own, other, marker in zip(sides, points, points[::-1], "o^", strict=True):
        axes.scatter(*other.T, s=size * 0.6, color=_FAINT, linewidths=0, rasterized=True)
        for place, name in enumerate(classes):
            of_class = own[kinds == name]
            axes.scatter(*of_class.T, s=size, marker=marker, color=class_colour(place), linewidths=0, rasterized=True)
        axes.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
        axes.spines[:].set_color(RULE)

"""How sure a model is and how often it is right, before and after calibration."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from affectory.report.figures.style import BLUE, COLOURS, INK, MUTED, QUIET, SHADE, STYLE, render
from affectory.report.section import Form
from affectory.results.frames import where
from affectory.results.metrics import ece, reliability_bins
from affectory.results.names import AVERAGE, NO_NAMES, Names, condition_title
from affectory.results.tables import columns_of

_PALE = "#6fbbe8"


def calibration_panels(table: pd.DataFrame, *, names: Names = NO_NAMES, form: Form = "svg") -> bytes:
    """A ring before and a dot after calibration for each experiment (rows) under each condition (panels).

    `table`: experiment, condition, before, after of the expected calibration error; at least one row.
    """
    columns, experiments = columns_of(table), names.in_order(table["experiment"])
    titles = [names.short(name).replace("`", "") for name in experiments]
    highest = 1.08 * max(table["before"].max(), table["after"].max(), 0.05)
    with mpl.rc_context(STYLE):
        label, height = 0.25 + 0.075 * max(map(len, titles)), 0.95 + 0.19 * len(titles)
        inches = label + 1.08 * len(columns) + 0.1
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
        figure.subplots_adjust(label / inches, 0.55 / height, 1 - 0.1 / inches, 1 - 0.4 / height, wspace=0.12)
        panels[0].set_yticks(range(len(titles)), titles)
        panels[0].set(ylim=(len(titles) - 0.4, -0.6), xlim=(0, highest))
        panels[0].tick_params(axis="y", labelcolor=INK)
        for axes, column in zip(panels, columns, strict=True):
            _errors(axes, where(table, condition=column), experiments)
            axes.set_title(condition_title(column))
        words = "Expected calibration error; ring: before, dot: after calibration; 0 is exact"
        figure.text(label / inches, 0.12 / height, words, color=MUTED)
        return render(figure, form)


def _errors(axes: Axes, rows: pd.DataFrame, experiments: Sequence[str]) -> None:
    places = [experiments.index(name) for name in rows["experiment"]]
    axes.hlines(places, rows["before"], rows["after"], color=QUIET, linewidth=1.1, zorder=2)
    axes.plot(rows["before"], places, "o", color=QUIET, markerfacecolor="white", markersize=4.2, zorder=3)
    axes.plot(rows["after"], places, "o", color=BLUE, markersize=4.2, zorder=4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2f}".removeprefix("0") if value else "0")
    axes.locator_params(axis="x", nbins=3)
    axes.grid(axis="x", zorder=0)
    if set(rows["condition"]) == {AVERAGE}:
        axes.set_facecolor(SHADE)


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
            below.bar((np.arange(bins) + 0.5) / bins, rows / rows.sum(), 0.92 / bins, color=QUIET)
            below.set_xlabel("Confidence")
        panels[0, 0].set_ylabel("Accuracy")
        panels[1, 0].set_ylabel("Rows")
        panels[1, 0].yaxis.set_major_locator(MaxNLocator(2))
        panels[1, 0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        figure.align_ylabels()
        return render(figure, form)


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

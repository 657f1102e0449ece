"""The expected calibration error of each experiment, before and after calibration."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from affectory.report.figures.style import BLUE, INK, MUTED, QUIET, SHADE, STYLE, render
from affectory.report.section import Form
from affectory.results.frames import where
from affectory.results.names import AVERAGE, NO_NAMES, Names, condition_title
from affectory.results.tables import columns_of


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

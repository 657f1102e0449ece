"""Scores as bars and dots: by condition, by class, by row.

Names are never cut where the figure can make room for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil, isnan

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from affectory.report.figures.scales import DIMENSION_COLOURS
from affectory.report.figures.style import (
    BLUE,
    CHANCE,
    INK,
    MUTED,
    RULE,
    SHADE,
    STYLE,
    colours_of,
    render,
    shorten,
    title_of,
    widest,
)
from affectory.report.section import Form
from affectory.results.frames import records
from affectory.results.names import AVERAGE, NO_NAMES, Names, condition_title, metric_title
from affectory.results.tables import Cell, cells, columns_of
from affectory.results.words import DIGITS

_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_LONGEST, _LONGEST_OF_DIMENSIONS = 60, 40  # letters of a title
Panel = dict[str, tuple[float, float, float]]  # experiment -> value, low, high
Panels = dict[str, Panel]  # by condition


def condition_bars(
    table: pd.DataFrame,
    metric: str = "ua",
    *,
    names: Names = NO_NAMES,
    chance: float | None = None,
    form: Form = "svg",
) -> bytes:
    """Grouped bars of one metric of a conditions table; whiskers are one deviation each way, a line marks chance."""
    rows, columns = cells(table, metric), columns_of(table)
    titles, colours = [shorten(title_of(names, name), _LONGEST) for name in rows], colours_of(names, rows)
    inches = 1.3 + 1.13 * len(columns)
    ncols = min(4, max(1, int((inches - 1) / (0.45 + 0.068 * max(map(len, titles), default=1)))))
    above = 0.33 + 0.19 * (ceil(len(titles) / ncols) - 1)  # the legend's place, in inches
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
            axes.bar(places, means, width * 0.92, color=colours[experiment], label=titles[number], zorder=2)
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
            axes.axvspan(place - 0.5, place + 0.5, color=SHADE, zorder=0)
        axes.grid(axis="y", zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, borderaxespad=0.2, handlelength=1.2)
        return render(figure, form)


def study_bars(
    table: pd.DataFrame,
    metric: str = "ua",
    intervals: pd.DataFrame | None = None,
    *,
    names: Names = NO_NAMES,
    form: Form = "svg",
) -> bytes:
    """A dot and a line for each experiment (rows) under each condition (panels, equal scale, each at its own place).

    `table` is a conditions table: dots are means over runs, lines one deviation each way. With `intervals` (condition,
    metric, experiment, value, low, high, as of `significance.dialogue_bootstrap`) dots and lines are those. The
    strictly best dot of a panel at DIGITS decimals is coloured and its value written above.
    """
    by_condition = _panels(table, intervals, metric)
    columns = columns_of(pd.DataFrame({"condition": list(by_condition)}))
    experiments = names.in_order(name for panel in by_condition.values() for name in panel)
    titles = [title_of(names, name) for name in experiments]
    with mpl.rc_context(STYLE):
        label, height = 0.2 + widest(titles), 0.95 + 0.19 * max(len(titles), 1)
        inches = label + 1.08 * max(len(columns), 1) + 0.1
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(1, max(len(columns), 1), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(label / inches, 0.55 / height, 1 - 0.1 / inches, 1 - 0.4 / height, wspace=0.12)
        panels[0].set_yticks(range(len(titles)), titles)
        panels[0].tick_params(axis="y", labelcolor=INK)
        panels[0].set_ylim(max(len(titles), 1) - 0.4, -0.6)
        span = max((np.ptp(_ends(panel)) for panel in by_condition.values()), default=0.0)
        for axes, column in zip(panels, columns, strict=False):
            _dots(axes, by_condition[column], experiments, max(float(span), 0.02))
            axes.set_title(condition_title(column))
            if column == AVERAGE:
                axes.set_facecolor(SHADE)
        lines = "one deviation over runs each way" if intervals is None else "95 % intervals"
        figure.text(label / inches, 0.12 / height, f"{metric_title(metric)}; lines are {lines}", color=MUTED)
        return render(figure, form)


def class_bars(table: pd.DataFrame, *, names: Names = NO_NAMES, form: Form = "svg") -> bytes:
    """A group of bars a class, one bar an experiment; `table`: experiment, label, value, deviation of F1."""
    experiments = names.in_order(table["experiment"])
    labels = sorted(set(table["label"]))
    colours, width = colours_of(names, experiments), 0.82 / len(experiments)
    by_class = table.set_index(["experiment", "label"])
    with mpl.rc_context(STYLE):
        inches, ncols = max(5.0, 0.9 + (0.35 + 0.13 * len(experiments)) * len(labels)), 4
        above = 0.15 + 0.19 * -(-len(experiments) // ncols)
        figure = Figure(figsize=(inches, 2.6 + above))
        axes = figure.subplots()
        figure.subplots_adjust(0.5 / inches, 0.3 / (2.6 + above), 1 - 0.1 / inches, 1 - above / (2.6 + above))
        for number, name in enumerate(experiments):
            rows = by_class.reindex([(name, label) for label in labels])
            means, spreads = rows["value"].to_numpy(float), rows["deviation"].to_numpy(float)
            places = np.arange(len(labels)) + (number - (len(experiments) - 1) / 2) * width
            axes.bar(places, means, width * 0.92, color=colours[name], label=title_of(names, name), zorder=2)
            if not np.isnan(spreads).all():
                axes.errorbar(places, means, spreads, fmt="none", ecolor=INK, elinewidth=0.8, zorder=3)
        axes.set_xticks(range(len(labels)), labels)
        axes.set(ylabel="F1", ylim=(0, 1), xlim=(-0.55, len(labels) - 0.45))
        axes.grid(axis="y", zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, borderaxespad=0.2, handlelength=1.2)
        return render(figure, form)


def row_bars(rows: Mapping[str, Mapping[str, Cell]], *, form: Form = "svg") -> bytes:
    """Title of a row -> dimension -> Cell: a bar a dimension, rows below each other, whiskers one deviation."""
    titles = [shorten(title, _LONGEST_OF_DIMENSIONS) for title in rows]
    dimensions = list(dict.fromkeys(name for row in rows.values() for name in row))
    width = 0.8 / max(len(dimensions), 1)
    with mpl.rc_context(STYLE):
        label = 0.35 + 0.07 * max(map(len, titles), default=0)
        inches, height = label + 5.0, 0.8 + 0.34 * max(len(titles), 1)
        figure = Figure(figsize=(inches, height))
        axes = figure.subplots()
        figure.subplots_adjust(label / inches, 0.45 / height, 1 - 0.15 / inches, 1 - 0.3 / height)
        for number, dimension in enumerate(dimensions):
            column = [row.get(dimension) for row in rows.values()]
            means = np.array([np.nan if cell is None else cell.mean for cell in column])
            spreads = np.array([np.nan if cell is None else cell.deviation for cell in column])
            places = np.arange(len(titles)) + (number - (len(dimensions) - 1) / 2) * width
            axes.barh(places, means, width * 0.9, color=DIMENSION_COLOURS[dimension], label=dimension, zorder=2)
            if not np.isnan(spreads).all():
                axes.errorbar(
                    means, places, xerr=spreads, fmt="none", ecolor=INK, elinewidth=0.9, capsize=1.8, zorder=3
                )
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=4)
        axes.set_yticks(range(len(titles)), titles)
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set(ylim=(len(titles) - 0.45, -0.55), xlabel="CCC")
        axes.grid(axis="x", zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handlelength=1.2)
        return render(figure, form)


def condition_panels(table: pd.DataFrame, *, names: Names = NO_NAMES, form: Form = "svg") -> bytes:
    """A panel a metric of a conditions table: its conditions side by side, one bar an experiment, one scale for all."""
    metrics, columns = list(dict.fromkeys(table["metric"])), columns_of(table)
    colours = colours_of(names, dict.fromkeys(table["experiment"]))
    most = max(Counter(zip(table["metric"], table["condition"], strict=True)).values())
    ncols, width = 4, 0.82 / max(most, 3)
    with mpl.rc_context(STYLE):
        inches = max(0.75 + 1.13 * len(columns), 5.5)
        above, below = 0.45 + 0.19 * -(-len(colours) // ncols), 0.3
        height = above + below + 1.75 * len(metrics)
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(len(metrics), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        figure.subplots_adjust(0.6 / inches, below / height, 1 - 0.1 / inches, 1 - above / height, hspace=0.22)
        for axes, metric in zip(panels, metrics, strict=True):
            _bars_by_condition(axes, cells(table, metric), columns, colours, width)
            axes.set_title(metric_title(metric))
        panels[0].set_xticks(range(len(columns)), map(condition_title, columns))
        panels[0].set_xlim(-0.55, len(columns) - 0.45)
        patches = [Patch(color=colour) for colour in colours.values()]
        place = {"loc": "upper left", "bbox_to_anchor": (0.45 / inches, 1), "ncols": ncols, "handlelength": 1.2}
        figure.legend(patches, [shorten(title_of(names, name), _LONGEST_OF_DIMENSIONS) for name in colours], **place)
        return render(figure, form)


def _bars_by_condition(
    axes: Axes, rows: Mapping[str, Mapping[str, Cell]], columns: Sequence[str], colours: Mapping[str, str], width: float
) -> None:
    """Bars stand in the middle of their condition, without a gap for a row that it does not have."""
    for number, column in enumerate(columns):
        bars = {name: rows[name][column] for name in colours if column in rows.get(name, {})}
        places = number + (np.arange(len(bars)) - (len(bars) - 1) / 2) * width
        for place, (name, cell) in zip(places, bars.items(), strict=True):
            axes.bar(place, cell.mean, width * 0.92, color=colours[name], zorder=2)
            if not isnan(cell.deviation):
                axes.errorbar(place, cell.mean, cell.deviation, ecolor=INK, elinewidth=0.8, capsize=1.2, zorder=3)
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=4)
    if AVERAGE in columns:
        place = columns.index(AVERAGE)
        axes.axvspan(place - 0.5, place + 0.5, color=SHADE, zorder=0)
    axes.set_ylabel("CCC")
    axes.grid(axis="y", zorder=1)


def _panels(table: pd.DataFrame, intervals: pd.DataFrame | None, metric: str) -> Panels:
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
        colour = BLUE if is_best else "#7d8895"
        axes.plot((low, high), (place, place), color=colour, linewidth=2 if is_best else 1.2, zorder=2)
        axes.plot(value, place, "o", color=colour, markersize=5.2 if is_best else 3.6, zorder=3)
    if not np.isnan(best):
        axes.axvline(best, color=BLUE, linewidth=0.7, alpha=0.45, zorder=1)
        axes.set_title(f"{best:.{DIGITS}f}", loc="right", color=BLUE, fontsize=8.5)

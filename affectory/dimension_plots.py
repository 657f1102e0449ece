"""Figures of valence and arousal as bytes: CCC by row and by condition, predictions against labels, sound and faces.

The style is that of `plots`. Valence is blue and arousal orange throughout; labels are ink, predictions coloured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from affectory.dimension_rows import MULTIMODAL
from affectory.plots import COLOURS, INK, MUTED, STYLE, Form, experiment_colours, render, shorten
from affectory.results.metrics import ccc
from affectory.results.tables import AVERAGE, Cell, cells, columns_of, condition_title
from affectory.vocabulary import SCALES

DIMENSION_COLOURS = {"valence": COLOURS[0], "arousal": COLOURS[1]}
ROW_COLOURS = {
    MULTIMODAL["multimodal"][0]: "#6fbbe8",
    MULTIMODAL["multimodal_augmented"][0]: "#0a62a9",
    MULTIMODAL["acoustic"][0]: "#009e73",
    MULTIMODAL["visual"][0]: "#cc79a7",
    MULTIMODAL["textual"][0]: "#e69f00",
    MULTIMODAL["shuffled_labels"][0]: "#bcc3cc",
}
FRAMES_HZ = 31.25
RANGE_DB = 80.0
_HIGHEST_HZ = 8000
# feature set -> what is shown, axis, and how many decibels a factor of ten is (0: the values as they are)
SOUNDS = {
    "spectrogram": ("Spectrogram, dB", "Hz", 20),
    "mel": ("Mel spectrogram, dB", "Mel band", 10),
    "logmel": ("Log-mel spectrogram, dB", "Mel band", 0),
    "mfcc": ("MFCC", "Coefficient", 0),
}
Points = tuple[np.ndarray, np.ndarray]  # label and predicted, float64 [n] each


def row_bars(rows: Mapping[str, Mapping[str, Cell]], *, form: Form = "svg") -> bytes:
    """Title of a row -> dimension -> Cell: a bar a dimension, rows below each other, whiskers one deviation."""
    names, dimensions = list(rows), list(dict.fromkeys(name for row in rows.values() for name in row))
    width = 0.8 / max(len(dimensions), 1)
    with mpl.rc_context(STYLE):
        label = 0.35 + 0.07 * max(map(len, map(_short, names)), default=0)
        inches, height = label + 5.0, 0.8 + 0.34 * max(len(names), 1)
        figure = Figure(figsize=(inches, height))
        axes = figure.subplots()
        figure.subplots_adjust(label / inches, 0.45 / height, 1 - 0.15 / inches, 1 - 0.3 / height)
        for number, dimension in enumerate(dimensions):
            found = [rows[name].get(dimension) for name in names]
            means = np.array([np.nan if cell is None else cell.mean for cell in found])
            spreads = np.array([np.nan if cell is None else cell.deviation for cell in found])
            places = np.arange(len(names)) + (number - (len(dimensions) - 1) / 2) * width
            axes.barh(places, means, width * 0.9, color=DIMENSION_COLOURS[dimension], label=dimension, zorder=2)
            if not np.isnan(spreads).all():
                axes.errorbar(
                    means, places, xerr=spreads, fmt="none", ecolor=INK, elinewidth=0.9, capsize=1.8, zorder=3
                )
        axes.axvline(0, color=MUTED, linewidth=0.8, zorder=4)
        axes.set_yticks(range(len(names)), map(_short, names))
        axes.tick_params(axis="y", labelcolor=INK)
        axes.set(ylim=(len(names) - 0.45, -0.55), xlabel="CCC")
        axes.grid(axis="x", zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2, handlelength=1.2)
        return render(figure, form)


def condition_panels(table: pd.DataFrame, *, form: Form = "svg") -> bytes:
    """A panel a metric of a conditions table: its conditions side by side, one bar an experiment, one scale for all."""
    metrics, columns = list(dict.fromkeys(table["metric"])), columns_of(table)
    names = list(dict.fromkeys(table["experiment"]))
    colours = ROW_COLOURS | experiment_colours(name for name in names if name not in ROW_COLOURS)
    colours = {name: colours[name] for name in names}
    most = max(Counter(zip(table["metric"], table["condition"], strict=True)).values())
    ncols, width = 4, 0.82 / max(most, 3)
    with mpl.rc_context(STYLE):
        inches = max(0.75 + 1.13 * len(columns), 5.5)
        above, below = 0.45 + 0.19 * -(-len(names) // ncols), 0.3
        height = above + below + 1.75 * len(metrics)
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(len(metrics), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        figure.subplots_adjust(0.6 / inches, below / height, 1 - 0.1 / inches, 1 - above / height, hspace=0.22)
        for axes, metric in zip(panels, metrics, strict=True):
            _bars_by_condition(axes, cells(table, metric), columns, colours, width)
            axes.set_title(metric)
        panels[0].set_xticks(range(len(columns)), map(condition_title, columns))
        panels[0].set_xlim(-0.55, len(columns) - 0.45)
        patches = [Patch(color=colour) for colour in colours.values()]
        place = {"loc": "upper left", "bbox_to_anchor": (0.45 / inches, 1), "ncols": ncols, "handlelength": 1.2}
        figure.legend(patches, [_short(name) for name in names], **place)
        return render(figure, form)


def _bars_by_condition(
    axes: Axes, rows: Mapping[str, Mapping[str, Cell]], columns: Sequence[str], colours: Mapping[str, str], width: float
) -> None:
    """Bars stand in the middle of their condition, without a gap for a row that it does not have."""
    for number, column in enumerate(columns):
        found = {name: rows[name][column] for name in colours if column in rows.get(name, {})}
        places = number + (np.arange(len(found)) - (len(found) - 1) / 2) * width
        for place, (name, cell) in zip(places, found.items(), strict=True):
            axes.bar(place, cell.mean, width * 0.92, color=colours[name], zorder=2)
            if not isnan(cell.deviation):
                axes.errorbar(place, cell.mean, cell.deviation, ecolor=INK, elinewidth=0.8, capsize=1.2, zorder=3)
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=4)
    if AVERAGE in columns:
        place = columns.index(AVERAGE)
        axes.axvspan(place - 0.5, place + 0.5, color="#f2f4f7", zorder=0)
    axes.set_ylabel("CCC")
    axes.grid(axis="y", zorder=1)


def agreement(points: Mapping[str, Points], *, form: Form = "svg") -> bytes:
    """Dimension -> label and prediction [n]: a panel each, the diagonal where both are equal, the CCC above."""
    with mpl.rc_context(STYLE):
        inches, height = 0.55 + 3.1 * len(points), 3.25
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(1, len(points), squeeze=False)[0]
        figure.subplots_adjust(0.55 / inches, 0.45 / height, 1 - 0.12 / inches, 1 - 0.3 / height, wspace=0.24)
        for axes, (dimension, (label, predicted)) in zip(panels, points.items(), strict=True):
            low, high = _scale(dimension, label, predicted)
            axes.plot((low, high), (low, high), color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=3)
            size = float(np.clip(2400 / max(len(label), 1), 3, 16))
            kind = {"s": size, "color": DIMENSION_COLOURS[dimension], "alpha": 0.5, "linewidths": 0, "rasterized": True}
            axes.scatter(label, predicted, zorder=2, **kind)
            axes.set(xlim=(low, high), ylim=(low, high), xlabel="Label", aspect="equal")
            axes.set_title(f"{dimension.capitalize()}, CCC {ccc(label, predicted):.3f}".replace("-", "−"))
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.grid(zorder=1)
        panels[0].set_ylabel("Prediction")
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
            axes.set_ylim(*_scale(dimension, label, predicted))
            axes.grid(axis="y")
            axes.legend(loc="lower right", bbox_to_anchor=(1, 0.96), ncols=2, borderaxespad=0, handlelength=1.6)
        panels[-1].set(xlabel="Utterance of the video", xlim=(0.5, most + 0.5))
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
        return render(figure, form)


def sound_panels(sounds: Mapping[str, np.ndarray], *, form: Form = "svg") -> bytes:
    """Feature set -> frames [T, D] at FRAMES_HZ: a panel each; linear and mel spectrograms in decibels under their top.

    The log-mel spectrogram and the MFCC are as stored; networks read all of them normalised.
    """
    names = [*(name for name in SOUNDS if name in sounds), *sorted(set(sounds) - set(SOUNDS))]
    wide = min(2, len(names))
    lines = -(-len(names) // wide)
    with mpl.rc_context(STYLE):
        inches, height = 4.3 * wide, 0.15 + 2.35 * lines
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(lines, wide, squeeze=False).ravel()
        side = {"hspace": 0.55, "wspace": 0.3}
        figure.subplots_adjust(0.65 / inches, 0.45 / height, 1 - 0.35 / inches, 1 - 0.3 / height, **side)
        for axes, name in zip(panels, names, strict=False):
            _sound(figure, axes, name, sounds[name])
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        return render(figure, form)


def _sound(figure: Figure, axes: Axes, name: str, frames: np.ndarray) -> None:
    heading, unit, decibels = SOUNDS.get(name, (_short(name), "Feature", 0))
    values = np.nan_to_num(np.asarray(frames, np.float64))
    if decibels:
        values = decibels * np.log10(np.maximum(values, 1e-10))
        values = np.maximum(values - values.max(initial=-np.inf), -RANGE_DB)
    ranged = values[:, 1:] if name == "mfcc" and values.shape[1] > 1 else values  # the first is many times the others
    low, high = np.percentile(ranged, [1, 99.5]) if ranged.size else (0.0, 1.0)
    top = _HIGHEST_HZ if unit == "Hz" else values.shape[1]
    extent = (0, len(values) / FRAMES_HZ, 0, top)
    look = {"origin": "lower", "aspect": "auto", "interpolation": "nearest", "cmap": "magma", "vmin": low, "vmax": high}
    drawn = axes.imshow(values.T, extent=extent, **look)
    axes.set(xlabel="Time, s", ylabel=unit)
    axes.set_title(heading)
    bar = figure.colorbar(drawn, ax=axes, pad=0.02, fraction=0.05)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    bar.ax.tick_params(labelsize=7)


def face_strip(faces: np.ndarray, *, form: Form = "svg") -> bytes:
    """Pictures uint8 [n, height, width, 3] in order, eight to a line, each with its number."""
    count, wide = len(faces), min(8, len(faces))
    lines, side = -(-count // wide), 0.92
    with mpl.rc_context(STYLE):
        inches, height = 0.1 + side * wide, 0.05 + (side + 0.16) * lines
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(lines, wide, squeeze=False).ravel()
        figure.subplots_adjust(
            0.05 / inches, 0.03 / height, 1 - 0.05 / inches, 1 - 0.17 / height, wspace=0.05, hspace=0.2
        )
        for axes in panels:
            axes.set_axis_off()
        for number, (axes, face) in enumerate(zip(panels, faces, strict=False), 1):
            axes.imshow(face)
            axes.set_title(str(number), color=MUTED, fontsize=7, pad=1.5)
        return render(figure, form)


def _scale(dimension: str, *values: np.ndarray) -> tuple[float, float]:
    """The ends of a dimension's scale, or of the values where they go beyond."""
    every, (low, high) = np.concatenate(values), SCALES[dimension]
    margin = 0.02 * (high - low)
    return min(low, float(every.min(initial=low))) - margin, max(high, float(every.max(initial=high))) + margin


def _short(name: str) -> str:
    return shorten(name, 40)

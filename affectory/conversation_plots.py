"""Figures of a study of conversations as bytes: F1 of each class, F1 over depth, the edges of one utterance.

The style is that of `plots`.
"""

from __future__ import annotations

from string import ascii_uppercase

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator

from affectory.plots import COLOURS, INK, MUTED, STYLE, Form, experiment_colours, render, shorten
from affectory.results.tables import experiment_title, in_order, metric_title
from affectory.vocabulary import Modality

_WEIGHTS = LinearSegmentedColormap.from_list("weights", ["#eaf3fa", "#6fbbe8", "#0a62a9", "#0b2540"])
_NO_EDGE, _CHOSEN = "white", "#d55e00"
_MOST_LETTERS = 60  # columns that have room for a letter


def class_bars(table: pd.DataFrame, *, form: Form = "svg") -> bytes:
    """A group of bars a class, one bar an experiment; `table` is that of `study_tables.class_f1`."""
    experiments = in_order(table["experiment"])
    labels = sorted(set(table["label"]))
    colours, width = experiment_colours(experiments), 0.82 / len(experiments)
    cells = table.set_index(["experiment", "label"])
    with mpl.rc_context(STYLE):
        inches, ncols = max(5.0, 0.9 + (0.35 + 0.13 * len(experiments)) * len(labels)), 4
        above = 0.15 + 0.19 * -(-len(experiments) // ncols)
        figure = Figure(figsize=(inches, 2.6 + above))
        axes = figure.subplots()
        figure.subplots_adjust(0.5 / inches, 0.3 / (2.6 + above), 1 - 0.1 / inches, 1 - above / (2.6 + above))
        for number, name in enumerate(experiments):
            rows = cells.reindex([(name, label) for label in labels])
            means, spreads = rows["value"].to_numpy(float), rows["deviation"].to_numpy(float)
            places = np.arange(len(labels)) + (number - (len(experiments) - 1) / 2) * width
            axes.bar(places, means, width * 0.92, color=colours[name], label=experiment_title(name), zorder=2)
            if not np.isnan(spreads).all():
                axes.errorbar(places, means, spreads, fmt="none", ecolor=INK, elinewidth=0.8, zorder=3)
        axes.set_xticks(range(len(labels)), labels)
        axes.set(ylabel="F1", ylim=(0, 1), xlim=(-0.55, len(labels) - 0.45))
        axes.grid(axis="y", zorder=1)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=ncols, borderaxespad=0.2, handlelength=1.2)
        return render(figure, form)


def depth_curve(table: pd.DataFrame, metric: str, *, form: Form = "svg") -> bytes:
    """A metric over the layers of graph convolution, on a scale of doublings; `table` is `study_tables.depths`."""
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


def edge_map(edges: pd.DataFrame, *, form: Form = "svg") -> bytes:
    """The weights with which one utterance receives, `graph_edges.edges_of`: within each modality, and across.

    Left a row a modality and a column an utterance, marked by who speaks, the utterance itself outlined; right its own
    modalities among each other.
    """
    names = [modality.value for modality in Modality if modality.value in set(edges["modality"])]
    within = edges.loc[edges["modality"] == edges["from_modality"]]
    said = within.loc[within["modality"] == names[0]]
    weights = np.stack([within.loc[within["modality"] == name, "weight"] for name in names])  # [M, N]
    wide, chosen = weights.shape[1], int(np.flatnonzero(said["chosen"])[0])
    across = _across(edges, names)
    top = max(weights.max(), across.max())
    with mpl.rc_context(STYLE):
        cell, side, left, gap = min(0.26, 11.0 / wide), 0.34, 0.85, 0.95
        beside = gap + side * len(names) if len(names) > 1 else 0.0
        inches, height = max(left + cell * wide + beside + 0.9, 6.0), 1.3 + side * len(names)
        bottom, tall = 0.75 / height, side * len(names) / height
        figure = Figure(figsize=(inches, height))
        axes = figure.add_axes((left / inches, bottom, cell * wide / inches, tall))
        drawn = _cells(axes, weights, top)
        axes.add_patch(Rectangle((chosen - 0.5, -0.5), 1, len(names), fill=False, edgecolor=_CHOSEN, linewidth=1.6))
        letters, told = _letters(said["speaker"].astype(str).tolist())
        marked = range(0, wide, -(-wide // _MOST_LETTERS))
        axes.set_xticks(marked, [letters[place] for place in marked], fontsize=7.5)
        axes.set_yticks(range(len(names)), names)
        axes.set_title(f"Within each modality, utterances 1 to {wide}" if beside else f"Utterances 1 to {wide}")
        if beside:
            start = (left + cell * wide + gap) / inches
            _modalities(figure.add_axes((start, bottom, side * len(names) / inches, tall)), across, names, top)
        figure.text(left / inches, 0.3 / height, f"Speakers: {told}", color=MUTED, fontsize=7.5)
        label = said["label"].iloc[chosen]
        outlined = f"Outlined: utterance {chosen + 1}{f', {label}' if label else ''}"
        figure.text(left / inches, 0.1 / height, outlined, color=_CHOSEN, fontsize=7.5)
        bar = figure.add_axes(((inches - 0.5) / inches, bottom, 0.1 / inches, tall))
        figure.colorbar(drawn, cax=bar).outline.set_visible(False)  # pyright: ignore[reportCallIssue]
        bar.tick_params(labelsize=7)
        return render(figure, form)


def _across(edges: pd.DataFrame, names: list[str]) -> np.ndarray:
    """[M, M] between the utterance's own nodes."""
    own = edges.loc[edges["chosen"].astype(bool)]
    table = own.pivot(index="modality", columns="from_modality", values="weight")
    return table.loc[names, names].to_numpy(float) * (1 - np.eye(len(names)))


def _modalities(axes: Axes, across: np.ndarray, names: list[str], top: float) -> None:
    keys = [Modality(name).key for name in names]
    _cells(axes, across, top)
    axes.set_xticks(range(len(keys)), keys)
    axes.set_yticks(range(len(keys)), keys)
    axes.set_title("Across")


def _cells(axes: Axes, weights: np.ndarray, top: float):
    """Weights as coloured cells, those without an edge left white."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor(_NO_EDGE)
    shown = np.ma.masked_equal(weights, 0)
    return axes.imshow(shown, cmap=_WEIGHTS, vmin=0, vmax=top, aspect="auto", interpolation="nearest")


def _letters(speakers: list[str]) -> tuple[list[str], str]:
    """A letter an utterance, in the order in which speakers first speak, and which letter is whose."""
    order = {name: place for place, name in enumerate(dict.fromkeys(speakers))}
    letter = {name: ascii_uppercase[place] if place < 26 else "+" for name, place in order.items()}
    told = ", ".join(f"{letter[name]} = {shorten(name or 'unknown', 28)}" for name in list(order)[:8])
    return [letter[name] for name in speakers], f"{told}{', …' if len(order) > 8 else ''}"

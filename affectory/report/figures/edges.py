"""The edges of a graph of a dialogue: with which weights one utterance receives from the others."""

from __future__ import annotations

from string import ascii_uppercase

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from affectory.report.figures.style import MUTED, STYLE, render, shorten
from affectory.report.section import Form
from affectory.vocabulary import Modality

_WEIGHTS = LinearSegmentedColormap.from_list("weights", ["#eaf3fa", "#6fbbe8", "#0a62a9", "#0b2540"])
_NO_EDGE, _CHOSEN = "white", "#d55e00"
_MOST_LETTERS = 60  # columns that have room for a letter


def edge_map(edges: pd.DataFrame, *, form: Form = "svg") -> bytes:
    """The weights with which one utterance receives: within each modality, and across.

    `edges`: modality, from_modality, utterance_id, turn, speaker, label, chosen, weight, one row a pair of nodes.
    Left a row a modality and a column an utterance, marked by who speaks, the utterance itself outlined; right its own
    modalities among each other.
    """
    names = [modality.value for modality in Modality if modality.value in set(edges["modality"])]
    within = edges.loc[edges["modality"] == edges["from_modality"]]
    utterances = within.loc[within["modality"] == names[0]]
    weights = np.stack([within.loc[within["modality"] == name, "weight"] for name in names])  # [M, N]
    wide, chosen = weights.shape[1], int(np.flatnonzero(utterances["chosen"])[0])
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
        letters, speakers = _letters(utterances["speaker"].astype(str).tolist())
        marked = range(0, wide, -(-wide // _MOST_LETTERS))
        axes.set_xticks(marked, [letters[place] for place in marked], fontsize=7.5)
        axes.set_yticks(range(len(names)), names)
        axes.set_title(f"Within each modality, utterances 1 to {wide}" if beside else f"Utterances 1 to {wide}")
        if beside:
            start = (left + cell * wide + gap) / inches
            _modalities(figure.add_axes((start, bottom, side * len(names) / inches, tall)), across, names, top)
        figure.text(left / inches, 0.3 / height, f"Speakers: {speakers}", color=MUTED, fontsize=7.5)
        label = utterances["label"].iloc[chosen]
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
    edges = np.ma.masked_equal(weights, 0)
    return axes.imshow(edges, cmap=_WEIGHTS, vmin=0, vmax=top, aspect="auto", interpolation="nearest")


def _letters(speakers: list[str]) -> tuple[list[str], str]:
    """A letter an utterance, in the order in which speakers first speak, and which letter is whose."""
    order = {name: place for place, name in enumerate(dict.fromkeys(speakers))}
    letter = {name: ascii_uppercase[place] if place < 26 else "+" for name, place in order.items()}
    legend = ", ".join(f"{letter[name]} = {shorten(name or 'unknown', 28)}" for name in list(order)[:8])
    return [letter[name] for name in speakers], f"{legend}{', …' if len(order) > 8 else ''}"

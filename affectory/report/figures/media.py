"""What models of sound and faces are given: spectrograms over time, and faces in order."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from affectory.report.figures.style import MUTED, STYLE, render, shorten
from affectory.report.section import Form

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
    heading, unit, decibels = SOUNDS.get(name, (shorten(name, 40), "Feature", 0))
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

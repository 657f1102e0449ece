"""What may be done to predicted values after training, each fitted on validation alone: an affine map, smoothing.

Shapes: n rows, V dimensions. Challenge entries rescale by the statistics of the whole prediction set, test rows
included (methods of GammaLab and audEERING, OMG-Emotion 2018); what is fitted here reads no test row.
"""

from __future__ import annotations

import numpy as np

from affectory.data.dataset import dialogue_numbers
from affectory.results.metrics import ccc

WINDOWS = (1, 3, 5, 7)  # utterances; 1 leaves a prediction as it is


def fit_rescaling(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(scale [V], shift [V]) that give `predicted` [n, V] the mean and deviation of `truth` [n, V] (NaN = unknown)."""
    labelled = np.isfinite(truth)
    guess, labels = np.where(labelled, predicted, np.nan), np.where(labelled, truth, np.nan)
    deviation = np.nanstd(guess, axis=0)
    scale = np.where(deviation > 1e-6, np.nanstd(labels, axis=0) / np.maximum(deviation, 1e-6), 1.0)
    return scale, np.nanmean(labels, axis=0) - scale * np.nanmean(guess, axis=0)


def fit_window(predicted: np.ndarray, truth: np.ndarray, dialogues: list[str]) -> np.ndarray:
    """int64 [V]: of WINDOWS the one that gives each dimension its highest CCC; of equals the shortest."""
    scores = []
    for window in WINDOWS:
        smooth = smoothed(predicted, dialogues, np.full(predicted.shape[1], window))
        scores.append([ccc(t[k], s[k]) for t, s, k in zip(truth.T, smooth.T, np.isfinite(truth).T, strict=True)])
    return np.array(WINDOWS)[np.argmax(scores, axis=0)]


def smoothed(predicted: np.ndarray, dialogues: list[str], windows: np.ndarray) -> np.ndarray:
    """[n, V]: the mean of each row and its neighbours in the same dialogue, `windows` [V] rows in all.

    Rows of a dialogue are in the order in which they were said; at its ends the window is shorter.
    """
    order = np.argsort(dialogue := dialogue_numbers(dialogues), kind="stable")
    smooth = np.empty_like(predicted)
    for rows in np.split(order, np.flatnonzero(np.diff(dialogue[order])) + 1):
        sums = np.concatenate([np.zeros((1, predicted.shape[1])), predicted[rows].cumsum(0)])
        place = np.arange(len(rows))[:, None]
        first, last = np.maximum(place - windows // 2, 0), np.minimum(place + windows // 2 + 1, len(rows))
        column = np.arange(predicted.shape[1])
        smooth[rows] = (sums[last, column] - sums[first, column]) / (last - first)
    return smooth

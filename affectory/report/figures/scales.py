"""Valence and arousal in figures: valence is blue and arousal orange throughout, each on its own scale."""

from __future__ import annotations

import numpy as np

from affectory.report.figures.style import COLOURS
from affectory.vocabulary import SCALES

DIMENSION_COLOURS = {"valence": COLOURS[0], "arousal": COLOURS[1]}
Points = tuple[np.ndarray, np.ndarray]  # label and predicted, float64 [n] each


def ends_of(dimension: str, *values: np.ndarray) -> tuple[float, float]:
    """The ends of a dimension's scale, or of the values where they go beyond."""
    every, (low, high) = np.concatenate(values), SCALES[dimension]
    margin = 0.02 * (high - low)
    return min(low, float(every.min(initial=low))) - margin, max(high, float(every.max(initial=high))) + margin

"""Temperature scaling, one temperature a condition (Guo et al. 2017, 'On calibration of modern neural networks').

The logits of a condition are divided by its temperature, fitted on validation rows: the predicted class never changes,
its probability does. Shapes: K conditions, n rows, C classes.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

LOWEST, HIGHEST = 0.05, 20.0  # rows that are all right, or all wrong, would ask for 0 or for infinity
FEWEST_ROWS = 20


def fit_temperatures(logits: np.ndarray, labels: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """float64 [K]: the temperature of the smallest negative log-likelihood, in [LOWEST, HIGHEST].

    `logits` [K, n, C], `labels` int [n], `tested` bool [K, n]: the rows that a condition is tested on. A condition with
    fewer than FEWEST_ROWS takes the one of all conditions' rows together; without any row it is 1. Rows with logits
    that are not finite are left out. Raises ValueError when the shapes do not fit.
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    if logits.ndim != 3 or logits.shape[1:2] != labels.shape or logits.shape[:2] != np.shape(tested):
        shapes = f"{logits.shape}, {labels.shape}, {np.shape(tested)}"
        raise ValueError(f"expected logits [K, n, C], labels [n] and tested [K, n], got {shapes}")
    usable = np.asarray(tested, bool) & np.isfinite(logits).all(-1)
    pooled = _fit(logits[usable], np.broadcast_to(labels, usable.shape)[usable])
    enough = usable.sum(1) >= FEWEST_ROWS
    return np.array(
        [
            _fit(logits[place][usable[place]], labels[usable[place]]) if enough[place] else pooled
            for place in range(len(usable))
        ],
        np.float64,
    )


def calibrated(logits: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Probabilities float64 [K, n, C] of logits [K, n, C] divided by `temperatures` [K]."""
    return softmax(np.asarray(logits, np.float64) / np.asarray(temperatures, np.float64)[:, None, None], axis=-1)


def _fit(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature for logits [n, C]; their loss is convex in 1 / T, so that it has no second valley in log T."""
    if not len(labels):
        return 1.0

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=-1)
        return -float(np.mean(scaled[np.arange(len(labels)), labels]))

    minimum = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return float(np.exp(minimum.x))  # pyright: ignore[reportAttributeAccessIssue]

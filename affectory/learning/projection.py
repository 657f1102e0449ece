"""How near imagined representations come to the true ones: in numbers, and as a plane to look at.

Row i of both is the same utterance: its representation from all modalities, and the one imagined from those available.
Shapes: n rows, D dimensions.
"""

from __future__ import annotations

import numpy as np
from sklearn.manifold import TSNE
from sklearn.metrics import pairwise_distances_chunked
from threadpoolctl import threadpool_limits

_PERPLEXITY = 30  # what van der Maaten & Hinton (2008) call typical: 5 to 50
_BLOCK_MIB = 64  # of pairwise distances held at once


def project(true: np.ndarray, imagined: np.ndarray, *, seed: int) -> np.ndarray:
    """t-SNE of both together, started from their principal components: float32 [2, n, 2], true ones first.

    Only neighbourhoods mean something in such a plane, its distances and axes do not; `distances` has the numbers.
    ValueError unless both are finite [n, D] with n >= 2 and D >= 2.
    """
    points = np.concatenate(_checked(true, imagined))
    if len(points) < 4 or points.shape[1] < 2:
        raise ValueError(f"expected at least 2 rows of 2 dimensions, got {np.shape(true)}")
    if not np.ptp(points, axis=0).any():
        return np.zeros((2, len(true), 2), np.float32)  # all in one place: nothing to lay out
    perplexity = min(_PERPLEXITY, (len(points) - 1) / 3)
    with threadpool_limits(1):  # 1400 points: 5 s, where two threads beside another program's took 40 s
        placed = TSNE(init="pca", perplexity=perplexity, random_state=seed).fit_transform(points)
    return placed.reshape(2, len(true), 2)


def distances(true: np.ndarray, imagined: np.ndarray) -> dict[str, float]:
    """`relative_error`, `cosine` and `energy` of imagined [n, D] against true [n, D] representations.

    `relative_error`: sum of squared errors / sum of squared deviations of the true ones from their mean; 0 is exact,
    1 no better than always imagining that mean; NaN where the true ones do not vary.
    `cosine`: mean cosine similarity of each pair, 1 the same direction, 0 for a vector of zeros.
    `energy`: the energy distance sqrt((2 E|X-Y| - E|X-X'| - E|Y-Y'|) / (2 E|X-Y|)), Szekely & Rizzo (2013): how far
    the two distributions lie apart whatever the pairs, from 0 (the same) to 1 (two points). Rows count as their own
    partners, so that few rows of one distribution lie a little apart.
    """
    true, imagined = _checked(true, imagined)
    deviation = np.sum((true - true.mean(0)) ** 2)
    lengths = np.linalg.norm(true, axis=1) * np.linalg.norm(imagined, axis=1)
    cosines = np.divide((true * imagined).sum(1), lengths, out=np.zeros(len(true)), where=lengths > 0)
    return {
        "relative_error": float(np.sum((true - imagined) ** 2) / deviation) if deviation > 0 else float("nan"),
        "cosine": float(cosines.mean()),
        "energy": _energy(true, imagined),
    }


def _energy(first: np.ndarray, second: np.ndarray) -> float:
    across = 2 * _mean_distance(first, second)
    if across <= 0:
        return 0.0
    within = _mean_distance(first, first) + _mean_distance(second, second)
    return max(0.0, 1 - within / across) ** 0.5


def _mean_distance(first: np.ndarray, second: np.ndarray) -> float:
    blocks = pairwise_distances_chunked(first, second, working_memory=_BLOCK_MIB)
    return float(sum(block.sum() for block in blocks) / (len(first) * len(second)))


def _checked(true: np.ndarray, imagined: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    true, imagined = np.asarray(true, np.float64), np.asarray(imagined, np.float64)
    if true.ndim != 2 or true.shape != imagined.shape or not len(true):
        raise ValueError(f"expected true and imagined of one shape [n, D], got {true.shape} and {imagined.shape}")
    if not (np.isfinite(true).all() and np.isfinite(imagined).all()):
        raise ValueError("expected finite representations, got some that are not")
    return true, imagined

"""Metrics of predictions, equal to scikit-learn's (and, for CCC, to Lin 1989 with population variance).

The four of CLASSIFICATION are defined once, on confusion counts (`of_counts`); `wa(truth, predicted)` and its siblings
count first. Shapes: n rows, C classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts int64 [C, C]: rows are the true class, columns the predicted one."""
    pairs = np.asarray(truth, np.int64) * n_classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def wa(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Weighted accuracy: the share of right rows."""
    return float(_wa(_counts(truth, predicted)))


def ua(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Unweighted accuracy: mean recall over the classes that occur in the truth (scikit-learn's balanced accuracy)."""
    return float(_ua(_counts(truth, predicted)))


def weighted_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of each class, weighted by its rows."""
    return float(_weighted_f1(_counts(truth, predicted)))


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the classes that occur in the truth or in the predictions."""
    return float(_macro_f1(_counts(truth, predicted)))


CLASSIFICATION = {"wa": wa, "ua": ua, "weighted_f1": weighted_f1, "macro_f1": macro_f1}


def of_counts(metric: str, counts: np.ndarray) -> np.ndarray:
    """A metric of CLASSIFICATION for each of many confusion counts [..., C, C]: float64 [...], NaN where there is none.

    Raises ValueError naming a metric that is not one of them.
    """
    if metric not in _OF_COUNTS:
        raise ValueError(f"metric {metric!r}: expected one of {', '.join(_OF_COUNTS)}")
    return _OF_COUNTS[metric](np.asarray(counts, np.float64))


def ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Concordance 2 cov / (var_y + var_p + (mean_y - mean_p)^2), population variance; 0 where nothing varies."""
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    covariance = np.mean((truth - truth.mean()) * (predicted - predicted.mean()))
    spread = truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2
    return float(2 * covariance / spread) if spread > 0 else 0.0


def mse(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean squared error."""
    return float(np.mean(np.square(np.asarray(truth, np.float64) - np.asarray(predicted, np.float64))))


def mean_ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """CCC of each dimension, pooled over the rows whose label is known, and their mean; [n, V], NaN = unknown.

    A dimension without any label is left out.
    """
    labelled = np.isfinite(truth)
    columns = [column for column in range(truth.shape[1]) if labelled[:, column].any()]
    return float(np.mean([ccc(truth[labelled[:, c], c], predicted[labelled[:, c], c]) for c in columns]))


def reliability_bins(
    truth: np.ndarray, probabilities: np.ndarray, bins: int = 15
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, mean confidence and accuracy of `bins` equal-width bins (m/bins, (m+1)/bins] of the top probability.

    `truth` [n], `probabilities` [n, C]; returns int64 [bins] and twice float64 [bins], NaN for a bin without rows.
    """
    truth, probabilities = np.asarray(truth), np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or len(truth) != len(probabilities) or not len(truth):
        raise ValueError(f"expected n > 0 labels and probabilities [n, C], got {truth.shape}, {probabilities.shape}")
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == truth
    places = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    rows = np.bincount(places, minlength=bins)
    sums = (np.bincount(places, weights, bins) for weights in (confidence, correct))
    mean_confidence, accuracy = (_share(total, rows) for total in sums)
    return rows, mean_confidence, accuracy


def ece(truth: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3): |accuracy - confidence| of a bin, meaned over the rows."""
    rows, confidence, accuracy = reliability_bins(truth, probabilities, bins)
    return float(np.nansum(rows * np.abs(accuracy - confidence)) / rows.sum())


# Confusion counts float64 [..., C, C] -> float64 [...].


def _wa(counts: np.ndarray) -> np.ndarray:
    return _share(_hits(counts).sum(-1), counts.sum((-2, -1)))


def _ua(counts: np.ndarray) -> np.ndarray:
    return _mean_where(_share(_hits(counts), counts.sum(-1)), counts.sum(-1) > 0)


def _weighted_f1(counts: np.ndarray) -> np.ndarray:
    scores, support = _f1(counts), counts.sum(-1)
    return _share(np.nansum(scores * support, -1), support.sum(-1))


def _macro_f1(counts: np.ndarray) -> np.ndarray:
    scores = _f1(counts)
    return _mean_where(scores, ~np.isnan(scores))


_OF_COUNTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "wa": _wa,
    "ua": _ua,
    "weighted_f1": _weighted_f1,
    "macro_f1": _macro_f1,
}


def _f1(counts: np.ndarray) -> np.ndarray:
    """F1 of each class [..., C], NaN for one that occurs neither in the truth nor in the predictions."""
    return _share(2 * _hits(counts), counts.sum(-2) + counts.sum(-1))  # 2 tp / (2 tp + fp + fn)


def _hits(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _mean_where(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return _share(np.where(counted, values, 0).sum(-1), counted.sum(-1))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, NaN where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) > 0)


def _counts(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    if len(truth) != len(predicted) or not len(truth):
        raise ValueError(f"expected at least one label and as many predictions, got {len(truth)} and {len(predicted)}")
    return confusion(truth, predicted, int(max(np.max(truth), np.max(predicted))) + 1).astype(np.float64)

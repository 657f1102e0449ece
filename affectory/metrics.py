"""Metrics of predictions, equal to scikit-learn's (and, for CCC, to Lin 1989 with population variance)."""

from __future__ import annotations

import numpy as np


def confusion(truth: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts int64 [C, C]: rows are the true class, columns the predicted one."""
    pairs = np.asarray(truth, np.int64) * n_classes + np.asarray(predicted, np.int64)
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def wa(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Weighted accuracy: the share of right rows."""
    return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def ua(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Unweighted accuracy: mean recall over the classes that occur in the truth (scikit-learn's balanced accuracy)."""
    counts = _counts(truth, predicted)
    support = counts.sum(1)
    return float(np.mean(np.diag(counts)[support > 0] / support[support > 0]))


def weighted_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """F1 of each class, weighted by its rows."""
    scores, support = _f1(truth, predicted)
    return float(np.average(scores, weights=support))


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the classes that occur in the truth or in the predictions."""
    scores, _ = _f1(truth, predicted)
    return float(np.mean(scores))


CLASSIFICATION = {"wa": wa, "ua": ua, "weighted_f1": weighted_f1, "macro_f1": macro_f1}


def ccc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Concordance 2 cov / (var_y + var_p + (mean_y - mean_p)^2), population variance; 0 where nothing varies."""
    truth, predicted = np.asarray(truth, np.float64), np.asarray(predicted, np.float64)
    covariance = np.mean((truth - truth.mean()) * (predicted - predicted.mean()))
    spread = truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2
    return float(2 * covariance / spread) if spread > 0 else 0.0


def _f1(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    counts = _counts(truth, predicted)
    total = counts.sum(0) + counts.sum(1)  # 2 tp + fp + fn
    occurs = total > 0
    return 2 * np.diag(counts)[occurs] / total[occurs], counts.sum(1)[occurs]


def _counts(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    if len(truth) != len(predicted) or not len(truth):
        raise ValueError(f"expected at least one label and as many predictions, got {len(truth)} and {len(predicted)}")
    return confusion(truth, predicted, int(max(np.max(truth), np.max(predicted))) + 1)

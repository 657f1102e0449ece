"""A linear support vector machine on utterance functionals: the row that every network has to beat.

Shapes: N rows, T frames, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from affectory import metrics
from affectory.datasets import Dataset, Sequences
from affectory.vocabulary import Condition, conditions

PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)  # C; the one with the best UA on validation is taken


def functionals(sequences: Sequences) -> np.ndarray:
    """Features that are one vector a row [N, D], else mean and deviation over time [N, 2 D]; NaN where missing."""
    n_rows, present = len(sequences.lengths), sequences.lengths > 0
    row_of_frame = np.repeat(np.arange(n_rows), sequences.lengths)
    counts = np.where(present, sequences.lengths, np.nan)[:, None]

    def mean_over_time(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((n_rows, sequences.width))
        np.add.at(sums, row_of_frame, values)
        return sums / counts

    means = mean_over_time(sequences.frames)
    if sequences.lengths.max(initial=0) <= 1:
        return means
    deviations = np.sqrt(mean_over_time((sequences.frames - means[row_of_frame]) ** 2))
    return np.concatenate([means, deviations], axis=1)


def evaluate_linear_svm(
    dataset: Dataset,
    train: np.ndarray,
    val: np.ndarray,
    test: np.ndarray,
    under: Sequence[Condition] | None = None,
) -> pd.DataFrame:
    """Metrics (condition, metric, value, penalty) of one machine a condition, trained on that condition's modalities.

    Of each part the rows that have all of the condition's modalities are used; normalised by the rows that are fitted,
    the penalty selected on `val`. A condition that leaves train, val or test without rows has no metrics.
    """
    columns = {modality: functionals(dataset.sequences[modality]) for modality in dataset.modalities}
    rows = []
    for condition in under or conditions(dataset.modalities):
        features = np.concatenate([columns[modality] for modality in columns if modality in condition], axis=1)
        there = np.flatnonzero(np.isfinite(features).all(axis=1))
        parts = [np.intersect1d(part, there) for part in (train, val, test)]
        if not all(len(part) for part in parts):
            continue
        penalty, machine = _select(features, dataset.labels, parts[0], parts[1])
        truth, predicted = dataset.labels[parts[2]], np.asarray(machine.predict(features[parts[2]]))
        for name, metric in metrics.CLASSIFICATION.items():
            value = metric(truth, predicted)
            rows.append({"condition": str(condition), "metric": name, "value": value, "penalty": penalty})
    return pd.DataFrame(rows, columns=["condition", "metric", "value", "penalty"])


def _select(features: np.ndarray, labels: np.ndarray, train: np.ndarray, val: np.ndarray) -> tuple[float, Pipeline]:
    """The penalty that is best on validation (the smallest of equals), and its machine, one against the rest.

    The machine is fitted again on both parts: unlike a network it needs no validation rows once its penalty is known.
    """
    scores = []
    for penalty in PENALTIES:
        machine = _fitted(penalty, features[train], labels[train])
        scores.append(metrics.ua(labels[val], np.asarray(machine.predict(features[val]))))
    best, both = PENALTIES[int(np.argmax(scores))], np.concatenate([train, val])
    return best, _fitted(best, features[both], labels[both])


def _fitted(penalty: float, features: np.ndarray, labels: np.ndarray) -> Pipeline:
    return make_pipeline(StandardScaler(), LinearSVC(C=penalty, max_iter=5000, random_state=0)).fit(features, labels)

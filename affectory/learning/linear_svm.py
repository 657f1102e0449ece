"""A linear support vector machine on utterance functionals: the row that every network has to beat.

Shapes: N rows, T frames, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from affectory.data.conditions import rows_under
from affectory.data.dataset import Dataset, Sequences
from affectory.data.inputs import LIMIT, statistics
from affectory.results import metrics
from affectory.vocabulary import Condition, conditions

PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # C; the one with the best UA on validation is taken


def functionals(sequences: Sequences) -> np.ndarray:
    """One vector a row: the feature itself [N, D] where no row has several frames, else mean and deviation over time.

    float64 [N, D] or [N, 2 D], NaN where a row misses the modality.
    """
    pooled = statistics(sequences) if sequences.lengths.max(initial=0) > 1 else sequences
    values = np.full((len(pooled.lengths), pooled.width), np.nan)
    values[pooled.lengths > 0] = pooled.frames
    return values


def evaluate_linear_svm(
    dataset: Dataset,
    train: np.ndarray,
    val: np.ndarray,
    test: np.ndarray,
    under: Sequence[Condition] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics (condition, metric, value) and predictions (utterance_id, condition, label, predicted), as of a network.

    One machine a condition, fitted on the rows that have all of the condition's modalities, normalised by them, the
    penalty selected on `val`; tested on the rows that a network is tested on under it. A condition that leaves train,
    val or test without rows has no metrics.
    """
    columns = {modality: functionals(dataset.sequences[modality]) for modality in dataset.modalities}
    classes, ids = np.array(dataset.classes, object), np.array(dataset.utterance_ids, object)
    values, tables = [], []
    for condition in under or conditions(dataset.modalities):
        features = np.concatenate([columns[modality] for modality in columns if modality in condition], axis=1)
        has_modalities = np.asarray(np.isfinite(features).all(axis=1))
        tested = test[rows_under(condition, dataset.present[test], dataset.modalities)]
        if not (has_modalities[train].any() and has_modalities[val].any() and len(tested)):
            continue
        machine = _select(features, dataset.labels, train[has_modalities[train]], val[has_modalities[val]])
        truth, predicted = dataset.labels[tested], np.asarray(machine.predict(features[tested]))
        for name, metric in metrics.CLASSIFICATION.items():
            values.append({"condition": str(condition), "metric": name, "value": metric(truth, predicted)})
        table = pd.DataFrame({"utterance_id": ids[tested], "condition": str(condition)})
        tables.append(table.assign(label=classes[truth], predicted=classes[predicted]))
    return pd.DataFrame(values, columns=["condition", "metric", "value"]), pd.concat(tables or [pd.DataFrame()])


def _select(features: np.ndarray, labels: np.ndarray, train: np.ndarray, val: np.ndarray) -> Pipeline:
    """The machine, one against the rest, of the penalty that is best on validation (the smallest of equals).

    It is fitted again on both parts: unlike a network it needs no validation rows once its penalty is known.
    """
    scores, normalise = [], _normalisation(features[train])
    train_features, val_features = normalise.transform(features[train]), normalise.transform(features[val])
    for penalty in PENALTIES:
        predicted = _machine(penalty).fit(train_features, labels[train]).predict(val_features)
        scores.append(metrics.ua(labels[val], np.asarray(predicted)))
    train_and_val = np.concatenate([train, val])
    normalise, machine = _normalisation(features[train_and_val]), _machine(PENALTIES[int(np.argmax(scores))])
    machine.fit(normalise.transform(features[train_and_val]), labels[train_and_val])
    return make_pipeline(normalise, machine)


def _normalisation(features: np.ndarray) -> Pipeline:
    """Fitted on features [n, D]: normalised, cut as for a network and, where D > n, as coordinates among the rows.

    A linear machine's weights are sums of its rows, so that these coordinates change nothing but the time it takes.
    """
    cut = FunctionTransformer(np.clip, kw_args={"a_min": -LIMIT, "a_max": LIMIT})
    normalise = make_pipeline(StandardScaler(), cut).fit(features)
    if features.shape[1] <= len(features):
        return normalise
    rows = np.asarray(normalise.transform(features))
    values, vectors = np.linalg.eigh(rows @ rows.T)
    significant = values > 1e-9 * values[-1]
    basis = rows.T @ vectors[:, significant] / np.sqrt(values[significant])  # [D, r], orthonormal
    return make_pipeline(normalise, FunctionTransformer(lambda x: x @ basis))


def _machine(penalty: float) -> LinearSVC:
    return LinearSVC(C=penalty, max_iter=5000, random_state=0)

"""Predictions and metrics of a model of valence and arousal under every condition.

Shapes: n rows, K conditions, V dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from affectory.data.batches import PackedFeatures
from affectory.data.conditions import rows_under
from affectory.data.dataset import Dataset, dialogue_numbers
from affectory.learning.evaluation import logits_under
from affectory.learning.rescaling import fit_rescaling, fit_window, smoothed
from affectory.models.family import Model
from affectory.results import metrics
from affectory.results.names import VAL_CCC
from affectory.vocabulary import Condition, conditions


def evaluate_dimensions(
    model: Model,
    data: PackedFeatures,
    dataset: Dataset,
    rows: np.ndarray,
    val: np.ndarray,
    under: Sequence[Condition] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics (condition, metric, value) and predictions (utterance_id, condition, dimension, label, predicted).

    Of each dimension `ccc_<d>` pooled over the rows, as the challenge scores, `video_ccc_<d>`, the mean over the
    dialogues that have two rows (as its first script did), and `mse_<d>`; `ccc` is the mean over the dimensions, and
    VAL_CCC the same of the rows `val`. `rescaled_ccc_<d>` and `smoothed_ccc_<d>`: of predictions changed as
    rescaling.py fits it on the rows `val`. What needs rows of `val` is left out where none is tested under the
    condition. Rows count under conditions as in evaluation.evaluate.
    """
    under = under or conditions(data.modalities)
    predicted, predicted_on_val = logits_under(model, data, rows, under), logits_under(model, data, val, under)
    values, tables = [], []
    for place, condition in enumerate(under):
        tested, val_rows = (rows[_tested(data, rows, condition)], val[_tested(data, val, condition)])
        if not len(tested):
            continue
        predicted_here, val_predicted = (
            predicted[place][_tested(data, rows, condition)],
            predicted_on_val[place][_tested(data, val, condition)],
        )
        by_prefix, measured = {"": predicted_here}, {}
        if np.isfinite(dataset.labels[val_rows]).any():
            by_prefix |= _after_training(dataset, val_rows, val_predicted, tested, predicted_here)
            measured[VAL_CCC] = metrics.mean_ccc(dataset.labels[val_rows], val_predicted)
        measured |= _measured(dataset, tested, by_prefix)
        values += [{"condition": str(condition), "metric": name, "value": value} for name, value in measured.items()]
        tables.append(_predictions(dataset, tested, predicted_here).assign(condition=str(condition)))
    if not tables:
        raise ValueError(f"none of the {len(rows)} rows can be tested under {', '.join(map(str, under))}")
    return pd.DataFrame(values), pd.concat(tables, ignore_index=True)


def _predictions(dataset: Dataset, rows: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """A row an utterance and dimension of which the label is known."""
    truth = dataset.labels[rows]
    row, column = np.nonzero(np.isfinite(truth))
    return pd.DataFrame(
        {
            "utterance_id": np.array(dataset.utterance_ids, object)[rows[row]],
            "dimension": np.array(dataset.dimensions, object)[column],
            "label": truth[row, column],
            "predicted": predicted[row, column],
        }
    )


def _tested(data: PackedFeatures, rows: np.ndarray, condition: Condition) -> np.ndarray:
    return rows_under(condition, data.present[rows].cpu().numpy(), data.modalities)


def _after_training(
    dataset: Dataset, val: np.ndarray, val_predicted: np.ndarray, rows: np.ndarray, predicted: np.ndarray
) -> dict[str, np.ndarray]:
    """prefix -> predictions [n, V], changed as is fitted on the rows `val` and their predictions.

    NaN in a dimension of which none of `val` has a label.
    """
    labelled = np.isfinite(dataset.labels[val]).any(0)
    labels, val_predicted = dataset.labels[val][:, labelled], val_predicted[:, labelled]
    scale, shift = fit_rescaling(val_predicted, labels)
    windows = fit_window(val_predicted, labels, [dataset.dialogues[row] for row in val])
    rescaled, smooth = np.full_like(predicted, np.nan), np.full_like(predicted, np.nan)
    rescaled[:, labelled] = predicted[:, labelled] * scale + shift
    smooth[:, labelled] = smoothed(predicted[:, labelled], [dataset.dialogues[row] for row in rows], windows)
    return {"rescaled_": rescaled, "smoothed_": smooth}


def _measured(dataset: Dataset, rows: np.ndarray, by_prefix: dict[str, np.ndarray]) -> Iterator[tuple[str, float]]:
    truth = dataset.labels[rows]
    dialogue = dialogue_numbers([dataset.dialogues[row] for row in rows])
    yield "ccc", metrics.mean_ccc(truth, by_prefix[""])
    for column, name in enumerate(dataset.dimensions):
        labelled = np.isfinite(truth[:, column])
        if not labelled.any():
            continue
        for prefix, predicted in by_prefix.items():
            if np.isnan(predicted[:, column]).any():
                continue
            yield f"{prefix}ccc_{name}", metrics.ccc(truth[labelled, column], predicted[labelled, column])
        labels, values, videos = truth[labelled, column], by_prefix[""][labelled, column], dialogue[labelled]
        yield f"mse_{name}", metrics.mse(labels, values)
        ccc_of_video = [metrics.ccc(labels[videos == v], values[videos == v]) for v in np.unique(videos)]
        has_two_rows = np.unique(videos, return_counts=True)[1] > 1
        if has_two_rows.any():
            yield f"video_ccc_{name}", float(np.mean(np.array(ccc_of_video)[has_two_rows]))

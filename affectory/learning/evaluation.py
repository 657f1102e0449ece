"""Predictions and metrics of a trained model under every condition; each modality is encoded once for all of them.

Shapes: n rows, K conditions, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectory.data.batches import PackedFeatures
from affectory.data.conditions import condition_masks, rows_under
from affectory.data.dataset import Dataset
from affectory.models.family import Model
from affectory.results import metrics
from affectory.vocabulary import Condition, conditions

_BATCH_ROWS = 256


def logits_under(model: Model, data: PackedFeatures, rows: np.ndarray, under: Sequence[Condition] | None) -> np.ndarray:
    """float32 [K, n, C]: logits of the rows at positions `rows` under each condition; None: once, as the rows are.

    A row that has none of a condition's modalities is scored as it is. The model is left in evaluation mode, on the
    data's device.
    """
    masks = condition_masks(under, data.modalities) if under else torch.ones(1, len(data.modalities), dtype=torch.bool)
    rows_to_read, places = with_context(model, data, rows)
    return logits_of_ways(model, data, rows_to_read, masks[:, None].expand(-1, len(rows_to_read), -1))[:, places]


def with_context(model: Model, data: PackedFeatures, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(positions int64 [m] that the model has to read to score `rows`, places int64 [n] of `rows` among them).

    A model of whole dialogues reads all rows of the dialogues that `rows` are in, any other just `rows`.
    """
    if not model.whole_dialogues or not len(rows):
        return rows, np.arange(len(rows))
    rows_to_read = np.concatenate(data.dialogues_of(rows))
    order = rows_to_read.argsort()
    return rows_to_read, order[np.searchsorted(rows_to_read[order], rows)]


@torch.inference_mode()
def logits_of_ways(model: Model, data: PackedFeatures, rows: np.ndarray, ways: Tensor) -> np.ndarray:
    """float32 [K, n, C]: as logits_under, each row with its own modalities: `ways` bool [K, n, M].

    For a model of whole dialogues `rows` are whole ones, as with_context gives them.
    """
    model.to(data.device).eval()
    batches = _dialogues_together(data, rows) if model.whole_dialogues else _lengths_together(data, rows)
    parts = []
    for places in batches:
        batch = data.batch(rows[places])
        available = batch.present & ways[:, places].to(data.device)  # [K, B, M]
        available = torch.where(available.any(-1, keepdim=True), available, batch.present)
        parts.append(model.logits_under(batch, available).cpu().numpy())
    return np.concatenate(parts, axis=1)[:, np.argsort(np.concatenate(batches))]


def _lengths_together(data: PackedFeatures, rows: np.ndarray) -> list[np.ndarray]:
    """Places in `rows` in batches: rows of one length share one."""
    by_length = np.argsort(data.longest(rows), kind="stable")
    return [by_length[start : start + _BATCH_ROWS] for start in range(0, max(len(rows), 1), _BATCH_ROWS)]


def _dialogues_together(data: PackedFeatures, rows: np.ndarray) -> list[np.ndarray]:
    """Places in `rows` in batches of whole dialogues."""
    dialogue = data.dialogue[rows].cpu().numpy()
    order = np.argsort(dialogue, kind="stable")
    starts = np.flatnonzero(np.diff(dialogue[order], prepend=-1))  # of each dialogue
    batch = starts // _BATCH_ROWS  # of a dialogue: a batch ends with the dialogue that passes its size
    return np.split(order, starts[np.flatnonzero(np.diff(batch)) + 1])


def scores_under(
    model: Model, data: PackedFeatures, rows: np.ndarray, under: Sequence[Condition], metric: str
) -> dict[Condition, float]:
    """condition -> value of a metric on the labelled rows at positions `rows`.

    `metric` is one of CLASSIFICATION, or `ccc` for mean_ccc. A condition that no row can be tested under (see
    conditions.rows_under) is left out.
    """
    logits = logits_under(model, data, rows, under)
    predicted = logits if metric == "ccc" else logits.argmax(-1)
    measure = metrics.mean_ccc if metric == "ccc" else metrics.CLASSIFICATION[metric]
    labels, present = data.labels[rows].cpu().numpy(), data.present[rows].cpu().numpy()
    scores = {}
    for condition, predicted_under in zip(under, predicted, strict=True):
        tested = rows_under(condition, present, data.modalities)
        if tested.any():
            scores[condition] = measure(labels[tested], predicted_under[tested])
    return scores


def evaluate(
    model: Model,
    data: PackedFeatures,
    dataset: Dataset,
    rows: np.ndarray,
    under: Sequence[Condition] | None = None,
    temperatures: Mapping[Condition, float] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Metrics (condition, metric, value) and predictions (utterance_id, condition, label, predicted, p_<class> ...).

    `rows` are labelled positions in `dataset`; `under` is every condition of the data's modalities unless given. A full
    row counts under every condition, a naturally incomplete one only as it is. Probabilities are of logits divided by
    the condition's temperature (1 unless given); `ece` is theirs, `ece_uncalibrated` that of the logits as they are.
    """
    under = under or conditions(data.modalities)
    logits = logits_under(model, data, rows, under)
    scale = np.array([(temperatures or {}).get(condition, 1.0) for condition in under], np.float32)
    probabilities, plain = (
        torch.from_numpy(scaled).softmax(-1).numpy() for scaled in (logits / scale[:, None, None], logits)
    )
    present, classes = data.present[rows].cpu().numpy(), np.array(dataset.classes, object)
    labels, ids = dataset.labels[rows], np.array(dataset.utterance_ids, object)[rows]
    values, tables = [], []
    for condition, calibrated, uncalibrated in zip(under, probabilities, plain, strict=True):
        tested = rows_under(condition, present, data.modalities)
        if not tested.any():
            continue
        truth, predicted = labels[tested], calibrated[tested].argmax(-1)
        for name, metric in metrics.CLASSIFICATION.items():
            values.append({"condition": str(condition), "metric": name, "value": metric(truth, predicted)})
        for name, scored in (("ece", calibrated), ("ece_uncalibrated", uncalibrated)):
            value = metrics.ece(truth, scored[tested])
            values.append({"condition": str(condition), "metric": name, "value": value})
        table = pd.DataFrame({"utterance_id": ids[tested], "condition": str(condition)})
        table = table.assign(label=classes[truth], predicted=classes[predicted])
        columns = [f"p_{name}" for name in dataset.classes]
        tables.append(pd.concat([table, pd.DataFrame(calibrated[tested], columns=columns)], axis=1))
    if not tables:
        raise ValueError(f"none of the {len(rows)} rows can be tested under {', '.join(map(str, under))}")
    return pd.DataFrame(values), pd.concat(tables, ignore_index=True)

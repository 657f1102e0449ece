"""How a trained model holds out as more goes missing: whole modalities at a rate, or single frames.

Shapes: R rates, n rows, M modalities, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, Sequences
from affectory.learning.evaluation import logits_of_ways, logits_under, with_context
from affectory.learning.experiment import Trained
from affectory.results import metrics
from affectory.results.names import FRAMES_MISSING, MODALITIES_MISSING

RATES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def sweep(trained: Trained, dataset: Dataset, rows: np.ndarray, *, seed: int) -> pd.DataFrame:
    """Table (kind, rate, metric, value): each metric of CLASSIFICATION on `rows` as ever more is dropped at random.

    `kind` is MODALITIES_MISSING, whole modalities, or FRAMES_MISSING, single frames; `rate`, of RATES, is the
    probability that one is dropped. `seed` decides which are.
    """
    kinds = {
        MODALITIES_MISSING: _without_modalities(trained, rows, seed),
        FRAMES_MISSING: _without_frames(trained, dataset, rows, seed),
    }
    truth = dataset.labels[rows]
    scores = [
        {"kind": kind, "rate": rate, "metric": name, "value": metric(truth, predicted_at_rate)}
        for kind, predicted in kinds.items()
        for rate, predicted_at_rate in zip(RATES, predicted, strict=True)
        for name, metric in metrics.CLASSIFICATION.items()
    ]
    return pd.DataFrame(scores)


def drop_modalities(present: np.ndarray, rates: Sequence[float], seed: int) -> np.ndarray:
    """bool [R, n, M]: what is left of `present` bool [n, M] when each modality is dropped with each of `rates` [R].

    A row that would lose all its modalities keeps one.
    """
    chance = np.random.default_rng(seed).random(present.shape)
    kept = present & (chance >= np.asarray(rates)[:, None, None])
    luckiest = np.where(present, chance, -1.0).argmax(1)
    last_kept = (np.arange(present.shape[1]) == luckiest[:, None]) & present
    return np.where(kept.any(-1, keepdims=True), kept, last_kept)


def drop_frames(sequences: Sequences, rate: float, generator: np.random.Generator) -> Sequences:
    """The sequences without some frames, each dropped with probability `rate`; a row of none misses the modality."""
    kept = generator.random(len(sequences.frames)) >= rate
    row_of_frame = np.repeat(np.arange(len(sequences.lengths)), sequences.lengths)
    lengths = np.bincount(row_of_frame[kept], minlength=len(sequences.lengths))
    return replace(sequences, frames=sequences.frames[kept], lengths=lengths.astype(np.int64))


def _without_modalities(trained: Trained, rows: np.ndarray, seed: int) -> np.ndarray:
    rows_to_read, places = with_context(trained.model, trained.data, rows)
    present = trained.data.present[rows_to_read].cpu().numpy()
    ways = torch.from_numpy(drop_modalities(present, RATES, seed))
    return logits_of_ways(trained.model, trained.data, rows_to_read, ways)[:, places].argmax(-1)


def _without_frames(trained: Trained, dataset: Dataset, rows: np.ndarray, seed: int) -> np.ndarray:
    """Predicted classes int64 [R, n]; a row that has lost every frame of every modality keeps one modality whole."""
    rows_to_read, places = with_context(trained.model, trained.data, rows)
    whole = {modality: dataset.sequences[modality].taking(rows_to_read) for modality in trained.inputs}
    names = {
        "dialogues": [dataset.dialogues[row] for row in rows_to_read],
        "speakers": [dataset.speakers[row] for row in rows_to_read],
    }
    predicted = []
    for rate in RATES:
        generator = np.random.default_rng(seed)
        remaining = {modality: drop_frames(sequences, rate, generator) for modality, sequences in whole.items()}
        without_any = ~np.any([sequences.lengths > 0 for sequences in remaining.values()], axis=0)
        for modality, sequences in remaining.items():
            remaining[modality] = _restored(sequences, whole[modality], without_any & (whole[modality].lengths > 0))
            without_any &= whole[modality].lengths == 0
        data = PackedFeatures(remaining, dataset.labels[rows_to_read], trained.inputs, trained.data.device, **names)
        predicted.append(logits_under(trained.model, data, places, None)[0].argmax(-1))
    return np.stack(predicted)


def _restored(sequences: Sequences, whole: Sequences, rows: np.ndarray) -> Sequences:
    if not rows.any():
        return sequences
    parts = [whole.row(row) if rows[row] else sequences.row(row) for row in range(len(rows))]
    return Sequences.from_rows(sequences.feature_set, parts, sequences.width, sequences.version)

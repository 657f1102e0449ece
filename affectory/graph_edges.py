"""The graph that MMGCN makes of a dialogue: with which weight one utterance receives from every other.

Shapes: M modalities, N utterances of the dialogue.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from affectory.batches import PackedFeatures
from affectory.datasets import Dataset
from affectory.family import Model
from affectory.layers.dialogues import spread
from affectory.models.mmgcn import Mmgcn
from affectory.models.over_dialogues import OverDialogues, side_by_side
from affectory.vocabulary import Split

_TWENTIETH = 19


def edges_of(model: Model, data: PackedFeatures, dataset: Dataset, utterance_id: str) -> pd.DataFrame:
    """The rows of the normalised adjacency that belong to an utterance, a row for each of its M * M * N weights.

    Columns: modality, which receives; from_modality, utterance_id, turn (from 1), speaker, label (empty where unknown)
    and chosen (the utterance itself) of what it receives from; weight, 0 where there is no edge. ValueError for a model
    that is not MMGCN and for an utterance that is not in the dataset.
    """
    if not isinstance(model, OverDialogues) or not isinstance(model.network, Mmgcn):
        raise ValueError(f"edges are of MMGCN, expected a model of it, got {type(model).__name__}")
    if utterance_id not in dataset.utterance_ids:
        raise ValueError(f"utterance {utterance_id!r}: expected one of the corpus's")
    place = dataset.utterance_ids.index(utterance_id)
    (rows,) = data.dialogues_of(np.array([place]))
    network = model.network
    model.to(data.device).eval()
    with torch.inference_mode():
        batch = data.batch(rows)
        order, x, mask, speakers = side_by_side(batch)
        present = spread(batch.present[order], mask)
        nodes = network.nodes(x, mask, speakers, present)
        whole = network.graph_of(nodes, mask, present[mask].T).adjacency(0).cpu().numpy()  # [M * N, M * N]
    said = rows[order.cpu().numpy()]
    n, chosen = len(said), int(np.flatnonzero(said == place)[0])
    names = [modality.value for modality in data.modalities]
    of_chosen = whole.reshape(len(names), n, len(names), n)[:, chosen]  # [M, M, N]
    tables = [
        _from(dataset, said, chosen).assign(modality=to, from_modality=source, weight=of_chosen[i, j])
        for i, to in enumerate(names)
        for j, source in enumerate(names)
    ]
    return pd.concat(tables, ignore_index=True)


def utterance_to_show(dataset: Dataset) -> str:
    """Of the longest dialogue that is tested the twentieth utterance, or the last, as the published figure shows.

    Or the one nearest to it that has all modalities, where one has.
    """
    of_row = np.array([name or f"\0{row}" for row, name in enumerate(dataset.dialogues)], object)
    tested = set(of_row[dataset.rows(Split.TEST)])
    rows = max((np.flatnonzero(of_row == name) for name in sorted(tested)), key=len)
    whole = rows[dataset.present[rows].all(1)]
    candidates = whole if len(whole) else rows
    wanted = rows[min(_TWENTIETH, len(rows) - 1)]
    return dataset.utterance_ids[candidates[np.abs(candidates - wanted).argmin()]]


def _from(dataset: Dataset, rows: np.ndarray, chosen: int) -> pd.DataFrame:
    labels = dataset.labels[rows]
    return pd.DataFrame(
        {
            "utterance_id": [dataset.utterance_ids[row] for row in rows],
            "turn": np.arange(1, len(rows) + 1),
            "speaker": [dataset.speakers[row] for row in rows],
            "label": [dataset.classes[label] if label >= 0 else "" for label in labels],
            "chosen": np.arange(len(rows)) == chosen,
        }
    )

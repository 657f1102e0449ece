"""The graph that MMGCN makes of a dialogue: with which weight one utterance receives from every other.

Shapes: M modalities, N utterances of the dialogue.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, dialogue_numbers
from affectory.data.inputs import ModalityInput
from affectory.layers.dialogues import unpack
from affectory.models.family import Model
from affectory.models.mmgcn import Mmgcn
from affectory.models.over_dialogues import OverDialogues, side_by_side
from affectory.vocabulary import Modality, Split

_TWENTIETH = 19


def edges_of(
    model: Model, inputs: Mapping[Modality, ModalityInput], dataset: Dataset, utterance_id: str
) -> pd.DataFrame:
    """The rows of the normalised adjacency that belong to an utterance, a row for each of its M * M * N weights.

    Columns: modality, which receives; from_modality, utterance_id, turn (from 1), speaker, label (empty where unknown)
    and chosen (the utterance itself) of what it receives from; weight, 0 where there is no edge. ValueError for a model
    that is not MMGCN and for an utterance that is not in the dataset.
    """
    if not isinstance(model, OverDialogues) or not isinstance(model.network, Mmgcn):
        raise ValueError(f"edges are of MMGCN, expected a model of it, got {type(model).__name__}")
    if utterance_id not in dataset.utterance_ids:
        raise ValueError(f"utterance {utterance_id!r}: expected one of the corpus's")
    numbers = dialogue_numbers(dataset.dialogues)
    dialogue = dataset.taking(np.flatnonzero(numbers == numbers[dataset.utterance_ids.index(utterance_id)]))
    chosen = dialogue.utterance_ids.index(utterance_id)
    data = PackedFeatures.from_dataset(dialogue, inputs)
    n, names = len(data), [modality.value for modality in data.modalities]
    weights = _adjacency(model, model.network, data).reshape(len(names), n, len(names), n)
    senders = _senders(dialogue, chosen)
    tables = [
        senders.assign(modality=receiver, from_modality=sender, weight=weights[i, chosen, j])
        for i, receiver in enumerate(names)
        for j, sender in enumerate(names)
    ]
    return pd.concat(tables, ignore_index=True)


@torch.inference_mode()
def _adjacency(model: OverDialogues, network: Mmgcn, data: PackedFeatures) -> np.ndarray:
    """[M * N, M * N] of data that is one dialogue, its rows in the order said."""
    model.to(data.device).eval()
    batch = data.batch(np.arange(len(data)))
    order, x, mask, speakers = side_by_side(batch)  # the rows' own order: they are one dialogue
    present = unpack(batch.present[order], mask)
    nodes = network.nodes(x, mask, speakers, present)
    return network.graph_of(nodes, mask, present[mask].T).adjacency(0).numpy()


def utterance_to_show(dataset: Dataset) -> str:
    """The id of an utterance whose edges are worth showing, as the published figure does.

    It is the twentieth of the longest tested dialogue, or the last of a shorter one; where that one misses a modality,
    the nearest utterance of the dialogue that has all of them, if there is one.
    """
    numbers = dialogue_numbers(dataset.dialogues)
    tested = np.unique(numbers[dataset.rows(Split.TEST)])
    rows = max((np.flatnonzero(numbers == number) for number in tested), key=len)
    complete = rows[dataset.present[rows].all(1)]
    candidates = complete if len(complete) else rows
    position = rows[min(_TWENTIETH, len(rows) - 1)]
    return dataset.utterance_ids[candidates[np.abs(candidates - position).argmin()]]


def _senders(dialogue: Dataset, chosen: int) -> pd.DataFrame:
    """A row an utterance of the dialogue."""
    return pd.DataFrame(
        {
            "utterance_id": dialogue.utterance_ids,
            "turn": np.arange(1, len(dialogue.labels) + 1),
            "speaker": dialogue.speakers,
            "label": [dialogue.classes[label] if label >= 0 else "" for label in dialogue.labels],
            "chosen": np.arange(len(dialogue.labels)) == chosen,
        }
    )

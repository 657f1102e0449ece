"""Which modalities are available: the missing-modality sets of a corpus, and the conditions drawn while training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from affectory.vocabulary import MODALITIES, Condition, Modality, conditions, missing_conditions

# What a training sees: every row as it is; one proper subset a row and epoch; or one of both kinds.
TRAINING_CONDITIONS = ("full", "missing", "full_and_missing")


def training_conditions(kind: str, modalities: Iterable[Modality]) -> tuple[Condition, ...]:
    """The conditions that a training of a kind of TRAINING_CONDITIONS draws from; ValueError for another kind.

    With one modality nothing can be left out: then every kind gives the full condition alone.
    """
    if kind not in TRAINING_CONDITIONS:
        raise ValueError(f"training conditions {kind!r}: expected one of {', '.join(TRAINING_CONDITIONS)}")
    every = conditions(modalities)
    if kind == "full":
        return every[-1:]
    return every if kind == "full_and_missing" else missing_conditions(modalities) or every


def condition_masks(subsets: Sequence[Condition], modalities: Sequence[Modality]) -> Tensor:
    """bool [K, M]: which modalities each of the K conditions holds."""
    return torch.tensor([[modality in condition for modality in modalities] for condition in subsets], dtype=torch.bool)


def draw_available(masks: Tensor, present: Tensor, generator: torch.Generator) -> Tensor:
    """One of the K condition `masks` a row, uniformly; bool [B, M] on the device of `present`.

    A row that has none of its condition's modalities keeps what it has: no row is ever left without any.
    """
    drawn = torch.randint(len(masks), (len(present),), generator=generator)
    available = present & masks[drawn].to(present.device)
    return torch.where(available.any(1, keepdim=True), available, present)


def rows_under(condition: Condition, present: np.ndarray, modalities: Sequence[Modality]) -> np.ndarray:
    """bool [N]: the rows that are tested under a condition, given `present` bool [N, M].

    A full row is tested under every condition, a naturally incomplete one only as it is.
    """
    in_condition = np.array([modality in condition for modality in modalities])
    return present.all(1) | (present == in_condition).all(1)


def missing_modality_sets(
    availability: pd.DataFrame, splits: Mapping[str, str], modalities: Iterable[Modality]
) -> pd.DataFrame:
    """One row an utterance and missing condition: utterance_id, split, condition, acoustic, visual, textual.

    `availability` has utterance_id and a bool column a modality; `splits` maps utterance_id to its split, and what it
    does not name is left out. A full utterance gives six rows (of three modalities), a naturally incomplete one a
    single row with what it has, an utterance without any modality none. Masks over stored features, no copies.
    """
    ordered = tuple(modality for modality in MODALITIES if modality in set(modalities))
    has_split = availability["utterance_id"].isin(list(splits)).to_numpy(bool)
    present = availability[[modality.value for modality in ordered]].to_numpy(bool)
    missing = missing_conditions(ordered)
    tested = np.zeros((len(missing), len(availability)), bool)
    for place, condition in enumerate(missing):
        tested[place] = rows_under(condition, present, ordered) & has_split
    rows, number = np.nonzero(tested.T)  # row by row
    ids = availability["utterance_id"].to_numpy(object)[rows]
    masks = condition_masks(missing, MODALITIES).numpy().reshape(-1, len(MODALITIES))[number]
    return pd.DataFrame(
        {
            "utterance_id": ids,
            "split": [splits[utterance_id] for utterance_id in ids],
            "condition": [str(missing[place]) for place in number],
            **{modality.value: masks[:, column] for column, modality in enumerate(MODALITIES)},
        }
    )

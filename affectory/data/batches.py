"""Padded batches of feature sequences with boolean masks, gathered from features that are normalised once.

Shapes: N rows (one an utterance), T frames, D features, B batch, M modalities. Masks are bool, True = valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from affectory.data.dataset import Dataset, Sequences, dialogue_numbers
from affectory.data.inputs import ModalityInput, prepared
from affectory.vocabulary import MODALITIES, Condition, Modality


@dataclass(frozen=True)
class Batch:
    """B rows, padded to the longest. A model sees a modality of a row only where `available`; `present` is for targets.

    The dictionaries are in canonical order of modalities; T differs between them.
    """

    frames: dict[Modality, Tensor]  # normalised float32 [B, T, D], zeros where padded
    mask: dict[Modality, Tensor]  # bool [B, T]
    present: Tensor  # bool [B, M]: the row has the modality
    available: Tensor  # bool [B, M]: present, and part of the condition
    labels: Tensor  # int64 [B], -1 = unknown; or values of dimensions, float32 [B, V], NaN = unknown
    index: Tensor  # int64 [B]: the rows' positions in the packed features
    dialogue: Tensor  # int64 [B]: rows of one dialogue have one number, and the order of `index`
    speaker: Tensor  # int64 [B]

    @property
    def modalities(self) -> tuple[Modality, ...]:
        return tuple(self.frames)

    def under(self, condition: Condition) -> Batch:
        """The same rows with only the condition's modalities available."""
        return replace(self, available=self.present & condition_mask(condition, self.modalities, self.present.device))

    def with_labels_of(self, rows: Tensor) -> Batch:
        """The same rows with labels only where `rows` bool [B] is True; elsewhere they become unknown (-1 or NaN)."""
        rows = rows.to(self.labels.device)
        if self.labels.is_floating_point():
            return replace(self, labels=torch.where(rows[:, None], self.labels, torch.nan))
        return replace(self, labels=torch.where(rows, self.labels, -1))

    def with_available(self, available: Tensor) -> Batch:
        """The same rows, each under a condition of its own: `available` bool [B, M], cut to what the row has."""
        return replace(self, available=self.present & available)


def condition_mask(condition: Condition, modalities: Sequence[Modality], device: torch.device | str = "cpu") -> Tensor:
    """bool [M]: which of the modalities the condition holds."""
    return torch.tensor([modality in condition for modality in modalities], device=device)


class PackedFeatures:
    """All N rows of a corpus on one device, normalised once, one tensor a modality; `batch` gathers padded rows.

    Only modalities that `inputs` names are packed. Rows that share a name in `dialogues` or `speakers` belong together;
    an empty dialogue is a row by itself.
    """

    def __init__(
        self,
        sequences: Mapping[Modality, Sequences],
        labels: np.ndarray,
        inputs: Mapping[Modality, ModalityInput],
        device: torch.device | str = "cpu",
        *,
        dialogues: Sequence[str] | None = None,
        speakers: Sequence[str] | None = None,
    ) -> None:
        self.device = torch.device(device)
        self._dialogues = dialogue_numbers(dialogues or [""] * len(labels))
        self.dialogue = torch.from_numpy(self._dialogues).to(self.device)  # int64 [N]
        self.speaker = torch.from_numpy(_numbered(speakers or [""] * len(labels))).to(self.device)  # int64 [N]
        self.modalities = tuple(modality for modality in MODALITIES if modality in inputs)
        self.labels = torch.as_tensor(labels, device=self.device)
        self._frames: dict[Modality, Tensor] = {}
        self._starts: dict[Modality, Tensor] = {}
        self.lengths: dict[Modality, Tensor] = {}  # int64 [N], after the cap
        for modality in self.modalities:
            self._pack(modality, sequences[modality], inputs[modality])
        self.present = torch.stack([self.lengths[modality] > 0 for modality in self.modalities], dim=1)  # [N, M]
        self._longest = torch.stack([self.lengths[modality] for modality in self.modalities]).amax(0).cpu().numpy()

    @classmethod
    def from_dataset(
        cls, dataset: Dataset, inputs: Mapping[Modality, ModalityInput], device: torch.device | str = "cpu"
    ) -> PackedFeatures:
        """Every row of the dataset, its modalities those of `inputs`."""
        return cls(
            dataset.sequences,
            dataset.labels,
            inputs,
            device,
            dialogues=dataset.dialogues,
            speakers=dataset.speakers,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor | np.ndarray) -> Batch:
        """A batch of the rows at positions `index` int64 [B], in that order, padded to the longest of each modality."""
        index = torch.as_tensor(index, dtype=torch.int64, device=self.device)
        frames, mask = {}, {}
        for modality in self.modalities:
            lengths = self.lengths[modality][index]
            steps = torch.arange(max(int(lengths.max()), 1) if len(index) else 1, device=self.device)
            mask[modality] = steps < lengths[:, None]  # [B, T]
            positions = self._starts[modality][index][:, None] + steps
            zero_frame = len(self._frames[modality]) - 1
            # [B, T, D]; an embedding's look-up copies whole frames, twice as fast as indexing
            frames[modality] = F.embedding(torch.where(mask[modality], positions, zero_frame), self._frames[modality])
        present = self.present[index]
        return Batch(
            frames,
            mask,
            present=present,
            available=present,
            labels=self.labels[index],
            index=index,
            dialogue=self.dialogue[index],
            speaker=self.speaker[index],
        )

    def longest(self, rows: np.ndarray) -> np.ndarray:
        """int64 [n]: the frames of each row's longest modality; batches of near lengths waste little on padding."""
        return self._longest[rows]

    def dialogues_of(self, rows: np.ndarray) -> list[np.ndarray]:
        """One int64 array a dialogue that holds any of `rows`: the positions of all its rows, in their order.

        The dialogues are ordered by their first rows. A row without a dialogue is one by itself.
        """
        members = np.flatnonzero(np.isin(self._dialogues, self._dialogues[rows]))
        if not len(members):
            return []
        _, first_member, dialogue = np.unique(self._dialogues[members], return_index=True, return_inverse=True)
        ends = np.unique(first_member[dialogue], return_counts=True)[1].cumsum()
        return np.split(members[np.argsort(first_member[dialogue], kind="stable")], ends[:-1])

    def _pack(self, modality: Modality, sequences: Sequences, fitted: ModalityInput) -> None:
        ready = prepared(sequences, fitted)
        # One frame of zeros at the end, for padding to be gathered from.
        frames = np.concatenate([ready.frames, np.zeros((1, fitted.model_width), np.float32)])
        self._frames[modality] = torch.from_numpy(frames).to(self.device)
        self._starts[modality] = torch.from_numpy(ready.starts).to(self.device)
        self.lengths[modality] = torch.from_numpy(ready.lengths).to(self.device)


def _numbered(names: Sequence[str]) -> np.ndarray:
    """int64 [N]: equal names have equal numbers."""
    return np.unique(np.array(names, object).astype(str), return_inverse=True)[1].astype(np.int64)

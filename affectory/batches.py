"""Feature sequences of a corpus as arrays, and padded batches of them with boolean masks.

Shapes: N rows (one an utterance), T frames, D features, B batch, M modalities. Masks are bool, True = valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from affectory.vocabulary import MODALITIES, Condition, Modality, Split

MAX_FRAMES = 600  # 60 s at 10 Hz; what lies beyond is not read, so that one endless utterance cannot fill the memory
# Deviations from the mean at which a value is cut. On real speech openSMILE's descriptors reach 112 (0.6 % lie beyond
# 5), and what was constant while training may take any value later; on ravdess the cut gained about 0.02 UA.
LIMIT = 5.0


@dataclass(frozen=True)
class Sequences:
    """One feature set of N utterances: `frames` float32 [sum T, D], row after row; `lengths` int64 [N], 0 = missing."""

    feature_set: str
    frames: np.ndarray
    lengths: np.ndarray
    version: str = ""

    def __post_init__(self) -> None:
        if self.frames.ndim != 2 or int(self.lengths.sum()) != len(self.frames):
            raise ValueError(
                f"feature set {self.feature_set}: the lengths sum to {int(self.lengths.sum())}, so frames of shape "
                f"[{int(self.lengths.sum())}, D] were expected; got {list(self.frames.shape)}"
            )

    @classmethod
    def from_rows(cls, feature_set: str, rows: Sequence[np.ndarray | None], width: int, version: str = "") -> Sequences:
        """Rows [T, D], None or T = 0 where missing, as one array."""
        empty = np.zeros((0, width), np.float32)
        present = [empty if row is None else np.asarray(row, np.float32) for row in rows]
        lengths = np.array([len(row) for row in present], np.int64)
        return cls(feature_set, np.concatenate([empty, *present]), lengths, version)

    @property
    def width(self) -> int:
        return self.frames.shape[1]

    @property
    def starts(self) -> np.ndarray:
        """First frame of each row, int64 [N]."""
        return np.cumsum(self.lengths) - self.lengths

    def row(self, index: int) -> np.ndarray:
        """The frames [T, D] of one row."""
        start = self.starts[index]
        return self.frames[start : start + self.lengths[index]]


@dataclass(frozen=True)
class Dataset:
    """A corpus to learn from: N rows in one order; `labels` int64 [N] are positions in `classes`, -1 = unknown."""

    utterance_ids: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    sequences: dict[Modality, Sequences]
    speakers: list[str]
    dialogues: list[str]
    splits: list[str]

    def __post_init__(self) -> None:
        columns = {"labels": self.labels, "speakers": self.speakers, "dialogues": self.dialogues, "splits": self.splits}
        columns |= {f"{modality} lengths": sequences.lengths for modality, sequences in self.sequences.items()}
        n_rows = len(self.utterance_ids)
        for name, column in columns.items():
            if len(column) != n_rows:
                raise ValueError(f"{name}: expected {n_rows} rows, as utterance_ids, got {len(column)}")
        if len(self.labels) and not -1 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes):
            raise ValueError(f"labels must lie between -1 and {len(self.classes) - 1}, got {np.unique(self.labels)}")

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Those that at least one row has, in canonical order."""
        return tuple(m for m in MODALITIES if m in self.sequences and self.sequences[m].lengths.any())

    def rows(self, split: Split | str) -> np.ndarray:
        """Positions of the split's rows that can be learned from or scored: labelled, with at least one modality."""
        of_split = np.array([name == split for name in self.splits], bool)
        lengths = [self.sequences[modality].lengths for modality in self.modalities]
        return np.flatnonzero(of_split & (self.labels >= 0) & (sum(lengths, np.zeros_like(self.labels)) > 0))


@dataclass(frozen=True)
class ModalityInput:
    """What a model knows of one modality's features, fitted on the training rows; stored with the model."""

    feature_set: str
    version: str
    width: int
    vector: bool  # every row is a single frame: the encoder is an MLP
    mean: np.ndarray  # float32 [D]
    std: np.ndarray  # float32 [D]
    max_frames: int = MAX_FRAMES
    limit: float = LIMIT


def fit_inputs(dataset: Dataset, rows: np.ndarray) -> dict[Modality, ModalityInput]:
    """Each feature's mean and deviation (0 -> 1) over the frames of `rows`; a modality they all miss is left out."""
    inputs = {}
    for modality in dataset.modalities:
        sequences = dataset.sequences[modality]
        chosen = np.zeros(len(sequences.lengths), bool)
        chosen[rows] = True
        lengths = sequences.lengths[chosen]
        if not lengths.any():
            continue
        frames = sequences.frames[np.repeat(chosen, sequences.lengths)]
        mean = frames.mean(0, dtype=np.float64)
        std = np.sqrt(np.mean(np.square(frames - mean), axis=0))
        std[std <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 1.0  # constant but for rounding
        inputs[modality] = ModalityInput(
            feature_set=sequences.feature_set,
            version=sequences.version,
            width=sequences.width,
            vector=bool(sequences.lengths.max() == 1),
            mean=mean.astype(np.float32),
            std=std.astype(np.float32),
        )
    return inputs


@dataclass(frozen=True)
class Batch:
    """B rows, padded to the longest. A model sees a modality of a row only where `available`; `present` is for targets.

    The dictionaries are in canonical order of modalities; T differs between them.
    """

    frames: dict[Modality, Tensor]  # normalised float32 [B, T, D], zeros where padded
    mask: dict[Modality, Tensor]  # bool [B, T]
    present: Tensor  # bool [B, M]: the row has the modality
    available: Tensor  # bool [B, M]: present, and part of the condition
    labels: Tensor  # int64 [B], -1 = unknown

    @property
    def modalities(self) -> tuple[Modality, ...]:
        return tuple(self.frames)

    def under(self, condition: Condition) -> Batch:
        """The same rows with only the condition's modalities available."""
        return replace(self, available=self.present & condition_mask(condition, self.modalities, self.present.device))

    def with_available(self, available: Tensor) -> Batch:
        """The same rows under one condition each: `available` bool [B, M]."""
        return replace(self, available=self.present & available)


def condition_mask(condition: Condition, modalities: Sequence[Modality], device: torch.device | str = "cpu") -> Tensor:
    """bool [M]: which of the modalities the condition holds."""
    return torch.tensor([modality in condition for modality in modalities], device=device)


class PackedFeatures:
    """All rows on the device, normalised once, one tensor a modality; `batch` gathers padded rows from it."""

    def __init__(
        self,
        sequences: Mapping[Modality, Sequences],
        labels: np.ndarray,
        inputs: Mapping[Modality, ModalityInput],
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.modalities = tuple(modality for modality in MODALITIES if modality in inputs)
        self.labels = torch.as_tensor(labels, dtype=torch.int64, device=self.device)
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
        return cls(dataset.sequences, dataset.labels, inputs, device)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor | np.ndarray) -> Batch:
        """The rows at positions `index` int64 [B], in that order."""
        index = torch.as_tensor(index, dtype=torch.int64, device=self.device)
        frames, mask = {}, {}
        for modality in self.modalities:
            lengths = self.lengths[modality][index]
            steps = torch.arange(max(int(lengths.max()), 1) if len(index) else 1, device=self.device)
            mask[modality] = steps < lengths[:, None]  # [B, T]
            positions = self._starts[modality][index][:, None] + steps
            zero_frame = len(self._frames[modality]) - 1
            frames[modality] = self._frames[modality][torch.where(mask[modality], positions, zero_frame)]  # [B, T, D]
        present = self.present[index]
        return Batch(frames=frames, mask=mask, present=present, available=present, labels=self.labels[index])

    def longest(self, rows: np.ndarray) -> np.ndarray:
        """int64 [n]: the frames of each row's longest modality; batches of near lengths waste little on padding."""
        return self._longest[rows]

    def _pack(self, modality: Modality, sequences: Sequences, fitted: ModalityInput) -> None:
        if sequences.width != fitted.width:
            raise ValueError(f"{modality}: expected {fitted.width} features a frame, got {sequences.width}")
        # The mean as one more frame at the end: it normalises to the zeros that padding is gathered from.
        frames = torch.from_numpy(np.concatenate([sequences.frames, fitted.mean[None]])).to(self.device)
        mean, std = (torch.from_numpy(values).to(self.device) for values in (fitted.mean, fitted.std))
        self._frames[modality] = frames.sub_(mean).div_(std).clamp_(-fitted.limit, fitted.limit)
        self._starts[modality] = torch.from_numpy(sequences.starts).to(self.device)
        lengths = np.minimum(sequences.lengths, fitted.max_frames)
        self.lengths[modality] = torch.from_numpy(lengths).to(self.device)

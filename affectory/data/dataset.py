"""Feature sequences of a corpus as arrays: N rows (one an utterance), T frames, D features."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from affectory.vocabulary import MODALITIES, Modality, Split


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
        """The sequences of a list of arrays [T, width], one a row; None or T = 0 where the row misses the modality."""
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

    def taking(self, rows: np.ndarray) -> Sequences:
        """The rows at positions `rows` int64 [n], in that order."""
        lengths = self.lengths[rows]
        starts = np.repeat(self.starts[rows] - (np.cumsum(lengths) - lengths), lengths)
        return replace(self, frames=self.frames[starts + np.arange(len(starts))], lengths=lengths)

    def row(self, index: int) -> np.ndarray:
        """The frames [T, D] of one row."""
        start = self.starts[index]
        return self.frames[start : start + self.lengths[index]]


@dataclass(frozen=True)
class Dataset:
    """A corpus to learn from: N rows; `labels` int64 [N] are positions in `classes`, -1 = unknown.

    With `dimensions` there are no classes: `labels` float32 [N, V] are their values, NaN = unknown. The rows of a
    dialogue are in the order in which they were said. A row without a split is context only.
    """

    utterance_ids: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    sequences: dict[Modality, Sequences]
    speakers: list[str]  # empty where unknown
    dialogues: list[str]  # empty where unknown: an utterance by itself
    splits: list[str]
    dimensions: tuple[str, ...] = ()  # of vocabulary.DIMENSIONS

    def __post_init__(self) -> None:
        columns = {"labels": self.labels, "speakers": self.speakers, "dialogues": self.dialogues, "splits": self.splits}
        columns |= {f"{modality} lengths": sequences.lengths for modality, sequences in self.sequences.items()}
        n_rows = len(self.utterance_ids)
        for name, column in columns.items():
            if len(column) != n_rows:
                raise ValueError(f"{name}: expected {n_rows} rows, as utterance_ids, got {len(column)}")
        if self.dimensions and (self.labels.shape[1:] != (len(self.dimensions),) or self.classes):
            got = f"labels {list(self.labels.shape)} and classes {self.classes}"
            raise ValueError(f"of {self.dimensions} expected labels [N, {len(self.dimensions)}] and no classes, {got}")
        if (
            not self.dimensions
            and len(self.labels)
            and not -1 <= int(self.labels.min()) <= int(self.labels.max()) < len(self.classes)
        ):
            raise ValueError(f"labels must lie between -1 and {len(self.classes) - 1}, got {np.unique(self.labels)}")

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of a model's outputs: the classes, or the dimensions where there are no classes."""
        return self.dimensions or self.classes

    @property
    def labelled(self) -> np.ndarray:
        """bool [N]: the rows with a class, or with a value in at least one dimension."""
        has_value = np.isfinite(self.labels) if self.dimensions else self.labels[:, None] >= 0
        return np.asarray(has_value.any(axis=1))

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that at least one row has, in canonical order."""
        return tuple(m for m in MODALITIES if m in self.sequences and self.sequences[m].lengths.any())

    @property
    def present(self) -> np.ndarray:
        """bool [N, M]: which of `modalities` each row has."""
        lengths = [self.sequences[modality].lengths > 0 for modality in self.modalities]
        return np.stack(lengths, axis=1) if lengths else np.zeros((len(self.labels), 0), bool)

    def only(self, modalities: Iterable[Modality]) -> Dataset:
        """The same rows with only some of their modalities."""
        kept = set(modalities)
        return replace(self, sequences={name: sequences for name, sequences in self.sequences.items() if name in kept})

    def taking(self, rows: np.ndarray) -> Dataset:
        """The rows at positions `rows` int64 [n], in that order."""
        columns = ("utterance_ids", "speakers", "dialogues", "splits")
        return replace(
            self,
            labels=self.labels[rows],
            sequences={name: sequences.taking(rows) for name, sequences in self.sequences.items()},
            **{name: [getattr(self, name)[row] for row in rows] for name in columns},
        )

    def rows(self, split: Split | str) -> np.ndarray:
        """Positions of the split's rows that can be learned from or scored: labelled, with at least one modality."""
        of_split = np.array([name == split for name in self.splits], bool)
        return np.flatnonzero(of_split & self.labelled & self.present.any(1))


def dialogue_numbers(dialogues: Sequence[str]) -> np.ndarray:
    """int64 [N]: rows of one dialogue share a number; a row without one has a number of its own."""
    named = np.array([name or f"\0{row}" for row, name in enumerate(dialogues)], object).astype(str)
    return np.unique(named, return_inverse=True)[1].astype(np.int64)


def with_shuffled_order(dataset: Dataset, seed: int) -> Dataset:
    """The dataset with each dialogue's utterances in a random order: a control for what a model learns from order."""
    chance, dialogue = np.random.default_rng(seed).random(len(dataset.labels)), dialogue_numbers(dataset.dialogues)
    order = np.empty_like(dialogue)
    order[np.argsort(dialogue, kind="stable")] = np.lexsort((chance, dialogue))  # into each dialogue's own places
    return dataset.taking(order)


def with_shuffled_company(dataset: Dataset, seed: int) -> Dataset:
    """The dataset with every utterance moved to a random place in a dialogue of the same split.

    A control for what a model learns from the other utterances of a dialogue. Each dialogue keeps its number of
    utterances, and each place its speaker.
    """
    order, chance = np.arange(len(dataset.labels)), np.random.default_rng(seed)
    part_of = {name: part for name, part in zip(dataset.dialogues, dataset.splits, strict=True) if part}
    rows = zip(dataset.dialogues, dataset.splits, strict=True)
    parts = np.array([part or part_of.get(name, "") for name, part in rows])  # of context too
    for part in np.unique(parts):
        order[parts == part] = chance.permutation(order[parts == part])
    return replace(dataset.taking(order), dialogues=dataset.dialogues, speakers=dataset.speakers)


def with_shuffled_labels(dataset: Dataset, seed: int) -> Dataset:
    """The dataset with the training rows' labels permuted among them: a control that leaves nothing to learn."""
    labels, rows = dataset.labels.copy(), dataset.rows(Split.TRAIN)
    labels[rows] = np.random.default_rng(seed).permutation(labels[rows])
    return replace(dataset, labels=labels)


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write the dataset into `folder` as .npy arrays and facts.json; load_dataset maps them into memory."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {field.name: getattr(dataset, field.name) for field in fields(Dataset) if field.name not in _ARRAYS}
    sets = {modality.value: (s.feature_set, s.version) for modality, s in dataset.sequences.items()}
    (folder / "facts.json").write_text(json.dumps({**facts, "feature_sets": sets}))
    np.save(folder / "labels.npy", dataset.labels)
    for modality, sequences in dataset.sequences.items():
        np.save(folder / f"{modality}.frames.npy", sequences.frames)
        np.save(folder / f"{modality}.lengths.npy", sequences.lengths)


def load_dataset(folder: Path) -> Dataset:
    """The dataset that save_dataset wrote into `folder`; frames stay on disk until they are read."""
    facts = json.loads((folder / "facts.json").read_text())
    sequences = {}
    for name, (feature_set, version) in facts.pop("feature_sets").items():
        frames = np.load(folder / f"{name}.frames.npy", mmap_mode="r")
        sequences[Modality(name)] = Sequences(feature_set, frames, np.load(folder / f"{name}.lengths.npy"), version)
    facts |= {name: tuple(facts[name]) for name in ("classes", "dimensions")}
    return Dataset(labels=np.load(folder / "labels.npy"), sequences=sequences, **facts)


_ARRAYS = ("labels", "sequences")

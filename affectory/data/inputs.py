"""What is done to features before a model sees them: pooling, normalisation, whitening, fitted on the training rows.

Shapes: N rows, n training rows, T frames, D features, P features after whitening.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from affectory.data.dataset import Dataset, Sequences
from affectory.vocabulary import Modality

MAX_FRAMES = 600  # 60 s at 10 Hz; what lies beyond is not read, so that one endless utterance cannot fill the memory
# Deviations from the mean at which a value is cut. On real speech openSMILE's descriptors reach 112 (0.6 % lie beyond
# 5), and what was constant while training may take any value later; on ravdess the cut gained about 0.02 UA.
LIMIT = 5.0


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """A family's choice of what its models see of each modality; FRAMES, the default, is normalised frames."""

    as_stored: bool = False  # nothing is fitted: pictures, which a network normalises itself
    statistics: bool = False  # mean and deviation over time as one frame, where rows have several
    whitening_rank: int = 0  # 0: none; else at most so many principal components, whitened within the classes
    shrinkage: float = 0.2  # of the covariance within the classes towards a multiple of the identity


FRAMES, STATISTICS, AS_STORED = Preparation(), Preparation(statistics=True), Preparation(as_stored=True)
NO_LIMIT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class ModalityInput:
    """What a model knows of one modality's features, fitted on the training rows; stored with the model."""

    feature_set: str
    version: str
    width: int  # of the feature set
    vector: bool  # every row of the feature set is a single frame
    mean: np.ndarray  # float32 [D], after pooling
    std: np.ndarray  # float32 [D]
    max_frames: int = MAX_FRAMES
    limit: float = LIMIT
    statistics: bool = False
    projection: np.ndarray | None = None  # float32 [D, P]; None also where nothing varies

    @property
    def model_width(self) -> int:
        """Features a frame of what the model sees."""
        return len(self.mean) if self.projection is None else self.projection.shape[1]

    @property
    def single_frame(self) -> bool:
        """The model sees one frame a row: its encoder is an MLP."""
        return self.vector or self.statistics


def fit_inputs(dataset: Dataset, rows: np.ndarray, preparation: Preparation = FRAMES) -> dict[Modality, ModalityInput]:
    """How each modality is prepared for a model, fitted on the rows at positions `rows`.

    A modality that none of these rows has is left out. Whitening reads their labels, so each row needs one.
    """
    inputs = {}
    for modality, sequences in dataset.sequences.items():
        if modality in dataset.modalities and sequences.lengths[rows].any():
            inputs[modality] = _fit(sequences, dataset.labels, rows, preparation)
    return inputs


def _fit(sequences: Sequences, labels: np.ndarray, rows: np.ndarray, preparation: Preparation) -> ModalityInput:
    vector = bool(sequences.lengths.max() == 1)
    if preparation.as_stored:
        zeros = np.zeros(sequences.width, np.float32)
        identity = sequences.feature_set, sequences.version, sequences.width
        return ModalityInput(*identity, vector, zeros, zeros + 1, limit=NO_LIMIT)
    capped = first_frames(sequences, MAX_FRAMES)
    pooled = statistics(capped) if preparation.statistics and not vector else capped
    chosen = np.zeros(len(pooled.lengths), bool)
    chosen[rows] = True
    frames = pooled.frames[np.repeat(chosen, pooled.lengths)]
    mean = frames.mean(0, dtype=np.float64)
    std = np.sqrt(np.mean(np.square(frames - mean), axis=0))
    std[std <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = 1.0  # constant but for rounding
    fitted = ModalityInput(
        feature_set=sequences.feature_set,
        version=sequences.version,
        width=sequences.width,
        vector=vector,
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
        statistics=preparation.statistics and not vector,
    )
    if not preparation.whitening_rank:
        return fitted
    of_frame = np.repeat(labels[chosen], pooled.lengths[chosen])
    normalised = np.clip((frames - mean) / std, -fitted.limit, fitted.limit)
    projection = within_class_whitening(normalised, of_frame, preparation)
    return replace(fitted, projection=projection if projection.size else None)


def prepared(sequences: Sequences, fitted: ModalityInput) -> Sequences:
    """Normalised frames as the model sees them; ValueError when their width is not what was fitted."""
    if sequences.width != fitted.width:
        raise ValueError(
            f"feature set {fitted.feature_set}: expected {fitted.width} features a frame, got {sequences.width}"
        )
    capped = first_frames(sequences, fitted.max_frames)
    if fitted.limit == NO_LIMIT:
        return capped
    pooled = statistics(capped) if fitted.statistics else capped
    frames = np.clip((pooled.frames - fitted.mean) / fitted.std, -fitted.limit, fitted.limit)
    if fitted.projection is not None:
        frames = np.clip(frames @ fitted.projection, -fitted.limit, fitted.limit)
    return replace(pooled, frames=frames)


def first_frames(sequences: Sequences, most: int) -> Sequences:
    """The sequences cut to the first `most` frames of each row."""
    if sequences.lengths.max(initial=0) <= most:
        return sequences
    place = np.arange(len(sequences.frames)) - np.repeat(sequences.starts, sequences.lengths)
    return replace(sequences, frames=sequences.frames[place < most], lengths=np.minimum(sequences.lengths, most))


def statistics(sequences: Sequences) -> Sequences:
    """Each row's mean and deviation over time as one frame [2 D]; a row that is missing stays so."""
    present = sequences.lengths > 0
    starts, counts = sequences.starts[present], sequences.lengths[present, None]
    if not present.any():
        return replace(sequences, frames=np.zeros((0, 2 * sequences.width), np.float32))
    mean = np.add.reduceat(sequences.frames, starts, axis=0, dtype=np.float64) / counts
    centred = sequences.frames - np.repeat(mean, counts[:, 0], axis=0)
    deviation = np.sqrt(np.add.reduceat(np.square(centred), starts, axis=0) / counts)
    frames = np.concatenate([mean, deviation], axis=1).astype(np.float32)
    return replace(sequences, frames=frames, lengths=present.astype(np.int64))


def within_class_whitening(frames: np.ndarray, labels: np.ndarray, preparation: Preparation) -> np.ndarray:
    r"""float32 [D, P] that whitens $\Sigma = (1 - s) S_w + s\,\frac{\mathrm{tr} S_w}{P} I$ of the leading components.

    $S_w$ is the covariance of `frames` [n, D] within the classes: what varies with speaker and wording shrinks beside
    what varies with emotion, as in linear discriminant analysis (Fisher 1936; shrinkage: Friedman 1989). One scale
    brings the result's mean deviation back to 1.
    """
    classes, of_class = np.unique(labels, return_inverse=True)
    components = _principal_components(frames, preparation.whitening_rank)
    if not components.size:
        return components.astype(np.float32)
    reduced = frames @ components
    means = np.zeros((len(classes), reduced.shape[1]))
    np.add.at(means, of_class, reduced)
    means /= np.bincount(of_class)[:, None]
    within = reduced - means[of_class]
    covariance = within.T @ within / len(within)
    even = np.eye(len(covariance)) * np.trace(covariance) / len(covariance)
    values, vectors = np.linalg.eigh((1 - preparation.shrinkage) * covariance + preparation.shrinkage * even)
    whitening = vectors / np.sqrt(np.maximum(values, 1e-12)) @ vectors.T
    scale = (reduced @ whitening).std(0).mean()
    return (components @ whitening / max(scale, 1e-12)).astype(np.float32)


def _principal_components(frames: np.ndarray, most: int) -> np.ndarray:
    """float64 [D, r]: directions of the largest variance, at most `most`; by the smaller of both products."""
    centred = frames - frames.mean(0)
    wide = frames.shape[1] > len(frames)
    values, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    kept = np.flatnonzero(values > 1e-9 * values[-1])[::-1][:most]
    return centred.T @ vectors[:, kept] / np.sqrt(values[kept]) if wide else vectors[:, kept]


def normalised_by_speaker(dataset: Dataset) -> Dataset:
    """Every feature with each speaker's own mean and deviation over all of that speaker's frames removed.

    Transductive: a test speaker's unlabelled rows are read. Rows without a speaker count as one speaker; ValueError
    when no row has one.
    """
    if not any(dataset.speakers):
        raise ValueError("no row names its speaker: expected speakers to normalise by, give them in utterances.csv")
    _, of_row = np.unique(np.asarray(dataset.speakers, object).astype(str), return_inverse=True)
    return replace(dataset, sequences={m: _by_group(s, of_row) for m, s in dataset.sequences.items()})


def _by_group(sequences: Sequences, of_row: np.ndarray) -> Sequences:
    group = np.repeat(of_row, sequences.lengths)
    counts = np.maximum(np.bincount(group, minlength=of_row.max(initial=0) + 1), 1)[:, None]
    sums = np.zeros((len(counts), sequences.width))
    np.add.at(sums, group, sequences.frames)
    centred = sequences.frames - (sums / counts)[group]
    squares = np.zeros_like(sums)
    np.add.at(squares, group, np.square(centred))
    deviation = np.sqrt(squares / counts)
    deviation[deviation <= 1e-6] = 1.0
    return replace(sequences, frames=(centred / deviation[group]).astype(np.float32))

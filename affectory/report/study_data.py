"""The results of one study, or of one deployed family, as plain tables, with what is needed to rank and name them.

Experiments whose names end in SPEAKER_NORMALISED are the same rows with features normalised over each speaker, the test
speakers too. They read what the others do not, so they are a block of their own and are never ranked with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd

from affectory.results.frames import check_columns, empty
from affectory.results.names import NO_NAMES, SPEAKER_NORMALISED, Names
from affectory.results.tables import full_condition
from affectory.vocabulary import DIMENSIONS

# What each frame must hold; more columns do no harm.
_COLUMNS = {
    "results": ("experiment", "fold", "seed", "condition", "metric", "value"),
    "predictions": ("experiment", "fold", "seed", "condition", "utterance_id", "label", "predicted"),
    "sweeps": ("experiment", "fold", "seed", "kind", "rate", "metric", "value"),
    "imagined": ("condition", "utterance_id", "label", "true_x", "true_y", "imagined_x", "imagined_y"),
    "history": ("experiment", "seed", "epoch", "name", "value"),
}
_OF_DIMENSIONS = ("dimension", "dialogue_id", "place")  # further columns of the predictions of dimensions


@dataclass(frozen=True, kw_only=True)
class StudyData:
    """One study of one corpus, or one deployed family.

    `results`: of classes the metrics of CLASSIFICATION, `ece`, `ece_uncalibrated`, `imagination_<distance>`, and
    `<metric>` + ON_TEST where epochs were watched; of dimensions `ccc_<d>` (pooled over the test rows), `video_ccc_<d>`
    (mean over videos), `mse_<d>`, `rescaled_ccc_<d>`, `smoothed_ccc_<d>` and `ccc`, the mean over dimensions, which on
    validation is `val_ccc`. `predictions`: the test part; of classes with `confidence`, the calibrated top
    probability, of dimensions with `dimension`, `dialogue_id` (the video) and `place` (the order in it).
    `sweeps`: kind `modalities` or `frames`. `imagined` and `history` are of `pictured`, in one fold and seed.
    `insides`: what Study.look_inside gave, by name. `samples`: feature set -> frames [T, D] of the utterance
    `sample_of`. `units`: utterance -> what a bootstrap draws whole, named by `unit_word`. `test_share`: n_test /
    n_train of a fold, as of `significance.compare`. `left_out`: row -> why it was not trained.
    """

    study: str  # or the family
    title: str
    metrics: tuple[str, ...]  # of the tables; the first ranks, is tested and drawn
    names: Names = NO_NAMES
    references: Mapping[str, str] = field(default_factory=dict)  # what others are tested against, and its mark
    pictured: str = ""  # the row whose insides are drawn
    corpus: str = ""
    protocol: str = ""  # one sentence
    runs_note: str = ""  # one sentence: the preset, and what of it was changed
    left_out: Mapping[str, str] = field(default_factory=dict)
    results: pd.DataFrame = field(default_factory=partial(empty, _COLUMNS["results"]))
    predictions: pd.DataFrame = field(default_factory=partial(empty, _COLUMNS["predictions"]))
    sweeps: pd.DataFrame = field(default_factory=partial(empty, _COLUMNS["sweeps"]))
    imagined: pd.DataFrame = field(default_factory=partial(empty, _COLUMNS["imagined"]))
    history: pd.DataFrame = field(default_factory=partial(empty, _COLUMNS["history"]))
    insides: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    samples: Mapping[str, np.ndarray] = field(default_factory=dict)
    sample_of: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    unit_word: str = "dialogue"
    test_share: float | None = None
    dimensions: tuple[str, ...] = ()  # some of DIMENSIONS; empty: classes
    speaker_normalised: bool = False  # of one block: which it is

    def __post_init__(self) -> None:
        if unknown := [name for name in self.dimensions if name not in DIMENSIONS]:
            raise ValueError(f"study {self.study}: unknown dimensions {unknown}; expected some of {DIMENSIONS}")
        expected = dict(_COLUMNS)
        if self.dimensions and len(self.predictions):
            expected["predictions"] += _OF_DIMENSIONS
        check_columns(f"study {self.study}", {name: getattr(self, name) for name in _COLUMNS}, expected)
        for name, frames in self.samples.items():
            if frames.ndim != 2:
                raise ValueError(f"study {self.study}: sample {name}: expected frames [T, D], got shape {frames.shape}")

    @property
    def metric(self) -> str:
        """The one that ranks."""
        return self.metrics[0]

    @property
    def full_condition(self) -> str:
        """The condition that lacks nothing; "" without results."""
        return full_condition(self.results)

    def rows(self) -> list[str]:
        """The experiments that have results, in the order of the tables."""
        return self.names.in_order(self.results["experiment"])


def blocks(data: StudyData) -> list[StudyData]:
    """The rows as they are, then those normalised by speaker, under their plain names; each where it has results."""
    kinds = sorted({name.endswith(SPEAKER_NORMALISED) for name in set(data.results["experiment"])})
    return [_block(data, speaker_normalised) for speaker_normalised in kinds]


def plain(data: StudyData) -> StudyData:
    """The rows as they are, none normalised by speaker."""
    return _block(data, False)


def _block(data: StudyData, speaker_normalised: bool) -> StudyData:
    frames = {name: getattr(data, name) for name in ("results", "predictions", "sweeps")}
    kept = {name: _rows_of_block(frame, speaker_normalised) for name, frame in frames.items()}
    return replace(data, **kept, speaker_normalised=speaker_normalised)


def _rows_of_block(frame: pd.DataFrame, speaker_normalised: bool) -> pd.DataFrame:
    codes, names = pd.factorize(frame["experiment"])
    chosen = [name.endswith(SPEAKER_NORMALISED) is speaker_normalised for name in names]
    plain_names = pd.Index([name.removesuffix(SPEAKER_NORMALISED) for name in names], dtype=object)
    kept = pd.Series(chosen, dtype=bool).to_numpy()[codes]
    return frame.loc[kept].assign(experiment=plain_names.to_numpy()[codes[kept]])

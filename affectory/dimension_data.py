"""Valence and arousal as plain tables: what was predicted and scored on one corpus, and what the models were given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from affectory.study_kinds import OMG_STUDY
from affectory.vocabulary import DIMENSIONS

__all__ = ["OMG_STUDY", "DimensionData"]
VAL_CCC = "val_ccc"  # `ccc` on the validation part: what a row may be chosen by

# What each frame must hold; more columns do no harm.
_COLUMNS = {
    "results": ("experiment", "fold", "seed", "condition", "metric", "value", "selected_on", "mlflow_run_id"),
    "predictions": (
        "experiment", "fold", "seed", "condition", "utterance_id", "dialogue_id", "place", "dimension", "label",
        "predicted",
    ),
    "curves": ("experiment", "seed", "epoch", "name", "value"),
}  # fmt: skip


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(_COLUMNS[name]))


def _no_faces() -> np.ndarray:
    return np.empty((0, 112, 112, 3), np.uint8)


@dataclass(frozen=True, kw_only=True)
class DimensionData:
    """One study of dimensions (OMG_STUDY), or the results of one deployed family, on one corpus.

    `dimensions`: some of vocabulary.DIMENSIONS. `results`: of each dimension d the metrics `ccc_<d>` (pooled over the
    test rows), `video_ccc_<d>` (mean over videos), `mse_<d>`, `rescaled_ccc_<d>` and `smoothed_ccc_<d>` (after what
    rescaling.py fits on validation); `ccc`, the mean over dimensions; `val_ccc`, the same on the
    validation part. `predictions`: the test part; `dialogue_id` is the video and `place` the utterance's
    order in it. `curves`: of one row, names as in ReportData.history. `left_out`: row -> why it was not trained.
    `sounds`: feature set -> frames [T, D] of the utterance `sound_of`; `faces`: uint8 [n, height, width, 3] of the
    utterance `faces_of`.
    """

    study: str
    corpus: str = ""
    dimensions: tuple[str, ...] = DIMENSIONS
    protocol: str = ""  # one sentence
    runs_note: str = ""  # one sentence: the preset, and what of it was changed
    results: pd.DataFrame = field(default_factory=partial(_empty, "results"))
    predictions: pd.DataFrame = field(default_factory=partial(_empty, "predictions"))
    curves: pd.DataFrame = field(default_factory=partial(_empty, "curves"))
    left_out: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[str, np.ndarray] = field(default_factory=dict)
    sound_of: str = ""
    faces: np.ndarray = field(default_factory=_no_faces)
    faces_of: str = ""

    def __post_init__(self) -> None:
        if unknown := [name for name in self.dimensions if name not in DIMENSIONS]:
            raise ValueError(f"study {self.study}: unknown dimensions {unknown}; expected some of {DIMENSIONS}")
        for name, columns in _COLUMNS.items():
            frame = getattr(self, name)
            if absent := [column for column in columns if column not in frame.columns]:
                raise ValueError(f"study {self.study}: {name} lacks columns {absent}; it has {list(frame.columns)}")
        for name, frames in self.sounds.items():
            if frames.ndim != 2:
                raise ValueError(f"study {self.study}: sound {name}: expected frames [T, D], got shape {frames.shape}")
        if self.faces.ndim != 4 or self.faces.shape[3] != 3:
            raise ValueError(f"study {self.study}: expected faces [n, height, width, 3], got {self.faces.shape}")

    @property
    def shown(self) -> tuple[str, ...]:
        """The dimensions in the order of every table."""
        return tuple(name for name in DIMENSIONS if name in self.dimensions)

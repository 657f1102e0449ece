"""A study as plain tables: every row of the published table and its controls, over folds and seeds of one corpus.

Experiments whose names end in SPEAKER_NORMALISED are the same rows with features normalised over each speaker, the test
speakers too. They read what the others do not, so they stand in a block of their own and are never ranked with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import pandas as pd

from affectory.results.tables import in_order
from affectory.study_kinds import EXPERIMENTS, KINDS, MMIN_STUDY, Kind
from affectory.vocabulary import MODALITIES, Condition

SPEAKER_NORMALISED = "/speaker_normalised"
SPEAKER_NORMALISED_TITLE = "speaker-wise normalisation (transductive: reads the test speakers’ unlabelled rows)"
TOO_FEW = "not tested"
ON_TEST = "_best_on_test"  # behind a metric: of the epoch that is best on the test part, as published code selects


# What each frame must hold; more columns do no harm.
_COLUMNS = {
    "results": ("experiment", "fold", "seed", "condition", "metric", "value"),
    "predictions": ("experiment", "fold", "seed", "condition", "utterance_id", "label", "predicted", "confidence"),
    "sweeps": ("experiment", "fold", "seed", "kind", "rate", "metric", "value"),
    "imagined": ("condition", "utterance_id", "label", "true_x", "true_y", "imagined_x", "imagined_y"),
    "history": ("experiment", "fold", "seed", "epoch", "name", "value"),
    "edges": ("modality", "from_modality", "utterance_id", "turn", "speaker", "label", "chosen", "weight"),
}


def _empty(name: str) -> pd.DataFrame:
    return pd.DataFrame(columns=list(_COLUMNS[name]))


@dataclass(frozen=True, kw_only=True)
class StudyData:
    """One study of one corpus.

    `results`: metrics of CLASSIFICATION, `ece`, `ece_uncalibrated`, and of experiments with imagination
    `imagination_<distance>` under missing conditions; `<metric>` + ON_TEST where epochs were watched. `predictions`:
    `confidence` is the calibrated top probability, NaN where there is none. `sweeps`: kind `modalities` or `frames`.
    `imagined` and `history` are of `kind.pictured`, in one run and one fold; `edges` of one utterance, as of
    graph_edges. `units`: utterance -> what the bootstrap draws whole; `unit_word` names it in the singular.
    `test_share`: n_test / n_train of a fold, as of `significance.compare`.
    """

    study: str
    protocol: str = ""  # one sentence
    runs_note: str = ""
    results: pd.DataFrame = field(default_factory=partial(_empty, "results"))
    predictions: pd.DataFrame = field(default_factory=partial(_empty, "predictions"))
    sweeps: pd.DataFrame = field(default_factory=partial(_empty, "sweeps"))
    imagined: pd.DataFrame = field(default_factory=partial(_empty, "imagined"))
    history: pd.DataFrame = field(default_factory=partial(_empty, "history"))
    edges: pd.DataFrame = field(default_factory=partial(_empty, "edges"))
    units: Mapping[str, str] = field(default_factory=dict)
    unit_word: str = "dialogue"
    graph_layers: int = 0  # of the row mmgcn; 0: not known
    test_share: float | None = None

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            frame = getattr(self, name)
            if absent := [column for column in columns if column not in frame.columns]:
                raise ValueError(f"study {self.study}: {name} lacks columns {absent}; it has {list(frame.columns)}")

    @property
    def kind(self) -> Kind:
        return KINDS.get(self.study) or replace(KINDS[MMIN_STUDY], title=self.study.replace("_", " "))


def blocks(data: StudyData) -> list[bool]:
    """Whether normalised by speaker, of each block that has results: the plain rows first."""
    kinds = {name.endswith(SPEAKER_NORMALISED) for name in set(data.results["experiment"])}
    return sorted(kinds)


def block_of(frame: pd.DataFrame, speaker_normalised: bool) -> pd.DataFrame:
    """The rows of one block under their plain experiment names."""
    codes, names = pd.factorize(frame["experiment"])
    chosen = [name.endswith(SPEAKER_NORMALISED) is speaker_normalised for name in names]
    plain = pd.Index([name.removesuffix(SPEAKER_NORMALISED) for name in names], dtype=object)
    kept = pd.Series(chosen, dtype=bool).to_numpy()[codes]
    return frame.loc[kept].assign(experiment=plain.to_numpy()[codes[kept]])


def full_condition(data: StudyData) -> str:
    """The condition that lacks nothing, of all modalities that the results speak of; "" without results."""
    names = {name for name in set(data.results["condition"]) if name.lower() != "average"}
    found = {modality for name in names for modality in Condition.parse(name)}
    return str(Condition(found)) if found else ""


def n_modalities(data: StudyData) -> int:
    return full_condition(data).count(",") + 1 if len(data.results) else 0


def classes(data: StudyData) -> list[str]:
    return sorted({str(label) for label in data.predictions["label"].dropna().unique()})


def chance(data: StudyData) -> float | None:
    """UA of guessing: one over the classes that are tested."""
    return 1 / len(classes(data)) if classes(data) else None


def named(experiment: str) -> str:
    """An experiment within a sentence."""
    return EXPERIMENTS[experiment][0] if experiment in EXPERIMENTS else experiment


def meanings(data: StudyData) -> dict[str, str]:
    """experiment -> what the row is, of those in the results that are known, in the order of the tables."""
    shown = in_order(name.removesuffix(SPEAKER_NORMALISED) for name in set(data.results["experiment"]))
    return {name: EXPERIMENTS[name][1] for name in shown if name in EXPERIMENTS}


def short_keys() -> str:
    """`a acoustic, v visual, t textual`."""
    return ", ".join(f"{modality.key} {modality.value}" for modality in MODALITIES)

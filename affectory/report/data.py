"""What the page of a corpus is made of: plain tables and facts of one corpus, checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from affectory.report.section import Section
from affectory.results.frames import check_columns, empty
from affectory.results.names import Names

_RUN = ("experiment", "fold", "seed", "selected_on", "mlflow_run_id")
_COLUMNS = {
    "results": ("family", *_RUN, "condition", "metric", "value"),
    "predictions": ("utterance_id", "experiment", "seed", "condition", "label", "predicted"),
    "history": ("experiment", "seed", "epoch", "name", "value"),
    "runs": _RUN,
}
_COLUMNS_OF_FACTS = {
    "label_counts": ("split", "label", "count"),
    "missingness": ("modality", "reason", "count", "coverage"),
    "quarantine": ("media", "utterance_id", "stage", "reason", "detail"),
    "coverage": ("split", "utterances", "labelled", "media"),
}


def _empty(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: empty({**_COLUMNS, **_COLUMNS_OF_FACTS}[name])


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """What the corpus holds, whether or not a model was trained.

    label_counts: split, label, count, one row a pair; unlabelled utterances are left out.
    missingness: modality, reason, count, coverage (mean over the rows, 0..1 or NaN); reason `""` = present.
    quarantine: media, utterance_id, stage, reason, detail, one row a refused item.
    coverage: split, utterances, labelled, media (those whose media is there), then a column a modality that has
    features: its valid rows; one row a split.
    """

    media_files: int
    utterances: int
    dialogues: int
    speakers: int
    label_counts: pd.DataFrame = field(default_factory=_empty("label_counts"))
    missingness: pd.DataFrame = field(default_factory=_empty("missingness"))
    quarantine: pd.DataFrame = field(default_factory=_empty("quarantine"))
    coverage: pd.DataFrame = field(default_factory=_empty("coverage"))
    protocol: str = ""  # one sentence: how the folds were made
    description: str = ""
    licence: str = ""
    released: str = ""  # a sentence: how much was released, where most copies of the corpus lack some of it
    planted: tuple[str, ...] = ()  # sentences: the known answers of a generated corpus


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the numbers come from and how to look further. `mlflow_url` ("" = no links) is the reader's own server."""

    made_at: str
    dagster_run_id: str
    data_fingerprint: str
    feature_sets: Mapping[str, str]  # modality -> feature set
    versions: Mapping[str, str]  # package -> version
    mlflow_how: str = ""  # the command that opens MLflow
    mlflow_url: str = ""


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything on the page of one corpus; the frames' columns are those of the store's tables of the same names.

    `results`, `predictions` and `history` are those of the deployed families that tell classes apart; history names are
    `loss/<term>` and `val/<score>`. Each study, and each deployed model of dimensions, comes as a section of its own.
    `runs` are the trainings of every deployed family: experiment, fold, seed, selected_on and mlflow_run_id, where
    several rows of one run count once, so that rows of `results` will do. `names` call the experiments of all these;
    `notes` are lines on what was not trained and why.
    """

    corpus: str
    facts: CorpusFacts
    provenance: Provenance
    results: pd.DataFrame = field(default_factory=_empty("results"))
    predictions: pd.DataFrame = field(default_factory=_empty("predictions"))
    history: pd.DataFrame = field(default_factory=_empty("history"))
    runs: pd.DataFrame = field(default_factory=_empty("runs"))
    sections: tuple[Section, ...] = ()
    names: Names = field(default_factory=Names)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        item = f"report of {self.corpus}"
        check_columns(item, {name: getattr(self, name) for name in _COLUMNS}, _COLUMNS)
        check_columns(item, {name: getattr(self.facts, name) for name in _COLUMNS_OF_FACTS}, _COLUMNS_OF_FACTS)

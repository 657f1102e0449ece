"""What a report is made of: plain tables and facts of one corpus, checked, and what is counted from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from affectory.dimension_data import DimensionData
from affectory.results.tables import AVERAGE, records
from affectory.study_data import StudyData
from affectory.vocabulary import MODALITIES, Condition, Modality, Split

NOT_EXTRACTED = "not extracted"
OMG = "omg"  # a corpus layout

# What each frame must hold; more columns do no harm.
_COLUMNS = {
    "results": (
        "family", "experiment", "fold", "seed", "condition", "metric", "value", "selected_on", "mlflow_run_id",
    ),
    "predictions": ("utterance_id", "experiment", "seed", "condition", "label", "predicted"),
    "history": ("experiment", "seed", "epoch", "name", "value"),
    "label_counts": ("split", "label", "count"),
    "missingness": ("modality", "reason", "count", "coverage"),
    "quarantine": ("media", "utterance_id", "stage", "reason", "detail"),
    "coverage": ("split", "utterances", "labelled", "media"),
}  # fmt: skip


def _empty(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(_COLUMNS[name]))


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """What the corpus holds, whether or not a model was trained.

    label_counts: split, label, count, one row a pair; unlabelled utterances are left out.
    missingness: modality, reason, count, coverage (mean over the rows, 0..1 or NaN); reason `""` = present.
    quarantine: media, utterance_id, stage, reason, detail, one row a refused item.
    coverage: split, utterances, labelled, media (those whose media is there), then a column a modality that has
    features: its valid rows; one row a split. `layout` is how the corpus folder is read.
    """

    media_files: int
    utterances: int
    dialogues: int
    speakers: int
    label_counts: pd.DataFrame = field(default_factory=_empty("label_counts"))
    missingness: pd.DataFrame = field(default_factory=_empty("missingness"))
    quarantine: pd.DataFrame = field(default_factory=_empty("quarantine"))
    coverage: pd.DataFrame = field(default_factory=_empty("coverage"))
    layout: str = "folder"
    protocol: str = ""  # one sentence: how the folds were made
    description: str = ""
    licence: str = ""
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

    `history` names are `loss/<term>` and `val/<score>`. `notes` are lines on what was not trained and why. `results`
    are one family's; each study, which compares several, has a section of its own, as have valence and arousal.
    """

    corpus: str
    facts: CorpusFacts
    provenance: Provenance
    results: pd.DataFrame = field(default_factory=_empty("results"))
    predictions: pd.DataFrame = field(default_factory=_empty("predictions"))
    history: pd.DataFrame = field(default_factory=_empty("history"))
    notes: tuple[str, ...] = ()
    studies: tuple[StudyData, ...] = ()
    dimensions: tuple[DimensionData, ...] = ()

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            frame = getattr(self, name) if hasattr(self, name) else getattr(self.facts, name)
            if absent := [column for column in columns if column not in frame.columns]:
                raise ValueError(
                    f"report of {self.corpus}: {name} lacks columns {absent}; it has {list(frame.columns)}"
                )


def chance_level(data: ReportData) -> float | None:
    """UA of guessing: one over the classes in the test part (in the whole corpus without one); None without labels."""
    counts = label_counts(data.facts)
    tested = {label for split, label in counts if split == str(Split.TEST)}
    classes = len(tested) or len({label for _, label in counts})
    return 1 / classes if classes else None


def tested_modalities(results: pd.DataFrame) -> list[Modality]:
    """Every modality that some condition of the results gives the model."""
    names = {name for name in results["condition"].astype(str) if name.lower() != AVERAGE}
    tested = {modality for name in names for modality in Condition.parse(name)}
    return [modality for modality in MODALITIES if modality in tested]


def label_counts(facts: CorpusFacts) -> Counter[tuple[str, str]]:
    """(split, label) -> utterances; in the frame's order, empty cells left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in records(facts.label_counts):
        if row["count"] > 0:
            counts[str(row["split"]), str(row["label"])] += int(row["count"])
    return counts


def coverage_found(facts: CorpusFacts) -> dict[str, Any]:
    """The splits' names with their counts under `columns`, a line `all` of their sums, and a note for OMG-Emotion."""
    given = [str(modality) for modality in MODALITIES if str(modality) in facts.coverage.columns]
    columns = ["utterances", "labelled", "media", *given]
    counts = {str(row["split"]): [int(row[name]) for name in columns] for row in records(facts.coverage)}
    rows = [(name, counts[name]) for name in known_first(set(counts), [str(split) for split in Split])]
    if len(rows) > 1:
        rows.append(("all", [sum(column) for column in zip(*counts.values(), strict=True)]))
    return {"columns": columns, "rows": rows, "note": _released(counts) if facts.layout == OMG and counts else ""}


def _released(counts: Mapping[str, list[int]]) -> str:
    """How much of OMG-Emotion is here, beside the release and what the slides' author could still download."""
    here = [counts.get(str(split), [0, 0, 0]) for split in Split]
    rows, media = (" / ".join(f"{split[place]:,}" for split in here) for place in (0, 2))
    return (
        "OMG-Emotion was released with 2,442 / 617 / 2,229 utterances (train / val / test), as links, many of which no "
        "longer work; the slides’ author still found 1,790 / 550 / 1,450 of them. Here are the rows of "
        f"{rows}, and the media of {media}. Scores on different parts of it are not comparable."
    )


def modalities_found(data: ReportData) -> list[dict[str, Any]]:
    """One entry a modality of `missingness`: present, absent by reason, and the utterances without a row."""
    found: dict[str, dict[str, Any]] = {}
    for row in records(data.facts.missingness):
        entry = found.setdefault(str(row["modality"]), {"present": 0, "coverage": float("nan"), "reasons": Counter()})
        if row["reason"] and not pd.isna(row["reason"]):
            entry["reasons"][str(row["reason"])] += int(row["count"])
        else:
            entry |= {"present": int(row["count"]), "coverage": float(row["coverage"])}
    return [_modality(name, found[name], data) for name in known_first(set(found), [str(m) for m in MODALITIES])]


def _modality(name: str, entry: dict[str, Any], data: ReportData) -> dict[str, Any]:
    absent = entry["reasons"].total()
    total = max(data.facts.utterances, entry["present"] + absent, 1)
    if left := total - entry["present"] - absent:
        entry["reasons"][NOT_EXTRACTED] = left
    return {
        **entry,
        "modality": name,
        "set": data.provenance.feature_sets.get(name, ""),
        "absent": absent,
        "total": total,
        "reasons": entry["reasons"].most_common(),
    }


def known_first(names: set[str], known: list[str]) -> list[str]:
    """`names` in the order of `known`, those it does not hold after them by name."""
    return [*(name for name in known if name in names), *sorted(names - set(known))]


def where(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    """The rows whose named columns have these values."""
    chosen = pd.Series(True, index=frame.index, dtype=bool)
    for name, value in values.items():
        chosen &= frame[name].eq(value)
    return pd.DataFrame(frame[chosen])

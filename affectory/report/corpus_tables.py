"""What a corpus holds and lacks, counted for its page and its summary: labels, modalities, splits, refused items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

import pandas as pd

from affectory.report.data import CorpusFacts
from affectory.results.frames import records
from affectory.results.words import count
from affectory.vocabulary import MODALITIES, Split

NOT_EXTRACTED = "not extracted"
QUARANTINE_ROWS_SHOWN = 50


@dataclass(frozen=True)
class ModalityGaps:
    """How many utterances have a modality, and how many lack it for which reason, most frequent first."""

    modality: str
    present: int
    total: int
    coverage: float
    reasons: tuple[tuple[str, int], ...]

    @property
    def absent(self) -> int:
        """Missing by nature; what is only not extracted does not count."""
        return sum(number for reason, number in self.reasons if reason != NOT_EXTRACTED)


def label_counts(facts: CorpusFacts) -> Counter[tuple[str, str]]:
    """(split, label) -> utterances; in the frame's order, empty cells left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in records(facts.label_counts):
        if row["count"] > 0:
            counts[str(row["split"]), str(row["label"])] += int(row["count"])
    return counts


def class_labels(facts: CorpusFacts) -> list[str]:
    return list(dict.fromkeys(label for _, label in label_counts(facts)))


def chance_level(facts: CorpusFacts) -> float | None:
    """UA of guessing: one over the classes in the test part (in the whole corpus without one); None without labels."""
    tested = {label for split, label in label_counts(facts) if split == str(Split.TEST)}
    classes = len(tested) or len(class_labels(facts))
    return 1 / classes if classes else None


def modality_gaps(facts: CorpusFacts) -> list[ModalityGaps]:
    """One entry a modality of `missingness`; utterances without a row are NOT_EXTRACTED."""
    rows = records(facts.missingness)
    names = _in_order({str(row["modality"]) for row in rows}, MODALITIES)
    return [_gaps(name, [row for row in rows if str(row["modality"]) == name], facts.utterances) for name in names]


def _gaps(modality: str, rows: Sequence[Mapping[str, Any]], utterances: int) -> ModalityGaps:
    present, coverage, reasons = 0, nan, Counter[str]()
    for row in rows:
        if row["reason"] and not pd.isna(row["reason"]):
            reasons[str(row["reason"])] += int(row["count"])
        else:
            present, coverage = int(row["count"]), float(row["coverage"])
    total = max(utterances, present + reasons.total(), 1)
    if rest := total - present - reasons.total():
        reasons[NOT_EXTRACTED] = rest
    return ModalityGaps(modality, present, total, coverage, tuple(reasons.most_common()))


def labels_by_split(facts: CorpusFacts) -> dict[str, Any]:
    """The splits, and of each label its counts in them; all together, and the largest."""
    counts = label_counts(facts)
    splits = _in_order({split for split, _ in counts}, Split)
    rows = [{"label": label, "counts": [counts[split, label] for split in splits]} for label in class_labels(facts)]
    return {"splits": splits, "rows": rows, "total": counts.total(), "largest": max(counts.values(), default=1)}


def coverage_by_split(facts: CorpusFacts) -> dict[str, Any]:
    """What is there of each split and of all, by column; and a note where the corpus was released with more."""
    given = [str(modality) for modality in MODALITIES if str(modality) in facts.coverage.columns]
    columns = ["utterances", "labelled", "media", *given]
    counts = {str(row["split"]): [int(row[name]) for name in columns] for row in records(facts.coverage)}
    rows = [(name, counts[name]) for name in _in_order(counts, Split)]
    if len(rows) > 1:
        rows.append(("all", [sum(column) for column in zip(*counts.values(), strict=True)]))
    return {"columns": columns, "rows": rows, "note": _of_the_release(facts, counts)}


def _of_the_release(facts: CorpusFacts, counts: Mapping[str, Sequence[int]]) -> str:
    """How much of the release is here; "" where nothing is known of it."""
    if not facts.released or not counts:
        return ""
    here = [counts.get(str(split), (0, 0, 0)) for split in Split]
    rows, media = (" / ".join(count(split[place]) for split in here) for place in (0, 2))
    return (
        f"{facts.released} Here are the rows of {rows}, and the media of {media}. Scores on different parts of it are "
        "not comparable."
    )


def refused_items(facts: CorpusFacts) -> dict[str, Any]:
    """The first rows of the quarantine, and how many there are."""
    rows = records(facts.quarantine.head(QUARANTINE_ROWS_SHOWN))
    written = [{name: "" if pd.isna(value) else str(value) for name, value in row.items()} for row in rows]
    return {"rows": written, "total": len(facts.quarantine)}


def _in_order(names: Iterable[str], order: Iterable[str]) -> list[str]:
    """`names` in the given order, those it does not hold after them by name."""
    places = {str(name): place for place, name in enumerate(order)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))

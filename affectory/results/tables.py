"""Tables from the rows of `results` and `predictions`: the conditions table, paired differences, confusion counts.

A run is one (fold, seed) of one experiment. `average` is the mean over the missing-modality conditions, recomputed here
within each run before anything is averaged over runs; an average that is stored in `results` is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product
from statistics import mean, stdev
from textwrap import wrap
from typing import Any

import pandas as pd

from affectory.vocabulary import DEPTHS, Condition, Modality, conditions, missing_conditions

AVERAGE = "average"
DIGITS = 3  # what is shown, and what 'best' means

# Rows of the published table, in its order; other experiments follow under their own names.
EXPERIMENT_TITLES = {
    "full_baseline": "Full-modality baseline",
    "augmented_baseline": "Augmented baseline",
    "partial_baseline": "Partial-modality baselines (one a condition)",
    "mctn": "MCTN (one a condition)",
    "attention_fusion": "Attention fusion (cLSTM-MMA-like)",
    "attention_fusion_augmented": "Attention fusion, augmented",
    "mmin_ae": "MMIN-AE",
    "mmin_no_cycle": "MMIN-NoCycle",
    "mmin": "MMIN",
    "augmented_pretrained": "Augmented baseline from the teacher's encoders (control)",
    "mmin_no_imagination": "MMIN without imagination losses (control)",
    "linear_svm": "Linear SVM on functionals",
    "best": "Best (preset `best`)",
    "utterance": "Utterance alone",
    "bc_lstm": "BC-LSTM",
    "cmn": "CMN",
    "icon": "ICON",
    "dialogue_rnn": "DialogueRNN",
    "dialogue_gcn": "DialogueGCN",
    "early": "Early fusion",
    "late": "Late fusion",
    "gated": "Gated attention",
    "mfn": "MFN",
    "mult": "MulT",
    "mmgcn": "MMGCN",
    "mmgcn_augmented": "MMGCN, augmented",
    "mmgcn_partial": "MMGCN (one a condition)",
    **{f"mmgcn_layers_{n}": f"MMGCN, {n} {'layer' if n == 1 else 'layers'}" for n in DEPTHS},
    "mmgcn_no_speaker": "MMGCN without speakers",
    "mmgcn_causal": "MMGCN, causal",
    "bc_lstm_shuffled_order": "BC-LSTM, order shuffled (control)",
    "mmgcn_shuffled_order": "MMGCN, order shuffled (control)",
    "bc_lstm_strangers": "BC-LSTM among strangers (control)",
    "mmgcn_strangers": "MMGCN among strangers (control)",
    "mmgcn_shuffled_labels": "MMGCN, labels shuffled (control)",
}
# Of titles that a terminal's table has no room for; further long ones are wrapped there.
SHORT_TITLES = {
    "partial_baseline": "Partial-modality baselines",
    "attention_fusion": "Attention fusion",
    "augmented_pretrained": "Augmented, teacher's encoders",
    "mmin_no_imagination": "MMIN without imagination",
}
_WIDEST_LABEL = 30
METRIC_TITLES = {
    "ccc": "CCC",
    "ccc_valence": "CCC of valence",
    "ccc_arousal": "CCC of arousal",
    "wa": "WA",
    "ua": "UA",
    "weighted_f1": "Weighted F1",
    "macro_f1": "Macro F1",
    "imagination_relative_error": "Relative error",
    "imagination_cosine": "Cosine",
    "imagination_energy": "Energy distance",
}
METRIC_MEANINGS = {
    "wa": "accuracy",
    "ua": "mean recall of the classes",
    "weighted_f1": "F1 weighted by class size",
    "macro_f1": "mean F1 of the classes",
    "imagination_relative_error": "of imagined joint features: 0 is exact, 1 no better than imagining their mean",
    "imagination_cosine": "of imagined and true joint features: 1 is the same direction",
    "imagination_energy": "between the two distributions: 0 is the same, 1 far apart",
}

# (fold, seed) -> condition -> value
Runs = dict[tuple[int, int], dict[str, float]]


@dataclass(frozen=True)
class Cell:
    """Mean over runs, sample standard deviation over runs (NaN with one run), and whether it is strictly the best."""

    mean: float
    deviation: float
    best: bool


@dataclass(frozen=True)
class Difference:
    """`experiment` minus `baseline` in the runs both have: their means; mean and deviation of the differences."""

    experiment: str
    baseline: str
    experiment_mean: float
    baseline_mean: float
    mean: float
    deviation: float
    runs: int


def experiment_title(experiment: str) -> str:
    return EXPERIMENT_TITLES.get(experiment, experiment)


def short_title(experiment: str) -> str:
    return SHORT_TITLES.get(experiment) or experiment_title(experiment)


def metric_title(metric: str) -> str:
    return METRIC_TITLES.get(metric, metric)


def condition_title(condition: str) -> str:
    return "Average" if condition == AVERAGE else condition


def in_order(experiments: Iterable[str]) -> list[str]:
    """Distinct experiments: those of the published table first, the others by name."""
    known = list(EXPERIMENT_TITLES)
    return sorted(set(experiments), key=lambda name: (known.index(name) if name in known else len(known), name))


def values_by_run(results: pd.DataFrame, metrics: Sequence[str]) -> dict[tuple[str, str], Runs]:
    """(metric, experiment) -> (fold, seed) -> condition -> value; `average` where all missing conditions are there.

    `results` holds one corpus and one family; raises ValueError when one cell has two values.
    """
    found: dict[tuple[str, str], Runs] = {}
    for row in records(results):
        if row["metric"] not in metrics or row["condition"].lower() == AVERAGE or pd.isna(row["value"]):
            continue
        runs = found.setdefault((row["metric"], row["experiment"]), {})
        values = runs.setdefault((row["fold"], row["seed"]), {})
        condition = str(Condition.parse(row["condition"]))
        if condition in values:
            item = ", ".join(f"{name} {row[name]}" for name in ("experiment", "metric", "fold", "seed", "condition"))
            raise ValueError(f"results: expected one value for {item}, got two; pass one corpus and one family")
        values[condition] = float(row["value"])
    missing = [str(condition) for condition in missing_conditions(_modalities(_names(found)))]
    for values in (values for runs in found.values() for values in runs.values()):
        if missing and set(missing) <= set(values):
            values[AVERAGE] = mean(values[name] for name in missing)
    return found


def conditions_table(results: pd.DataFrame, metrics: Sequence[str] = ("wa", "ua")) -> pd.DataFrame:
    """The published table, tidy: experiment, metric, condition (`average` too), mean, deviation, runs, best.

    `results` holds one corpus and one family. Ordered by metric (as given), experiment, condition. `deviation` is the
    sample standard deviation over runs, NaN with one run. `best` marks the strictly highest mean of a column at DIGITS
    decimals among two experiments or more; a tie marks none.
    """
    found = values_by_run(results, metrics)
    rows = []
    for metric in metrics:
        for experiment in in_order(name for kind, name in found if kind == metric):
            runs = found[metric, experiment].values()
            for condition in _ordered(_names(found)):
                values = [run[condition] for run in runs if condition in run]
                if values:
                    rows.append((experiment, metric, condition, mean(values), _deviation(values), len(values)))
    table = pd.DataFrame(rows, columns=["experiment", "metric", "condition", "mean", "deviation", "runs"])
    shown: dict[tuple[str, str], list[float]] = {}
    for _, metric, condition, value, _, _ in rows:
        shown.setdefault((metric, condition), []).append(round(value, DIGITS))
    table["best"] = [_is_best(round(value, DIGITS), shown[metric, name]) for _, metric, name, value, _, _ in rows]
    return table


def columns_of(table: pd.DataFrame) -> list[str]:
    """The conditions of a conditions table in the published order: smallest first, `average` before the full one."""
    return _ordered(set(table["condition"]))


def cells(table: pd.DataFrame, metric: str) -> dict[str, dict[str, Cell]]:
    """experiment -> condition -> Cell for one metric of a conditions table, experiments in order."""
    found: dict[str, dict[str, Cell]] = {}
    for row in records(table):
        if row["metric"] == metric:
            cell = Cell(row["mean"], row["deviation"], bool(row["best"]))
            found.setdefault(row["experiment"], {})[row["condition"]] = cell
    return found


def score_blocks(table: pd.DataFrame, marks: Mapping[tuple[str, str, str], str] | None = None) -> list[dict[str, Any]]:
    """A conditions table for a page, a block a metric: title, meaning, rows of (title, condition -> Cell, -> mark).

    `marks` as of `to_markdown`.
    """
    given = marks or {}
    return [
        {
            "title": metric_title(metric),
            "meaning": METRIC_MEANINGS.get(metric, ""),
            "rows": [
                (experiment_title(name), row, {place: given.get((metric, name, place), "") for place in row})
                for name, row in cells(table, metric).items()
            ],
        }
        for metric in dict.fromkeys(table["metric"])
    ]


def paired_difference(
    results: pd.DataFrame, metric: str, experiment: str, baseline: str, condition: str = AVERAGE
) -> Difference | None:
    """`experiment` - `baseline`, paired by fold and seed; None when they share no run with this condition."""
    found = values_by_run(results, [metric])
    first, second = found.get((metric, experiment), {}), found.get((metric, baseline), {})
    both = [run for run in first if run in second and condition in first[run] and condition in second[run]]
    if not both:
        return None
    ours, theirs = [first[run][condition] for run in both], [second[run][condition] for run in both]
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    return Difference(experiment, baseline, mean(ours), mean(theirs), mean(gaps), _deviation(gaps), len(both))


def runs_phrase(results: pd.DataFrame) -> str:
    """`3 seeds`, `1 seed` or `3 seeds x 5 folds`: what mean and deviation run over."""
    seeds, folds = len(set(results["seed"])), len(set(results["fold"]))
    phrase = f"{seeds} seed" if seeds == 1 else f"{seeds} seeds"
    return phrase if folds <= 1 else f"{phrase} × {folds} folds"


def confusion_counts(
    predictions: pd.DataFrame, classes: Sequence[str] = ()
) -> dict[tuple[str, str], dict[tuple[str, str], int]]:
    """(experiment, condition) -> (label, predicted) -> count, summed over seeds and folds.

    Rows without a label are left out. Every pair of classes is there: `classes` first, then others that occur, by name.
    """
    rows = predictions.dropna(subset=["label", "predicted"])
    names = class_names(rows, classes)
    counts: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for experiment, condition, label, predicted in zip(
        *(rows[name].astype(str).tolist() for name in ("experiment", "condition", "label", "predicted")), strict=True
    ):
        key = experiment, str(Condition.parse(condition))
        matrix = counts.setdefault(key, dict.fromkeys(product(names, names), 0))
        matrix[label, predicted] += 1
    return counts


def class_names(predictions: pd.DataFrame, classes: Sequence[str] = ()) -> list[str]:
    """`classes` in their order, then others that occur as label or prediction, by name."""
    seen = {*predictions["label"].dropna().astype(str), *predictions["predicted"].dropna().astype(str)}
    return [*classes, *sorted(seen - set(classes))]


def to_markdown(table: pd.DataFrame, marks: Mapping[tuple[str, str, str], str] | None = None) -> str:
    """A conditions table as a GitHub-flavoured Markdown table (Dagster metadata); the best mean of a column is bold.

    `marks`: (metric, experiment, condition) -> what stands right after that mean, `†` where a paired test holds.
    """
    columns, marks = columns_of(table), marks or {}
    lines = [
        "| Metric | Experiment | " + " | ".join(map(condition_title, columns)) + " |",
        "|:--|:--|" + "--:|" * len(columns),
    ]
    for metric in dict.fromkeys(table["metric"]):
        for experiment, row in cells(table, metric).items():
            name = escape(experiment_title(experiment), quote=False).replace("|", "\\|")
            values = " | ".join(
                _markdown_cell(row.get(column), marks.get((metric, experiment, column), "")) for column in columns
            )
            lines.append(f"| {metric_title(metric)} | {name} | {values} |")
    return "\n".join(lines)


def to_text(table: pd.DataFrame) -> str:
    """A conditions table in fixed width for a terminal: at most 100 columns under seven conditions.

    Each experiment takes a line of means and, with two runs or more, a line of deviations; `*` marks the best. Titles
    are short ones; a name that is longer still is wrapped.
    """
    columns = columns_of(table)
    names = {name: _wrapped(short_title(name)) for name in dict.fromkeys(table["experiment"])}
    label = max((len(line) for lines in names.values() for line in lines), default=0)
    widths = [max(len(condition_title(column)) + 1, 7) for column in columns]
    parts = []
    for metric in dict.fromkeys(table["metric"]):
        lines = [_text_line(metric_title(metric), label, list(map(condition_title, columns)), widths)]
        for experiment, row in cells(table, metric).items():
            found = [row.get(name) for name in columns]
            spreads = [_text_deviation(cell) for cell in found]
            values = [[_text_mean(cell) for cell in found], *([spreads] if any(spreads) else [])]
            values += [[""] * len(columns)] * (len(names[experiment]) - len(values))
            titles = [*names[experiment], ""]
            lines += [_text_line(title, label, row, widths) for title, row in zip(titles, values, strict=False)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _wrapped(title: str) -> list[str]:
    return wrap(title, _WIDEST_LABEL) or [""]


def _markdown_cell(cell: Cell | None, mark: str) -> str:
    if cell is None:
        return "–"
    value = f"{cell.mean:.{DIGITS}f}"
    spread = "" if pd.isna(cell.deviation) else f" ± {cell.deviation:.{DIGITS}f}"
    return (f"**{value}**" if cell.best else value) + mark + spread


def _text_line(title: str, label: int, values: Iterable[str], widths: Sequence[int]) -> str:
    """Values right-aligned; the column's last place is kept for the mark."""
    placed = (value if value.endswith("*") else f"{value} " for value in values)
    return (
        f"{title:<{label}}{''.join(f'{value:>{width}}' for value, width in zip(placed, widths, strict=True))}".rstrip()
    )


def _text_mean(cell: Cell | None) -> str:
    return "–" if cell is None else f"{cell.mean:.{DIGITS}f}{'*' if cell.best else ''}"


def _text_deviation(cell: Cell | None) -> str:
    return "" if cell is None or pd.isna(cell.deviation) else f"±{cell.deviation:.{DIGITS}f}"


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _names(found: dict[tuple[str, str], Runs]) -> set[str]:
    return {name for runs in found.values() for values in runs.values() for name in values}


def _modalities(names: Iterable[str]) -> set[Modality]:
    return {modality for name in names if name != AVERAGE for modality in Condition.parse(name)}


def _ordered(names: set[str]) -> list[str]:
    every = [str(condition) for condition in conditions(_modalities(names))]
    return [name for name in (*every[:-1], AVERAGE, *every[-1:]) if name in names]


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else float("nan")


def _is_best(value: float, column: list[float]) -> bool:
    return len(column) > 1 and value == max(column) and column.count(value) == 1

"""Tables from the rows of `results` and `predictions`: the conditions table, paired differences, confusion counts.

A run is one (fold, seed) of one experiment. `average` is the mean over the missing-modality conditions, recomputed here
within each run before anything is averaged over runs; an average that is stored in `results` is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import mean, stdev

import pandas as pd

from affectory.results.frames import records
from affectory.results.names import AVERAGE, NO_NAMES, Names
from affectory.results.words import DIGITS, NO_BREAK
from affectory.vocabulary import MODALITIES, Condition, Modality, conditions, missing_conditions

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


def values_by_run(results: pd.DataFrame, metrics: Sequence[str]) -> dict[tuple[str, str], Runs]:
    """(metric, experiment) -> (fold, seed) -> condition -> value.

    A run has `average` too, the mean over the missing conditions, where it has a value under each of them.

    `results` holds one corpus and one family; raises ValueError when one cell has two values.
    """
    runs_by_key: dict[tuple[str, str], Runs] = {}
    for row in records(results):
        if row["metric"] not in metrics or row["condition"].lower() == AVERAGE or pd.isna(row["value"]):
            continue
        runs = runs_by_key.setdefault((row["metric"], row["experiment"]), {})
        values = runs.setdefault((row["fold"], row["seed"]), {})
        condition = str(Condition.parse(row["condition"]))
        if condition in values:
            item = ", ".join(f"{name} {row[name]}" for name in ("experiment", "metric", "fold", "seed", "condition"))
            raise ValueError(f"results: expected one value for {item}, got two; pass one corpus and one family")
        values[condition] = float(row["value"])
    missing = [str(condition) for condition in missing_conditions(_modalities(_names(runs_by_key)))]
    for values in (values for runs in runs_by_key.values() for values in runs.values()):
        if missing and set(missing) <= set(values):
            values[AVERAGE] = mean(values[name] for name in missing)
    return runs_by_key


def conditions_table(
    results: pd.DataFrame, metrics: Sequence[str] = ("wa", "ua"), names: Names = NO_NAMES
) -> pd.DataFrame:
    """The published table, tidy: experiment, metric, condition (`average` too), mean, deviation, runs, best.

    `results` holds one corpus and one family. Ordered by metric (as given), experiment (as in `names`), condition.
    `deviation` is the
    sample standard deviation over runs, NaN with one run. `best` marks the strictly highest mean of a column at DIGITS
    decimals among two experiments or more; a tie marks none.
    """
    runs_by_key = values_by_run(results, metrics)
    rows = []
    for metric in metrics:
        for experiment in names.in_order(name for kind, name in runs_by_key if kind == metric):
            runs = runs_by_key[metric, experiment].values()
            for condition in _ordered(_names(runs_by_key)):
                values = [run[condition] for run in runs if condition in run]
                if values:
                    rows.append((experiment, metric, condition, mean(values), _deviation(values), len(values)))
    table = pd.DataFrame(rows, columns=["experiment", "metric", "condition", "mean", "deviation", "runs"])
    rounded: dict[tuple[str, str], list[float]] = {}
    for _, metric, condition, value, _, _ in rows:
        rounded.setdefault((metric, condition), []).append(round(value, DIGITS))
    table["best"] = [_is_best(round(value, DIGITS), rounded[metric, name]) for _, metric, name, value, _, _ in rows]
    return table


def columns_of(table: pd.DataFrame) -> list[str]:
    """The conditions of a conditions table in the published order: smallest first, `average` before the full one."""
    return _ordered(set(table["condition"]))


def cells(table: pd.DataFrame, metric: str) -> dict[str, dict[str, Cell]]:
    """experiment -> condition -> Cell for one metric of a conditions table, experiments in order."""
    by_experiment: dict[str, dict[str, Cell]] = {}
    for row in records(table):
        if row["metric"] == metric:
            cell = Cell(row["mean"], row["deviation"], bool(row["best"]))
            by_experiment.setdefault(row["experiment"], {})[row["condition"]] = cell
    return by_experiment


def paired_difference(
    results: pd.DataFrame, metric: str, experiment: str, baseline: str, condition: str = AVERAGE
) -> Difference | None:
    """`experiment` - `baseline`, paired by fold and seed; None when they share no run with this condition."""
    runs_by_key = values_by_run(results, [metric])
    first, second = runs_by_key.get((metric, experiment), {}), runs_by_key.get((metric, baseline), {})
    both = [run for run in first if run in second and condition in first[run] and condition in second[run]]
    if not both:
        return None
    ours, theirs = [first[run][condition] for run in both], [second[run][condition] for run in both]
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    return Difference(experiment, baseline, mean(ours), mean(theirs), mean(gaps), _deviation(gaps), len(both))


def tested_modalities(results: pd.DataFrame) -> list[Modality]:
    """The modalities that at least one condition of `results` gives the model, in canonical order."""
    names = {name for name in results["condition"].astype(str) if name.lower() != AVERAGE}
    tested = {modality for name in names for modality in Condition.parse(name)}
    return [modality for modality in MODALITIES if modality in tested]


def full_condition(results: pd.DataFrame) -> str:
    """The condition that lacks nothing, of all modalities that the results speak of; "" without results."""
    tested = tested_modalities(results)
    return str(Condition(tested)) if tested else ""


def missing_phrase(results: pd.DataFrame) -> str:
    """`six missing conditions` of three modalities, `two` of two, nothing of one."""
    missing = len(missing_conditions(tested_modalities(results)))
    return f"{ {2: 'two', 6: 'six'}.get(missing, str(missing)) } missing conditions" if missing else ""


def runs_phrase(results: pd.DataFrame) -> str:
    """`3 seeds`, `1 seed` or `3 seeds × 5 folds`: what mean and deviation run over."""
    seeds, folds = len(set(results["seed"])), len(set(results["fold"]))
    phrase = "1 seed" if seeds == 1 else f"{seeds} seeds"
    return (phrase if folds <= 1 else f"{phrase} × {folds} folds").replace(" ", NO_BREAK)


def repeated(table: pd.DataFrame) -> bool:
    """Whether any mean of a conditions table is over several runs, so that it has a deviation."""
    return any(runs > 1 for runs in table["runs"])


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
    occurring = {*predictions["label"].dropna().astype(str), *predictions["predicted"].dropna().astype(str)}
    return [*classes, *sorted(occurring - set(classes))]


def _names(runs_by_key: dict[tuple[str, str], Runs]) -> set[str]:
    return {name for runs in runs_by_key.values() for values in runs.values() for name in values}


def _modalities(names: Iterable[str]) -> set[Modality]:
    return {modality for name in names if name != AVERAGE for modality in Condition.parse(name)}


def _ordered(names: set[str]) -> list[str]:
    every = [str(condition) for condition in conditions(_modalities(names))]
    return [name for name in (*every[:-1], AVERAGE, *every[-1:]) if name in names]


def _deviation(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else float("nan")


def _is_best(value: float, column: list[float]) -> bool:
    return len(column) > 1 and value == max(column) and column.count(value) == 1

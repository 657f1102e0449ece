"""Which differences between rows hold: the references of a study against every other row, tested and with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np
import pandas as pd

from affectory.report.section import Grid, Group, Value
from affectory.report.study_data import StudyData
from affectory.results.frames import records, where
from affectory.results.metrics import CLASSIFICATION
from affectory.results.names import AVERAGE, condition_title, metric_title
from affectory.results.significance import compare, dialogue_bootstrap_difference
from affectory.results.tables import conditions_table
from affectory.results.words import GAP, NO_BREAK, interval, number, p_value, signed

HOLDS, HOLDS_BELOW, NOT_SHOWN, NOT_TESTED = "holds", "holds, below", "not shown", "not tested"
Marks = dict[tuple[str, str, str], str]  # (metric, experiment, condition) -> marks

_COLUMNS = [
    "experiment", "baseline", "condition", "experiment_mean", "baseline_mean", "difference", "deviation", "runs",
    "effect", "test", "p", "p_holm", "significant",
]  # fmt: skip
_PARTS = ("Difference", "95 % interval", "d_z", "p (Holm)", "Test")


def differences(data: StudyData, metric: str = "") -> pd.DataFrame:
    """Each reference minus every other row, in the average and under the full condition; of the metric that ranks.

    Columns: experiment (the reference), baseline, condition; the others of `significance.compare`, Holm within each
    reference and condition; low, high: the percentile 95 % interval of the difference of predictions pooled over folds,
    drawn by unit (NaN without predictions); verdict.
    """
    metric = metric or data.metric
    tested = tested_differences(data, metric)
    if not len(tested):
        return tested.assign(low=[], high=[], verdict=[])
    table = tested.merge(_intervals(data, metric), on=["experiment", "baseline", "condition"], how="left")
    return table.assign(verdict=[verdict(row) for row in records(table)])


def tested_differences(data: StudyData, metric: str) -> pd.DataFrame:
    """`significance.compare` of each reference under the average and the full condition, below each other."""
    results = where(data.results, metric=metric)
    table = conditions_table(results, [metric])
    tested = set(zip(table["experiment"], table["condition"], strict=True))
    rows = []
    for reference in data.references:
        for condition in (AVERAGE, data.full_condition):
            if (reference, condition) in tested:
                of_reference = compare_rows(data, metric, reference, None, condition)
                rows += [{"experiment": reference, "condition": condition, **row} for row in of_reference]
    return pd.DataFrame(rows, columns=_COLUMNS)


def compare_rows(
    data: StudyData, metric: str, experiment: str, baselines: Sequence[str] | None, condition: str = AVERAGE
) -> list[dict]:
    """`significance.compare` with the study's names and test share; of the baselines that share a run."""
    table = compare(
        where(data.results, metric=metric), metric, experiment, baselines, condition,
        test_share=data.test_share, names=data.names,
    )  # fmt: skip
    return [row for row in records(table) if row["runs"]]


def marks(data: StudyData, metrics: Sequence[str]) -> Marks:
    """The marks of the references behind the mean of each row from which one differs by the paired test."""
    marked: Marks = {}
    for metric in metrics:
        for row in records(tested_differences(data, metric)):
            if row["significant"]:
                key = metric, row["baseline"], row["condition"]
                marked[key] = marked.get(key, "") + data.references[row["experiment"]]
    return marked


def verdict(row: dict) -> str:
    """Of one row of `significance.compare`: HOLDS, HOLDS_BELOW, NOT_SHOWN or NOT_TESTED."""
    if isnan(row["p_holm"]):
        return NOT_TESTED
    if not row["significant"]:
        return NOT_SHOWN
    return HOLDS if row["difference"] > 0 else HOLDS_BELOW


def difference_grids(data: StudyData) -> list[Grid]:
    """A table a reference: its differences from every other row, the conditions side by side."""
    table = differences(data)
    return [
        _grid(data, reference, where(table, experiment=reference)) for reference in dict.fromkeys(table["experiment"])
    ]


def _grid(data: StudyData, reference: str, table: pd.DataFrame) -> Grid:
    conditions = list(dict.fromkeys(table["condition"]))
    rows = {(row["baseline"], row["condition"]): row for row in records(table)}
    lines = tuple(
        (data.names.short(name), tuple(value for place in conditions for value in _values(rows.get((name, place)))))
        for name in data.names.in_order(table["baseline"])
    )
    return Grid(
        title=f"{data.names.title(reference)} minus every other row, {metric_title(data.metric)}",
        head="Compared with",
        columns=_PARTS * len(conditions),
        spans=tuple((condition_title(place), len(_PARTS)) for place in conditions),
        groups=(Group(lines),),
        note=_note(data, table),
    )


def _values(row: dict | None) -> tuple[Value, ...]:
    if row is None:
        return (Value(GAP), *(Value(""),) * (len(_PARTS) - 1))
    word = HOLDS if row["significant"] else row["verdict"]  # the difference has its sign
    texts = (
        signed(row["difference"]), interval(row["low"], row["high"]), number(row["effect"], 2), p_value(row["p_holm"]),
    )  # fmt: skip
    return (*(Value(text.replace(" ", NO_BREAK)) for text in texts), Value(word, strong=bool(row["significant"])))


def _note(data: StudyData, table: pd.DataFrame) -> str:
    runs: dict[str, int] = {}
    for row in records(table):
        runs[row["baseline"]] = min(row["runs"], runs.get(row["baseline"], row["runs"]))
    most = max(runs.values())
    fewer = [f"{data.names.short(name)} {runs[name]}" for name in data.names.in_order(runs) if runs[name] < most]
    return (
        f"Difference: mean over the runs that both have ({'; '.join([str(most), *fewer])}). Interval: percentile "
        f"bootstrap, 95 %, of the predictions pooled over folds, whole {data.unit_word}s drawn; it speaks of the "
        f"{data.unit_word}s tested, the test of training again on other folds or seeds. d_z: difference over its "
        "deviation over runs. p: paired t-test (over folds with the correction of Nadeau and Bengio, over seeds where "
        "there is one fold), Holm’s correction over the rows of one model and condition."
    )


def _intervals(data: StudyData, metric: str) -> pd.DataFrame:
    """experiment, baseline, condition, low, high."""
    columns, parts = ["experiment", "baseline", "condition", "low", "high"], []
    for reference in data.references if metric in CLASSIFICATION else ():
        if reference in set(data.predictions["experiment"]):
            gaps = dialogue_bootstrap_difference(data.predictions, metric, data.units, reference)
            parts.append(gaps.assign(experiment=reference)[columns])
    typed = {"low": np.float64, "high": np.float64}
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns).astype(typed)

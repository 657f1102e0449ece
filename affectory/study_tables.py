"""A study's numbers: its conditions tables, tested differences, marks and calibration errors, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isnan

import numpy as np
import pandas as pd

from affectory.metrics import CLASSIFICATION
from affectory.report_data import where
from affectory.significance import compare, dialogue_bootstrap_difference
from affectory.study_data import TOO_FEW, StudyData, block_of, blocks, full_condition
from affectory.tables import AVERAGE, cells, conditions_table, records

METRICS = ("ua", "wa", "macro_f1", "weighted_f1")
IMAGINATION = tuple(f"imagination_{name}" for name in ("relative_error", "cosine", "energy"))
REFERENCES = {"mmin": "†", "best": "‡"}  # what every other row is tested against, and its mark
HOLDS, HOLDS_BELOW, NOT_SHOWN = "holds", "holds, below", "not shown"
Marks = dict[tuple[str, str, str], str]  # (metric, experiment, condition) -> marks


def study_table(data: StudyData, metrics: Sequence[str] = METRICS, *, speaker_normalised: bool = False) -> pd.DataFrame:
    """`tables.conditions_table` of one block: means and deviations over runs, averages recomputed within each run."""
    results = data.results.loc[data.results["metric"].isin(metrics)]
    return conditions_table(block_of(results, speaker_normalised), metrics)


def differences(data: StudyData, metric: str = "ua") -> pd.DataFrame:
    """`mmin`, then `best`, minus every other row of their block, in the average and under the full condition.

    Columns: speaker_normalised, experiment, baseline, condition; experiment_mean, baseline_mean, difference, deviation,
    runs, effect, test, p, p_holm, significant as of `significance.compare`, Holm within each experiment, condition and
    block; low, high: the percentile 95 % interval of the difference of predictions pooled over folds, drawn by unit
    (NaN without predictions); verdict.
    """
    tested = _tested(data, metric)
    if not len(tested):
        return tested.assign(low=[], high=[], verdict=[])
    keys = ["speaker_normalised", "experiment", "baseline", "condition"]
    table = tested.merge(_intervals(data, metric), on=keys, how="left")
    return table.assign(
        verdict=[verdict(row["difference"], row["p_holm"], row["significant"]) for row in records(table)]
    )


def marks(data: StudyData, metrics: Sequence[str] = METRICS, *, speaker_normalised: bool = False) -> Marks:
    """The marks of REFERENCES behind the mean of each row from which a reference differs by the paired test."""
    found: Marks = {}
    for metric in metrics:
        for row in records(_tested(data, metric)):
            if row["significant"] and row["speaker_normalised"] is speaker_normalised:
                key = metric, row["baseline"], row["condition"]
                found[key] = found.get(key, "") + REFERENCES[row["experiment"]]
    return found


def verdict(difference: float, p: float, significant: bool) -> str:
    if isnan(p):
        return TOO_FEW
    if not significant:
        return NOT_SHOWN
    return HOLDS if difference > 0 else HOLDS_BELOW


def calibration_table(data: StudyData, *, speaker_normalised: bool = False) -> pd.DataFrame:
    """experiment, condition, before, after: the expected calibration error, mean over runs; only rows with both."""
    table = study_table(data, ("ece_uncalibrated", "ece"), speaker_normalised=speaker_normalised)
    before, after = (cells(table, metric) for metric in ("ece_uncalibrated", "ece"))
    rows = [
        (experiment, condition, row[condition].mean, after[experiment][condition].mean)
        for experiment, row in before.items()
        for condition in row
        if condition in after.get(experiment, {})
    ]
    return pd.DataFrame(rows, columns=["experiment", "condition", "before", "after"])


def imagination_table(data: StudyData, *, speaker_normalised: bool = False) -> pd.DataFrame:
    """A conditions table of how near imagined joint features come to the true ones; no value is marked as best."""
    return study_table(data, IMAGINATION, speaker_normalised=speaker_normalised).assign(best=False)


def single_modalities(results: pd.DataFrame, metric: str) -> pd.DataFrame:
    """As results of one condition `{a}`: each run's mean over the conditions of one modality, where it has them all."""
    singles = [name for name in set(results["condition"]) if "," not in name and name.lower() != AVERAGE]
    rows = where(results, metric=metric)
    of_runs = rows.loc[rows["condition"].isin(singles)].groupby(["experiment", "fold", "seed"])["value"]
    means = of_runs.agg(value="mean", conditions="count").reset_index()
    return where(means, conditions=len(singles)).assign(condition="{a}", metric=metric)


def _tested(data: StudyData, metric: str) -> pd.DataFrame:
    """`significance.compare` of each block, reference and condition, below each other."""
    found = []
    for normalised in blocks(data):
        results = block_of(where(data.results, metric=metric), normalised)
        table = conditions_table(results, [metric])
        known = set(zip(table["experiment"], table["condition"], strict=True))
        for reference, condition in product(REFERENCES, (AVERAGE, full_condition(data))):
            if (reference, condition) in known:
                of_one = compare(results, metric, reference, None, condition, test_share=data.test_share)
                keys = {"speaker_normalised": normalised, "experiment": reference, "condition": condition}
                found += [{**keys, **row} for row in records(of_one) if row["runs"]]
    return pd.DataFrame(found, columns=_DIFFERENCE_COLUMNS)


_DIFFERENCE_COLUMNS = [
    "speaker_normalised", "experiment", "baseline", "condition", "experiment_mean", "baseline_mean", "difference",
    "deviation", "runs", "effect", "test", "p", "p_holm", "significant",
]  # fmt: skip


def _intervals(data: StudyData, metric: str) -> pd.DataFrame:
    """speaker_normalised, experiment, baseline, condition, low, high."""
    columns, found = ["speaker_normalised", "experiment", "baseline", "condition", "low", "high"], []
    for normalised in blocks(data) if metric in CLASSIFICATION else []:
        predictions = block_of(data.predictions, normalised)
        for reference in REFERENCES:
            if reference in set(predictions["experiment"]):
                gaps = dialogue_bootstrap_difference(predictions, metric, data.units, reference)
                found.append(gaps.assign(speaker_normalised=normalised, experiment=reference)[columns])
    typed = {"speaker_normalised": bool, "low": np.float64, "high": np.float64}
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns).astype(typed)

"""A study's numbers: its conditions tables, tested differences, marks and calibration errors, block by block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import isnan

import numpy as np
import pandas as pd

from affectory.report_data import where
from affectory.results.metrics import CLASSIFICATION
from affectory.results.significance import compare, dialogue_bootstrap_difference
from affectory.results.tables import AVERAGE, cells, conditions_table, records
from affectory.study_data import ON_TEST, TOO_FEW, StudyData, block_of, blocks, full_condition

IMAGINATION = tuple(f"imagination_{name}" for name in ("relative_error", "cosine", "energy"))
DEEP = "mmgcn_layers_"  # begins the names of the rows of a depth
HOLDS, HOLDS_BELOW, NOT_SHOWN = "holds", "holds, below", "not shown"
Marks = dict[tuple[str, str, str], str]  # (metric, experiment, condition) -> marks


def study_table(
    data: StudyData, metrics: Sequence[str] | None = None, *, speaker_normalised: bool = False
) -> pd.DataFrame:
    """`tables.conditions_table` of one block: means and deviations over runs, averages recomputed within each run.

    Of the metrics of the study's kind unless given.
    """
    metrics = data.kind.metrics if metrics is None else metrics
    results = data.results.loc[data.results["metric"].isin(metrics)]
    return conditions_table(block_of(results, speaker_normalised), metrics)


def differences(data: StudyData) -> pd.DataFrame:
    """Each reference minus every other row of its block, in the average and under the full condition.

    Of the metric that ranks the study's rows.

    Columns: speaker_normalised, experiment, baseline, condition; experiment_mean, baseline_mean, difference, deviation,
    runs, effect, test, p, p_holm, significant as of `significance.compare`, Holm within each experiment, condition and
    block; low, high: the percentile 95 % interval of the difference of predictions pooled over folds, drawn by unit
    (NaN without predictions); verdict.
    """
    metric = data.kind.metrics[0]
    tested = _tested(data, metric)
    if not len(tested):
        return tested.assign(low=[], high=[], verdict=[])
    keys = ["speaker_normalised", "experiment", "baseline", "condition"]
    table = tested.merge(_intervals(data, metric), on=keys, how="left")
    return table.assign(
        verdict=[verdict(row["difference"], row["p_holm"], row["significant"]) for row in records(table)]
    )


def marks(data: StudyData, metrics: Sequence[str] | None = None, *, speaker_normalised: bool = False) -> Marks:
    """The marks of the references behind the mean of each row from which one differs by the paired test."""
    found: Marks = {}
    for metric in data.kind.metrics if metrics is None else metrics:
        for row in records(_tested(data, metric)):
            if row["significant"] and row["speaker_normalised"] is speaker_normalised:
                key = metric, row["baseline"], row["condition"]
                found[key] = found.get(key, "") + data.kind.references[row["experiment"]]
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


def class_f1(data: StudyData) -> pd.DataFrame:
    """experiment, label, value, deviation: F1 of each class with every modality there, over runs; the methods alone."""
    rows = where(block_of(data.predictions, False), condition=full_condition(data))
    rows = rows.loc[rows["experiment"].isin(data.kind.methods)].dropna(subset=["label", "predicted"])
    if not len(rows):
        return pd.DataFrame(columns=["experiment", "label", "value", "deviation"])
    keys = ["experiment", "fold", "seed"]
    true = rows.groupby([*keys, "label"]).size()
    told = rows.groupby([*keys, "predicted"]).size().rename_axis([*keys, "label"])
    right = rows.loc[rows["label"] == rows["predicted"]].groupby([*keys, "label"]).size()
    f1 = 2 * right.reindex(true.index, fill_value=0) / (true + told.reindex(true.index, fill_value=0))
    over_runs = f1.groupby(["experiment", "label"])
    return over_runs.agg(value="mean", deviation="std").reset_index()


def depths(data: StudyData) -> pd.DataFrame:
    """layers, value, deviation of MMGCN by its depth, with every modality there, in the metric that ranks."""
    metric, rows = data.kind.metrics[0], []
    for name, row in cells(study_table(data, [metric]), metric).items():
        layers = data.graph_layers if name == "mmgcn" else int(name.removeprefix(DEEP)) if name.startswith(DEEP) else 0
        if layers and (cell := row.get(full_condition(data))):
            rows.append((layers, cell.mean, cell.deviation))
    return pd.DataFrame(sorted(rows), columns=["layers", "value", "deviation"])


def on_test(data: StudyData) -> pd.DataFrame:
    """experiment, condition, selected, on_test, optimism: the ranking metric of the epoch chosen on validation, and of
    the one that is best on the test part, mean over runs; only of rows whose epochs were watched."""
    metric = data.kind.metrics[0]
    honest, best = (cells(study_table(data, [name]), name) for name in (metric, f"{metric}{ON_TEST}"))
    rows = [
        (name, condition, honest[name][condition].mean, cell.mean)
        for name, row in best.items()
        for condition, cell in row.items()
        if condition in honest.get(name, {}) and condition != AVERAGE
    ]
    table = pd.DataFrame(rows, columns=["experiment", "condition", "selected", "on_test"])
    return table.assign(optimism=table["on_test"] - table["selected"])


def _tested(data: StudyData, metric: str) -> pd.DataFrame:
    """`significance.compare` of each block, reference and condition, below each other."""
    found = []
    for normalised in blocks(data):
        results = block_of(where(data.results, metric=metric), normalised)
        table = conditions_table(results, [metric])
        known = set(zip(table["experiment"], table["condition"], strict=True))
        for reference, condition in product(data.kind.references, (AVERAGE, full_condition(data))):
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
        for reference in data.kind.references:
            if reference in set(predictions["experiment"]):
                gaps = dialogue_bootstrap_difference(predictions, metric, data.units, reference)
                found.append(gaps.assign(speaker_normalised=normalised, experiment=reference)[columns])
    typed = {"speaker_normalised": bool, "low": np.float64, "high": np.float64}
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns).astype(typed)

"""A study's scores as tables and figures: by condition, by missing rate, calibrated, by class, and while it learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectory.report.conditions import BOLD_NOTE, conditions_grid
from affectory.report.differences import marks
from affectory.report.figures.bars import study_bars
from affectory.report.figures.calibration import calibration_panels
from affectory.report.figures.curves import learning_curves, loss_names, rate_curves, score_names
from affectory.report.section import Figure, Form, Grid, Group, Value
from affectory.report.study_data import StudyData
from affectory.results.frames import records, where
from affectory.results.metrics import CLASSIFICATION
from affectory.results.names import (
    SPEAKER_NORMALISED,
    condition_title,
    metric_title,
    modality_keys,
)
from affectory.results.selected import selection_note
from affectory.results.significance import dialogue_bootstrap
from affectory.results.tables import cells, columns_of, conditions_table, missing_phrase, runs_phrase
from affectory.results.words import GAP, number


def scores(data: StudyData, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """`tables.conditions_table` of the study's metrics, or of others."""
    metrics = metrics or data.metrics
    return conditions_table(data.results.loc[data.results["metric"].isin(metrics)], metrics, data.names)


def scores_grid(
    data: StudyData,
    metrics: Sequence[str],
    title: str = "Scores by condition",
    *,
    note: str = "",
    folded: bool = False,
    ranked: bool = True,
) -> Grid | None:
    """Means and deviations by condition, a group a metric, with the marks of the references; None without results.

    Where they are not `ranked`, no value is best and none is tested.
    """
    table = scores(data, metrics)
    if not len(table):
        return None
    marked = marks(data, metrics or data.metrics) if ranked else {}
    table = table if ranked else table.assign(best=False)
    return conditions_grid(table, title, note or scores_note(data), names=data.names, marked=marked, folded=folded)


def main_scores(data: StudyData) -> Grid | None:
    """The two metrics that matter most."""
    return scores_grid(data, data.metrics[:2])


def further_scores(data: StudyData) -> Grid | None:
    return scores_grid(data, data.metrics[2:], "Further scores by condition", folded=True) if data.metrics[2:] else None


def scores_note(data: StudyData) -> str:
    """What means, deviations, average and marks of the tables are, and what selected the epochs."""
    parts = [f"{runs_note(data)} Columns: the modalities that the model was given, {modality_keys()}."]
    if missing := missing_phrase(data.results):
        parts.append(f"Average: mean over the {missing}, recomputed from them in each run.")
    parts += [BOLD_NOTE, _marks_note(data), selection_note(data.results, data.names)]
    return " ".join(part for part in parts if part)


def runs_note(data: StudyData) -> str:
    """What the numbers are means over, and who has fewer runs."""
    runs = {
        str(name): len(rows.drop_duplicates(["fold", "seed"]))
        for name, rows in data.results.groupby("experiment", sort=True)
    }
    most = max(runs.values(), default=0)
    spread = "mean ± sample standard deviation over " if most > 1 else ""
    fewer = [f"{_title(data, name)} ({runs[name]})" for name in data.names.in_order(runs) if runs[name] < most]
    return f"Test part, {spread}{runs_phrase(data.results)}{'; fewer runs: ' + ', '.join(fewer) if fewer else ''}."


def _title(data: StudyData, experiment: str) -> str:
    kind = ", speaker-wise" if experiment.endswith(SPEAKER_NORMALISED) else ""
    return data.names.title(experiment.removesuffix(SPEAKER_NORMALISED)) + kind


def _marks_note(data: StudyData) -> str:
    tested = set(data.results["experiment"])
    signs = [
        f"{sign}: {data.names.title(name)} differs from this row"
        for name, sign in data.references.items()
        if name in tested
    ]
    if not signs:
        return ""
    return (
        f"{', '.join(signs)}, by a paired test at 0.05 after Holm’s correction over the rows, made in the average and "
        f"under {data.full_condition} only."
    )


def chance(data: StudyData) -> float | None:
    """UA of guessing: one over the classes that are tested."""
    classes = {str(label) for label in data.predictions["label"].dropna().unique()}
    return 1 / len(classes) if classes else None


def bars_figure(data: StudyData) -> Figure | None:
    """Each row under each condition, with bootstrap intervals where there are predictions."""
    metric = data.metric
    table = scores(data, [metric])
    if not len(table):
        return None
    ranking, labelled = metric_title(metric), len(data.predictions.dropna(subset=["label", "predicted"]))
    labelled = labelled if metric in CLASSIFICATION else 0  # what a bootstrap counts

    def draw(form: Form) -> bytes:
        intervals = dialogue_bootstrap(data.predictions, metric, data.units) if labelled else None
        return study_bars(table, metric, intervals, names=data.names, form=form)

    drawn = f"Dots: mean {ranking} over runs. Lines: one standard deviation each way."
    if labelled:
        drawn = (
            f"Dots: {ranking} of the predictions pooled over folds, mean over seeds. Lines: 95 % bootstrap intervals, "
            f"whole {data.unit_word}s drawn."
        )
    return Figure(
        name="conditions",
        title=f"{ranking} by condition",
        caption=f"{drawn} They show how sure each row’s own value is; whether two rows differ is in the table of "
        "differences, which pairs them.",
        draw=draw,
    )


def rates(data: StudyData, kind: str) -> pd.DataFrame:
    """experiment, rate, value, deviation of one kind of sweep: mean and sample deviation over runs."""
    rows = where(data.sweeps, kind=kind, metric=data.metric)
    return rows.groupby(["experiment", "rate"])["value"].agg(value="mean", deviation="std").reset_index()


def sweep_figure(data: StudyData, kind: str, caption: str) -> Figure | None:
    """The ranking metric as more of `kind` (MODALITIES_MISSING or FRAMES_MISSING) goes missing."""
    table = rates(data, kind)
    if not len(table):
        return None
    level = chance(data) if data.metric == "ua" else None
    return Figure(
        name=f"missing_{kind}",
        title=f"{metric_title(data.metric)} as more {kind} are missing",
        caption=f"{caption}; mean over runs, bands one deviation each way{'; dashed: chance' if level else ''}. The "
        "models were not trained for it anew.",
        draw=lambda form: rate_curves(table, data.metric, chance=level, names=data.names, form=form),
    )


def calibration_table(data: StudyData) -> pd.DataFrame:
    """experiment, condition, before, after: the expected calibration error, mean over runs; only rows with both."""
    table = scores(data, ("ece_uncalibrated", "ece"))
    before, after = (cells(table, metric) for metric in ("ece_uncalibrated", "ece"))
    rows = [
        (experiment, condition, row[condition].mean, after[experiment][condition].mean)
        for experiment, row in before.items()
        for condition in row
        if condition in after.get(experiment, {})
    ]
    return pd.DataFrame(rows, columns=["experiment", "condition", "before", "after"])


def calibration_figure(data: StudyData) -> Figure | None:
    table = calibration_table(data)
    if not len(table):
        return None
    return Figure(
        name="calibration",
        title="Expected calibration error before and after calibration",
        caption="One temperature a condition, fitted on validation rows; mean over runs, 15 bins of the top "
        "probability.",
        draw=lambda form: calibration_panels(table, names=data.names, form=form),
    )


def calibration_grid(data: StudyData) -> Grid | None:
    """The numbers of the figure."""
    table = calibration_table(data)
    if not len(table):
        return None
    columns = columns_of(table)
    rows = {(row["experiment"], row["condition"]): row for row in records(table)}

    def value(name: str, place: str) -> Value:
        row = rows.get((name, place))
        return Value(GAP if row is None else f"{number(row['before'])} → {number(row['after'])}")

    lines = tuple(
        (data.names.title(name), tuple(value(name, place) for place in columns))
        for name in data.names.in_order(table["experiment"])
    )
    return Grid(
        title="ECE before → after calibration",
        columns=tuple(map(condition_title, columns)),
        groups=(Group(lines),),
        note="ECE: expected calibration error of the top probability, 15 bins; temperatures fitted on validation.",
        folded=True,
    )


def class_f1(data: StudyData, methods: Sequence[str]) -> pd.DataFrame:
    """experiment, label, value, deviation: F1 of each class with every modality there, over runs, of the methods."""
    rows = where(data.predictions, condition=data.full_condition)
    rows = rows.loc[rows["experiment"].isin(methods)].dropna(subset=["label", "predicted"])
    if not len(rows):
        return pd.DataFrame(columns=["experiment", "label", "value", "deviation"])
    keys = ["experiment", "fold", "seed"]
    labelled = rows.groupby([*keys, "label"]).size()
    predicted = rows.groupby([*keys, "predicted"]).size().rename_axis([*keys, "label"])
    right = rows.loc[rows["label"] == rows["predicted"]].groupby([*keys, "label"]).size()
    f1 = 2 * right.reindex(labelled.index, fill_value=0) / (labelled + predicted.reindex(labelled.index, fill_value=0))
    return f1.groupby(["experiment", "label"]).agg(value="mean", deviation="std").reset_index()


def class_grid(data: StudyData, methods: Sequence[str]) -> Grid | None:
    """F1 of each class, as published tables of conversations have it."""
    table = class_f1(data, methods)
    if not len(table):
        return None
    labels = sorted(set(table["label"]))
    values = {(row["experiment"], row["label"]): row["value"] for row in records(table)}
    lines = tuple(
        (data.names.title(name), tuple(Value(number(values.get((name, label), np.nan))) for label in labels))
        for name in data.names.in_order(table["experiment"])
    )
    note = f"Test part, mean over runs, under {data.full_condition}."
    return Grid(title="F1 of each class", columns=tuple(labels), groups=(Group(lines),), note=note, folded=True)


def learning_figure(data: StudyData) -> Figure | None:
    """Losses and validation scores of the pictured row."""
    curves = where(data.history, experiment=data.pictured)
    if not (loss_names(curves) or score_names(curves)):
        return None
    return Figure(
        name="learning_curves",
        title=f"Learning curves of {data.names.in_words(data.pictured)}",
        caption="One fold, one line a seed: each loss term above, the validation score below; the dot marks its peak.",
        draw=lambda form: learning_curves(curves, form=form),
    )

"""One corpus's evaluation report: a self-contained HTML page from plain tables (no store, no tracking server).

Its only addresses are links to runs in the reader's own MLflow.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd

from affectory.report.conditions import conditions_grid, conditions_note
from affectory.report.corpus_tables import (
    chance_level,
    class_labels,
    coverage_by_split,
    labels_by_split,
    modality_gaps,
    refused_items,
)
from affectory.report.data import ReportData
from affectory.report.figures.bars import condition_bars
from affectory.report.figures.curves import MEAN_SCORE, curves_by_name, learning_curves, loss_names, peak, score_names
from affectory.report.figures.style import data_uri
from affectory.report.html import render_page
from affectory.report.section import Block, Figure, Form, Grid
from affectory.report.summary import OURS, corpus_summary, notes, results_summary
from affectory.results.frames import records, where
from affectory.results.names import Names, metric_title
from affectory.results.tables import (
    class_names,
    columns_of,
    conditions_table,
    confusion_counts,
    repeated,
    runs_phrase,
)
from affectory.results.words import number, plural
from affectory.vocabulary import conditions

_MAIN, _FURTHER = ("wa", "ua"), ("weighted_f1", "macro_f1")  # metrics; those of the first stand open


def render_report(data: ReportData) -> str:
    """The page as HTML text. Raises ValueError where `results` hold one cell twice."""
    return render_page(
        corpus=data.corpus,
        facts=data.facts,
        provenance=data.provenance,
        results_summary=results_summary(data),
        corpus_summary=corpus_summary(data),
        notes=notes(data),
        results=_results(data),
        sections=data.sections,
        confusions=_confusions(data),
        curves=_curves(data),
        mean_score=MEAN_SCORE in set(data.history["name"]),
        labels=labels_by_split(data.facts),
        modalities=modality_gaps(data.facts),
        coverage=coverage_by_split(data.facts),
        quarantine=refused_items(data.facts),
        runs=_runs(data),
    )


def _results(data: ReportData) -> list[Block]:
    """A block a deployed family: its main scores, the picture of the one that ranks, and further scores."""
    families = sorted(set(data.results["family"]))
    return [
        Block(_of_family(data, where(data.results, family=family)), family if len(families) > 1 else "")
        for family in families
    ]


def _of_family(data: ReportData, results: pd.DataFrame) -> tuple[Grid | Figure, ...]:
    main, further = (conditions_table(results, metrics, data.names) for metrics in (_MAIN, _FURTHER))
    return (
        *_scores(data, results, main, "Scores by condition"),
        *_bars(data, results, main),
        *_scores(data, results, further, "F1 scores by condition", folded=True),
    )


def _scores(
    data: ReportData, results: pd.DataFrame, table: pd.DataFrame, title: str, *, folded: bool = False
) -> list[Grid]:
    """The table as a grid with its note; none of an empty one."""
    if not len(table):
        return []
    note = conditions_note(table, results, data.names)
    return [conditions_grid(table, title, note, names=data.names, folded=folded)]


def _bars(data: ReportData, results: pd.DataFrame, table: pd.DataFrame) -> list[Figure]:
    """The bars of the score that ranks, where there is more than one condition to compare."""
    metric = next((name for name in reversed(_MAIN) if name in set(table["metric"])), "")
    if not metric or len(columns_of(table)) < 2:
        return []
    chance = chance_level(data.facts) if metric == "ua" else None
    caption = [f"Mean over {runs_phrase(results)}."]
    if repeated(table):
        caption.append("Whiskers: one standard deviation each way.")
    if chance is not None:
        caption.append("Dashed: chance, one over the number of classes.")

    def draw(form: Form) -> bytes:
        return condition_bars(table, metric, names=data.names, chance=chance, form=form)

    title = f"{metric_title(metric)} by condition"
    alt = "Bars, one colour an experiment; the numbers are those of the table above."
    return [Figure(name="conditions", title=title, caption=" ".join(caption), draw=draw, alt=alt)]


def _confusions(data: ReportData) -> list[dict[str, Any]]:
    """One entry an experiment, that of the summary first; in each a matrix a condition, the full one first."""
    rows = data.predictions.dropna(subset=["label", "predicted"])
    seen = {*rows["label"].astype(str), *rows["predicted"].astype(str)}
    classes = class_names(rows, [name for name in class_labels(data.facts) if name in seen])
    counts = confusion_counts(rows, classes)
    places = {str(condition): place for place, condition in enumerate(conditions())}
    experiments = data.names.in_order(experiment for experiment, _ in counts)
    return [
        {
            "title": data.names.title(experiment),
            "names": classes,
            "matrices": [
                (condition, _matrix(counts[experiment, condition], classes))
                for condition in sorted((c for e, c in counts if e == experiment), key=places.__getitem__, reverse=True)
            ],
        }
        for experiment in sorted(experiments, key=lambda name: name != OURS)
    ]


def _matrix(counts: dict[tuple[str, str], int], classes: list[str]) -> list[dict[str, Any]]:
    rows = []
    for label in classes:
        total = sum(counts[label, predicted] for predicted in classes)
        cells = [
            {
                "predicted": predicted,
                "count": counts[label, predicted],
                "share": counts[label, predicted] / (total or 1),
            }
            for predicted in classes
        ]
        rows.append({"label": label, "total": total, "cells": cells})
    return rows


def _curves(data: ReportData) -> list[dict[str, Any]]:
    """A picture an experiment that has any loss or score to draw."""
    entries = []
    for experiment in data.names.in_order(data.history["experiment"]):
        history, title = where(data.history, experiment=experiment), data.names.title(experiment)
        if drawn := [*loss_names(history), *score_names(history)]:
            alt = f"Curves by epoch of {title}: {', '.join(drawn)}. {_peaks(history)}"
            entries.append({"title": title, "picture": data_uri(learning_curves(history)), "alt": alt})
    return entries


def _peaks(history: pd.DataFrame) -> str:
    curves = curves_by_name(history)
    sentences = [
        f"{name} is highest at epoch {epoch} of seed {seed} ({number(value)})"
        for name in score_names(history)
        for seed, points in curves[name].items()
        for epoch, value in [peak(points)]
    ]
    return "; ".join(sentences) + "." if sentences else ""


def _runs(data: ReportData) -> list[dict[str, Any]]:
    """One entry a run (experiment, fold, seed); what was trained only where a single fold makes it unambiguous."""
    single = len(set(data.runs["fold"])) == 1
    runs: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in records(data.runs):
        runs.setdefault((row["experiment"], row["fold"], row["seed"]), row)
    return [
        {
            **runs[run],
            "title": data.names.title(run[0]),
            "url": _run_url(data.provenance.mlflow_url, runs[run]["mlflow_run_id"]),
            "trained": _trained(data.history, run[0], run[2]) if single else "",
        }
        for run in _in_order(runs, data.names)
    ]


def _in_order(runs: dict[tuple[str, int, int], dict[str, Any]], names: Names) -> list[tuple[str, int, int]]:
    order = names.in_order(experiment for experiment, _, _ in runs)
    return sorted(runs, key=lambda run: (order.index(run[0]), *run[1:]))


def _trained(history: pd.DataFrame, experiment: str, seed: int) -> str:
    rows = where(history, experiment=experiment, seed=seed)
    curves = curves_by_name(rows)
    if not curves:
        return ""
    highest = [(name, *peak(curves[name][seed])) for name in score_names(rows)]
    scores = "".join(f"; {name} {number(value)} at epoch {epoch}" for name, epoch, value in highest)
    return plural(len(set(rows["epoch"])), "epoch") + scores


def _run_url(server: str, run_id: object) -> str:
    """Link to one run in the reader's MLflow; "" without a server address of http or https, or without a run id."""
    if not isinstance(run_id, str) or urlsplit(server).scheme not in ("http", "https"):
        return ""
    return f"{server.rstrip('/')}/#/runs/{quote(run_id, safe='')}"

"""One corpus's evaluation report: a self-contained HTML page from plain tables (no store, no tracking server).

The page carries its style and pictures in itself, runs no script and loads nothing from outside; its only addresses are
links to runs in the reader's own MLflow. Every text that comes from data is escaped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd
from jinja2 import Environment, StrictUndefined

from affectory import plots
from affectory.dimension_findings import findings
from affectory.dimension_section import dimension_section
from affectory.report_data import (
    CorpusFacts,
    Provenance,
    ReportData,
    chance_level,
    coverage_found,
    known_first,
    label_counts,
    modalities_found,
    where,
)
from affectory.report_summary import (
    corpus_summary,
    count,
    missing_phrase,
    notes,
    percent,
    plural,
    repeated,
    results_summary,
    runs_phrase,
    score,
    summary,
)
from affectory.results import tables
from affectory.results.tables import AVERAGE, experiment_title, metric_title, records
from affectory.study_kinds import OMG_STUDY
from affectory.study_section import study_section
from affectory.vocabulary import MODALITIES, Split

__all__ = [
    "CorpusFacts",
    "Provenance",
    "ReportData",
    "chance_level",
    "corpus_summary",
    "render_report",
    "results_summary",
    "summary",
]

TEMPLATE = Path(__file__).with_name("report.html.j2")
QUARANTINE_ROWS_SHOWN = 50


def render_report(data: ReportData) -> str:
    """The page as HTML text. Raises ValueError where `results` hold one cell twice."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"score": score, "count": count, "percent": percent}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        corpus=data.corpus,
        facts=data.facts,
        provenance=data.provenance,
        results_summary=[
            *results_summary(data),
            *(f"Valence and arousal: {findings(study)[0]}" for study in data.dimensions),
        ],
        corpus_summary=corpus_summary(data),
        notes=notes(data),
        studies=[_study(data, family) for family in sorted(set(data.results["family"]))],
        study_sections=[study_section(study, number) for number, study in enumerate(data.studies, 1)],
        dimension_sections=[dimension_section(found, number) for number, found in enumerate(data.dimensions, 1)],
        confusions=_confusions(data),
        curves=_curves(data),
        mean_score=plots.MEAN_SCORE in set(data.history["name"]),
        labels=_labels(data.facts),
        modalities=modalities_found(data),
        coverage=coverage_found(data.facts),
        quarantine=_quarantine(data.facts),
        runs=_runs(data),
    )


def _study(data: ReportData, family: str) -> dict[str, Any]:
    """One family's tables, main scores first, and the picture of its main score."""
    results = where(data.results, family=family)
    main, further = (tables.conditions_table(results, names) for names in (("wa", "ua"), ("weighted_f1", "macro_f1")))
    metric = next((name for name in ("ua", "wa") if name in set(main["metric"])), "")
    chance = chance_level(data) if metric == "ua" else None
    drawn = metric and len(tables.columns_of(main)) > 1
    picture = plots.data_uri(plots.condition_bars(main, metric, chance=chance)) if drawn else ""
    legend = [f"{metric_title(metric)} by condition, mean over {runs_phrase(results)}."]
    if repeated(main):
        legend.append("Whiskers: one standard deviation each way.")
    if chance is not None:
        legend.append("Dashed: chance, one over the number of classes.")
    return {
        "family": family,
        "main": _table(main, results),
        "further": _table(further, results),
        "metric": metric_title(metric),
        "picture": picture,
        "legend": " ".join(legend),
    }


def _table(table: pd.DataFrame, results: pd.DataFrame) -> dict[str, Any] | None:
    """Blocks of rows by metric and the note on what is averaged, marked and selected; None of an empty table."""
    if not len(table):
        return None
    columns = tables.columns_of(table)
    spread = " ± sample standard deviation" if repeated(table) else ""
    note = [f"Test part, mean{spread} over {runs_phrase(results)}."]
    if len(columns) > 1:
        note.append("Columns: the modalities that the model was given, a acoustic, v visual, t textual.")
    if AVERAGE in columns:
        note.append(f"Average: mean over the {missing_phrase(results)}, recomputed from them in each run.")
    if len(set(table["experiment"])) > 1:
        note.append("Bold: strictly highest mean of its column at three decimals, not a test of significance.")
    if selected := sorted({str(name) for name in results["selected_on"].dropna().tolist()} - {""}):
        parts = {"val": "the validation part", "test": "the test part"}
        note.append(
            f"The checkpoint of each run was selected on {', '.join(parts.get(name, name) for name in selected)}."
        )
    return {"blocks": tables.score_blocks(table), "columns": columns, "note": " ".join(note)}


def _confusions(data: ReportData) -> list[dict[str, Any]]:
    """One entry an experiment, MMIN first; in each a matrix a condition, the full one first."""
    classes = dict.fromkeys(label for _, label in label_counts(data.facts))
    rows = data.predictions.dropna(subset=["label", "predicted"])
    seen = {*rows["label"].astype(str), *rows["predicted"].astype(str)}
    names = tables.class_names(rows, [name for name in classes if name in seen])
    counts = tables.confusion_counts(rows, names)
    order = [str(name) for name in tables.conditions(MODALITIES)]
    found = [
        {
            "title": experiment_title(experiment),
            "names": names,
            "matrices": [
                (condition, _matrix(counts[experiment, condition], names))
                for condition in sorted((c for e, c in counts if e == experiment), key=order.index, reverse=True)
            ],
        }
        for experiment in tables.in_order(experiment for experiment, _ in counts)
    ]
    return sorted(found, key=lambda entry: entry["title"] != experiment_title("mmin"))


def _matrix(counts: dict[tuple[str, str], int], names: list[str]) -> list[dict[str, Any]]:
    rows = []
    for label in names:
        total = sum(counts[label, predicted] for predicted in names)
        cells = [
            {
                "predicted": predicted,
                "count": counts[label, predicted],
                "share": counts[label, predicted] / (total or 1),
            }
            for predicted in names
        ]
        rows.append({"label": label, "total": total, "cells": cells})
    return rows


def _curves(data: ReportData) -> list[dict[str, Any]]:
    found = []
    for experiment in tables.in_order(data.history["experiment"]):
        history = where(data.history, experiment=experiment)
        drawn = [*plots.loss_names(history), *plots.score_names(history)]
        if drawn:
            found.append(
                {
                    "title": experiment_title(experiment),
                    "picture": plots.data_uri(plots.learning_curves(history)),
                    "alt": f"Curves by epoch of {experiment_title(experiment)}: {', '.join(drawn)}. {_peaks(history)}",
                }
            )
    return found


def _peaks(history: pd.DataFrame) -> str:
    curves = plots.curves_by_name(history)
    told = [
        f"{name} is highest at epoch {epoch} of seed {seed} ({score(value)})"
        for name in plots.score_names(history)
        for seed, points in curves[name].items()
        for epoch, value in [plots.peak(points)]
    ]
    return "; ".join(told) + "." if told else ""


def _labels(facts: CorpusFacts) -> dict[str, Any]:
    counts = label_counts(facts)
    splits = known_first({split for split, _ in counts}, [str(split) for split in Split])
    rows = [
        {"label": label, "counts": [counts[split, label] for split in splits]}
        for label in dict.fromkeys(label for _, label in counts)
    ]
    return {"splits": splits, "rows": rows, "total": counts.total(), "largest": max(counts.values(), default=1)}


def _quarantine(facts: CorpusFacts) -> dict[str, Any]:
    rows = [
        {name: "" if pd.isna(value) else str(value) for name, value in row.items()} for row in records(facts.quarantine)
    ]
    return {"rows": rows[:QUARANTINE_ROWS_SHOWN], "total": len(rows)}


def _runs(data: ReportData) -> list[dict[str, Any]]:
    """One entry a run (experiment, fold, seed); what was trained only where a single fold makes it unambiguous."""
    deployed = [study.results for study in data.dimensions if study.study != OMG_STUDY]
    results = pd.concat([data.results, *deployed])
    single = len(set(results["fold"])) == 1
    runs: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in records(results):
        runs.setdefault((row["experiment"], row["fold"], row["seed"]), row)
    order = tables.in_order(experiment for experiment, _, _ in runs)
    return [
        {
            **runs[run],
            "title": experiment_title(run[0]),
            "url": _run_url(data.provenance.mlflow_url, runs[run]["mlflow_run_id"]),
            "trained": _trained(data.history, run[0], run[2]) if single else "",
        }
        for run in sorted(runs, key=lambda run: (order.index(run[0]), *run[1:]))
    ]


def _trained(history: pd.DataFrame, experiment: str, seed: int) -> str:
    rows = where(history, experiment=experiment, seed=seed)
    curves = plots.curves_by_name(rows)
    if not curves:
        return ""
    epochs = len(set(rows["epoch"]))
    best = [(name, *plots.peak(curves[name][seed])) for name in plots.score_names(rows)]
    scores = "".join(f"; {name} {score(value)} at epoch {epoch}" for name, epoch, value in best)
    return plural(epochs, "epoch") + scores


def _run_url(server: str, run_id: object) -> str:
    """Link to one run in the reader's MLflow; "" without a server address of http or https, or without a run id."""
    if not isinstance(run_id, str) or urlsplit(server).scheme not in ("http", "https"):
        return ""
    return f"{server.rstrip('/')}/#/runs/{quote(run_id, safe='')}"

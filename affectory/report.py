"""One corpus's evaluation report: a self-contained HTML page from plain tables (no store, no tracking server).

The page carries its style and pictures in itself, runs no script and loads nothing from outside; its only addresses are
links to runs in the reader's own MLflow. Every text that comes from data is escaped. The summary on top is derived from
the numbers and says no more than they do, also when a baseline is ahead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isnan
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pandas as pd
from jinja2 import Environment, StrictUndefined

from affectory import plots, tables
from affectory.tables import AVERAGE, Difference, experiment_title, metric_title
from affectory.vocabulary import MODALITIES, Condition, Modality, Split, missing_conditions

TEMPLATE = Path(__file__).with_name("report.html.j2")
QUARANTINE_ROWS_SHOWN = 50
NOT_EXTRACTED = "not extracted"
NO_BREAK = "\N{NO-BREAK SPACE}"

_COLUMNS = {
    "results": (
        "family", "experiment", "fold", "seed", "condition", "metric", "value", "selected_on", "mlflow_run_id",
    ),
    "predictions": ("utterance_id", "experiment", "seed", "condition", "label", "predicted"),
    "history": ("experiment", "seed", "epoch", "name", "value"),
    "label_counts": ("split", "label", "count"),
    "missingness": ("modality", "reason", "count", "coverage"),
    "quarantine": ("media", "utterance_id", "stage", "reason", "detail"),
}  # fmt: skip


def _empty(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.DataFrame(columns=list(_COLUMNS[name]))


@dataclass(frozen=True, kw_only=True)
class CorpusFacts:
    """What the corpus holds, whether or not a model was trained.

    label_counts: split, label, count, one row a pair; unlabelled utterances are left out.
    missingness: modality, reason, count, coverage (mean over the rows, 0..1 or NaN); reason `""` = present.
    quarantine: media, utterance_id, stage, reason, detail, one row a refused item.
    """

    media_files: int
    utterances: int
    dialogues: int
    speakers: int
    label_counts: pd.DataFrame = field(default_factory=_empty("label_counts"))
    missingness: pd.DataFrame = field(default_factory=_empty("missingness"))
    quarantine: pd.DataFrame = field(default_factory=_empty("quarantine"))
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

    `history` names are `loss/<term>` and `val/<score>`. `notes` are lines on what was not trained and why.
    """

    corpus: str
    facts: CorpusFacts
    provenance: Provenance
    results: pd.DataFrame = field(default_factory=_empty("results"))
    predictions: pd.DataFrame = field(default_factory=_empty("predictions"))
    history: pd.DataFrame = field(default_factory=_empty("history"))
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, columns in _COLUMNS.items():
            frame = getattr(self, name) if hasattr(self, name) else getattr(self.facts, name)
            if absent := [column for column in columns if column not in frame.columns]:
                raise ValueError(
                    f"report of {self.corpus}: {name} lacks columns {absent}; it has {list(frame.columns)}"
                )


def render_report(data: ReportData) -> str:
    """The page as HTML text. Raises ValueError where `results` hold one cell twice."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"score": _score, "count": _count, "percent": _percent}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        corpus=data.corpus,
        facts=data.facts,
        provenance=data.provenance,
        results_summary=results_summary(data),
        corpus_summary=corpus_summary(data),
        notes=_notes(data),
        studies=[_study(data, family) for family in sorted(set(data.results["family"]))],
        confusions=_confusions(data),
        curves=_curves(data),
        mean_score=plots.MEAN_SCORE in set(data.history["name"]),
        labels=_labels(data.facts),
        modalities=_modalities(data),
        quarantine=_quarantine(data.facts),
        runs=_runs(data),
    )


def chance_level(data: ReportData) -> float | None:
    """UA of guessing: one over the classes in the test part (in the whole corpus without one); None without labels."""
    counts = _label_counts(data.facts)
    tested = {label for split, label in counts if split == str(Split.TEST)}
    classes = len(tested) or len({label for _, label in counts})
    return 1 / classes if classes else None


def summary(data: ReportData) -> list[str]:
    """The page's plain-language summary, results first."""
    return [*results_summary(data), *corpus_summary(data)]


def results_summary(data: ReportData) -> list[str]:
    """What the models did, in plain sentences: every number from `data`, no claim beyond the runs' deviation."""
    if not len(data.results):
        return _notes(data)
    lines = []
    for family in sorted(set(data.results["family"])):
        results = _where(data.results, family=family)
        lines += _comparisons(results) or _levels(results)
        lines += [*_against_chance(results, chance_level(data)), *_selection(results)]
    return [*lines, _scope(data)]


def corpus_summary(data: ReportData) -> list[str]:
    """What the corpus holds, lacks and what of it was refused, in plain sentences."""
    return [_corpus_line(data.facts), _missing_line(data), _quarantine_line(data.facts)]


# The summary's sentences


def _comparisons(results: pd.DataFrame) -> list[str]:
    """MMIN against both baselines: over the missing conditions, then with every modality there."""
    full = _full_condition(results)
    found = {
        f"Averaged over the {_missing_phrase(results)}": _differences(results, AVERAGE),
        f"With every modality there, {full}": _differences(results, full),
    }
    return [_comparison(where, differences) for where, differences in found.items() if differences]


def _differences(results: pd.DataFrame, condition: str) -> list[Difference]:
    baselines = ("augmented_baseline", "full_baseline")
    found = (tables.paired_difference(results, "ua", "mmin", baseline, condition) for baseline in baselines)
    return [difference for difference in found if difference is not None]


def _comparison(where: str, differences: list[Difference]) -> str:
    reached = f"{experiment_title(differences[0].experiment)} reaches UA {_score(differences[0].experiment_mean)}"
    return f"{where}, {reached}: {'; '.join(map(_against, differences))}."


def _against(found: Difference) -> str:
    baseline = f"the {_lower(experiment_title(found.baseline))} ({_score(found.baseline_mean)})"
    if not round(found.mean, tables.DIGITS):
        return f"level with {baseline}"
    side = "above" if found.mean > 0 else "below"
    if isnan(found.deviation):
        return f"{_score(abs(found.mean))} {side} {baseline}"
    gap = f"{_score(abs(found.mean))}{NO_BREAK}±{NO_BREAK}{_score(found.deviation)} {side} {baseline}"
    if abs(found.mean) <= found.deviation:
        return f"{gap}, which these runs do not tell from no difference"
    return gap if found.mean > 0 else f"{gap}, so the baseline is ahead"


def _levels(results: pd.DataFrame) -> list[str]:
    """Where nothing is compared: what each experiment reaches with every modality there."""
    full = _full_condition(results)
    rows = tables.cells(tables.conditions_table(results, ["ua"]), "ua")
    return [
        f"{experiment_title(experiment)}: UA {_score(row[full].mean)}"
        + ("" if isnan(row[full].deviation) else f"{NO_BREAK}±{NO_BREAK}{_score(row[full].deviation)}")
        + f" under {full}."
        for experiment, row in rows.items()
        if full in row
    ]


def _against_chance(results: pd.DataFrame, chance: float | None) -> list[str]:
    table = tables.conditions_table(results, ["ua"])
    if chance is None or not len(table):
        return []
    margin = " by more than a deviation" if _repeated(table) else ""
    weak: dict[str, list[str]] = {}
    for experiment, row in tables.cells(table, "ua").items():
        for condition, cell in row.items():
            spread = 0.0 if isnan(cell.deviation) else cell.deviation
            if condition != AVERAGE and cell.mean - spread <= chance:
                weak.setdefault(experiment_title(experiment), []).append(condition)
    if not weak:
        return [f"Every score of the test is above chance (UA {_score(chance)}){margin}."]
    named = "; ".join(f"{title} under {', '.join(names)}" for title, names in weak.items())
    return [f"Not above chance (UA {_score(chance)}){margin}: {named}."]


def _selection(results: pd.DataFrame) -> list[str]:
    on_test = [name for name in sorted(set(results["selected_on"].astype(str))) if name.startswith("test")]
    return [f"Some checkpoints were selected on {', '.join(on_test)}: those scores are optimistic."] if on_test else []


def _scope(data: ReportData) -> str:
    """How far the numbers carry."""
    runs = _runs_phrase(data.results)
    if runs == f"1{NO_BREAK}seed":
        lines = ["One run of each, so there is no deviation, and a difference may be chance."]
    elif "mmin" in set(data.results["experiment"]):
        lines = [f"± is one standard deviation over {runs}; of a difference, paired by run."]
    else:
        lines = [f"± is one standard deviation over {runs}."]
    lines.append(f"These are results of one corpus and {runs}; they do not rank methods.")
    if tested := len(set(data.predictions["utterance_id"])):
        lines.append(f"The test part holds {_plural(tested, 'utterance')}; a single one is {_score(1 / tested)} of WA.")
    if data.facts.planted:
        lines.append(
            "The corpus is generated with known answers: its numbers test the software and say nothing of people."
        )
    return " ".join(lines)


def _corpus_line(facts: CorpusFacts) -> str:
    counts = _label_counts(facts)
    labelled, classes = counts.total(), len({label for _, label in counts})
    parts = [(facts.speakers, "speaker"), (facts.dialogues, "dialogue"), (facts.media_files, "media file")]
    held = ", ".join(_plural(number, word) for number, word in parts if number)
    labels = f"{_count(labelled)} carry an emotion label ({_plural(classes, 'class', 'classes')})"
    first = f"The corpus holds {_plural(facts.utterances, 'utterance')}" + (f" ({held})" if held else "")
    return f"{first}; {labels if labelled else 'none carries an emotion label'}."


def _missing_line(data: ReportData) -> str:
    rows = _modalities(data)
    if not rows:
        return "No features have been extracted."
    missing = [
        f"{row['modality']} in {_count(row['absent'])} ({_percent(row['absent'] / row['total'])})"
        for row in rows
        if row["absent"]
    ]
    if not missing:
        return "No utterance lacks a modality: " + ", ".join(str(row["modality"]) for row in rows) + "."
    return f"Modalities missing by nature, of {_plural(data.facts.utterances, 'utterance')}: {', '.join(missing)}."


def _quarantine_line(facts: CorpusFacts) -> str:
    if not len(facts.quarantine):
        return "Nothing was refused."
    return f"{_plural(len(facts.quarantine), 'item')} refused, each with its reason; the run went on without them."


# The page's parts, as the template takes them


def _notes(data: ReportData) -> list[str]:
    notes = list(data.notes)
    modalities = _tested_modalities(data.results)
    if len(modalities) == 1:
        only = modalities[0].value
        notes.append(
            f"Only one modality ({only}) was tested: no condition lacks one, so there is no average and no MMIN."
        )
    if not len(data.results) and not notes:
        labelled = len(data.facts.label_counts) > 0
        why = "no results are stored for it yet" if labelled else "none of its utterances carries an emotion label"
        notes.append(f"There is no model of this corpus: {why}. What follows describes the data alone.")
    return notes


def _study(data: ReportData, family: str) -> dict[str, Any]:
    """One family's tables, main scores first, and the picture of its main score."""
    results = _where(data.results, family=family)
    main, further = (tables.conditions_table(results, names) for names in (("wa", "ua"), ("weighted_f1", "macro_f1")))
    metric = next((name for name in ("ua", "wa") if name in set(main["metric"])), "")
    chance = chance_level(data) if metric == "ua" else None
    drawn = metric and len(tables.columns_of(main)) > 1
    picture = plots.data_uri(plots.condition_bars(main, metric, chance=chance)) if drawn else ""
    legend = [f"{metric_title(metric)} by condition, mean over {_runs_phrase(results)}."]
    if _repeated(main):
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
    spread = " ± sample standard deviation" if _repeated(table) else ""
    note = [f"Test part, mean{spread} over {_runs_phrase(results)}."]
    if len(columns) > 1:
        note.append("Columns: the modalities that the model was given, a acoustic, v visual, t textual.")
    if AVERAGE in columns:
        note.append(f"Average: mean over the {_missing_phrase(results)}, recomputed from them in each run.")
    if len(set(table["experiment"])) > 1:
        note.append("Bold: strictly highest mean of its column at three decimals, not a test of significance.")
    if selected := sorted(set(results["selected_on"].dropna().astype(str)) - {""}):
        part = {"val": "the validation part", "test": "the test part"}
        note.append(f"The checkpoint of each run was selected on {', '.join(part.get(n, n) for n in selected)}.")
    return {"blocks": _blocks(table), "columns": columns, "note": " ".join(note)}


def _repeated(table: pd.DataFrame) -> bool:
    return any(runs > 1 for runs in table["runs"])


def _blocks(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "title": metric_title(metric),
            "meaning": tables.METRIC_MEANINGS.get(metric, ""),
            "rows": [(experiment_title(name), row) for name, row in tables.cells(table, metric).items()],
        }
        for metric in dict.fromkeys(table["metric"])
    ]


def _confusions(data: ReportData) -> list[dict[str, Any]]:
    """One entry an experiment, MMIN first; in each a matrix a condition, the full one first."""
    classes = dict.fromkeys(label for _, label in _label_counts(data.facts))
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
        history = _where(data.history, experiment=experiment)
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
        f"{name} is highest at epoch {epoch} of seed {seed} ({_score(value)})"
        for name in plots.score_names(history)
        for seed, points in curves[name].items()
        for epoch, value in [plots.peak(points)]
    ]
    return "; ".join(told) + "." if told else ""


def _label_counts(facts: CorpusFacts) -> Counter[tuple[str, str]]:
    """(split, label) -> utterances; in the frame's order, empty cells left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in _records(facts.label_counts):
        if row["count"] > 0:
            counts[str(row["split"]), str(row["label"])] += int(row["count"])
    return counts


def _labels(facts: CorpusFacts) -> dict[str, Any]:
    counts = _label_counts(facts)
    splits = _known_first({split for split, _ in counts}, [str(split) for split in Split])
    rows = [
        {"label": label, "counts": [counts[split, label] for split in splits]}
        for label in dict.fromkeys(label for _, label in counts)
    ]
    return {"splits": splits, "rows": rows, "total": counts.total(), "largest": max(counts.values(), default=1)}


def _modalities(data: ReportData) -> list[dict[str, Any]]:
    """One entry a modality of `missingness`: present, absent by reason, and the utterances without a row."""
    found: dict[str, dict[str, Any]] = {}
    for row in _records(data.facts.missingness):
        entry = found.setdefault(str(row["modality"]), {"present": 0, "coverage": float("nan"), "reasons": Counter()})
        if row["reason"] and not pd.isna(row["reason"]):
            entry["reasons"][str(row["reason"])] += int(row["count"])
        else:
            entry |= {"present": int(row["count"]), "coverage": float(row["coverage"])}
    return [_modality(name, found[name], data) for name in _known_first(set(found), [str(m) for m in MODALITIES])]


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


def _quarantine(facts: CorpusFacts) -> dict[str, Any]:
    rows = [
        {name: "" if pd.isna(value) else str(value) for name, value in row.items()}
        for row in _records(facts.quarantine)
    ]
    return {"rows": rows[:QUARANTINE_ROWS_SHOWN], "total": len(rows)}


def _runs(data: ReportData) -> list[dict[str, Any]]:
    """One entry a run (experiment, fold, seed); what was trained only where a single fold makes it unambiguous."""
    single = len(set(data.results["fold"])) == 1
    runs: dict[tuple[str, int, int], dict[str, Any]] = {}
    for row in _records(data.results):
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
    rows = _where(history, experiment=experiment, seed=seed)
    curves = plots.curves_by_name(rows)
    if not curves:
        return ""
    epochs = len(set(rows["epoch"]))
    best = [(name, *plots.peak(curves[name][seed])) for name in plots.score_names(rows)]
    scores = "".join(f"; {name} {_score(value)} at epoch {epoch}" for name, epoch, value in best)
    return _plural(epochs, "epoch") + scores


def _run_url(server: str, run_id: object) -> str:
    """Link to one run in the reader's MLflow; "" without a server address of http or https, or without a run id."""
    if not isinstance(run_id, str) or urlsplit(server).scheme not in ("http", "https"):
        return ""
    return f"{server.rstrip('/')}/#/runs/{quote(run_id, safe='')}"


# Words and numbers


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _where(frame: pd.DataFrame, **values: object) -> pd.DataFrame:
    chosen = [all(row[name] == value for name, value in values.items()) for row in _records(frame)]
    return pd.DataFrame(frame.loc[pd.Series(chosen, index=frame.index, dtype=bool)])


def _known_first(names: set[str], known: list[str]) -> list[str]:
    return [*(name for name in known if name in names), *sorted(names - set(known))]


def _runs_phrase(results: pd.DataFrame) -> str:
    return tables.runs_phrase(results).replace(" ", NO_BREAK)


def _tested_modalities(results: pd.DataFrame) -> list[Modality]:
    names = {name for name in results["condition"].astype(str) if name.lower() != AVERAGE}
    tested = {modality for name in names for modality in Condition.parse(name)}
    return [modality for modality in MODALITIES if modality in tested]


def _full_condition(results: pd.DataFrame) -> str:
    return str(Condition(_tested_modalities(results)))


def _missing_phrase(results: pd.DataFrame) -> str:
    number = len(missing_conditions(_tested_modalities(results)))
    return f"{ {2: 'two', 6: 'six'}.get(number, str(number)) } missing conditions" if number else ""


def _lower(title: str) -> str:
    return title if title.isupper() else title[:1].lower() + title[1:]


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{_count(number)} {one if number == 1 else many or one + 's'}"


def _score(value: float | None) -> str:
    return "–" if value is None or isnan(value) else f"{value:.{tables.DIGITS}f}".replace("-", "−")


def _count(number: int) -> str:
    return f"{number:,}"


def _percent(share: float) -> str:
    return "–" if isnan(share) else f"{100 * share:.0f}{NO_BREAK}%"

"""Valence and arousal as tables and figures: CCC by row and by condition, after training, and along one video.

A row is scored under the fullest condition that it was tested under, unless another is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isnan
from statistics import mean, stdev

import numpy as np
import pandas as pd

from affectory.report.conditions import BOLD_NOTE, conditions_grid
from affectory.report.figures.bars import condition_panels, row_bars
from affectory.report.figures.curves import timeline
from affectory.report.figures.scatter import agreement
from affectory.report.scores import runs_note, scores
from affectory.report.section import Figure, Grid, Group, Value
from affectory.report.study_data import StudyData
from affectory.results.frames import records, where
from affectory.results.metrics import ccc
from affectory.results.names import AVERAGE, VAL_CCC, condition_title, metric_title, modality_keys
from affectory.results.selected import selection_note
from affectory.results.significance import compare
from affectory.results.tables import Cell, columns_of, missing_phrase, values_by_run
from affectory.results.words import DIGITS, GAP, number, p_words, plural, spread
from affectory.vocabulary import DIMENSIONS

TOTAL, MEAN = "total", "ccc"  # sum and mean of the dimensions' CCC
OfRuns = dict[tuple[int, int], float]  # (fold, seed) -> value
Points = tuple[np.ndarray, np.ndarray]  # label and predicted, float64 [n] each
WHISKERS = "Mean over runs; whiskers: one standard deviation each way."
_PAIRED_UNDER = "{a}"  # stands for any condition, so that rows of different ones can be paired


def mean_metric(data: StudyData) -> str:
    """The metric that stands for all dimensions: their mean, or the CCC of the only one."""
    return MEAN if len(data.dimensions) > 1 else f"ccc_{''.join(data.dimensions)}"


def mean_title(data: StudyData) -> str:
    return "mean CCC" if len(data.dimensions) > 1 else f"CCC of {''.join(data.dimensions)}"


def total_title(data: StudyData) -> str:
    return "total CCC" if len(data.dimensions) > 1 else f"CCC of {''.join(data.dimensions)}"


def tested(data: StudyData, rows: Iterable[str]) -> pd.DataFrame:
    """The results of these rows on the test part."""
    results = data.results.loc[data.results["experiment"].isin(list(rows))]
    return results.loc[results["metric"] != VAL_CCC]


def values_of(data: StudyData, metric: str, condition: str = "") -> dict[str, OfRuns]:
    """experiment -> run -> value under a condition, `average` too; without one the fullest that the row has.

    ValueError where a cell has two values.
    """
    if metric == TOTAL:
        parts = [values_of(data, f"ccc_{name}", condition) for name in data.dimensions]
        return {
            name: {run: sum(part[name][run] for part in parts) for run in runs if all(run in p[name] for p in parts)}
            for name, runs in (parts[0] if parts else {}).items()
            if all(name in part for part in parts)
        }
    by_row = {}
    for (_, name), runs in values_by_run(where(data.results, metric=metric), [metric]).items():
        chosen = condition or fullest({place for values in runs.values() for place in values})
        by_row[name] = {run: values[chosen] for run, values in runs.items() if chosen in values}
    return {name: runs for name, runs in by_row.items() if runs}


def values_among(data: StudyData, metric: str, rows: Iterable[str]) -> dict[str, OfRuns]:
    """values_of the rows that have some."""
    values = values_of(data, metric)
    return {name: values[name] for name in rows if name in values}


def fullest(conditions: Iterable[str]) -> str:
    """Of conditions the one with most modalities; "" of none."""
    names = [name for name in conditions if name and name != AVERAGE]
    return columns_of(pd.DataFrame({"condition": names}))[-1] if names else ""


def condition_of(data: StudyData, row: str) -> str:
    """The fullest condition that the row was tested under."""
    return fullest(set(tested(data, [row])["condition"]))


def cells_of(data: StudyData, metric: str, rows: Sequence[str], *, marked: bool = False) -> dict[str, Cell]:
    """experiment -> mean and sample deviation over runs; `marked`: the strictly highest of these rows is best."""
    runs = {name: list(values.values()) for name, values in values_of(data, metric).items() if name in rows}
    means = {name: mean(values) for name, values in runs.items()}
    rounded = [round(value, DIGITS) for value in means.values()]
    best = max(rounded) if marked and len(rounded) > 1 and rounded.count(max(rounded)) == 1 else None
    return {
        name: Cell(means[name], stdev(values) if len(values) > 1 else float("nan"), round(means[name], DIGITS) == best)
        for name, values in runs.items()
    }


def best_by_validation(data: StudyData, rows: Iterable[str]) -> str:
    """The row whose kept epochs score highest on validation, mean over runs; "" where no row was validated.

    Each under the condition that its test score is of: another says nothing of it.
    """
    reached = {}
    for name in rows:
        if runs := values_of(data, VAL_CCC, condition_of(data, name)).get(name, {}):
            reached[name] = mean(runs.values())
    return max(reached, key=lambda name: reached[name], default="")


def two_best(values: Mapping[str, OfRuns]) -> tuple[str, str]:
    """The rows of the two highest means over runs, the second "" where there is one row."""
    names = sorted(values, key=lambda name: -mean(values[name].values()))
    return names[0], (names[1] if len(names) > 1 else "")


def gap_words(data: StudyData, ours: OfRuns, theirs: OfRuns, name: str) -> str:
    """`0.052 ± 0.010 above GRU (0.400), more than the spread over runs (paired p 0.012)`."""
    row = _paired(data, ours, theirs)
    other = f"{name} ({number(mean(theirs.values()))})"
    if not row["runs"]:
        return f"{other} has no run in common"
    if not round(row["difference"], DIGITS):
        return f"level with {other}"
    side, size = ("above" if row["difference"] > 0 else "below"), number(abs(row["difference"]))
    if isnan(row["deviation"]):
        return f"{size} {side} {other}, in one run"
    how_far = "more" if abs(row["difference"]) > row["deviation"] else "no more"
    p = "" if isnan(row["p"]) else f" (paired {p_words(row['p'])})"
    return f"{size}{spread(row['deviation'])} {side} {other}, {how_far} than the spread over runs{p}"


def _paired(data: StudyData, ours: OfRuns, theirs: OfRuns) -> dict:
    """`significance.compare` of two rows, whatever conditions they were tested under."""
    rows = [
        (name, *run, _PAIRED_UNDER, MEAN, value)
        for name, runs in (("ours", ours), ("theirs", theirs))
        for run, value in runs.items()
    ]
    frame = pd.DataFrame(rows, columns=["experiment", "fold", "seed", "condition", "metric", "value"])
    return records(compare(frame, MEAN, "ours", ["theirs"], _PAIRED_UNDER, test_share=data.test_share))[0]


def rows_note(data: StudyData, rows: Sequence[str]) -> str:
    """What the numbers of these rows are means over, who has fewer runs, and what selected the epochs."""
    results = tested(data, rows)
    return f"{runs_note(_only(data, results))} {selection_note(results, data.names)}".strip()


def _only(data: StudyData, results: pd.DataFrame) -> StudyData:
    return replace(data, results=results)


def ccc_grid(
    data: StudyData,
    rows: Sequence[str],
    title: str,
    *,
    titles: Mapping[str, str] | None = None,
    published: Mapping[str, tuple[float, ...]] | None = None,
    published_note: str = "",
) -> Grid | None:
    """CCC of each row, their total, and beside them what was published of the rows; None without results.

    `titles`: other titles of the rows; `published`: row -> a value a dimension of DIMENSIONS' order.
    """
    metrics = [f"ccc_{name}" for name in data.dimensions] + [TOTAL] * (len(data.dimensions) > 1)
    columns = [cells_of(data, metric, rows, marked=True) for metric in metrics]
    if not any(columns):
        return None
    heads = tuple(map(_head, metrics))
    theirs = len(heads) if published and any(name in published for name in rows) else 0
    lines = tuple(
        (
            (titles or {}).get(name) or data.names.title(name),
            (*_line(columns, name), *(_published(data, published.get(name)) if published and theirs else ())),
        )
        for name in rows
    )
    total = "Total: sum of both. " if len(data.dimensions) > 1 else ""
    return Grid(
        title=title,
        columns=heads + heads[:theirs],
        groups=(Group(lines),),
        note=f"{rows_note(data, rows)} {total}{BOLD_NOTE}{' ' + published_note if theirs else ''}",
        spans=(("Here", len(heads)), ("Slides, other data", theirs)) if theirs else (),
        emphasised=frozenset(range(len(heads), len(heads) + theirs)),
    )


def _published(data: StudyData, values: tuple[float, ...] | None) -> tuple[Value, ...]:
    """Of the dimensions that are shown, then their total."""
    if values is None:
        return (Value(GAP),) * (len(data.dimensions) + (len(data.dimensions) > 1))
    by_name = dict(zip(DIMENSIONS, values, strict=True))
    numbers = [by_name[name] for name in data.dimensions]
    return tuple(Value(number(value)) for value in [*numbers, *([sum(numbers)] if len(numbers) > 1 else [])])


def further_grid(data: StudyData, rows: Sequence[str]) -> Grid | None:
    """The mean of the videos' own CCC, and the squared error, of each dimension."""
    metrics = [f"{kind}_{name}" for kind in ("video_ccc", "mse") for name in data.dimensions]
    columns = [cells_of(data, metric, rows) for metric in metrics]
    if not any(columns):
        return None
    note = (
        f"{rows_note(data, rows)} By video: the CCC within each video, mean over the videos that have two utterances "
        "or more; it asks for the course of a video, the pooled CCC also for the level. MSE: mean squared error, 0 is "
        "exact."
    )
    lines = tuple((data.names.title(name), _line(columns, name)) for name in rows)
    return Grid(
        title="Further scores", columns=tuple(map(_head, metrics)), groups=(Group(lines),), note=note, folded=True
    )


def after_training_grid(data: StudyData, groups: Mapping[str, Sequence[str]]) -> Grid | None:
    """CCC as it is, after an affine map and after smoothing along the video, of the rows that have all of these."""
    kinds = ("", "rescaled_", "smoothed_")
    metrics = [f"{kind}ccc_{name}" for name in data.dimensions for kind in kinds]
    columns = [cells_of(data, metric, data.rows()) for metric in metrics]
    changed = {name for metric, column in zip(metrics, columns, strict=True) if "_ccc" in metric for name in column}
    if not changed:
        return None
    parts = [
        Group(tuple((data.names.title(name), _line(columns, name)) for name in rows if name in changed), heading)
        for heading, rows in groups.items()
    ]
    note = (
        f"{rows_note(data, sorted(changed))} Rescaled: the predictions’ mean and deviation made those of the labels. "
        "Smoothed: a moving average over the utterances of a video. Both are fitted on validation alone, the test part "
        "is not read."
    )
    return Grid(
        title="CCC after training: as it is, rescaled and smoothed",
        columns=tuple(map(_head, metrics)),
        groups=tuple(part for part in parts if part.lines),
        note=note,
        folded=True,
    )


def _line(columns: Sequence[Mapping[str, Cell]], row: str) -> tuple[Value, ...]:
    return tuple(Value.of(column.get(row)) for column in columns)


def _head(metric: str) -> str:
    """A metric above its column."""
    if metric == TOTAL:
        return "Total"
    kind, _, dimension = metric.rpartition("_")
    words = {"ccc": "", "video_ccc": "by video", "rescaled_ccc": "rescaled", "smoothed_ccc": "smoothed"}
    if kind == "mse":
        return f"MSE, {dimension}"
    return f"{dimension.capitalize()}{', ' + words[kind] if words[kind] else ''}"


def condition_metrics(data: StudyData) -> list[str]:
    """CCC of each dimension, and their mean where there are several."""
    return [f"ccc_{name}" for name in data.dimensions] + [MEAN] * (len(data.dimensions) > 1)


def ccc_by_condition(data: StudyData, rows: Sequence[str]) -> Grid | None:
    """CCC, and its mean, of the rows that may lack modalities."""
    table = _by_condition(data, rows)
    if not len(table):
        return None
    missing = missing_phrase(tested(data, rows))
    average = f" Average: mean over the {missing}, recomputed from them in each run." if missing else ""
    note = f"{rows_note(data, rows)} Columns: the modalities that the model was given, {modality_keys()}.{average}"
    return conditions_grid(table, "CCC by condition", f"{note} {BOLD_NOTE}", names=data.names)


def _by_condition(data: StudyData, rows: Sequence[str]) -> pd.DataFrame:
    return scores(_only(data, data.results.loc[data.results["experiment"].isin(rows)]), condition_metrics(data))


def ccc_bars_figure(data: StudyData, name: str, rows: Sequence[str], what: str) -> Figure | None:
    """A bar a row and dimension."""
    by_dimension = {dimension: cells_of(data, f"ccc_{dimension}", rows) for dimension in data.dimensions}
    bars = {data.names.title(n): {d: column[n] for d, column in by_dimension.items() if n in column} for n in rows}
    bars = {title: of_row for title, of_row in bars.items() if of_row}
    if not bars:
        return None
    numbers = "; ".join(
        f"{title} {', '.join(f'{d} {number(cell.mean)}' for d, cell in of_row.items())}"
        for title, of_row in bars.items()
    )
    return Figure(
        name=name,
        title=f"CCC by row, {what}",
        caption=WHISKERS,
        alt=f"{numbers}.",
        draw=lambda form: row_bars(bars, form=form),
    )


def conditions_figure(data: StudyData, rows: Sequence[str]) -> Figure | None:
    """A panel a metric: the conditions side by side, one bar a row."""
    table = _by_condition(data, rows)
    if not len(table) or len(columns_of(table)) < 2:
        return None
    return Figure(
        name="ccc_by_condition",
        title="CCC by condition",
        caption=WHISKERS,
        alt=_conditions_alt(data, table),
        draw=lambda form: condition_panels(table, names=data.names, form=form),
    )


def _conditions_alt(data: StudyData, table: pd.DataFrame) -> str:
    """Each row's value in the average and under the fullest condition, where the row has these."""
    values: dict[tuple[str, str], list[str]] = {}
    for row in records(table.loc[table["condition"].isin([AVERAGE, *columns_of(table)[-1:]])]):
        words = f"{condition_title(row['condition'])} {number(row['mean'])}"
        values.setdefault((row["metric"], row["experiment"]), []).append(words)
    lines = [f"{metric_title(m)}, {data.names.title(name)}: {', '.join(words)}" for (m, name), words in values.items()]
    return "; ".join(lines) + "."


def drawn_predictions(data: StudyData, preferred: str) -> pd.DataFrame:
    """Those of the preferred row, or else of the best by validation; in its first fold and seed, fullest condition."""
    names = data.names.in_order(data.predictions["experiment"])
    if not names:
        return data.predictions
    row = preferred if preferred in names else best_by_validation(data, names) or names[0]
    rows = where(data.predictions, experiment=row).dropna(subset=["label", "predicted"])
    rows = rows.loc[rows["dimension"].isin(data.dimensions)]
    if not len(rows):
        return rows
    first = rows.sort_values(["fold", "seed"]).iloc[0]
    return where(rows, fold=first["fold"], seed=first["seed"], condition=fullest(set(rows["condition"])))


def agreement_figure(data: StudyData, preferred: str) -> Figure | None:
    """Predictions against labels."""
    rows = drawn_predictions(data, preferred)
    points = _points(data, rows)
    if not points:
        return None
    reached = [
        f"{name}: CCC {number(ccc(*both))} over {plural(len(both[0]), 'utterance')}" for name, both in points.items()
    ]
    return Figure(
        name="agreement",
        title="Predictions against labels",
        caption=f"{_whose(data, rows)} Dashed: where both are equal.",
        alt=f"{'; '.join(reached)}.",
        draw=lambda form: agreement(points, form=form),
    )


def timeline_figure(data: StudyData, preferred: str) -> Figure | None:
    """Labels and predictions along the longest tested video."""
    rows = drawn_predictions(data, preferred)
    if not len(rows):
        return None
    video = longest_video(rows)
    points, course = _points_along(data, video), _points(data, video)
    utterances = plural(len(set(video["utterance_id"])), "utterance")
    name = video["dialogue_id"].iloc[0]
    return Figure(
        name="timeline",
        title="Along one video",
        caption=f"{_whose(data, rows)} The longest tested video, {name}, {utterances} in order.",
        alt=" ".join(_course(dimension, *both) for dimension, both in course.items()),
        draw=lambda form: timeline(points, form=form),
    )


def longest_video(rows: pd.DataFrame) -> pd.DataFrame:
    """The predictions that are of the video with most utterances, in order; of equals the first."""
    lengths = rows.groupby("dialogue_id", sort=True)["utterance_id"].nunique()
    return where(rows, dialogue_id=lengths.idxmax()).sort_values("place", kind="stable")


def _points_along(data: StudyData, rows: pd.DataFrame) -> dict[str, Points]:
    """As _points, every dimension at the same utterances: NaN where one of them has no label."""
    places = sorted(set(rows["place"]))
    aligned = [
        where(rows, dimension=name).set_index("place").reindex(places).assign(dimension=name)
        for name in data.dimensions
        if name in set(rows["dimension"])
    ]
    return _points(data, pd.concat(aligned))


def _points(data: StudyData, rows: pd.DataFrame) -> dict[str, Points]:
    """Dimension -> label and prediction of these predictions, in their order."""
    if not len(rows):
        return {}
    by_dimension = {name: where(rows, dimension=name) for name in data.dimensions}
    return {
        name: (of_one["label"].to_numpy(float), of_one["predicted"].to_numpy(float))
        for name, of_one in by_dimension.items()
        if len(of_one)
    }


def _whose(data: StudyData, rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    run = f"fold {first['fold']}, seed {first['seed']}"
    return f"{data.names.title(first['experiment'])}, {run}, under {first['condition']}; test part."


def _course(dimension: str, label: np.ndarray, predicted: np.ndarray) -> str:
    ends = [f"{number(float(values.min()))} to {number(float(values.max()))}" for values in (label, predicted)]
    return f"{dimension.capitalize()}: labels from {ends[0]}, predictions from {ends[1]}."

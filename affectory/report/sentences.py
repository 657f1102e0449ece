"""What findings are made of: tested differences in words, an order claimed only where the paired test holds it.

All speak of the metric that ranks the study's rows. The mean over the missing conditions is recomputed within each run.
A finding is a function of StudyData that gives sentences, raw text; what the data does not hold gives none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import isnan
from typing import Any

import pandas as pd

from affectory.report.differences import HOLDS, NOT_SHOWN, NOT_TESTED, compare_rows, verdict
from affectory.report.scores import calibration_table, scores
from affectory.report.study_data import StudyData, plain
from affectory.results.frames import records, where
from affectory.results.names import AVERAGE, metric_title
from affectory.results.significance import LEVEL, OVER_SEEDS, holm
from affectory.results.tables import Cell, cells, missing_phrase
from affectory.results.words import DIGITS, joined, number, p_words, plural, shortened, spread

Difference = dict[str, Any]  # a row of `significance.compare`, with the reference as `experiment` where it is named
Finding = Callable[[StudyData], list[str]]


def highest_rows(data: StudyData) -> list[str]:
    """Which row is highest, in the mean over the missing conditions and with every modality there."""
    data = plain(data)
    places = ((AVERAGE, in_the_mean(data)), (data.full_condition, with_all(data)))
    return [sentence for condition, place in places if (sentence := highest(data, condition, place))]


def highest(data: StudyData, condition: str, place: str) -> str:
    """One sentence; "" where fewer than two rows have this condition. `place` calls the condition."""
    column = column_of(data, condition)
    if len(column) < 2:
        return ""
    top = max(column, key=lambda name: column[name].mean)
    others = compare_rows(data, data.metric, top, None, condition)
    apart = [other["baseline"] for other in others if other["significant"]]
    level = sorted((name for name in column if name not in (top, *apart)), key=lambda name: -column[name].mean)
    verdicts = "the paired test does not tell it"
    if apart:
        verdicts = f"the paired test tells it from {_share_of(len(apart), len(column) - 1)}{', not' if level else ''}"
    verdicts += f" from {_with_scores(data, level, column)}" if level else ""
    if top not in data.references:  # named before the numbers were seen
        verdicts += "; it was picked by these very numbers, which the test does not allow for"
    if all(isnan(other["p"]) for other in others):
        verdicts = "too few runs to test it"
    subject = f"{place}, {data.names.in_words(top)} has the highest {ranking(data)} of {plural(len(column), 'row')}"
    return f"{subject}, {mean_words(column[top])}; {verdicts}."


def published_order(data: StudyData, pairs: Iterable[tuple[str, str]], condition: str, place: str) -> list[str]:
    """Where the slides' order of rows holds here, where it is not shown, and where it is the other way round.

    `pairs` are of names, the lower row first; `place` calls the condition.
    """
    rows = _tested_pairs(plain(data), pairs, condition)
    openings = {
        HOLDS: "Of the slides’ order the paired test holds",
        NOT_SHOWN: "In the slides’ direction, but not shown by the test",
        "reversed": "Against the slides’ order",
    }
    by_outcome: dict[str, list[Difference]] = {outcome: [] for outcome in openings}
    for row in rows:
        is_reversed = round(row["difference"], DIGITS) <= 0
        outcome = "reversed" if is_reversed else HOLDS if verdict(row) == HOLDS else NOT_SHOWN
        by_outcome[outcome].append(row)
    family = f" ({place}; Holm over {plural(len(rows), 'pair')})" if len(rows) > 1 else ""
    parts = [
        (openings[outcome], "; ".join(_pair(data, row) for row in pairs_so))
        for outcome, pairs_so in by_outcome.items()
        if pairs_so
    ]
    return [
        f"{opening}{'' if place_of_part else family}: {text}." for place_of_part, (opening, text) in enumerate(parts)
    ]


def _tested_pairs(data: StudyData, pairs: Iterable[tuple[str, str]], condition: str) -> list[Difference]:
    """One row a pair of which both have the condition; Holm over these pairs."""
    tested = column_of(data, condition)
    rows = [
        {**row, "experiment": higher}
        for lower, higher in pairs
        if lower in tested and higher in tested
        for row in compare_rows(data, data.metric, higher, [lower], condition)
    ]
    adjusted = holm(pd.Series([row["p"] for row in rows], dtype=float).to_numpy())
    return [{**row, "p_holm": p, "significant": p < LEVEL} for row, p in zip(rows, adjusted, strict=True)]


def _pair(data: StudyData, row: Difference) -> str:
    difference = round(row["difference"], DIGITS)
    side = "above" if difference > 0 else "below" if difference < 0 else "level with"
    size = f" by {number(abs(difference))}" if difference else ""
    tested = p_words(row["p_holm"]) if difference > 0 else tested_words(row)
    return f"{data.names.in_words(row['experiment'])} {side} {data.names.in_words(row['baseline'])}{size} ({tested})"


def calibration(data: StudyData) -> list[str]:
    """The calibration error of what is deployed, and in how many rows calibration lowers it."""
    table = calibration_table(plain(data))
    rows = {row["experiment"]: row for row in records(where(table, condition=AVERAGE))}
    if not rows:
        return []
    moves = [
        f"from {number(rows[name]['before'])} to {number(rows[name]['after'])} for {data.names.in_words(name)}"
        for name in reversed(list(data.references))
        if name in rows
    ]
    lower = sum(round(row["after"], DIGITS) < round(row["before"], DIGITS) for row in rows.values())
    verb = f"goes {joined(moves)}; it is lower" if moves else "is lower"
    return [
        "With calibrated probabilities the expected calibration error, averaged over the missing conditions, "
        f"{verb} in {lower} of {plural(len(rows), 'row')}."
    ]


def scope(data: StudyData) -> list[str]:
    """What the test and the numbers speak of."""
    folds, seeds = len(set(data.results["fold"])), len(set(data.results["seed"]))
    tests = [row["test"] for row in against(data, next(iter(data.references), ""), data.full_condition).values()]
    if max(folds, seeds) < 3:
        return ["Fewer than three folds or seeds: no difference is tested, and any may be chance."]
    if OVER_SEEDS in tests or folds == 1:
        return ["One fold: the paired test speaks of training again on this split, not of other speakers."]
    return [
        f"The paired test counts {plural(folds, 'fold')}, each averaged over its seeds, and corrects for their shared "
        "training rows; what is not shown may still be there."
    ]


def left_out(data: StudyData) -> list[str]:
    """Which rows were not trained, by reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in data.left_out.items():
        by_reason.setdefault(reason.rstrip("."), []).append(data.names.title(name))
    parts = [f"{joined(titles)}: {reason}" for reason, titles in by_reason.items()]
    return [f"Not trained: {'; '.join(parts)}."] if parts else []


def against(data: StudyData, reference: str, condition: str) -> dict[str, Difference]:
    """baseline -> the tested difference of the reference from it, among the plain rows; none without the reference."""
    data = plain(data)
    if reference not in column_of(data, condition):
        return {}
    return {row["baseline"]: row for row in compare_rows(data, data.metric, reference, None, condition)}


def gap(data: StudyData, row: Difference) -> str:
    """`0.021 above MMIN (0.612; the test holds it, p 0.010)`."""
    baseline = f"{data.names.in_words(row['baseline'])} ({number(row['baseline_mean'])}; {tested_words(row)})"
    if not round(row["difference"], DIGITS):
        return f"level with {baseline}"
    return f"{number(abs(row['difference']))} {'above' if row['difference'] > 0 else 'below'} {baseline}"


def tested_words(row: Difference) -> str:
    """`the test holds it, p 0.010`, `not shown, p 0.210` or `not tested`."""
    outcome = verdict(row)
    if outcome == NOT_TESTED:
        return NOT_TESTED
    return f"{outcome if outcome == NOT_SHOWN else 'the test holds it'}, {p_words(row['p_holm'])}"


def ranking(data: StudyData) -> str:
    """The title of the metric that ranks."""
    return metric_title(data.metric)


def column_of(data: StudyData, condition: str) -> Mapping[str, Cell]:
    """experiment -> mean and deviation of the ranking metric under a condition."""
    by_row = cells(scores(data, [data.metric]), data.metric)
    return {name: row[condition] for name, row in by_row.items() if condition in row}


def in_the_mean(data: StudyData) -> str:
    return f"In the mean over the {missing_phrase(data.results)}"


def with_all(data: StudyData) -> str:
    both = data.full_condition.count(",") == 1
    return f"With {'both modalities' if both else 'every modality there'}, {data.full_condition}"


def mean_words(cell: Cell) -> str:
    """`0.612 ± 0.010`."""
    return number(cell.mean) + spread(cell.deviation)


def _share_of(some: int, others: int) -> str:
    if some < others:
        return f"{some} of the {others} others"
    return {1: "the other", 2: "both others"}.get(others, f"all {others} others")


def _with_scores(data: StudyData, names: list[str], column: Mapping[str, Cell]) -> str:
    return joined(shortened([f"{data.names.in_words(name)} ({number(column[name].mean)})" for name in names]))

"""What findings are made of: tested differences in words, an order claimed only where the paired test holds it.

All speak of the metric that ranks the study's rows. The mean over the missing conditions is recomputed within each run.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import Any

import pandas as pd

from affectory.report_data import where
from affectory.report_summary import NO_BREAK, missing_phrase, plural, score
from affectory.results.significance import LEVEL, OVER_SEEDS, compare, holm
from affectory.results.tables import AVERAGE, DIGITS, Cell, cells, conditions_table, metric_title, records
from affectory.study_data import StudyData, block_of, blocks, full_condition, n_modalities, named
from affectory.study_tables import HOLDS, NOT_SHOWN, calibration_table, verdict

Row = dict[str, Any]


def highest_rows(data: StudyData) -> list[str]:
    """Which row is highest, in the mean over the missing conditions and with every modality there."""
    if False in blocks(data):
        return [
            line
            for condition, place in ((AVERAGE, in_the_mean(data)), (full_condition(data), with_all(data)))
            if (line := highest(data, False, condition, place))
        ]
    return []


def highest(data: StudyData, normalised: bool, condition: str, place: str) -> str:
    """One sentence; "" where fewer than two rows have this condition."""
    results = of_metric(data, normalised)
    row = column(results, condition)
    if len(row) < 2:
        return ""
    top = max(row, key=lambda name: row[name].mean)
    spread = "" if isnan(row[top].deviation) else f"{NO_BREAK}±{NO_BREAK}{score(row[top].deviation)}"
    found = records(compare(results, data.kind.metrics[0], top, None, condition, test_share=data.test_share))
    apart = [other["baseline"] for other in found if other["significant"]]
    level = sorted((other for other in row if other not in (top, *apart)), key=lambda name: -row[name].mean)
    told = f"the paired test tells it from {_of(len(apart), len(row) - 1)}"
    told += f", not from {_listed(level, row)}" if level else ""
    if top not in data.kind.references:  # named before the numbers were seen
        told += "; it was picked by these very numbers, which the test does not allow for"
    told = "too few runs to test it" if all(isnan(other["p"]) for other in found) else told
    first = f"{place}, {named(top)} has the highest {ranking(data)} of {plural(len(row), 'row')}"
    return f"{first}, {score(row[top].mean)}{spread}; {told}."


def published_order(data: StudyData, pairs: Iterable[tuple[str, str]], condition: str, place: str) -> list[str]:
    """Where the slides' order of rows holds here, where it is not shown, and where it is the other way round.

    `pairs` are of names, the lower row first; `place` calls the condition.
    """
    rows = _pairs(data, pairs, condition)
    if not rows:
        return []
    kinds: dict[str, list[Row]] = {"holds": [], "not shown": [], "does not hold": []}
    for row in rows:
        reversed_here = round(row["difference"], DIGITS) <= 0
        kinds["does not hold" if reversed_here else "holds" if verdict_of(row) == HOLDS else "not shown"].append(row)
    said = {
        "holds": "Of the slides’ order the paired test holds",
        "not shown": "In the slides’ direction, but not shown by the test",
        "does not hold": "Against the slides’ order",
    }
    family = f" ({place}; Holm over {plural(len(rows), 'pair')})" if len(rows) > 1 else ""
    told = [(said[kind], "; ".join(map(_pair, found))) for kind, found in kinds.items() if found]
    return [f"{words}{'' if number else family}: {shown}." for number, (words, shown) in enumerate(told)]


def _pairs(data: StudyData, pairs: Iterable[tuple[str, str]], condition: str) -> list[Row]:
    """One row a pair of which both have the condition; Holm over these pairs."""
    results = plain(data)
    metric, known = data.kind.metrics[0], column(results, condition)
    tables = [
        compare(results, metric, higher, [lower], condition, test_share=data.test_share).assign(experiment=higher)
        for lower, higher in pairs
        if lower in known and higher in known
    ]
    tables = [table for table in tables if table["runs"].iloc[0]]
    if not tables:
        return []
    table = pd.concat(tables, ignore_index=True)
    adjusted = holm(table["p"].to_numpy(float))
    return records(table.assign(p_holm=adjusted, significant=adjusted < LEVEL))


def _pair(row: Row) -> str:
    side = "above" if row["difference"] > 0 else "below"
    if not round(row["difference"], DIGITS):
        side = "level with"
    gap = f" by {score(abs(row['difference']))}" if side != "level with" else ""
    told = f" ({_p(row)})" if round(row["difference"], DIGITS) > 0 else f" ({tested_words(row)})"
    return f"{named(row['experiment'])} {side} {named(row['baseline'])}{gap}{told}"


def calibration(data: StudyData) -> list[str]:
    """The calibration error of what is deployed, and in how many rows calibration lowers it."""
    table = calibration_table(data)
    found = {row["experiment"]: row for row in records(where(table, condition=AVERAGE))}
    if not found:
        return []
    shown = [
        f"from {score(found[name]['before'])} to {score(found[name]['after'])} for {named(name)}"
        for name in reversed(list(data.kind.references))
        if name in found
    ]
    lower = sum(round(row["after"], DIGITS) < round(row["before"], DIGITS) for row in found.values())
    moved = f"goes {joined(shown)}; it is lower" if shown else "is lower"
    return [
        "With calibrated probabilities the expected calibration error, averaged over the missing conditions, "
        f"{moved} in {lower} of {plural(len(found), 'row')}."
    ]


def scope(data: StudyData) -> list[str]:
    """What the test and the numbers speak of."""
    folds, seeds = len(set(data.results["fold"])), len(set(data.results["seed"]))
    tests = [row["test"] for row in against(data, next(iter(data.kind.references)), full_condition(data)).values()]
    if max(folds, seeds) < 3:
        return ["Fewer than three folds or seeds: no difference is tested, and any may be chance."]
    if OVER_SEEDS in tests or folds == 1:
        return ["One fold: the paired test speaks of training again on this split, not of other speakers."]
    return [
        f"The paired test counts {plural(folds, 'fold')}, each averaged over its seeds, and corrects for their shared "
        "training rows; what is not shown may still be there."
    ]


def against(data: StudyData, reference: str, condition: str) -> dict[str, Row]:
    """baseline -> the tested difference of the reference from it, among the plain rows."""
    results = plain(data)
    if reference not in column(results, condition):
        return {}
    found = records(compare(results, data.kind.metrics[0], reference, None, condition, test_share=data.test_share))
    return {row["baseline"]: row for row in found if row["runs"]}


def gap(row: Row) -> str:
    """`0.021 above MMIN (0.612; the test holds it, p 0.010)`."""
    baseline = f"{named(row['baseline'])} ({score(row['baseline_mean'])}; {tested_words(row)})"
    if not round(row["difference"], DIGITS):
        return f"level with {baseline}"
    return f"{score(abs(row['difference']))} {'above' if row['difference'] > 0 else 'below'} {baseline}"


def tested_words(row: Row) -> str:
    words = verdict_of(row)
    if isnan(row["p_holm"]):
        return words
    return f"{words if words == NOT_SHOWN else 'the test holds it'}, {_p(row)}"


def _p(row: Row) -> str:
    if isnan(row["p_holm"]):
        return "not tested"
    return f"p{NO_BREAK}<{NO_BREAK}0.001" if row["p_holm"] < 0.001 else f"p{NO_BREAK}{score(row['p_holm'])}"


def verdict_of(row: Row) -> str:
    return verdict(row["difference"], row["p_holm"], row["significant"])


def ranking(data: StudyData) -> str:
    """The title of the metric that ranks."""
    return metric_title(data.kind.metrics[0])


def plain(data: StudyData) -> pd.DataFrame:
    return of_metric(data, False)


def of_metric(data: StudyData, normalised: bool) -> pd.DataFrame:
    return block_of(where(data.results, metric=data.kind.metrics[0]), normalised)


def _cells(results: pd.DataFrame) -> dict[str, dict[str, Cell]]:
    metrics = sorted(set(results["metric"]))  # of one, or of none without rows
    return cells(conditions_table(results, metrics), metrics[0]) if metrics else {}


def column(results: pd.DataFrame, condition: str) -> dict[str, Cell]:
    return {name: row[condition] for name, row in _cells(results).items() if condition in row}


def in_the_mean(data: StudyData) -> str:
    return f"In the mean over the {missing_phrase(data.results)}"


def with_all(data: StudyData) -> str:
    return f"With {_all(data)}"


def _all(data: StudyData) -> str:
    word = "both modalities" if n_modalities(data) == 2 else "every modality there"
    return f"{word}, {full_condition(data)}"


def _of(some: int, number: int) -> str:
    if some == number:
        return "the other" if number == 1 else f"all {number} others"
    return f"{some or 'none'} of the {number} others"


def _listed(names: list[str], row: dict[str, Cell]) -> str:
    return joined(cut([f"{named(name)} ({score(row[name].mean)})" for name in names]))


def cut(parts: list[str], most: int = 4) -> list[str]:
    return [*parts[:most], f"{len(parts) - most} more"] if len(parts) > most + 1 else parts


def joined(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    words = list(parts)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

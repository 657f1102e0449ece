"""What a study found, in plain sentences: computed from its numbers, an order claimed only where the paired test holds.

All speak of UA. The mean over the missing conditions is recomputed within each run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isnan
from typing import Any

import pandas as pd

from affectory.report_data import where
from affectory.report_summary import NO_BREAK, missing_phrase, plural, score
from affectory.significance import LEVEL, OVER_SEEDS, compare, holm
from affectory.study_data import (
    SPEAKER_NORMALISED_TITLE,
    StudyData,
    block_of,
    blocks,
    full_condition,
    n_modalities,
    named,
)
from affectory.study_tables import HOLDS, NOT_SHOWN, REFERENCES, calibration_table, single_modalities, verdict
from affectory.tables import AVERAGE, DIGITS, Cell, cells, conditions_table, records

METRIC = "ua"
CONTROLS = ("augmented_pretrained", "mmin_no_imagination")
# The slides' order, lower row first.
SLIDES = (
    ("full_baseline", "augmented_baseline"),
    ("augmented_baseline", "mmin"),
    ("mmin_no_cycle", "mmin"),
    ("mmin_ae", "mmin"),
    ("mctn", "augmented_baseline"),
)
Row = dict[str, Any]


def findings(data: StudyData) -> list[str]:
    """Sentences on what the numbers show and do not show; raw text, to be escaped where it is shown."""
    if METRIC not in set(data.results["metric"]):
        return [f"No results are stored for {data.study} yet."]
    parts: list[Callable[[StudyData], list[str]]] = [
        _highest_rows, _mmin, _best, _augmentation, _slides, _normalised, _calibration, _scope,
    ]  # fmt: skip
    return [line for part in parts for line in part(data)]


def _highest_rows(data: StudyData) -> list[str]:
    """Which row is highest, in the mean over the missing conditions and with every modality there."""
    if False in blocks(data):
        return [
            line
            for condition, place in ((AVERAGE, _in_the_mean(data)), (full_condition(data), _with_all(data)))
            if (line := _highest(data, False, condition, place))
        ]
    return []


def _highest(data: StudyData, normalised: bool, condition: str, place: str) -> str:
    """One sentence; "" where fewer than two rows have this condition."""
    results = _of_metric(data, normalised)
    row = _column(results, condition)
    if len(row) < 2:
        return ""
    top = max(row, key=lambda name: row[name].mean)
    spread = "" if isnan(row[top].deviation) else f"{NO_BREAK}±{NO_BREAK}{score(row[top].deviation)}"
    found = records(compare(results, METRIC, top, None, condition, test_share=data.test_share))
    apart = [other["baseline"] for other in found if other["significant"]]
    level = sorted((other for other in row if other not in (top, *apart)), key=lambda name: -row[name].mean)
    told = f"the paired test tells it from {_of(len(apart), len(row) - 1)}"
    told += f", not from {_listed(level, row)}" if level else ""
    if top not in REFERENCES:  # named before the numbers were seen
        told += "; it was picked by these very numbers, which the test does not allow for"
    told = "too few runs to test it" if all(isnan(other["p"]) for other in found) else told
    first = f"{place}, {named(top)} has the highest UA of {plural(len(row), 'row')}"
    return f"{first}, {score(row[top].mean)}{spread}; {told}."


def _mmin(data: StudyData) -> list[str]:
    """MMIN against the augmented baseline and against the controls that tell imagination from pretraining."""
    found = _against(data, "mmin", AVERAGE)
    shown = [found[name] for name in ("augmented_baseline", *CONTROLS) if name in found]
    if not shown:
        return []
    lines = [f"{_in_the_mean(data)}, MMIN ({score(shown[0]['experiment_mean'])}) is {_joined(map(_gap, shown))}."]
    words = {row["baseline"]: _verdict(row) for row in shown}
    controls = [name for name in CONTROLS if name in words]
    if words.get("augmented_baseline") == HOLDS and controls:
        if all(words[name] == HOLDS for name in controls):
            lines.append("It is above the controls without imagination too: here imagination adds to pretraining.")
        else:
            alike = [named(name) for name in controls if words[name] != HOLDS]
            lines.append(
                "So its gain over the augmented baseline is not shown to come from imagination: "
                f"the test does not put it above {_joined(alike)}."
            )
    return lines


def _best(data: StudyData) -> list[str]:
    """The preset best against the linear SVM, and against every row that it is not above."""
    lines = []
    for condition, place in ((AVERAGE, _in_the_mean(data)), (full_condition(data), _with_all(data))):
        found = _against(data, "best", condition)
        below = [row for row in found.values() if round(row["difference"], DIGITS) <= 0]
        below = sorted(below, key=lambda row: row["difference"])
        others = [_gap(row) for row in below if row["baseline"] != "linear_svm"]
        told = [_gap(found["linear_svm"])] if "linear_svm" in found else []
        told += [_joined(_cut(others))] if others else []
        if told:
            reached = score(next(iter(found.values()))["experiment_mean"])
            lines.append(f"{place}, the preset best ({reached}) is {'; it is '.join(told)}.")
    return lines


def _augmentation(data: StudyData) -> list[str]:
    """Augmented minus full, in the mean over the conditions of one modality."""
    results = single_modalities(_plain(data), METRIC)
    if not {"augmented_baseline", "full_baseline"} <= set(results["experiment"]):
        return []
    share = data.test_share
    rows = records(compare(results, METRIC, "augmented_baseline", ["full_baseline"], "{a}", test_share=share))
    if not rows[0]["runs"]:
        return []
    reached = score(rows[0]["experiment_mean"])
    told = f"the augmented baseline ({reached}) is {_gap(rows[0])}"
    return [f"In the mean over the single modalities, one comparison that was planned beforehand: {told}."]


def _slides(data: StudyData) -> list[str]:
    """Where the slides' order of rows holds here, where it is not shown, and where it is the other way round."""
    rows = _slides_rows(data)
    if not rows:
        return []
    kinds: dict[str, list[Row]] = {"holds": [], "not shown": [], "does not hold": []}
    for row in rows:
        against = round(row["difference"], DIGITS) <= 0
        kinds["does not hold" if against else "holds" if _verdict(row) == HOLDS else "not shown"].append(row)
    said = {
        "holds": "Of the slides’ order the paired test holds",
        "not shown": "In the slides’ direction, but not shown by the test",
        "does not hold": "Against the slides’ order",
    }
    family = (
        f" (in the mean over the missing conditions; Holm over {plural(len(rows), 'pair')})" if len(rows) > 1 else ""
    )
    told = [(said[kind], "; ".join(map(_pair, found))) for kind, found in kinds.items() if found]
    return [f"{words}{'' if place else family}: {pairs}." for place, (words, pairs) in enumerate(told)]


def _slides_rows(data: StudyData) -> list[Row]:
    """One row a pair of SLIDES that both have an average; Holm over these pairs."""
    results = _plain(data)
    known = _column(results, AVERAGE)
    tables = [
        compare(results, METRIC, higher, [lower], AVERAGE, test_share=data.test_share).assign(experiment=higher)
        for lower, higher in SLIDES
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
    told = f" ({_p(row)})" if round(row["difference"], DIGITS) > 0 else f" ({_tested_words(row)})"
    return f"{named(row['experiment'])} {side} {named(row['baseline'])}{gap}{told}"


def _normalised(data: StudyData) -> list[str]:
    """What the block with speaker-wise normalisation reaches, ranked by itself."""
    if True not in blocks(data):
        return []
    mean, whole = _in_the_mean(data), _with_all(data)
    places = {
        AVERAGE: f"With {SPEAKER_NORMALISED_TITLE}, {mean[0].lower()}{mean[1:]}",
        full_condition(data): f"{whole} and speaker-wise normalisation",
    }
    lines = [_highest(data, True, condition, place) for condition, place in places.items()]
    levels = [
        f"{place}, {named(name)} reaches UA {score(cell.mean)}."
        for condition, place in places.items()
        for name, cell in _column(_of_metric(data, True), condition).items()
    ]
    return [line for line in lines if line] or levels


def _calibration(data: StudyData) -> list[str]:
    """The calibration error of what is deployed, and in how many rows calibration lowers it."""
    table = calibration_table(data)
    found = {row["experiment"]: row for row in records(where(table, condition=AVERAGE))}
    if not found:
        return []
    shown = [
        f"from {score(found[name]['before'])} to {score(found[name]['after'])} for {named(name)}"
        for name in ("best", "mmin")
        if name in found
    ]
    lower = sum(round(row["after"], DIGITS) < round(row["before"], DIGITS) for row in found.values())
    moved = f"goes {_joined(shown)}; it is lower" if shown else "is lower"
    return [
        "With calibrated probabilities the expected calibration error, averaged over the missing conditions, "
        f"{moved} in {lower} of {plural(len(found), 'row')}."
    ]


def _scope(data: StudyData) -> list[str]:
    """What the test and the numbers speak of."""
    folds, seeds = len(set(data.results["fold"])), len(set(data.results["seed"]))
    tests = [row["test"] for row in _against(data, "mmin", AVERAGE).values()]
    if max(folds, seeds) < 3:
        return ["Fewer than three folds or seeds: no difference is tested, and any may be chance."]
    if OVER_SEEDS in tests or folds == 1:
        return ["One fold: the paired test speaks of training again on this split, not of other speakers."]
    return [
        f"The paired test counts {plural(folds, 'fold')}, each averaged over its seeds, and corrects for their shared "
        "training rows; what is not shown may still be there."
    ]


def _against(data: StudyData, reference: str, condition: str) -> dict[str, Row]:
    """baseline -> the tested difference of the reference from it, among the plain rows."""
    results = _plain(data)
    if reference not in _column(results, condition):
        return {}
    found = records(compare(results, METRIC, reference, None, condition, test_share=data.test_share))
    return {row["baseline"]: row for row in found if row["runs"]}


def _gap(row: Row) -> str:
    """`0.021 above MMIN (0.612; the test holds it, p 0.010)`."""
    baseline = f"{named(row['baseline'])} ({score(row['baseline_mean'])}; {_tested_words(row)})"
    if not round(row["difference"], DIGITS):
        return f"level with {baseline}"
    return f"{score(abs(row['difference']))} {'above' if row['difference'] > 0 else 'below'} {baseline}"


def _tested_words(row: Row) -> str:
    words = _verdict(row)
    if isnan(row["p_holm"]):
        return words
    return f"{words if words == NOT_SHOWN else 'the test holds it'}, {_p(row)}"


def _p(row: Row) -> str:
    if isnan(row["p_holm"]):
        return "not tested"
    return f"p{NO_BREAK}<{NO_BREAK}0.001" if row["p_holm"] < 0.001 else f"p{NO_BREAK}{score(row['p_holm'])}"


def _verdict(row: Row) -> str:
    return verdict(row["difference"], row["p_holm"], row["significant"])


def _plain(data: StudyData) -> pd.DataFrame:
    return _of_metric(data, False)


def _of_metric(data: StudyData, normalised: bool) -> pd.DataFrame:
    return block_of(where(data.results, metric=METRIC), normalised)


def _cells(results: pd.DataFrame) -> dict[str, dict[str, Cell]]:
    return cells(conditions_table(results, [METRIC]), METRIC)


def _column(results: pd.DataFrame, condition: str) -> dict[str, Cell]:
    return {name: row[condition] for name, row in _cells(results).items() if condition in row}


def _in_the_mean(data: StudyData) -> str:
    return f"In the mean over the {missing_phrase(data.results)}"


def _with_all(data: StudyData) -> str:
    return f"With {_all(data)}"


def _all(data: StudyData) -> str:
    word = "both modalities" if n_modalities(data) == 2 else "every modality there"
    return f"{word}, {full_condition(data)}"


def _of(some: int, number: int) -> str:
    if some == number:
        return "the other" if number == 1 else f"all {number} others"
    return f"{some or 'none'} of the {number} others"


def _listed(names: list[str], row: dict[str, Cell]) -> str:
    return _joined(_cut([f"{named(name)} ({score(row[name].mean)})" for name in names]))


def _cut(parts: list[str], most: int = 4) -> list[str]:
    return [*parts[:most], f"{len(parts) - most} more"] if len(parts) > most + 1 else parts


def _joined(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    words = list(parts)
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

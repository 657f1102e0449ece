"""A report's summary in plain sentences: derived from the numbers, and claiming no more than they do.

A baseline that is ahead is said to be ahead; a difference within its deviation is not called one.
"""

from __future__ import annotations

from math import isnan

import pandas as pd

from affectory.report_data import (
    CorpusFacts,
    ReportData,
    chance_level,
    label_counts,
    modalities_found,
    tested_modalities,
    where,
)
from affectory.results import tables
from affectory.results.tables import AVERAGE, Difference, experiment_title
from affectory.vocabulary import Condition, missing_conditions

NO_BREAK = "\N{NO-BREAK SPACE}"


def summary(data: ReportData) -> list[str]:
    """The page's plain-language summary, results first."""
    return [*results_summary(data), *corpus_summary(data)]


def results_summary(data: ReportData) -> list[str]:
    """What the models did, in plain sentences: every number from `data`, no claim beyond the runs' deviation."""
    if not len(data.results):
        return notes(data)
    lines = []
    for family in sorted(set(data.results["family"])):
        results = where(data.results, family=family)
        lines += _comparisons(results) or _levels(results)
        lines += [*_against_chance(results, chance_level(data)), *_selection(results)]
    return [*lines, _scope(data)]


def corpus_summary(data: ReportData) -> list[str]:
    """What the corpus holds, lacks and what of it was refused, in plain sentences."""
    return [_corpus_line(data.facts), _missing_line(data), _quarantine_line(data.facts)]


def notes(data: ReportData) -> list[str]:
    """What was not trained or not tested, and why: the caller's lines, then what the data shows."""
    lines = list(data.notes)
    modalities = tested_modalities(data.results)
    if len(modalities) == 1:
        only = modalities[0].value
        lines.append(
            f"Only one modality ({only}) was tested: no condition lacks one, so there is no average and no MMIN."
        )
    if not len(data.results) and not data.dimensions and not lines:
        labelled = len(data.facts.label_counts) > 0
        why = "no results are stored for it yet" if labelled else "none of its utterances carries an emotion label"
        lines.append(f"There is no model of this corpus: {why}. What follows describes the data alone.")
    return lines


def _comparisons(results: pd.DataFrame) -> list[str]:
    """MMIN against both baselines: over the missing conditions, then with every modality there."""
    full = _full_condition(results)
    found = {
        f"Averaged over the {missing_phrase(results)}": _differences(results, AVERAGE),
        f"With every modality there, {full}": _differences(results, full),
    }
    return [_comparison(place, differences) for place, differences in found.items() if differences]


def _differences(results: pd.DataFrame, condition: str) -> list[Difference]:
    baselines = ("augmented_baseline", "full_baseline")
    found = (tables.paired_difference(results, "ua", "mmin", baseline, condition) for baseline in baselines)
    return [difference for difference in found if difference is not None]


def _comparison(place: str, differences: list[Difference]) -> str:
    reached = f"{experiment_title(differences[0].experiment)} reaches UA {score(differences[0].experiment_mean)}"
    return f"{place}, {reached}: {'; '.join(map(_against, differences))}."


def _against(found: Difference) -> str:
    baseline = f"the {_lower(experiment_title(found.baseline))} ({score(found.baseline_mean)})"
    if not round(found.mean, tables.DIGITS):
        return f"level with {baseline}"
    side = "above" if found.mean > 0 else "below"
    if isnan(found.deviation):
        return f"{score(abs(found.mean))} {side} {baseline}"
    gap = f"{score(abs(found.mean))}{NO_BREAK}±{NO_BREAK}{score(found.deviation)} {side} {baseline}"
    if abs(found.mean) <= found.deviation:
        return f"{gap}, which these runs do not tell from no difference"
    return gap if found.mean > 0 else f"{gap}, so the baseline is ahead"


def _levels(results: pd.DataFrame) -> list[str]:
    """Where nothing is compared: what each experiment reaches with every modality there."""
    full = _full_condition(results)
    rows = tables.cells(tables.conditions_table(results, ["ua"]), "ua")
    return [
        f"{experiment_title(experiment)}: UA {score(row[full].mean)}"
        + ("" if isnan(row[full].deviation) else f"{NO_BREAK}±{NO_BREAK}{score(row[full].deviation)}")
        + f" under {full}."
        for experiment, row in rows.items()
        if full in row
    ]


def _against_chance(results: pd.DataFrame, chance: float | None) -> list[str]:
    table = tables.conditions_table(results, ["ua"])
    if chance is None or not len(table):
        return []
    margin = " by more than a deviation" if repeated(table) else ""
    weak: dict[str, list[str]] = {}
    for experiment, row in tables.cells(table, "ua").items():
        for condition, cell in row.items():
            spread = 0.0 if isnan(cell.deviation) else cell.deviation
            if condition != AVERAGE and cell.mean - spread <= chance:
                weak.setdefault(experiment_title(experiment), []).append(condition)
    if not weak:
        return [f"Every score of the test is above chance (UA {score(chance)}){margin}."]
    named = "; ".join(f"{title} under {', '.join(names)}" for title, names in weak.items())
    return [f"Not above chance (UA {score(chance)}){margin}: {named}."]


def _selection(results: pd.DataFrame) -> list[str]:
    on_test = [name for name in sorted(set(results["selected_on"].astype(str))) if name.startswith("test")]
    return [f"Some checkpoints were selected on {', '.join(on_test)}: those scores are optimistic."] if on_test else []


def _scope(data: ReportData) -> str:
    """How far the numbers carry."""
    runs = runs_phrase(data.results)
    if runs == f"1{NO_BREAK}seed":
        lines = ["One run of each, so there is no deviation, and a difference may be chance."]
    elif "mmin" in set(data.results["experiment"]):
        lines = [f"± is one standard deviation over {runs}; of a difference, paired by run."]
    else:
        lines = [f"± is one standard deviation over {runs}."]
    lines.append(f"These are results of one corpus and {runs}; they do not rank methods.")
    if tested := len(set(data.predictions["utterance_id"])):
        lines.append(f"The test part holds {plural(tested, 'utterance')}; a single one is {score(1 / tested)} of WA.")
    if data.facts.planted:
        lines.append(
            "The corpus is generated with known answers: its numbers test the software and say nothing of people."
        )
    return " ".join(lines)


def _corpus_line(facts: CorpusFacts) -> str:
    counts = label_counts(facts)
    labelled, classes = counts.total(), len({label for _, label in counts})
    parts = [(facts.speakers, "speaker"), (facts.dialogues, "dialogue"), (facts.media_files, "media file")]
    held = ", ".join(plural(number, word) for number, word in parts if number)
    labels = f"{plural(labelled, 'emotion label')} of {plural(classes, 'class', 'classes')}"
    first = f"The corpus holds {plural(facts.utterances, 'utterance')}" + (f" ({held})" if held else "")
    return f"{first}, with {labels if labelled else 'no emotion label'}."


def _missing_line(data: ReportData) -> str:
    rows = modalities_found(data)
    if not rows:
        return "No features have been extracted."
    missing = [
        f"{row['modality']} in {count(row['absent'])} ({percent(row['absent'] / row['total'])})"
        for row in rows
        if row["absent"]
    ]
    if not missing:
        return "No utterance lacks a modality: " + ", ".join(str(row["modality"]) for row in rows) + "."
    return f"Modalities missing by nature, of {plural(data.facts.utterances, 'utterance')}: {', '.join(missing)}."


def _quarantine_line(facts: CorpusFacts) -> str:
    if not len(facts.quarantine):
        return "Nothing was refused."
    return f"{plural(len(facts.quarantine), 'item')} refused, each with its reason; the run went on without them."


def _full_condition(results: pd.DataFrame) -> str:
    return str(Condition(tested_modalities(results)))


def missing_phrase(results: pd.DataFrame) -> str:
    """`six missing conditions` of three modalities, `two` of two, nothing of one."""
    number = len(missing_conditions(tested_modalities(results)))
    return f"{ {2: 'two', 6: 'six'}.get(number, str(number)) } missing conditions" if number else ""


def runs_phrase(results: pd.DataFrame) -> str:
    return tables.runs_phrase(results).replace(" ", NO_BREAK)


def repeated(table: pd.DataFrame) -> bool:
    """Whether a conditions table has a deviation anywhere."""
    return any(runs > 1 for runs in table["runs"])


def _lower(title: str) -> str:
    return title if title.isupper() else title[:1].lower() + title[1:]


def plural(number: int, one: str, many: str = "") -> str:
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def score(value: float | None) -> str:
    return "–" if value is None or isnan(value) else f"{value:.{tables.DIGITS}f}".replace("-", "−")


def count(number: int) -> str:
    return f"{number:,}"


def percent(share: float) -> str:
    return "–" if isnan(share) else f"{100 * share:.0f}{NO_BREAK}%"

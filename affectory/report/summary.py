"""A page's plain-language summary: every number from its data, no claim beyond the runs' deviation."""

from __future__ import annotations

from math import isnan

import pandas as pd

from affectory.report.corpus_tables import chance_level, label_counts, modality_gaps
from affectory.report.data import CorpusFacts, ReportData
from affectory.results.frames import where
from affectory.results.names import AVERAGE, Names
from affectory.results.selected import TEST
from affectory.results.tables import (
    Difference,
    cells,
    conditions_table,
    full_condition,
    missing_phrase,
    paired_difference,
    repeated,
    runs_phrase,
    tested_modalities,
)
from affectory.results.words import DIGITS, NO_BREAK, count, number, percent, plural, spread

OURS, BASELINES = "mmin", ("augmented_baseline", "full_baseline")  # what is compared, where a family has both


def summary(data: ReportData) -> list[str]:
    """The page's plain-language summary, results first."""
    return [*results_summary(data), *corpus_summary(data)]


def results_summary(data: ReportData) -> list[str]:
    """What the models did, family by family, then the headline of each section, and how far the numbers carry."""
    headlines = [section.headline for section in data.sections if section.headline]
    if not len(data.results):
        return [*notes(data), *headlines]
    lines = []
    for family in sorted(set(data.results["family"])):
        results = where(data.results, family=family)
        lines += _comparisons(results, data.names) or _levels(results, data.names)
        lines += [*_against_chance(results, chance_level(data.facts), data.names), *_selection(results)]
    return [*lines, *headlines, _scope(data)]


def corpus_summary(data: ReportData) -> list[str]:
    """What the corpus holds, lacks and what of it was refused, in plain sentences."""
    return [_corpus_line(data.facts), _missing_line(data.facts), _quarantine_line(data.facts)]


def notes(data: ReportData) -> list[str]:
    """What was not trained or not tested, and why: the caller's lines, then what the data shows."""
    lines = list(data.notes)
    modalities = tested_modalities(data.results)
    if len(modalities) == 1:
        only = modalities[0].value
        lines.append(
            f"Only one modality ({only}) was tested: no condition lacks one, so there is no average and no MMIN."
        )
    if not len(data.results) and not data.sections and not lines:
        labelled = len(data.facts.label_counts) > 0
        why = "no results are stored for it yet" if labelled else "none of its utterances carries an emotion label"
        lines.append(f"There is no model of this corpus: {why}. What follows describes the data alone.")
    return lines


def _comparisons(results: pd.DataFrame, names: Names) -> list[str]:
    """MMIN against both baselines: over the missing conditions, then with every modality there."""
    full = full_condition(results)
    by_place = {
        f"Averaged over the {missing_phrase(results)}": _differences(results, AVERAGE),
        f"With every modality there, {full}": _differences(results, full),
    }
    return [_comparison(place, differences, names) for place, differences in by_place.items() if differences]


def _differences(results: pd.DataFrame, condition: str) -> list[Difference]:
    differences = (paired_difference(results, "ua", OURS, baseline, condition) for baseline in BASELINES)
    return [difference for difference in differences if difference is not None]


def _comparison(place: str, differences: list[Difference], names: Names) -> str:
    reached = f"{names.in_words(differences[0].experiment)} reaches UA {number(differences[0].experiment_mean)}"
    return f"{place}, {reached}: {'; '.join(_against(difference, names) for difference in differences)}."


def _against(difference: Difference, names: Names) -> str:
    baseline = f"{names.in_words(difference.baseline)} ({number(difference.baseline_mean)})"
    if not round(difference.mean, DIGITS):
        return f"level with {baseline}"
    side = "above" if difference.mean > 0 else "below"
    gap = f"{number(abs(difference.mean))}{spread(difference.deviation)} {side} {baseline}"
    if isnan(difference.deviation):
        return gap
    if abs(difference.mean) <= difference.deviation:
        return f"{gap}, which these runs do not tell from no difference"
    return gap if difference.mean > 0 else f"{gap}, so the baseline is ahead"


def _levels(results: pd.DataFrame, names: Names) -> list[str]:
    """Where nothing is compared: what each experiment reaches with every modality there."""
    full = full_condition(results)
    rows = cells(conditions_table(results, ["ua"], names), "ua")
    return [
        f"{names.title(experiment)}: UA {number(row[full].mean)}{spread(row[full].deviation)} under {full}."
        for experiment, row in rows.items()
        if full in row
    ]


def _against_chance(results: pd.DataFrame, chance: float | None, names: Names) -> list[str]:
    table = conditions_table(results, ["ua"], names)
    if chance is None or not len(table):
        return []
    margin = " by more than a deviation" if repeated(table) else ""
    weak: dict[str, list[str]] = {}
    for experiment, row in cells(table, "ua").items():
        for condition, cell in row.items():
            deviation = 0.0 if isnan(cell.deviation) else cell.deviation
            if condition != AVERAGE and cell.mean - deviation <= chance:
                weak.setdefault(names.title(experiment), []).append(condition)
    if not weak:
        return [f"Every score of the test is above chance (UA {number(chance)}){margin}."]
    named = "; ".join(f"{title} under {', '.join(conditions)}" for title, conditions in weak.items())
    return [f"Not above chance (UA {number(chance)}){margin}: {named}."]


def _selection(results: pd.DataFrame) -> list[str]:
    on_test = [name for name in sorted(set(results["selected_on"].astype(str))) if name.startswith(TEST)]
    return [f"Some checkpoints were selected on {', '.join(on_test)}: those scores are optimistic."] if on_test else []


def _scope(data: ReportData) -> str:
    """How far the numbers carry."""
    runs = runs_phrase(data.results)
    if runs == f"1{NO_BREAK}seed":
        lines = ["One run of each, so there is no deviation, and a difference may be chance."]
    elif OURS in set(data.results["experiment"]):
        lines = [f"± is one standard deviation over {runs}; of a difference, paired by run."]
    else:
        lines = [f"± is one standard deviation over {runs}."]
    lines.append(f"These are results of one corpus and {runs}; they do not rank methods.")
    if tested := len(set(data.predictions["utterance_id"])):
        lines.append(f"The test part holds {plural(tested, 'utterance')}; a single one is {number(1 / tested)} of WA.")
    if data.facts.planted:
        lines.append(
            "The corpus is generated with known answers: its numbers test the software and say nothing of people."
        )
    return " ".join(lines)


def _corpus_line(facts: CorpusFacts) -> str:
    counts = label_counts(facts)
    labelled, classes = counts.total(), len({label for _, label in counts})
    parts = [(facts.speakers, "speaker"), (facts.dialogues, "dialogue"), (facts.media_files, "media file")]
    held = ", ".join(plural(many, word) for many, word in parts if many)
    labels = f"{plural(labelled, 'emotion label')} of {plural(classes, 'class', 'classes')}"
    first = f"The corpus holds {plural(facts.utterances, 'utterance')}" + (f" ({held})" if held else "")
    return f"{first}, with {labels if labelled else 'no emotion label'}."


def _missing_line(facts: CorpusFacts) -> str:
    gaps = modality_gaps(facts)
    if not gaps:
        return "No features have been extracted."
    missing = [
        f"{gap.modality} in {count(gap.absent)} ({percent(gap.absent / gap.total)})" for gap in gaps if gap.absent
    ]
    if not missing:
        return "No utterance lacks a modality: " + ", ".join(gap.modality for gap in gaps) + "."
    return f"Modalities missing by nature, of {plural(facts.utterances, 'utterance')}: {', '.join(missing)}."


def _quarantine_line(facts: CorpusFacts) -> str:
    if not len(facts.quarantine):
        return "Nothing was refused."
    return f"{plural(len(facts.quarantine), 'item')} refused, each with its reason; the run went on without them."

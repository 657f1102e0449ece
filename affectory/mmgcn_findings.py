"""What a study of MMGCN found: what context, fusion, depth, speakers and order are worth, what live use costs."""

from __future__ import annotations

from math import isnan

from affectory.report_data import where
from affectory.report_summary import NO_BREAK, score
from affectory.results.tables import cells, records
from affectory.study_data import StudyData, chance, full_condition, named
from affectory.study_kinds import layers
from affectory.study_sentences import (
    Row,
    against,
    gap,
    joined,
    published_order,
    ranking,
    verdict_of,
    with_all,
)
from affectory.study_tables import DEEP, HOLDS, HOLDS_BELOW, depths, on_test, study_table

CONTEXTS = ("bc_lstm", "cmn", "icon", "dialogue_rnn", "dialogue_gcn")
FUSIONS = ("early", "late", "gated", "mfn", "mult")
CONTROLS = ("_shuffled_order", "_strangers", "_shuffled_labels")  # end the names of rows
# The slides' order: MMGCN above all others, and with speakers above without; lower row first.
SLIDES = tuple((name, "mmgcn") for name in (*CONTEXTS, *FUSIONS, "mmgcn_no_speaker"))


def _context(data: StudyData) -> list[str]:
    """Which models of context are told from the utterance alone."""
    found = _full(data, "utterance")
    shown = [found[name] for name in (*CONTEXTS, "mmgcn") if name in found]
    if not shown:
        return []
    alone = score(shown[0]["experiment_mean"])
    above = [row for row in shown if verdict_of(row) == HOLDS_BELOW]  # the utterance is below
    below = [row for row in shown if verdict_of(row) == HOLDS]
    told = []
    if above:
        told.append(f"above it, and the test holds it: {_named_scores(above)}")
    if below:
        told.append(f"below it, and the test holds it: {_named_scores(below)}")
    if level := [row for row in shown if row not in above and row not in below]:
        told.append(f"not told from it: {_named_scores(level)}")
    return [f"Context against the utterance alone ({alone}): {'; '.join(told)}."]


def _slides(data: StudyData) -> list[str]:
    return published_order(data, SLIDES, full_condition(data), with_all(data).lower())


def _depth(data: StudyData) -> list[str]:
    table = depths(data)
    if len(table) < 2:
        return []
    rows = sorted(records(table), key=lambda row: row["value"])
    best, worst = rows[-1], rows[0]
    return [
        f"Over depth, {ranking(data)} goes from {score(worst['value'])} ({_deep(worst)}) to "
        f"{score(best['value'])} ({_deep(best)}); {_depths_told(data)}."
    ]


def _deep(row: Row) -> str:
    return f"{row['layers']:.0f} {layers(int(row['layers']))}"


def _depths_told(data: StudyData) -> str:
    rows = {name: row for name, row in _full(data, "mmgcn").items() if name.startswith(DEEP)}
    if all(isnan(row["p_holm"]) for row in rows.values()):
        return "not tested"
    apart = [name for name, row in rows.items() if row["significant"]]
    if not apart:
        return "the test tells no other depth from MMGCN’s own"
    return f"the test tells from MMGCN’s own depth: {joined(map(named, apart))}"


def _live(data: StudyData) -> list[str]:
    """What seeing the past only costs."""
    row = _full(data, "mmgcn").get("mmgcn_causal")
    return [f"Live use: MMGCN ({score(row['experiment_mean'])}) is {gap(row)}."] if row else []


def _order_and_company(data: StudyData) -> list[str]:
    """What the order of the utterances, and what the company of the others, is worth to the models of context."""
    found = {name: _full(data, name) for name in ("bc_lstm", "mmgcn")}
    lines = []
    for control, what in (("shuffled_order", "the order of utterances"), ("strangers", "whose company they are in")):
        shown = {name: rows[f"{name}_{control}"] for name, rows in found.items() if f"{name}_{control}" in rows}
        told = [f"{named(name)} ({score(row['experiment_mean'])}) is {gap(row)}" for name, row in shown.items()]
        lines += [f"Control, {what}: {'; '.join(told)}."] if told else []
    return lines


def _labels(data: StudyData) -> list[str]:
    """Shuffled labels must bring chance."""
    table, condition, level = study_table(data, ["ua"]), full_condition(data), chance(data)
    cell = cells(table, "ua").get("mmgcn_shuffled_labels", {}).get(condition)
    if cell is None or level is None:
        return []
    spread = "" if isnan(cell.deviation) else f"{NO_BREAK}±{NO_BREAK}{score(cell.deviation)}"
    near = isnan(cell.deviation) or abs(cell.mean - level) <= 2 * cell.deviation
    told = "" if near else ", more than two deviations away: look for a leak"
    return [f"Control, shuffled training labels: UA {score(cell.mean)}{spread} where chance is {score(level)}{told}."]


def _modalities(data: StudyData) -> list[str]:
    """MMGCN on fewer modalities; not ranked, for each is scored on the utterances that have them."""
    row = cells(study_table(data, data.kind.metrics[:1]), data.kind.metrics[0]).get("mmgcn_partial", {})
    told = ", ".join(f"{condition} {score(cell.mean)}" for condition, cell in row.items() if condition.startswith("{"))
    return [f"MMGCN trained for fewer modalities, each on the utterances that have them: {told}."] if told else []


def _optimism(data: StudyData) -> list[str]:
    """What selecting the epoch on the test part would have shown, of the rows with every modality but the controls."""
    table = where(on_test(data), condition=full_condition(data))
    gains = [row["optimism"] for row in records(table) if not row["experiment"].endswith(CONTROLS)]
    if not gains:
        return []
    return [
        "Selecting each run’s best epoch on the test part, as published code does, would show "
        f"{score(sum(gains) / len(gains))} more {ranking(data)} on average over the rows, up to {score(max(gains))}."
    ]


def _full(data: StudyData, reference: str) -> dict[str, Row]:
    return against(data, reference, full_condition(data))


def _named_scores(rows: list[Row]) -> str:
    return joined(f"{named(row['baseline'])} ({score(row['baseline_mean'])})" for row in rows)


PARTS = (_context, _slides, _modalities, _depth, _live, _order_and_company, _labels, _optimism)

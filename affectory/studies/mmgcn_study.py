"""The conversation tables: models of context, fusions, MMGCN by depth, speaker and modality, and controls.

The rows and their order are those of Hu, Liu, Zhao and Jin (ACL 2021); the controls are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING, Any

import pandas as pd

from affectory.report.differences import HOLDS, HOLDS_BELOW, verdict
from affectory.report.figures.bars import class_bars
from affectory.report.figures.curves import depth_curve
from affectory.report.figures.edges import edge_map
from affectory.report.scores import chance, class_f1, class_grid, learning_figure, scores
from affectory.report.section import Figure, Grid, Group, Value
from affectory.report.sentences import (
    Difference,
    against,
    gap,
    mean_words,
    published_order,
    ranking,
    with_all,
)
from affectory.report.study_data import StudyData, plain
from affectory.results.frames import records, where
from affectory.results.names import AVERAGE, ON_TEST, condition_title
from affectory.results.tables import cells
from affectory.results.words import joined, number, plural, signed
from affectory.studies.study import Inside, Option, Row, Study
from affectory.vocabulary import DEPTHS

if TYPE_CHECKING:
    from affectory.data.dataset import Dataset

CONTEXTS = ("bc_lstm", "cmn", "icon", "dialogue_rnn", "dialogue_gcn")
FUSIONS = ("early", "late", "gated", "mfn", "mult")
METHODS = ("utterance", *CONTEXTS, "mmgcn")  # whose classes are shown one by one
CONTROLS = ("_shuffled_order", "_strangers", "_shuffled_labels")  # end the names of rows
DEEP = "mmgcn_layers_"  # begins the names of the rows of a depth
# The slides' order: MMGCN above all others, and with speakers above without; lower row first.
SLIDES = tuple((name, "mmgcn") for name in (*CONTEXTS, *FUSIONS, "mmgcn_no_speaker"))
RIVALS = {"official_code": "paper", "official_code_meld": "paper", "causal": "default"}  # what rivals take for a preset


# fmt: off
ROWS = (
    Row("utterance", "conversation", title="Utterance alone", in_words="the utterance alone", colour="#bcc3cc",
        means="a layer over the features of all modalities of one utterance: no context"),
    Row("bc_lstm", "conversation", title="BC-LSTM", colour="#6fbbe8", means="a bidirectional LSTM over the dialogue"),
    Row("cmn", "conversation", title="CMN", colour="#cc79a7",
        means="a memory of the speaker’s own past and one of all others’, each read in hops"),
    Row("icon", "conversation", title="ICON", colour="#e69f00",
        means="as CMN, with one memory of all, read anew on every hop"),
    Row("dialogue_rnn", "conversation", title="DialogueRNN", colour="#93d3bd",
        means="a state of each speaker, of the dialogue and of the emotion, both ways"),
    Row("dialogue_gcn", "conversation", title="DialogueGCN", colour="#009e73",
        means="a graph over the utterances near by, relations by speaker and direction"),
    Row("early", "conversation", title="Early fusion", in_words="early fusion", fuses=True,
        means="modalities side by side, then the deep GCN of MMGCN; no speakers, as for all fusions"),
    Row("late", "conversation", title="Late fusion", in_words="late fusion", fuses=True,
        means="a deep GCN for each modality, their results side by side"),
    Row("gated", "conversation", title="Gated attention", in_words="gated attention", fuses=True,
        means="a deep GCN for each modality, whose results weigh each other in pairs"),
    Row("mfn", "conversation", title="MFN", fuses=True,
        means="LSTMs and a memory of how they change together, which look back only, then the deep GCN"),
    Row("mult", "conversation", title="MulT", fuses=True,
        means="each modality read by every other with attention, then the deep GCN"),
    Row("mmgcn", "mmgcn", title="MMGCN", colour="#0a62a9",
        means="every utterance is a node for each of its modalities; trained on full rows"),
    Row("mmgcn_augmented", "mmgcn", title="MMGCN, augmented", in_words="augmented MMGCN", colour="#1d2530", fuses=True,
        means="the same, trained on full rows and on every missing condition made from them: what is registered"),
    Row("mmgcn_partial", "mmgcn", title="MMGCN (one a condition)", in_words="the partial-modality MMGCNs",
        experiment="mmgcn", each="missing_condition", reads_all=False,
        means="MMGCN on just the modalities of the condition, one network each"),
    *(
        Row(
            f"{DEEP}{n}",
            "mmgcn",
            title=f"MMGCN, {plural(n, 'layer')}",
            in_words=f"MMGCN of {plural(n, 'layer')}",
            means=f"MMGCN with {plural(n, 'layer')} of graph convolution",
        )
        for n in DEPTHS
    ),
    Row("mmgcn_no_speaker", "mmgcn", title="MMGCN without speakers", means="MMGCN without the embedding of who speaks"),
    Row("mmgcn_causal", "mmgcn", title="MMGCN, causal", in_words="causal MMGCN",
        means="MMGCN in which an utterance sees the past only, so that it can be scored live"),
    Row("bc_lstm_shuffled_order", "conversation", title="BC-LSTM, order shuffled (control)",
        in_words="BC-LSTM on shuffled dialogues", experiment="bc_lstm", shuffled="order",
        means="control: BC-LSTM, the utterances of every dialogue in another order"),
    Row("mmgcn_shuffled_order", "mmgcn", title="MMGCN, order shuffled (control)",
        in_words="MMGCN on shuffled dialogues", experiment="mmgcn", shuffled="order", means="control: MMGCN, likewise"),
    Row("bc_lstm_strangers", "conversation", title="BC-LSTM among strangers (control)",
        in_words="BC-LSTM among strangers", experiment="bc_lstm", shuffled="company",
        means="control: BC-LSTM, every utterance dealt into another dialogue of its part"),
    Row("mmgcn_strangers", "mmgcn", title="MMGCN among strangers (control)", in_words="MMGCN among strangers",
        experiment="mmgcn", shuffled="company", means="control: MMGCN, likewise"),
    Row("mmgcn_shuffled_labels", "mmgcn", title="MMGCN, labels shuffled (control)", in_words="MMGCN on shuffled labels",
        experiment="mmgcn", shuffled="labels",
        means="control: MMGCN, the labels of its training rows shuffled among them; what it reaches is chance"),
)
# fmt: on


def check_utterance(options: Mapping[str, Any], dataset: Dataset) -> None:
    """ValueError for an utterance to be drawn that is not there."""
    wanted = options.get("utterance")
    if wanted and wanted not in dataset.utterance_ids:
        some = ", ".join(dataset.utterance_ids[:3])
        raise ValueError(f"utterance {wanted!r}: expected the id of one in the corpus, as {some}")


def look_inside(inside: Inside) -> dict[str, pd.DataFrame]:
    """`edges`: whom the chosen utterance receives from; `layers`: how deep the row mmgcn is."""
    from affectory.learning.graph_edges import edges_of, utterance_to_show

    trained = inside.trained("mmgcn")
    if trained is None:
        return {}
    deployed, dataset = trained
    utterance = inside.options.get("utterance") or utterance_to_show(dataset)
    edges = edges_of(deployed.model, deployed.inputs, dataset, utterance)
    return {"edges": edges, "layers": pd.DataFrame({"layers": [deployed.config.graph_layers]})}


def context(data: StudyData) -> list[str]:
    """Which models of context are told from the utterance alone."""
    differences = _full(data, "utterance")
    rows = [differences[name] for name in (*CONTEXTS, "mmgcn") if name in differences]
    if not rows:
        return []
    alone = number(rows[0]["experiment_mean"])
    above = [row for row in rows if verdict(row) == HOLDS_BELOW]  # the utterance is below
    below = [row for row in rows if verdict(row) == HOLDS]
    level = [row for row in rows if row not in above and row not in below]
    parts = [f"above it, and the test holds it: {_with_scores(data, above)}"] if above else []
    parts += [f"below it, and the test holds it: {_with_scores(data, below)}"] if below else []
    parts += [f"not told from it: {_with_scores(data, level)}"] if level else []
    return [f"Context against the utterance alone ({alone}): {'; '.join(parts)}."]


def slides_order(data: StudyData) -> list[str]:
    return published_order(data, SLIDES, data.full_condition, with_all(data).lower())


def modalities(data: StudyData) -> list[str]:
    """MMGCN on fewer modalities; not ranked, for each is scored on the utterances that have them."""
    row = cells(scores(plain(data), [data.metric]), data.metric).get("mmgcn_partial", {})
    levels = ", ".join(f"{place} {number(cell.mean)}" for place, cell in row.items() if place.startswith("{"))
    return [f"MMGCN trained for fewer modalities, each on the utterances that have them: {levels}."] if levels else []


def depths(data: StudyData) -> pd.DataFrame:
    """layers, value, deviation of MMGCN by its depth, with every modality there, in the metric that ranks."""
    own = int(data.insides["layers"]["layers"].iloc[0]) if "layers" in data.insides else 0
    rows = []
    for name, row in cells(scores(plain(data), [data.metric]), data.metric).items():
        layers = own if name == "mmgcn" else int(name.removeprefix(DEEP)) if name.startswith(DEEP) else 0
        if layers and (cell := row.get(data.full_condition)):
            rows.append((layers, cell.mean, cell.deviation))
    return pd.DataFrame(sorted(rows), columns=["layers", "value", "deviation"])


def depth(data: StudyData) -> list[str]:
    rows = sorted(records(depths(data)), key=lambda row: row["value"])
    if len(rows) < 2:
        return []
    best, worst = rows[-1], rows[0]
    return [
        f"Over depth, {ranking(data)} goes from {number(worst['value'])} ({plural(int(worst['layers']), 'layer')}) to "
        f"{number(best['value'])} ({plural(int(best['layers']), 'layer')}); {_depths_tested(data)}."
    ]


def _depths_tested(data: StudyData) -> str:
    rows = {name: row for name, row in _full(data, "mmgcn").items() if name.startswith(DEEP)}
    if all(isnan(row["p_holm"]) for row in rows.values()):
        return "not tested"
    apart = [name for name, row in rows.items() if row["significant"]]
    if not apart:
        return "the test tells no other depth from MMGCN’s own"
    return f"the test tells from MMGCN’s own depth: {joined(map(data.names.in_words, apart))}"


def live_use(data: StudyData) -> list[str]:
    """What seeing the past only costs."""
    row = _full(data, "mmgcn").get("mmgcn_causal")
    return [f"Live use: MMGCN ({number(row['experiment_mean'])}) is {gap(data, row)}."] if row else []


def order_and_company(data: StudyData) -> list[str]:
    """What the order of the utterances, and what the company of the others, is worth to the models of context."""
    differences = {name: _full(data, name) for name in ("bc_lstm", "mmgcn")}
    lines = []
    for control, what in (("shuffled_order", "the order of utterances"), ("strangers", "whose company they are in")):
        rows = {n: rows[f"{n}_{control}"] for n, rows in differences.items() if f"{n}_{control}" in rows}
        parts = [
            f"{data.names.in_words(name)} ({number(row['experiment_mean'])}) is {gap(data, row)}"
            for name, row in rows.items()
        ]
        lines += [f"Control, {what}: {'; '.join(parts)}."] if parts else []
    return lines


def shuffled_labels(data: StudyData) -> list[str]:
    """Shuffled labels must bring chance."""
    level = chance(data)
    cell = cells(scores(plain(data), ["ua"]), "ua").get("mmgcn_shuffled_labels", {}).get(data.full_condition)
    if cell is None or level is None:
        return []
    is_near = isnan(cell.deviation) or abs(cell.mean - level) <= 2 * cell.deviation
    leak = "" if is_near else ", more than two deviations away: look for a leak"
    return [f"Control, shuffled training labels: UA {mean_words(cell)} where chance is {number(level)}{leak}."]


def on_test(data: StudyData) -> pd.DataFrame:
    """experiment, condition, selected, on_test, optimism: the ranking metric of the epoch chosen on validation, and of
    the one that is best on the test part, mean over runs; only of rows whose epochs were watched."""
    data, metrics = plain(data), (data.metric, f"{data.metric}{ON_TEST}")
    selected, best = (cells(scores(data, [metric]), metric) for metric in metrics)
    rows = [
        (name, condition, selected[name][condition].mean, cell.mean)
        for name, row in best.items()
        for condition, cell in row.items()
        if condition in selected.get(name, {}) and condition != AVERAGE
    ]
    table = pd.DataFrame(rows, columns=["experiment", "condition", "selected", "on_test"])
    return table.assign(optimism=table["on_test"] - table["selected"])


def optimism(data: StudyData) -> list[str]:
    """What selecting the epoch on the test part would have shown, of the rows with every modality but the controls."""
    table = where(on_test(data), condition=data.full_condition)
    gains = [row["optimism"] for row in records(table) if not row["experiment"].endswith(CONTROLS)]
    if not gains:
        return []
    return [
        "Selecting each run’s best epoch on the test part, as published code does, would show "
        f"{number(sum(gains) / len(gains))} more {ranking(data)} on average over the rows, up to {number(max(gains))}."
    ]


def on_test_grid(data: StudyData) -> Grid | None:
    """The labelled side column: what selecting epochs on the test part would have shown."""
    lines = tuple(
        (
            f"{data.names.title(row['experiment'])}, {condition_title(row['condition'])}",
            (Value(number(row["selected"])), Value(number(row["on_test"])), Value(signed(row["optimism"]))),
        )
        for row in records(on_test(data))
    )
    if not lines:
        return None
    return Grid(
        title=f"{ranking(data)}, optimistic side column",
        columns=("As in the tables above", "Best epoch on test", "Gain"),
        groups=(Group(lines),),
        note="Best epoch on test: the highest score that any epoch of a run reached on the test part, mean over runs. "
        "Published code reports it so. It is no honest score: nothing else here was selected on the test part.",
    )


def classes_figure(data: StudyData) -> Figure | None:
    table = class_f1(plain(data), METHODS)
    if not len(table):
        return None
    return Figure(
        name="classes",
        title="F1 of each class",
        caption="With every modality there, mean over runs; whiskers: one standard deviation each way.",
        draw=lambda form: class_bars(table, names=data.names, form=form),
    )


def classes_grid(data: StudyData) -> Grid | None:
    return class_grid(plain(data), METHODS)


def depth_figure(data: StudyData) -> Figure | None:
    table = depths(data)
    if len(table) < 2:
        return None
    return Figure(
        name="depth",
        title=f"{ranking(data)} of MMGCN over its depth",
        caption="Layers of graph convolution, on a scale of doublings; mean over runs, whiskers: one standard "
        "deviation.",
        draw=lambda form: depth_curve(table, data.metric, form=form),
    )


def edges_figure(data: StudyData) -> Figure | None:
    edges = data.insides.get("edges")
    if edges is None or not len(edges):
        return None
    chosen = edges.loc[edges["chosen"].astype(bool), "utterance_id"].iloc[0]
    return Figure(
        name="edges",
        title="From whom one utterance receives",
        caption=f"Rows of MMGCN’s normalised adjacency that belong to the utterance {chosen}, in one run: its node of "
        "each modality (rows) receives from every utterance of the dialogue in the same modality (columns, marked by "
        "who speaks) and, right, from its own nodes of the other modalities. White: no edge, as where a modality is "
        "missing.",
        draw=lambda form: edge_map(edges, form=form),
    )


def _full(data: StudyData, reference: str) -> dict[str, Difference]:
    return against(data, reference, data.full_condition)


def _with_scores(data: StudyData, rows: list[Difference]) -> str:
    return joined(f"{data.names.in_words(row['baseline'])} ({number(row['baseline_mean'])})" for row in rows)


STUDY = Study(
    name="mmgcn_study",
    family="mmgcn",
    title="Study of MMGCN",
    description="The conversation tables: models of context, fusions, MMGCN by depth, speaker and modality, and "
    "controls.",
    rows=tuple(replace(row, watched=True) for row in ROWS),
    metrics=("weighted_f1", "wa", "ua", "macro_f1"),
    references={"mmgcn": "†", "utterance": "‡"},
    pictured="mmgcn",
    presets={"conversation": RIVALS},
    options={
        "utterance": Option(
            "whose edges in the graph are drawn: its id; empty: the twentieth, or the last, of the longest dialogue "
            "that is tested"
        )
    },
    findings=(
        context, slides_order, modalities, depth, live_use, order_and_company, shuffled_labels, optimism,
    ),
    shows=(
        ("", (classes_figure, classes_grid, depth_figure, edges_figure, learning_figure, on_test_grid)),
    ),
    absent={
        "depth": "MMGCN was trained in fewer than two depths, so none are drawn.",
        "edges": "No edges of MMGCN are stored for this study, so none are drawn.",
        "learning_curves": "No learning curves of MMGCN are stored for this study.",
    },
    check=check_utterance,
    look_inside=look_inside,
)  # fmt: skip

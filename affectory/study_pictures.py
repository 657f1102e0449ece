"""A study's pictures as bytes, by name: what a page embeds and a tracking server keeps. Drawn by `study_plots`."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from affectory.conversation_plots import class_bars, depth_curve, edge_map
from affectory.learning.sweeps import FRAMES_MISSING, MODALITIES_MISSING
from affectory.plots import INK, MUTED, STYLE, Form, learning_curves, render
from affectory.report_data import where
from affectory.results.significance import dialogue_bootstrap
from affectory.results.tables import AVERAGE, columns_of, condition_title, in_order, records, short_title
from affectory.study_data import StudyData, block_of, blocks, chance
from affectory.study_plots import imagined_scatter, rate_curves, study_bars
from affectory.study_tables import calibration_table, class_f1, depths, imagination_table, study_table

NORMALISED = "_speaker_normalised"  # behind the name of a picture of that block
BARS, CALIBRATION, IMAGINED, CURVES = "conditions", "calibration", "imagined", "learning_curves"
CLASSES, DEPTH, EDGES = "classes", "depth", "edges"
SWEEPS = {f"missing_{kind}": kind for kind in (MODALITIES_MISSING, FRAMES_MISSING)}
_BEFORE, _AFTER = "#aeb6c0", "#0a62a9"


def pictures(data: StudyData, form: Form = "svg") -> dict[str, bytes]:
    """name -> picture, of what the data holds: `conditions`, `missing_modalities`, `missing_frames`, `calibration`,
    each also with NORMALISED where that block has it; of conversations `classes`, `depth` and `edges`; `imagined` and
    `learning_curves` of the row that the study's kind names."""
    found: dict[str, bytes] = {}
    for normalised in blocks(data):
        suffix = NORMALISED if normalised else ""
        drawn = {BARS: _bars(data, normalised, form), **_sweeps(data, normalised, form)}
        drawn[CALIBRATION] = _calibration(data, normalised, form)
        found |= {f"{name}{suffix}": picture for name, picture in drawn.items() if picture}
    found[IMAGINED] = _imagined(data, form)
    found |= _of_conversations(data, form)
    curves = where(data.history, experiment=data.kind.pictured)
    found[CURVES] = learning_curves(curves, form=form) if len(curves) else b""
    return {name: picture for name, picture in found.items() if picture}


def rates(data: StudyData, kind: str, *, speaker_normalised: bool = False) -> pd.DataFrame:
    """experiment, rate, value, deviation of one kind of sweep: mean and sample deviation over runs."""
    rows = where(block_of(data.sweeps, speaker_normalised), kind=kind, metric=data.kind.metrics[0])
    of_runs = rows.groupby(["experiment", "rate"])["value"]
    return of_runs.agg(value="mean", deviation="std").reset_index()


def _bars(data: StudyData, normalised: bool, form: Form) -> bytes:
    metric = data.kind.metrics[0]
    table = study_table(data, [metric], speaker_normalised=normalised)
    if not len(table):
        return b""
    predictions = block_of(data.predictions, normalised)
    labelled = len(predictions.dropna(subset=["label", "predicted"]))
    intervals = dialogue_bootstrap(predictions, metric, data.units) if labelled else None
    return study_bars(table, metric, intervals, form=form)


def _sweeps(data: StudyData, normalised: bool, form: Form) -> dict[str, bytes]:
    tables = {name: rates(data, kind, speaker_normalised=normalised) for name, kind in SWEEPS.items()}
    metric = data.kind.metrics[0]
    level = chance(data) if metric == "ua" else None
    return {name: rate_curves(table, metric, chance=level, form=form) for name, table in tables.items() if len(table)}


def _of_conversations(data: StudyData, form: Form) -> dict[str, bytes]:
    found = {}
    if len(table := class_f1(data)):
        found[CLASSES] = class_bars(table, form=form)
    if len(table := depths(data)) > 1:
        found[DEPTH] = depth_curve(table, data.kind.metrics[0], form=form)
    if len(data.edges):
        found[EDGES] = edge_map(data.edges, form=form)
    return found


def _imagined(data: StudyData, form: Form) -> bytes:
    """The points that every condition has, with the distances of the representations themselves, mean over runs."""
    by_condition = {
        str(name): rows.set_index("utterance_id").sort_index() for name, rows in data.imagined.groupby("condition")
    }
    if not by_condition:
        return b""
    order = [name for name in columns_of(pd.DataFrame({"condition": list(by_condition)})) if name in by_condition]
    common = by_condition[order[0]].index
    for name in order[1:]:
        common = common.intersection(by_condition[name].index)
    told, shown = _distances(data), {}
    for name in order:
        rows = by_condition[name].loc[common]
        sides = [rows[[f"{side}_x", f"{side}_y"]].to_numpy(np.float64) for side in ("true", "imagined")]
        shown[name] = (np.stack(sides), told.get(name, {}))
    return imagined_scatter(shown, by_condition[order[0]].loc[common, "label"].astype(str).tolist(), form=form)


def _distances(data: StudyData) -> dict[str, dict[str, float]]:
    """condition -> distance -> value of the imagined from the true representations, mean over runs."""
    table = imagination_table(data)
    found: dict[str, dict[str, float]] = {}
    for row in records(where(table, experiment=data.kind.pictured)):
        found.setdefault(row["condition"], {})[row["metric"].removeprefix("imagination_")] = row["mean"]
    return found


def _calibration(data: StudyData, normalised: bool, form: Form) -> bytes:
    """A ring before and a dot after calibration for each experiment (rows) under each condition (panels)."""
    table = calibration_table(data, speaker_normalised=normalised)
    if not len(table):
        return b""
    columns, experiments = columns_of(table), in_order(table["experiment"])
    titles = [short_title(name) for name in experiments]
    highest = 1.08 * max(table["before"].max(), table["after"].max(), 0.05)
    with mpl.rc_context(STYLE):
        label, height = 0.25 + 0.075 * max(map(len, titles)), 0.95 + 0.19 * len(titles)
        inches = label + 1.08 * len(columns) + 0.1
        figure = Figure(figsize=(inches, height))
        panels = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
        figure.subplots_adjust(label / inches, 0.55 / height, 1 - 0.1 / inches, 1 - 0.4 / height, wspace=0.12)
        panels[0].set_yticks(range(len(titles)), titles)
        panels[0].set(ylim=(len(titles) - 0.4, -0.6), xlim=(0, highest))
        panels[0].tick_params(axis="y", labelcolor=INK)
        for axes, column in zip(panels, columns, strict=True):
            _errors(axes, where(table, condition=column), experiments)
            axes.set_title(condition_title(column))
        words = "Expected calibration error; ring: before, dot: after calibration; 0 is exact"
        figure.text(label / inches, 0.12 / height, words, color=MUTED)
        return render(figure, form)


def _errors(axes: Axes, rows: pd.DataFrame, experiments: list[str]) -> None:
    places = [experiments.index(name) for name in rows["experiment"]]
    axes.hlines(places, rows["before"], rows["after"], color=_BEFORE, linewidth=1.1, zorder=2)
    axes.plot(rows["before"], places, "o", color=_BEFORE, markerfacecolor="white", markersize=4.2, zorder=3)
    axes.plot(rows["after"], places, "o", color=_AFTER, markersize=4.2, zorder=4)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2f}".removeprefix("0") if value else "0")
    axes.locator_params(axis="x", nbins=3)
    axes.grid(axis="x", zorder=0)
    if set(rows["condition"]) == {AVERAGE}:
        axes.set_facecolor("#f2f4f7")

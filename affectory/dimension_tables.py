"""Tables of valence and arousal: each row's scores over runs, the slides' beside them, and what others published.

A row is scored under the fullest condition that it was tested under; by condition there is `condition_scores`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from affectory.dimension_data import OMG_STUDY, DimensionData
from affectory.dimension_rows import (
    AUDIO,
    AUDIO_FEATURES,
    CONTROLS,
    MULTIMODAL,
    PUBLISHED,
    SLIDES_NUMBERS,
    in_order,
    title,
)
from affectory.dimension_values import (
    AUDIO_GROUP,
    FACES_GROUP,
    FEATURES_GROUP,
    FUSED,
    MEAN,
    MODALITIES_GROUP,
    TOTAL,
    best_by_validation,
    cells_of,
    rows_by_group,
    tested,
)
from affectory.report_data import where
from affectory.report_summary import missing_phrase, runs_phrase
from affectory.results import tables
from affectory.results.tables import DIGITS, Cell
from affectory.study_data import short_keys
from affectory.vocabulary import DIMENSIONS

__all__ = [
    "AUDIO", "AUDIO_FEATURES", "MULTIMODAL", "PUBLISHED", "Grid", "after_training", "condition_scores", "further",
    "main_table", "published_table",
]  # fmt: skip

GROUP_TITLES = {AUDIO_GROUP: "Sound", FACES_GROUP: "Faces", MODALITIES_GROUP: "Modalities together"}
SLIDES_NOTE = (
    "Slides: the numbers of the slides, on the test part of OMG-Emotion, of which their author still found 1,450 of "
    "2,229 utterances: another data set, unless this corpus is that one."
)
BOLD_NOTE = "Bold: strictly highest mean of its column at three decimals, not a test of significance."
Lines = tuple[tuple[str, tuple[Cell | str, ...]], ...]  # title -> cells; a text is a published number or a gap
GAP = "–"


@dataclass(frozen=True)
class Grid:
    """A table as it is shown: lines under headings ("" = none); the last `theirs` columns are published numbers."""

    title: str
    columns: tuple[str, ...]
    groups: tuple[tuple[str, Lines], ...]
    note: str
    theirs: int = 0


def main_table(data: DimensionData, group: str) -> Grid | None:
    """CCC of each row of a group, their total, and the slides' numbers where they have one of the rows."""
    names = rows_by_group(data)[group]
    metrics = [f"ccc_{name}" for name in data.shown] + [TOTAL] * (len(data.shown) > 1)
    columns = _columns(data, metrics, names, marked=True)
    if not any(columns):
        return None
    titles = {name: AUDIO_FEATURES[name][0] if group == FEATURES_GROUP else title(name) for name in names}
    heads = tuple(_head(metric) for metric in metrics)
    theirs = len(heads) if group != FEATURES_GROUP and any(name in SLIDES_NUMBERS for name in names) else 0
    lines = tuple((titles[n], (*_line(columns, n), *(_slides(data, n) if theirs else ()))) for n in names)
    total = "Total: sum of both. " if len(data.shown) > 1 else ""
    note = f"{runs_note(data, names)} {total}{BOLD_NOTE}{' ' + SLIDES_NOTE if theirs else ''}"
    return Grid(_title(data, group), heads + heads[: theirs or 0], (("", lines),), note, theirs)


def further(data: DimensionData, group: str) -> Grid | None:
    """The mean of the videos' own CCC, and the squared error, of each dimension."""
    names = rows_by_group(data)[group]
    metrics = [f"{kind}_{name}" for kind in ("video_ccc", "mse") for name in data.shown]
    columns = _columns(data, metrics, names)
    if not any(columns):
        return None
    note = (
        f"{runs_note(data, names)} By video: the CCC within each video, mean over the videos that have two utterances "
        "or more; it asks for the course of a video, the pooled CCC also for the level. MSE: mean squared error, 0 is "
        "exact."
    )
    lines = tuple((title(name), _line(columns, name)) for name in names)
    return Grid("Further scores", tuple(map(_head, metrics)), (("", lines),), note)


def after_training(data: DimensionData) -> Grid | None:
    """CCC as it is, after an affine map and after smoothing along the video, of the rows that have all of these."""
    kinds = ("", "rescaled_", "smoothed_")
    metrics = [f"{kind}ccc_{name}" for name in data.shown for kind in kinds]
    groups, everything = rows_by_group(data), in_order(data.results["experiment"])
    columns = _columns(data, metrics, everything)
    changed = {name for metric, column in zip(metrics, columns, strict=True) if "_ccc" in metric for name in column}
    if not changed:
        return None
    audio = in_order({*groups[AUDIO_GROUP], *groups[FEATURES_GROUP]})
    shown = {AUDIO_GROUP: audio, FACES_GROUP: groups[FACES_GROUP], MODALITIES_GROUP: groups[MODALITIES_GROUP]}
    lines = {
        GROUP_TITLES[group]: tuple((title(name), _line(columns, name)) for name in names if name in changed)
        for group, names in shown.items()
    }
    note = (
        f"{runs_note(data, sorted(changed))} Rescaled: the predictions’ mean and deviation made those of the labels. "
        "Smoothed: a moving average over the utterances of a video. Both are fitted on validation alone, the test part "
        "is not read."
    )
    return Grid("CCC after training", tuple(map(_head, metrics)), tuple(p for p in lines.items() if p[1]), note)


def published_table(data: DimensionData) -> Grid | None:
    """Every published system, and our best row of each kind by validation; of the study of OMG-Emotion alone."""
    groups = rows_by_group(data)
    if data.study != OMG_STUDY or not any(groups.values()):
        return None
    audio = {*groups[AUDIO_GROUP], *groups[FEATURES_GROUP]}
    others = set(groups[MODALITIES_GROUP]) - {*CONTROLS, *FUSED}
    kinds = {"Sound": audio, "Faces": groups[FACES_GROUP], "Together": set(FUSED), "Alone": others}
    picked = {kind: name for kind, names in kinds.items() if (name := best_by_validation(data, names))}
    columns = _columns(data, [f"ccc_{name}" for name in data.shown], list(picked.values()))
    ours = tuple((f"{kind}: {title(name)}", _line(columns, name)) for kind, name in picked.items())
    theirs = tuple((name, _published(data, numbers)) for name, numbers in PUBLISHED.items())
    parts = (
        (f"Here, on {data.corpus or 'this corpus'}", ours),
        ("Published, on OMG-Emotion, never trained here", theirs),
    )
    chosen = (
        "Our rows were chosen by their score on validation, never by test."
        if ours
        else "No row here has a score on validation, so none was chosen to stand beside them."
    )
    note = (
        f"{chosen} The published numbers are those of the slides’ comparison: other utterances, of which the systems "
        "did not all have the same, unless this corpus is OMG-Emotion; no order of ours and theirs follows. "
        "A sound, V faces, T words."
    )
    heads = tuple(name.capitalize() for name in data.shown)
    return Grid("CCC", heads, tuple(part for part in parts if part[1]), note)


def condition_scores(data: DimensionData) -> pd.DataFrame:
    """`tables.conditions_table` of the rows that may lack modalities, under their titles: CCC, and its mean."""
    names = rows_by_group(data)[MODALITIES_GROUP]
    metrics = [f"ccc_{name}" for name in data.shown] + [MEAN] * (len(data.shown) > 1)
    table = tables.conditions_table(data.results.loc[data.results["experiment"].isin(names)], metrics)
    order = table.sort_values("experiment", key=lambda column: column.map(names.index), kind="stable")
    ordered = pd.concat([where(order, metric=metric) for metric in metrics] or [order], ignore_index=True)
    named = {**{f"ccc_{name}": f"CCC of {name}" for name in data.shown}, MEAN: "Mean CCC"}
    return ordered.assign(experiment=ordered["experiment"].map(title), metric=ordered["metric"].map(named.get))


def conditions_note(data: DimensionData) -> str:
    names = rows_by_group(data)[MODALITIES_GROUP]
    results = tested(data, names)
    missing = missing_phrase(results)
    average = f" Average: mean over the {missing}, recomputed from them in each run." if missing else ""
    keys = f"Columns: the modalities that the model was given, {short_keys()}."
    return f"{runs_note(data, names)} {keys}{average} {BOLD_NOTE}"


def runs_note(data: DimensionData, names: Sequence[str]) -> str:
    """What the numbers of these rows are means over, who has fewer runs, and what selected the checkpoints."""
    results = tested(data, names)
    runs = {name: len(rows.drop_duplicates(["fold", "seed"])) for name, rows in results.groupby("experiment")}
    spread = "mean ± sample standard deviation over " if max(runs.values(), default=0) > 1 else ""
    few = [f"{title(str(name))} ({n})" for name, n in runs.items() if n < max(runs.values())]
    told = f"Test part, {spread}{runs_phrase(results)}{'; fewer runs: ' + ', '.join(few) if few else ''}."
    parts = {"val": "the validation part", "test": "the test part"}
    chosen = sorted({str(name) for name in results["selected_on"].dropna()} - {""})
    selected = ", ".join(parts.get(name, name) for name in chosen)
    return f"{told} The epoch of each run was selected on {selected}." if selected else told


def _columns(
    data: DimensionData, metrics: Sequence[str], names: Sequence[str], *, marked: bool = False
) -> list[dict[str, Cell]]:
    return [cells_of(data, metric, names, marked=marked) for metric in metrics]


def _line(columns: Sequence[Mapping[str, Cell]], name: str) -> tuple[Cell | str, ...]:
    return tuple(column.get(name, GAP) for column in columns)


def _slides(data: DimensionData, name: str) -> tuple[str, ...]:
    if name not in SLIDES_NUMBERS:
        return (GAP,) * (len(data.shown) + (len(data.shown) > 1))
    total = (f"{sum(SLIDES_NUMBERS[name]):.{DIGITS}f}",) * (len(data.shown) > 1)
    valence, arousal = (f"{value:.{DIGITS}f}" for value in SLIDES_NUMBERS[name])
    return (*_published(data, (valence, arousal)), *total)


def _published(data: DimensionData, numbers: tuple[str, str]) -> tuple[str, ...]:
    """Of (valence, arousal), the dimensions that are shown."""
    of = dict(zip(DIMENSIONS, numbers, strict=True))
    return tuple(of[name] for name in data.shown)


def _title(data: DimensionData, group: str) -> str:
    what = "feature set" if group == FEATURES_GROUP else "network"
    return f"CCC by {what}" if len(data.shown) > 1 else f"CCC of {''.join(data.shown)} by {what}"


def _head(metric: str) -> str:
    """A metric above its column."""
    if metric == TOTAL:
        return "Total"
    kind, _, dimension = metric.rpartition("_")
    words = {"ccc": "", "video_ccc": "by video", "rescaled_ccc": "rescaled", "smoothed_ccc": "smoothed"}
    if kind == "mse":
        return f"MSE, {dimension}"
    return f"{dimension.capitalize()}{', ' + words[kind] if words[kind] else ''}"

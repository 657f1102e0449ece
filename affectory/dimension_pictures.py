"""Pictures of valence and arousal by name, as a page embeds and a tracking server keeps them.

Drawn by `dimension_plots`.
"""

from __future__ import annotations

import pandas as pd

from affectory.dimension_data import DimensionData
from affectory.dimension_plots import (
    Points,
    agreement,
    condition_panels,
    face_strip,
    row_bars,
    sound_panels,
    timeline,
)
from affectory.dimension_rows import in_order, title
from affectory.dimension_tables import condition_scores
from affectory.dimension_values import (
    AUDIO_GROUP,
    FACES_GROUP,
    FEATURES_GROUP,
    best_by_validation,
    cells_of,
    fullest,
    rows_by_group,
)
from affectory.plots import Form, learning_curves, loss_names, score_names
from affectory.report_data import where
from affectory.results.tables import Cell, columns_of

BARS = {AUDIO_GROUP: "sound_rows", FACES_GROUP: "face_rows"}
CONDITIONS, AGREEMENT, TIMELINE, CURVES = "ccc_by_condition", "agreement", "timeline", "learning_curves"
SOUNDS, FACES = "sounds", "faces"
PREFERRED = "multimodal_augmented"


def pictures(data: DimensionData, form: Form = "png") -> dict[str, bytes]:
    """name -> picture, of what the data holds: those of BARS, and the six names above."""
    found: dict[str, bytes] = {
        BARS[group]: row_bars(rows, form=form) for group in BARS if (rows := bars_of(data, group))
    }
    table = condition_scores(data)
    if len(table) and len(columns_of(table)) > 1:
        found[CONDITIONS] = condition_panels(table, form=form)
    if points := points_of(data, shown_predictions(data)):
        found[AGREEMENT] = agreement(points, form=form)
        found[TIMELINE] = timeline(points_along(data, longest_video(data)), form=form)
    if loss_names(data.curves) or score_names(data.curves):
        found[CURVES] = learning_curves(data.curves, form=form)
    if any(frames.size for frames in data.sounds.values()):
        found[SOUNDS] = sound_panels({name: f for name, f in data.sounds.items() if f.size}, form=form)
    if len(data.faces):
        found[FACES] = face_strip(data.faces, form=form)
    return found


def bars_of(data: DimensionData, group: str) -> dict[str, dict[str, Cell]]:
    """Title -> dimension -> CCC of the rows of a group; with sound those of other feature sets too."""
    groups = rows_by_group(data)
    names = in_order({*groups[group], *(groups[FEATURES_GROUP] if group == AUDIO_GROUP else [])})
    by_dimension = {name: cells_of(data, f"ccc_{name}", names) for name in data.shown}
    rows = {title(n): {d: column[n] for d, column in by_dimension.items() if n in column} for n in names}
    return {name: row for name, row in rows.items() if row}


def shown_row(data: DimensionData) -> str:
    """Whose predictions are drawn: PREFERRED, or else the best by validation of those that there are."""
    names = in_order(data.predictions["experiment"])
    if PREFERRED in names or not names:
        return PREFERRED if names else ""
    return best_by_validation(data, names) or names[0]


def shown_predictions(data: DimensionData) -> pd.DataFrame:
    """Those of `shown_row` in its first fold and seed, under its fullest condition."""
    rows = where(data.predictions, experiment=shown_row(data)).dropna(subset=["label", "predicted"])
    rows = rows.loc[rows["dimension"].isin(data.shown)]
    if not len(rows):
        return rows
    first = rows.sort_values(["fold", "seed"]).iloc[0]
    condition = fullest(set(rows["condition"]))
    return where(rows, fold=first["fold"], seed=first["seed"], condition=condition)


def longest_video(data: DimensionData) -> pd.DataFrame:
    """The rows of `shown_predictions` that are of the video with most utterances, in order; of equals the first."""
    rows = shown_predictions(data)
    if not len(rows):
        return rows
    lengths = rows.groupby("dialogue_id", sort=True)["utterance_id"].nunique()
    return where(rows, dialogue_id=lengths.idxmax()).sort_values("place", kind="stable")


def points_along(data: DimensionData, rows: pd.DataFrame) -> dict[str, Points]:
    """As points_of, every dimension at the same utterances: NaN where one of them has no label."""
    places = sorted(set(rows["place"]))
    return points_of(
        data,
        pd.concat(
            where(rows, dimension=name).set_index("place").reindex(places).assign(dimension=name)
            for name in data.shown
            if name in set(rows["dimension"])
        ),
    )


def points_of(data: DimensionData, rows: pd.DataFrame) -> dict[str, Points]:
    """Dimension -> label and prediction of these predictions, in their order."""
    found = {name: where(rows, dimension=name) for name in data.shown}
    return {
        name: (of["label"].to_numpy(float), of["predicted"].to_numpy(float)) for name, of in found.items() if len(of)
    }

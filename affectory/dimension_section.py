"""The section of valence and arousal of the page, as plain values that the template lays out; nothing is marked up."""

from __future__ import annotations

from typing import Any

import numpy as np

from affectory.dimension_data import OMG_STUDY, DimensionData
from affectory.dimension_findings import findings
from affectory.dimension_pictures import (
    AGREEMENT,
    BARS,
    CONDITIONS,
    CURVES,
    FACES,
    SOUNDS,
    TIMELINE,
    bars_of,
    longest_video,
    pictures,
    points_of,
    shown_predictions,
    shown_row,
)
from affectory.dimension_rows import in_order, row, title
from affectory.dimension_tables import (
    GROUP_TITLES,
    after_training,
    condition_scores,
    conditions_note,
    further,
    main_table,
    published_table,
)
from affectory.dimension_values import AUDIO_GROUP, FACES_GROUP, FEATURES_GROUP, MODALITIES_GROUP
from affectory.plots import data_uri
from affectory.report_summary import plural, score
from affectory.results import tables
from affectory.results.metrics import ccc
from affectory.results.tables import AVERAGE, condition_title, records

ABSENT = {
    AGREEMENT: "No predictions are stored for this study, so none are drawn against their labels.",
    CURVES: "No learning curves are stored for this study.",
    SOUNDS: "No acoustic features are stored for this study, so no sound is drawn.",
    FACES: "No faces are stored for this study, so none are shown.",
}


def section_title(data: DimensionData) -> str:
    names = " and ".join(data.shown) or "dimensions"
    return f"Study of {names}" if data.study == OMG_STUDY else names.capitalize()


def dimension_section(data: DimensionData, number: int) -> dict[str, Any]:
    """Findings, a block of tables and pictures a group of rows, and a line for each thing that is not there."""
    drawn = pictures(data, form="svg")
    shown = {name: {**told, "uri": data_uri(drawn[name])} for name, told in captions(data, drawn).items()}
    return {
        "id": f"dimensions-{number}",
        "title": section_title(data),
        "lede": [line for line in (data.protocol, data.runs_note) if line],
        "findings": findings(data),
        "meanings": meanings(data),
        "blocks": [block for block in _blocks(data, shown) if block["tables"] or block["scores"]],
        "published": published_table(data),
        "after": after_training(data),
        "pictures": [shown[name] for name in (AGREEMENT, TIMELINE, SOUNDS, FACES, CURVES) if name in shown],
        "absent": [told for name, told in ABSENT.items() if name not in drawn],
    }


def meanings(data: DimensionData) -> list[tuple[str, str]]:
    """Title, and what it is, of every row that has results and is known."""
    return [(name, what) for name, what in map(row, in_order(data.results["experiment"])) if what]


def _blocks(data: DimensionData, shown: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    found = []
    for group in (AUDIO_GROUP, FACES_GROUP):
        mains = [main_table(data, group), main_table(data, FEATURES_GROUP) if group == AUDIO_GROUP else None]
        found.append(
            {
                "heading": GROUP_TITLES[group],
                "tables": [table for table in mains if table],
                "scores": None,
                "picture": shown.get(BARS[group]),
                "further": further(data, group),
            }
        )
    modalities = {
        "heading": GROUP_TITLES[MODALITIES_GROUP],
        "tables": [],
        "scores": _by_condition(data),
        "picture": shown.get(CONDITIONS),
        "further": further(data, MODALITIES_GROUP),
    }
    return [*found, modalities]


def _by_condition(data: DimensionData) -> dict[str, Any] | None:
    table = condition_scores(data)
    if not len(table):
        return None
    found = {"blocks": tables.score_blocks(table), "columns": tables.columns_of(table)}
    return {**found, "note": conditions_note(data)}


def captions(data: DimensionData, drawn: dict[str, bytes]) -> dict[str, dict[str, str]]:
    """name -> title, caption and alt, which tells the numbers, of each picture that is drawn."""
    told: dict[str, tuple[str, str, str]] = {}
    whiskers = "Mean over runs; whiskers: one standard deviation each way."
    for group, name in BARS.items():
        rows = bars_of(data, group) if name in drawn else {}
        numbers = "; ".join(
            f"{line} {', '.join(f'{d} {score(cell.mean)}' for d, cell in of.items())}" for line, of in rows.items()
        )
        told[name] = (f"CCC by row, {GROUP_TITLES[group].lower()}", whiskers, f"{numbers}.")
    told[CONDITIONS] = ("CCC by condition", whiskers, _conditions_told(data))
    if AGREEMENT in drawn:
        told[AGREEMENT] = (
            "Predictions against labels",
            f"{_whose(data)} Dashed: where both are equal.",
            _agreement(data),
        )
        video, points = longest_video(data), points_of(data, longest_video(data))
        name, utterances = video["dialogue_id"].iloc[0], plural(len(set(video["utterance_id"])), "utterance")
        course = f"{_whose(data)} The longest tested video, {name}, {utterances} in order."
        told[TIMELINE] = ("Along one video", course, " ".join(_course(d, *both) for d, both in points.items()))
    sets, faces = ", ".join(data.sounds), plural(len(data.faces), "aligned face")
    told[SOUNDS] = (
        "What the sound networks are given",
        f"{data.sound_of or 'One utterance'}, before normalisation. The linear and the mel spectrogram are drawn in "
        "decibels below their loudest value, networks read the values themselves.",
        f"Pictures over time of {sets}.",
    )
    told[FACES] = (
        "What the face networks are given",
        f"{data.faces_of or 'One utterance'}, first to last.",
        f"{faces}.",
    )
    rows = ", ".join(map(title, in_order(data.curves["experiment"])))
    told[CURVES] = (f"Learning curves of {rows}", "One line a seed; the dot marks the peak of a score.", "")
    return {
        name: {"title": head, "caption": f"{head}. {caption}", "alt": f"{head}. {caption} {alt}".strip()}
        for name, (head, caption, alt) in told.items()
        if name in drawn
    }


def _whose(data: DimensionData) -> str:
    rows = shown_predictions(data).iloc[0]
    fold = f"fold {rows['fold']}, seed {rows['seed']}"
    return f"{title(shown_row(data))}, {fold}, under {rows['condition']}; test part."


def _agreement(data: DimensionData) -> str:
    points = points_of(data, shown_predictions(data)).items()
    told = [f"{name}: CCC {score(ccc(*both))} over {plural(len(both[0]), 'utterance')}" for name, both in points]
    return f"{'; '.join(told)}."


def _course(dimension: str, label: np.ndarray, predicted: np.ndarray) -> str:
    ends = [f"{score(float(values.min()))} to {score(float(values.max()))}" for values in (label, predicted)]
    return f"{dimension.capitalize()}: labels from {ends[0]}, predictions from {ends[1]}."


def _conditions_told(data: DimensionData) -> str:
    """Each row's value in the average and under the fullest condition, where the row has these."""
    table = condition_scores(data)
    told = [AVERAGE, *tables.columns_of(table)[-1:]]
    found: dict[tuple[str, str], list[str]] = {}
    for line in records(table.loc[table["condition"].isin(told)]):
        words = f"{condition_title(line['condition'])} {score(line['mean'])}"
        found.setdefault((line["metric"], line["experiment"]), []).append(words)
    return "; ".join(f"{metric}, {name}: {', '.join(words)}" for (metric, name), words in found.items()) + "."

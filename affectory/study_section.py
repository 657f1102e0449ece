"""A study's section of the page, as plain values that the template lays out; nothing here is escaped or marked up."""

from __future__ import annotations

from typing import Any

import pandas as pd

from affectory import tables
from affectory.plots import data_uri
from affectory.report_data import where
from affectory.report_summary import NO_BREAK
from affectory.study_data import SPEAKER_NORMALISED_TITLE, StudyData, blocks, meanings
from affectory.study_findings import findings
from affectory.study_pictures import BARS, CALIBRATION, CURVES, IMAGINED, NORMALISED, SWEEPS, pictures
from affectory.study_report import (
    differences_note,
    effect,
    interval,
    p_value,
    signed,
    table_note,
)
from affectory.study_tables import HOLDS, differences, imagination_table, marks, study_table
from affectory.tables import condition_title, experiment_title, records

_MAIN, _FURTHER = ("ua", "wa"), ("macro_f1", "weighted_f1")
AS_ABOVE = "As above, among these rows alone."
_ABSENT = {
    "sweeps": "No sweep of missing rates is stored for this study.",
    "imagined": "No imagined representations are stored for this study, so none are drawn.",
    "history": "No learning curves of MMIN are stored for this study.",
}


def study_section(data: StudyData, number: int) -> dict[str, Any]:
    """Findings, blocks of tables, differences and pictures, and a line for each thing that the study does not hold."""
    drawn, gaps = pictures(data), differences(data)
    lacking = {"sweeps": SWEEPS, "imagined": [IMAGINED], "history": [CURVES]}
    return {
        "id": f"study-{number}",
        "title": study_title(data),
        "lede": [line for line in (data.protocol, data.runs_note) if line],
        "findings": findings(data),
        "meanings": [(experiment_title(name), meaning) for name, meaning in meanings(data).items()],
        "blocks": [_block(data, normalised, drawn, gaps) for normalised in blocks(data)],
        "pictures": [shown for name in (IMAGINED, CURVES) if (shown := _picture(data, drawn, name))],
        "imagination": _imagination(data),
        "absent": [_ABSENT[kind] for kind, names in lacking.items() if not any(name in drawn for name in names)],
    }


def study_title(data: StudyData) -> str:
    """`mmin_study` -> `Study of MMIN`; other names with spaces for underscores."""
    return "Study of MMIN" if data.study == "mmin_study" else data.study.replace("_", " ")


def _block(data: StudyData, normalised: bool, drawn: dict[str, bytes], gaps: pd.DataFrame) -> dict[str, Any]:
    suffix = NORMALISED if normalised else ""
    main, further = (_scores(data, metrics, normalised) for metrics in (_MAIN, _FURTHER))
    return {
        "heading": f"With {SPEAKER_NORMALISED_TITLE}" if normalised else "",
        "main": main,
        "further": further,
        "bars": _picture(data, drawn, f"{BARS}{suffix}"),
        "differences_note": AS_ABOVE if _repeats(data, normalised) else differences_note(data),
        "differences": _groups(where(gaps, speaker_normalised=normalised)),
        "pictures": [shown for name in (*SWEEPS, CALIBRATION) if (shown := _picture(data, drawn, f"{name}{suffix}"))],
    }


def _scores(data: StudyData, metrics: tuple[str, ...], normalised: bool) -> dict[str, Any] | None:
    table = study_table(data, metrics, speaker_normalised=normalised)
    if not len(table):
        return None
    signs = marks(data, metrics, speaker_normalised=normalised)
    found = {"blocks": tables.score_blocks(table, signs), "columns": tables.columns_of(table)}
    note = AS_ABOVE if _repeats(data, normalised) else table_note(data)
    return {**found, "note": note}


def _repeats(data: StudyData, normalised: bool) -> bool:
    """Whether the plain block, which stands above, has already told how things are made."""
    return normalised and False in blocks(data)


def _imagination(data: StudyData) -> dict[str, Any] | None:
    table = imagination_table(data)
    if not len(table):
        return None
    note = "Test part, mean and deviation over runs, of the features themselves and not of their places in a picture."
    return {"blocks": tables.score_blocks(table), "columns": tables.columns_of(table), "note": note}


def _groups(gaps: pd.DataFrame) -> list[dict[str, Any]]:
    """One table a reference: its differences from every other row, the conditions side by side."""
    found = []
    for reference in dict.fromkeys(gaps["experiment"]):
        rows = records(where(gaps, experiment=reference))
        places = list(dict.fromkeys(row["condition"] for row in rows))
        cells = {(row["baseline"], row["condition"]): _cell(row) for row in rows}
        found.append(
            {
                "title": f"{experiment_title(reference)} minus every other row, UA",
                "places": [condition_title(place) for place in places],
                "rows": [
                    (tables.short_title(name), [cells.get((name, place)) for place in places])
                    for name in tables.in_order(row["baseline"] for row in rows)
                ],
            }
        )
    return found


def _cell(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "difference": signed(row["difference"]),
        "interval": interval(row["low"], row["high"]).replace(" ", NO_BREAK),
        "effect": effect(row["effect"]),
        "p": p_value(row["p_holm"]).replace(" ", NO_BREAK),
        "verdict": HOLDS if row["significant"] else row["verdict"],  # the difference has its sign
        "held": row["significant"],
    }


def _picture(data: StudyData, drawn: dict[str, bytes], name: str) -> dict[str, str] | None:
    if name not in drawn:
        return None
    title, caption = _captions(data)[name.removesuffix(NORMALISED)]
    if name.endswith(NORMALISED):
        title, caption = f"{title}, with speaker-wise normalisation", AS_ABOVE if _repeats(data, True) else caption
    return {
        "title": title,
        "caption": f"{title}. {caption}",
        "uri": data_uri(drawn[name]),
        "alt": f"{title}. {caption}",
    }


def _captions(data: StudyData) -> dict[str, tuple[str, str]]:
    units = f"{data.unit_word}s"
    rates = "mean over runs, bands one deviation each way; dashed: chance. The models were not trained for it anew"
    return {
        BARS: (
            "UA by condition",
            f"Dots: UA of the predictions pooled over folds, mean over seeds. Lines: 95 % bootstrap intervals, whole "
            f"{units} drawn. They show how sure each row’s own value is; whether two rows differ is in the table of "
            "differences, which pairs them.",
        ),
        "missing_modalities": (
            "UA as more modalities are missing",
            f"Each modality of each utterance is lost with the rate’s probability, one always stays; {rates}.",
        ),
        "missing_frames": (
            "UA as more frames are missing",
            f"Each frame is lost with the rate’s probability; {rates}.",
        ),
        CALIBRATION: (
            "Expected calibration error before and after calibration",
            "One temperature a condition, fitted on validation rows; mean over runs, 15 bins of the top probability.",
        ),
        IMAGINED: (
            "Joint features of MMIN from all modalities, and imagined from those available",
            "t-SNE of both together, fixed seed, one run, every test utterance, coloured by class. Only neighbourhoods "
            "mean something in such a plane; the numbers above each pair are distances of the features themselves, "
            "mean over runs.",
        ),
        CURVES: (
            "Learning curves of MMIN",
            "One fold, one line a seed: each loss term above, the validation score below; the dot marks its peak.",
        ),
    }

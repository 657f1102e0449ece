"""A study's section of the page, as plain values that the template lays out; nothing here is escaped or marked up."""

from __future__ import annotations

from typing import Any

import pandas as pd

from affectory.plots import data_uri
from affectory.report_data import where
from affectory.report_summary import NO_BREAK
from affectory.results import tables
from affectory.results.tables import condition_title, experiment_title, metric_title, records
from affectory.study_data import SPEAKER_NORMALISED_TITLE, StudyData, blocks, meanings, named
from affectory.study_findings import findings
from affectory.study_pictures import (
    BARS,
    CALIBRATION,
    CLASSES,
    CURVES,
    DEPTH,
    EDGES,
    IMAGINED,
    NORMALISED,
    SWEEPS,
    pictures,
)
from affectory.study_report import (
    ON_TEST_COLUMNS,
    ON_TEST_NOTE,
    differences_note,
    effect,
    interval,
    on_test_rows,
    on_test_title,
    p_value,
    signed,
    table_note,
)
from affectory.study_sentences import ranking
from affectory.study_tables import HOLDS, differences, imagination_table, marks, study_table

AS_ABOVE = "As above, among these rows alone."


def study_section(data: StudyData, number: int) -> dict[str, Any]:
    """Findings, blocks of tables, differences and pictures, and a line for each thing that the study does not hold."""
    drawn, gaps = pictures(data), differences(data)
    return {
        "id": f"study-{number}",
        "title": data.kind.title,
        "lede": [line for line in (data.protocol, data.runs_note) if line],
        "findings": findings(data),
        "meanings": [(experiment_title(name), meaning) for name, meaning in meanings(data).items()],
        "blocks": [_block(data, normalised, drawn, gaps) for normalised in blocks(data)],
        "pictures": [
            shown for name in (CLASSES, DEPTH, EDGES, IMAGINED, CURVES) if (shown := _picture(data, drawn, name))
        ],
        "imagination": _imagination(data),
        "on_test": _on_test(data),
        "absent": [told for name, told in _absent(data).items() if name not in drawn],
    }


def _block(data: StudyData, normalised: bool, drawn: dict[str, bytes], gaps: pd.DataFrame) -> dict[str, Any]:
    suffix = NORMALISED if normalised else ""
    metrics = data.kind.metrics
    main, further = (_scores(data, names, normalised) for names in (metrics[:2], metrics[2:]))
    return {
        "heading": f"With {SPEAKER_NORMALISED_TITLE}" if normalised else "",
        "main": main,
        "further": further,
        "bars": _picture(data, drawn, f"{BARS}{suffix}"),
        "differences_note": AS_ABOVE if _repeats(data, normalised) else differences_note(data),
        "differences": _groups(where(gaps, speaker_normalised=normalised), metric_title(metrics[0])),
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


def _absent(data: StudyData) -> dict[str, str]:
    """picture -> what is said where it cannot be drawn."""
    curves = f"No learning curves of {named(data.kind.pictured)} are stored for this study."
    return {**data.kind.absent, CURVES: curves}


def _on_test(data: StudyData) -> dict[str, Any] | None:
    """The labelled side column: what selecting epochs on the test part would have shown."""
    rows = on_test_rows(data)
    told = {"title": on_test_title(data), "columns": ON_TEST_COLUMNS, "note": ON_TEST_NOTE}
    return {**told, "rows": rows} if rows else None


def _groups(gaps: pd.DataFrame, metric: str) -> list[dict[str, Any]]:
    """One table a reference: its differences from every other row, the conditions side by side."""
    found = []
    for reference in dict.fromkeys(gaps["experiment"]):
        rows = records(where(gaps, experiment=reference))
        places = list(dict.fromkeys(row["condition"] for row in rows))
        cells = {(row["baseline"], row["condition"]): _cell(row) for row in rows}
        found.append(
            {
                "title": f"{experiment_title(reference)} minus every other row, {metric}",
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


def _chosen(data: StudyData) -> str:
    chosen = data.edges.loc[data.edges["chosen"].astype(bool), "utterance_id"]
    return str(chosen.iloc[0]) if len(chosen) else ""


def _captions(data: StudyData) -> dict[str, tuple[str, str]]:
    units, metric = f"{data.unit_word}s", ranking(data)
    rates = "mean over runs, bands one deviation each way; dashed: chance. The models were not trained for it anew"
    return {
        BARS: (
            f"{metric} by condition",
            f"Dots: {metric} of the predictions pooled over folds, mean over seeds. Lines: 95 % bootstrap intervals, "
            f"whole {units} drawn. They show how sure each row’s own value is; whether two rows differ is in the table "
            "of differences, which pairs them.",
        ),
        "missing_modalities": (
            f"{metric} as more modalities are missing",
            f"Each modality of each utterance is lost with the rate’s probability, one always stays; {rates}.",
        ),
        "missing_frames": (
            f"{metric} as more frames are missing",
            f"Each frame is lost with the rate’s probability; {rates}.",
        ),
        CALIBRATION: (
            "Expected calibration error before and after calibration",
            "One temperature a condition, fitted on validation rows; mean over runs, 15 bins of the top probability.",
        ),
        CLASSES: (
            "F1 of each class",
            "With every modality there, mean over runs; whiskers: one standard deviation each way.",
        ),
        DEPTH: (
            f"{metric} of MMGCN over its depth",
            "Layers of graph convolution, on a scale of doublings; mean over runs, whiskers: one standard deviation.",
        ),
        EDGES: (
            "From whom one utterance receives",
            f"Rows of MMGCN’s normalised adjacency that belong to the utterance {_chosen(data)}, in one run: its node "
            "of each modality (rows) receives from every utterance of the dialogue in the same modality (columns, "
            "marked by who speaks) and, right, from its own nodes of the other modalities. White: no edge, as where a "
            "modality is missing.",
        ),
        IMAGINED: (
            "Joint features of MMIN from all modalities, and imagined from those available",
            "t-SNE of both together, fixed seed, one run, every test utterance, coloured by class. Only neighbourhoods "
            "mean something in such a plane; the numbers above each pair are distances of the features themselves, "
            "mean over runs.",
        ),
        CURVES: (
            f"Learning curves of {named(data.kind.pictured)}",
            "One fold, one line a seed: each loss term above, the validation score below; the dot marks its peak.",
        ),
    }

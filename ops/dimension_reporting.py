"""What is shown of valence and arousal, as SQL over the store: of the deployed family, and of omg_study."""

from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from affectory.dimension_data import DimensionData
from affectory.dimension_report import findings, pictures, to_markdown
from affectory.features.faces import pictures as face_pictures
from affectory.study_kinds import OMG_STUDY
from affectory.study_rows import SOUNDS
from affectory.vocabulary import DIMENSIONS
from ops.study_plan import Study, StudyConfig
from ops.study_reporting import FIRST_RUN, Summary, latest_summary, note, of_former_folds, runs_digest, show
from resources.feature_store import FeatureStore
from resources.tracking import Tracking

PICTURED = "multimodal_augmented"  # the row whose predictions and curves are drawn
PREDICTIONS = """
WITH placed AS (
    SELECT utterance_id, coalesce(dialogue_id, utterance_id) AS dialogue_id,
           row_number() OVER (PARTITION BY dialogue_id ORDER BY turn, start_s, utterance_id) AS place
    FROM utterances WHERE corpus = $1
)
SELECT p.*, placed.dialogue_id, placed.place FROM dimension_predictions p JOIN placed USING (utterance_id)
WHERE p.corpus = $1 AND p.family = $2
"""
PROTOCOL = """
SELECT any_value(protocol) AS protocol FROM folds
WHERE corpus = $1 AND fold IN (SELECT fold FROM results WHERE corpus = $1 AND family = $2)
"""
# The utterance of which most of the sets are there, and which they are.
SHOWN_UTTERANCE = """
SELECT utterance_id, list(feature_set) AS sets FROM features
WHERE corpus = ? AND valid AND list_contains(?, feature_set)
GROUP BY ALL ORDER BY len(sets) DESC, utterance_id LIMIT 1
"""


def dimension_data(
    store: FeatureStore, tracking: Tracking, corpus: str, name: str, summary: Summary | None = None
) -> DimensionData | None:
    """All that is stored of a study or a deployed family; None without results, or where they are of former folds.

    Without a summary that of the latest study, from MLflow.
    """
    keys = [corpus, name]
    results = store.query("SELECT * FROM results WHERE corpus = ? AND family = ?", keys)
    if results.empty or of_former_folds(store, corpus, name, "dimension_predictions"):
        return None
    summary = summary or latest_summary(tracking, corpus, name, runs_digest(store, corpus, name))
    predictions = store.query(PREDICTIONS, keys)
    tested = set(predictions["dimension"])
    return DimensionData(
        study=name,
        corpus=corpus,
        dimensions=tuple(dimension for dimension in DIMENSIONS if dimension in tested),
        protocol=store.query(PROTOCOL, keys)["protocol"].fillna("").iloc[0],
        runs_note=summary.runs_note,
        left_out=summary.left_out,
        results=results,
        predictions=predictions,
        curves=_curves(store, tracking, keys),
        **({} if name != OMG_STUDY and _is_studied(store, corpus) else _what_models_read(store, corpus)),
    )


def omg_metadata(study: Study, config: StudyConfig, left_out: dict[str, str]) -> dict[str, dg.MetadataValue]:
    """As study_metadata, of omg_study."""
    store, tracking, corpus = study.store, study.tracking, study.corpus
    summary = Summary(runs_note=note(config), runs=runs_digest(store, corpus, study.name), left_out=left_out)
    data = dimension_data(store, tracking, corpus, study.name, summary)
    if data is None:
        raise dg.Failure("no row of the study could be trained and tested in any fold; the log says why of each")
    return show(study, config, summary, pictures(data), to_markdown(data), findings(data))


def _curves(store: FeatureStore, tracking: Tracking, keys: list[str]) -> pd.DataFrame:
    for _, row in store.query(FIRST_RUN, [*keys, PICTURED]).iterrows():
        return tracking.history(str(row["run_id"])).assign(experiment=PICTURED, seed=row["seed"])
    return pd.DataFrame(columns=["experiment", "seed", "epoch", "name", "value"])


def _is_studied(store: FeatureStore, corpus: str) -> bool:
    """omg_study has a section on the page, where what is read is shown."""
    return len(store.query("SELECT 1 FROM results WHERE corpus = ? AND family = ? LIMIT 1", [corpus, OMG_STUDY])) > 0


def _what_models_read(store: FeatureStore, corpus: str) -> dict[str, Any]:
    """The sounds and the faces of one utterance, where they are stored."""
    found = store.query(SHOWN_UTTERANCE, [corpus, [*SOUNDS, "faces"]])
    if found.empty:
        return {}
    utterance, sets = str(found["utterance_id"].iloc[0]), list(found["sets"].iloc[0])
    frames = {name: np.array(store.read_sequences(corpus, name, [utterance]).frames) for name in sets}
    faces = {"faces": face_pictures(frames["faces"]), "faces_of": utterance} if "faces" in frames else {}
    return {"sounds": {name: frames[name] for name in SOUNDS if name in frames}, "sound_of": utterance, **faces}

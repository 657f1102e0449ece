"""What is shown of a study, as SQL over the store; its pictures to MLflow."""

import logging
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pandas as pd

from affectory.study_report import StudyData, findings, pictures, to_markdown
from ops.pictures import inline
from ops.study import STUDY, StudyConfig
from ops.training import flattened
from resources.feature_store import FeatureStore
from resources.tracking import Tracking

PREDICTIONS = """
SELECT experiment, fold, seed, condition, utterance_id, label, predicted,
       list_max(map_values(probabilities)) AS confidence
FROM predictions WHERE corpus = ? AND family = ?
"""
# What a bootstrap resamples whole: a dialogue, or a speaker where every dialogue is a single utterance.
UNITS = """
SELECT utterance_id, coalesce(dialogue_id, utterance_id) AS dialogue, coalesce(speaker, utterance_id) AS speaker
FROM utterances WHERE corpus = ?
"""
SHARES = """
SELECT avg(test / train) AS share FROM (
    SELECT count(*) FILTER (split = 'test') AS test, count(*) FILTER (split = 'train') AS train
    FROM folds WHERE corpus = $1 AND fold IN (SELECT fold FROM results WHERE corpus = $1 AND family = $2) GROUP BY fold
)
"""
IMAGINED = """
SELECT * FROM imagined WHERE corpus = ? AND family = ? AND experiment = 'mmin'
QUALIFY dense_rank() OVER (ORDER BY fold, seed) = 1
"""
FIRST_RUN = """
SELECT fold, seed, any_value(mlflow_run_id) AS run_id FROM results
WHERE corpus = ? AND family = ? AND experiment = 'mmin' GROUP BY ALL ORDER BY ALL LIMIT 1
"""
# What was tested in a fold whose test part it is not in today.
ELSEWHERE = """
SELECT 1 FROM predictions p ANTI JOIN folds f
    ON f.corpus = p.corpus AND f.fold = p.fold AND f.utterance_id = p.utterance_id AND f.split = 'test'
WHERE p.corpus = ? AND p.family = ? LIMIT 1
"""
TABLE_FILE = "tables.md"
log = logging.getLogger(__name__)


def study_data(store: FeatureStore, tracking: Tracking, corpus: str, study: str = STUDY) -> StudyData | None:
    """All that is stored of a study; None where it has no results, or they are of folds that are no more."""
    keys = [corpus, study]
    results = store.query("SELECT * FROM results WHERE corpus = ? AND family = ?", keys)
    if results.empty:
        return None
    if not store.query(ELSEWHERE, keys).empty:
        log.warning("%s of %s is not shown: the folds have changed since; make study CORPUS=%s", study, corpus, corpus)
        return None
    of_folds = sorted(set(results["fold"]))
    units = store.query(UNITS, [corpus])
    word = "dialogue" if len(set(units["dialogue"])) < len(units) else "speaker"
    protocol = store.query(
        "SELECT fold, any_value(protocol) AS text FROM folds WHERE corpus = ? GROUP BY ALL", [corpus]
    )
    return StudyData(
        study=study,
        results=results,
        predictions=store.query(PREDICTIONS, keys),
        sweeps=store.query("SELECT * FROM sweeps WHERE corpus = ? AND family = ?", keys),
        imagined=store.query(IMAGINED, keys),
        history=_history(store, tracking, corpus, study),
        units=dict(zip(units["utterance_id"], units[word], strict=True)),
        unit_word=word,
        test_share=float(store.query(SHARES, keys)["share"].iloc[0]),
        protocol=protocol.loc[protocol["fold"].isin(of_folds), "text"].fillna("").iloc[0],
    )


def study_metadata(
    context: dg.AssetExecutionContext, config: StudyConfig, store: FeatureStore, tracking: Tracking
) -> dict[str, dg.MetadataValue]:
    """Findings, tables and pictures for Dagster's page; the same files as artifacts of one MLflow run."""
    data = study_data(store, tracking, context.partition_key)
    if data is None:
        raise dg.Failure("no row of the study could be trained and tested in any fold; the log says why of each")
    data = replace(data, runs_note=_note(config))
    drawn, tables, sentences = pictures(data, form="png"), to_markdown(data), findings(data)
    tags = {"dagster_run_id": context.run_id, "corpus": context.partition_key, "family": STUDY}
    with (
        TemporaryDirectory() as folder,
        tracking.run(context.partition_key, STUDY, parameters=flattened(config.model_dump()), tags=tags) as run,
    ):
        for name, content in {TABLE_FILE: tables.encode(), **{f"{n}.png": p for n, p in drawn.items()}}.items():
            (Path(folder) / name).write_bytes(content)
            run.log_file(Path(folder) / name, "study")
    for sentence in sentences:
        context.log.info(sentence)
    texts = {"findings": "\n".join(f"- {sentence}" for sentence in sentences), "tables": tables}
    return {name: dg.MetadataValue.md(text) for name, text in {**texts, **_inlined(drawn)}.items()}


def _note(config: StudyConfig) -> str:
    """Which preset, and what of it was changed."""
    kept = {"": "", "best": "; every network keeps its best epoch", "last": "; every network keeps its last epoch"}
    under = f"; rows that are free to be are trained under {config.train_under}" if config.train_under else ""
    return f"Preset {config.preset}{kept[config.keep]}{under}."


def _inlined(drawn: dict[str, bytes]) -> dict[str, str]:
    return {name: inline(picture) for name, picture in drawn.items()}


def _history(store: FeatureStore, tracking: Tracking, corpus: str, study: str) -> pd.DataFrame:
    """The curves of MMIN in its first fold and seed."""
    for _, row in store.query(FIRST_RUN, [corpus, study]).iterrows():
        return tracking.history(str(row["run_id"])).assign(experiment="mmin", fold=row["fold"], seed=row["seed"])
    return pd.DataFrame(columns=["experiment", "fold", "seed", "epoch", "name", "value"])

"""What the report page needs, as SQL over the store and the metric history of the runs."""

from datetime import UTC, datetime
from importlib.metadata import version

import pandas as pd

from affectory.corpora import LAYOUTS, Corpus
from affectory.corpora.demo.answers import planted_facts
from affectory.data.dataset import Dataset
from affectory.models import FAMILIES
from affectory.report.data import CorpusFacts, Provenance, ReportData
from affectory.studies import STUDIES, row_names
from ops.datasets import digest, read_dataset, stored_choice
from ops.study_reporting import family_section, study_section
from ops.training import beyond_scale, unfit
from resources.feature_store import FeatureStore
from resources.tracking import Tracking

PACKAGES = ("affectory", "torch", "opensmile", "mediapipe", "transformers", "duckdb", "mlflow", "dagster")

LABEL_COUNTS = """
SELECT coalesce(f.split, 'no fold') AS split, u.emotion AS label, count(*) AS count
FROM utterances u LEFT JOIN folds f ON f.corpus = u.corpus AND f.utterance_id = u.utterance_id AND f.fold = 0
WHERE u.corpus = ? AND u.emotion IS NOT NULL GROUP BY ALL ORDER BY ALL
"""

MISSINGNESS = """
SELECT modality, reason, count(*) AS count, avg(coverage) AS coverage
FROM features WHERE corpus = $corpus AND list_contains($sets, feature_set) GROUP BY ALL ORDER BY ALL
"""

# What was there, by the given split where one is given, else by that of fold 0.
COVERAGE = """
WITH found AS (
    SELECT utterance_id, list(DISTINCT modality) AS modalities FROM features
    WHERE corpus = $corpus AND valid AND list_contains($sets, feature_set) GROUP BY ALL
)
SELECT coalesce(u.split, f.split, 'no split') AS split, count(*) AS utterances,
       count(coalesce(u.emotion, u.valence::VARCHAR, u.arousal::VARCHAR)) AS labelled,
       count(*) FILTER (m.verdict = 'accepted') AS media,
       count(*) FILTER (list_contains(modalities, 'acoustic')) AS acoustic,
       count(*) FILTER (list_contains(modalities, 'visual')) AS visual,
       count(*) FILTER (list_contains(modalities, 'textual')) AS textual
FROM utterances u LEFT JOIN found USING (utterance_id)
LEFT JOIN folds f ON f.corpus = u.corpus AND f.utterance_id = u.utterance_id AND f.fold = 0
LEFT JOIN media_files m ON m.corpus = u.corpus AND m.media = u.media
WHERE u.corpus = $corpus GROUP BY ALL ORDER BY ALL
"""

PREDICTIONS = "SELECT * EXCLUDE (probabilities) FROM predictions WHERE corpus = ? AND list_contains(?, family)"

# Of the deployed families, a row a run.
RUNS = """
SELECT family, experiment, fold, seed, any_value(selected_on) AS selected_on, any_value(mlflow_run_id) AS mlflow_run_id
FROM results WHERE corpus = ? AND list_contains(?, family) GROUP BY ALL ORDER BY ALL
"""

PROTOCOL = "SELECT any_value(protocol) AS protocol FROM folds WHERE corpus = ? AND fold = 0"

COUNTS = """
SELECT (SELECT count(*) FROM media_files WHERE corpus = $corpus) AS media_files, count(*) AS utterances,
       count(DISTINCT dialogue_id) AS dialogues, count(DISTINCT speaker) AS speakers
FROM utterances WHERE corpus = $corpus
"""


def collect(store: FeatureStore, tracking: Tracking, corpus: Corpus, *, dagster_run_id: str) -> ReportData:
    """Everything on the page of a corpus."""
    datasets = {
        of_dimensions: read_dataset(store, corpus.name, of_dimensions=of_dimensions) for of_dimensions in (False, True)
    }
    rated = datasets[True]
    deployed = {name: family.of_dimensions for name, family in FAMILIES.items() if family.deployed}
    untrained = {name: why for name, of_dimensions in deployed.items() if (why := unfit(datasets[of_dimensions], name))}
    keys = [corpus.name, [name for name, of_dimensions in deployed.items() if not of_dimensions]]
    results = store.query("SELECT * FROM results WHERE corpus = ? AND list_contains(?, family)", keys)
    sections = [
        family_section(store, tracking, corpus.name, name) for name, of_dimensions in deployed.items() if of_dimensions
    ]
    sections += [study_section(store, tracking, corpus.name, study) for study in STUDIES.values()]
    return ReportData(
        corpus=corpus.name,
        facts=corpus_facts(store, corpus),
        provenance=_provenance(store, corpus.name, datasets[False] or rated, dagster_run_id),
        results=results,
        predictions=store.query(PREDICTIONS, keys),
        history=training_histories(tracking, results),
        runs=store.query(RUNS, [corpus.name, list(deployed)]),
        sections=tuple(section for section in sections if section),
        names=row_names(),
        notes=(
            *(f"No model of the family {name} was trained: {why}." for name, why in untrained.items()),
            *(f"{sentence}." for sentence in (beyond_scale(rated) if rated else ())),
        ),
    )


def corpus_facts(store: FeatureStore, corpus: Corpus) -> CorpusFacts:
    counts = store.query(COUNTS, {"corpus": corpus.name}).iloc[0]
    sets = list(stored_choice(store, corpus.name).values())
    return CorpusFacts(
        **{name: int(counts[name]) for name in ("media_files", "utterances", "dialogues", "speakers")},
        label_counts=store.query(LABEL_COUNTS, [corpus.name]),
        missingness=store.query(MISSINGNESS, {"corpus": corpus.name, "sets": sets}),
        quarantine=store.query("SELECT * FROM quarantine WHERE corpus = ? ORDER BY ALL", [corpus.name]),
        protocol=store.query(PROTOCOL, [corpus.name])["protocol"].fillna("").iloc[0],
        description=corpus.description,
        licence=corpus.licence,
        planted=planted_facts(corpus.root),
        coverage=store.query(COVERAGE, {"corpus": corpus.name, "sets": sets}),
        released=LAYOUTS[corpus.layout].released,
    )


def training_histories(tracking: Tracking, results: pd.DataFrame) -> pd.DataFrame:
    """experiment, seed, epoch, name, value: each loss term and validation score of each run in the results."""
    keys = zip(results["experiment"], results["seed"], results["mlflow_run_id"], strict=True)
    tables = [
        tracking.history(run_id).assign(experiment=experiment, seed=seed)
        for experiment, seed, run_id in dict.fromkeys(keys)
    ]
    return pd.concat(tables) if tables else pd.DataFrame(columns=["experiment", "seed", "epoch", "name", "value"])


def _provenance(store: FeatureStore, corpus: str, dataset: Dataset | None, dagster_run_id: str) -> Provenance:
    return Provenance(
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        dagster_run_id=dagster_run_id,
        data_fingerprint=digest(dataset) if dataset else "",
        feature_sets={modality.value: name for modality, name in stored_choice(store, corpus).items()},
        versions={name: version(name) for name in PACKAGES},
        mlflow_how="make ui",
        mlflow_url="http://127.0.0.1:5000",
    )

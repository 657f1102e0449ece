"""What is shown of a study, as SQL over the store; its pictures to MLflow."""

import hashlib
import json
import logging
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
import pandas as pd

from affectory.learning.graph_edges import edges_of, utterance_to_show
from affectory.models import mmgcn
from affectory.study_kinds import KINDS
from affectory.study_report import StudyData, findings, pictures, to_markdown
from ops.datasets import read_folds
from ops.pictures import inline
from ops.study_plan import MmgcnStudyConfig, MminStudyConfig, OmgStudyConfig, Study, StudyConfig
from ops.training import flattened, load_trained
from resources.feature_store import FeatureStore
from resources.mlflow_store import TrackingAwayError
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
SELECT * FROM imagined WHERE corpus = ? AND family = ? AND experiment = ?
QUALIFY dense_rank() OVER (ORDER BY fold, seed) = 1
"""
FIRST_RUN = """
SELECT fold, seed, any_value(mlflow_run_id) AS run_id FROM results
WHERE corpus = ? AND family = ? AND experiment = ? GROUP BY ALL ORDER BY ALL LIMIT 1
"""
# What was tested in a fold whose test part it is not in today.
ELSEWHERE = """
SELECT 1 FROM {table} p ANTI JOIN folds f
    ON f.corpus = p.corpus AND f.fold = p.fold AND f.utterance_id = p.utterance_id AND f.split = 'test'
WHERE p.corpus = ? AND p.family = ? LIMIT 1
"""
SHOWN, TABLE_FILE, NOTE_FILE, EDGES_FILE = "study", "tables.md", "note.json", "edges.parquet"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What a study tells of itself beside its results, and of which results: `runs` is runs_digest of them."""

    runs_note: str = ""
    graph_layers: int = 0
    runs: str = ""
    left_out: dict[str, str] = field(default_factory=dict)  # row -> why it was not trained
    edges: pd.DataFrame | None = None

    def write(self, folder: Path) -> None:
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "edges"}
        (folder / NOTE_FILE).write_text(json.dumps(told))
        if self.edges is not None:
            self.edges.to_parquet(folder / EDGES_FILE, index=False)

    @classmethod
    def read(cls, folder: Path) -> "Summary":
        edges = folder / EDGES_FILE
        told = json.loads((folder / NOTE_FILE).read_text())
        return cls(**told, edges=pd.read_parquet(edges) if edges.exists() else None)


def study_data(
    store: FeatureStore, tracking: Tracking, corpus: str, study: str, summary: Summary | None = None
) -> StudyData | None:
    """All that is stored of a study; None where it has no results, or they are of folds that are no more.

    Without a summary that of the latest study, from MLflow.
    """
    keys = [corpus, study]
    results = store.query("SELECT * FROM results WHERE corpus = ? AND family = ?", keys)
    if results.empty:
        return None
    if of_former_folds(store, corpus, study):
        log.warning("%s of %s is not shown: the folds have changed since; make study CORPUS=%s", study, corpus, corpus)
        return None
    of_folds = sorted(set(results["fold"]))
    units = store.query(UNITS, [corpus])
    word = "dialogue" if len(set(units["dialogue"])) < len(units) else "speaker"
    pictured = KINDS[study].pictured
    summary = summary or latest_summary(tracking, corpus, study, runs_digest(store, corpus, study))
    protocol = store.query(
        "SELECT fold, any_value(protocol) AS text FROM folds WHERE corpus = ? GROUP BY ALL", [corpus]
    )
    return StudyData(
        study=study,
        results=results,
        predictions=store.query(PREDICTIONS, keys),
        sweeps=store.query("SELECT * FROM sweeps WHERE corpus = ? AND family = ?", keys),
        imagined=store.query(IMAGINED, [*keys, pictured]),
        history=_history(store, tracking, corpus, study),
        runs_note=summary.runs_note,
        graph_layers=summary.graph_layers,
        **({} if summary.edges is None else {"edges": summary.edges}),
        units=dict(zip(units["utterance_id"], units[word], strict=True)),
        unit_word=word,
        test_share=float(store.query(SHARES, keys)["share"].iloc[0]),
        protocol=protocol.loc[protocol["fold"].isin(of_folds), "text"].fillna("").iloc[0],
    )


def of_former_folds(store: FeatureStore, corpus: str, family: str, table: str = "predictions") -> bool:
    """Something in a table of predictions was tested in a fold whose test part it is not in today."""
    return not store.query(ELSEWHERE.format(table=table), [corpus, family]).empty


def study_metadata(study: Study, config: StudyConfig, left_out: dict[str, str]) -> dict[str, dg.MetadataValue]:
    """Findings, tables and pictures for Dagster's page; the same files as artifacts of one MLflow run."""
    store, tracking, corpus = study.store, study.tracking, study.corpus
    runs = runs_digest(store, corpus, study.name)
    summary = Summary(note(config), _graph_layers(config), runs, left_out, _edges(study, config))
    data = study_data(store, tracking, corpus, study.name, summary)
    if data is None:
        raise dg.Failure("no row of the study could be trained and tested in any fold; the log says why of each")
    return show(study, config, summary, pictures(data, form="png"), to_markdown(data), findings(data))


def show(
    study: Study, config: StudyConfig, summary: Summary, drawn: dict[str, bytes], tables: str, sentences: list[str]
) -> dict[str, dg.MetadataValue]:
    """The same to MLflow, to the log, and as Dagster's metadata."""
    tracking, corpus = study.tracking, study.corpus
    tags = {"dagster_run_id": study.context.run_id, "corpus": corpus, "family": study.name, "fingerprint": SHOWN}
    with (
        TemporaryDirectory() as folder,
        tracking.run(corpus, study.name, parameters=flattened(config.model_dump()), tags=tags) as run,
    ):
        summary.write(Path(folder))
        for name, content in {TABLE_FILE: tables.encode(), **{f"{n}.png": p for n, p in drawn.items()}}.items():
            (Path(folder) / name).write_bytes(content)
        for file in sorted(Path(folder).iterdir()):
            run.log_file(file, SHOWN)
    for sentence in sentences:
        study.say(sentence)
    texts = {"findings": "\n".join(f"- {sentence}" for sentence in sentences), "tables": tables}
    return {name: dg.MetadataValue.md(text) for name, text in {**texts, **_inlined(drawn)}.items()}


def note(config: StudyConfig) -> str:
    """Which preset, and what of it was changed."""
    kept = {"": "", "best": "; every network keeps its best epoch", "last": "; every network keeps its last epoch"}
    train_under = config.train_under if isinstance(config, MminStudyConfig) else ""
    under = f"; rows that are free to be are trained under {train_under}" if train_under else ""
    loss = f"; every row learns with {config.loss}" if isinstance(config, OmgStudyConfig) and config.loss else ""
    return f"Preset {config.preset}{kept[config.keep]}{under}{loss}."


def _inlined(drawn: dict[str, bytes]) -> dict[str, str]:
    return {name: inline(picture) for name, picture in drawn.items()}


def runs_digest(store: FeatureStore, corpus: str, study: str) -> str:
    """Which runs the stored results are of, as a digest."""
    found = store.query(
        "SELECT DISTINCT mlflow_run_id AS id FROM results WHERE corpus = ? AND family = ?", [corpus, study]
    )
    return hashlib.sha256(" ".join(sorted(found["id"])).encode()).hexdigest()


def latest_summary(tracking: Tracking, corpus: str, study: str, runs: str) -> Summary:
    """Of the study's latest run; empty where MLflow is away, knows none, or the results are not those that it saw."""
    found = tracking.find_finished(corpus, study, SHOWN)
    if found is None:
        return Summary()
    with TemporaryDirectory() as folder:
        try:
            summary = Summary.read(tracking.download(found.run_id, SHOWN, Path(folder)))
        except (FileNotFoundError, TrackingAwayError) as error:
            log.warning("the summary of %s is not shown: %s", study, error)
            return Summary()
    if summary.runs == runs:
        return summary
    log.warning("%s of %s did not come to its end: its preset and edges are not shown; make study again", study, corpus)
    return Summary()


def _graph_layers(config: StudyConfig) -> int:
    return mmgcn.FAMILY.experiments(config.preset)["mmgcn"].graph_layers if isinstance(config, MmgcnStudyConfig) else 0


def _edges(study: Study, config: StudyConfig) -> pd.DataFrame | None:
    """Those of the chosen utterance in the first fold and seed of MMGCN, where the study has that row."""
    if not isinstance(config, MmgcnStudyConfig):
        return None
    first = study.store.query(FIRST_RUN, [study.corpus, study.name, "mmgcn"])
    dataset, parts = read_folds(study.store, study.corpus)
    if first.empty or dataset is None:
        return None
    dataset = replace(dataset, splits=parts[int(first["fold"].iloc[0])])
    deployed = load_trained(study.tracking, str(first["run_id"].iloc[0]))
    return edges_of(deployed.model, deployed.inputs, dataset, config.utterance or utterance_to_show(dataset))


def _history(store: FeatureStore, tracking: Tracking, corpus: str, study: str) -> pd.DataFrame:
    """The curves of the pictured row in its first fold and seed."""
    pictured = KINDS[study].pictured
    for _, row in store.query(FIRST_RUN, [corpus, study, pictured]).iterrows():
        return tracking.history(str(row["run_id"])).assign(experiment=pictured, fold=row["fold"], seed=row["seed"])
    return pd.DataFrame(columns=["experiment", "fold", "seed", "epoch", "name", "value"])

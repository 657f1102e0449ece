"""What is shown of a study or of a deployed family, as SQL over the store; its pictures to MLflow."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from affectory.data.dataset import Dataset
from affectory.learning.deployed import DeployedModel
from affectory.models import FAMILIES
from affectory.report.markdown import findings_markdown, section_markdown
from affectory.report.section import Section
from affectory.report.study_data import StudyData
from affectory.studies import STUDIES
from affectory.studies.study import Study
from affectory.vocabulary import DIMENSIONS
from ops.pictures import picture_markdown
from ops.study_plan import StudyRun
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
# Of dimensions: which video an utterance is of, and its place in it.
DIMENSION_PREDICTIONS = """
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
ILLUSTRATED_UTTERANCE = """
SELECT utterance_id, list(feature_set) AS sets FROM features
WHERE corpus = ? AND valid AND list_contains(?, feature_set)
GROUP BY ALL ORDER BY len(sets) DESC, utterance_id LIMIT 1
"""
SUMMARY, TABLE_FILE, NOTE_FILE = "study", "tables.md", "note.json"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What a report shows of a study that is not in the store's tables; kept in MLflow with the study."""

    options: dict[str, Any] = field(default_factory=dict)  # of its configuration
    runs: str = ""  # runs_digest of the results that it belongs to
    left_out: dict[str, str] = field(default_factory=dict)  # row -> why it was not trained
    insides: dict[str, pd.DataFrame] = field(default_factory=dict)  # as of Study.look_inside

    def write(self, folder: Path) -> None:
        note = {"options": self.options, "runs": self.runs, "left_out": self.left_out, "insides": sorted(self.insides)}
        (folder / NOTE_FILE).write_text(json.dumps(note))
        for name, table in self.insides.items():
            table.to_parquet(folder / f"{name}.parquet", index=False)

    @classmethod
    def read(cls, folder: Path) -> "Summary":
        """KeyError for one of an older form."""
        note = json.loads((folder / NOTE_FILE).read_text())
        insides = {name: pd.read_parquet(folder / f"{name}.parquet") for name in note["insides"]}
        return cls(note["options"], note["runs"], note["left_out"], insides)


@dataclass(frozen=True)
class _Inside:
    """How a study's look_inside reaches what was trained."""

    run: StudyRun
    options: Mapping[str, Any]

    def trained(self, row: str) -> tuple[DeployedModel, Dataset] | None:
        first = self.run.store.query(FIRST_RUN, [self.run.corpus, self.run.name, row])
        dataset, parts = self.run.read() if len(first) else (None, {})
        if dataset is None:
            return None
        deployed = load_trained(self.run.tracking, str(first["run_id"].iloc[0]))
        return deployed, replace(dataset, splits=parts[int(first["fold"].iloc[0])])


def study_section(
    store: FeatureStore, tracking: Tracking, corpus: str, study: Study, summary: Summary | None = None
) -> Section | None:
    """The section of a report on a study; None without results, or where the folds have changed since.

    `summary` is that of the study's latest run, read from MLflow unless given.
    """
    if not has_results(store, corpus, study.name):
        return None
    if of_former_folds(store, corpus, study.name):
        message = "%s of %s is not shown: the folds have changed since; make study CORPUS=%s"
        log.warning(message, study.name, corpus, corpus)
        return None
    summary = summary or latest_summary(tracking, corpus, study.name, runs_digest(store, corpus, study.name))
    data = _data(store, tracking, corpus, study, study.name)
    return study.section(
        replace(
            data,
            **_samples(store, corpus, study),
            runs_note=preset_note(study, summary.options),
            left_out=summary.left_out,
            insides=summary.insides,
        )
    )


def family_section(store: FeatureStore, tracking: Tracking, corpus: str, family: str) -> Section | None:
    """The section of a report on a deployed family of dimensions, in the form of the study about it, or about another.

    None without results, without such a study, or where the folds have changed since. Samples of the features that the
    models read are in it only where the study itself has no results to show them with.
    """
    of_dimensions = [study for study in STUDIES.values() if FAMILIES[study.family].of_dimensions]
    study = min(of_dimensions, key=lambda study: study.family != family, default=None)
    if study is None or not has_results(store, corpus, family) or of_former_folds(store, corpus, family):
        return None
    data = _data(store, tracking, corpus, study, family)
    title = " and ".join(data.dimensions).capitalize()
    samples = {} if has_results(store, corpus, study.name) else _samples(store, corpus, study)
    return study.section(replace(data, title=title, **samples))


def _data(store: FeatureStore, tracking: Tracking, corpus: str, study: Study, study_or_family: str) -> StudyData:
    """What the store holds under `study_or_family` in column `family`: of the study, or of the family it is about."""
    keys = [corpus, study_or_family]
    of_dimensions = FAMILIES[study.family].of_dimensions
    units = store.query(UNITS, [corpus])
    word = "dialogue" if len(set(units["dialogue"])) < len(units) else "speaker"
    predictions = store.query(DIMENSION_PREDICTIONS if of_dimensions else PREDICTIONS, keys)
    dimensions = set(predictions["dimension"]) if of_dimensions else set()
    tested = tuple(name for name in DIMENSIONS if name in dimensions)
    return StudyData(
        study=study_or_family,
        title=study.title_of(tested),
        names=study.names,
        metrics=study.metrics,
        references=study.references,
        pictured=study.pictured,
        corpus=corpus,
        dimensions=tested,
        protocol=store.query(PROTOCOL, keys)["protocol"].fillna("").iloc[0],
        results=store.query("SELECT * FROM results WHERE corpus = ? AND family = ?", keys),
        predictions=predictions,
        sweeps=store.query("SELECT * FROM sweeps WHERE corpus = ? AND family = ?", keys),
        imagined=store.query(IMAGINED, [*keys, study.pictured]),
        history=_history(store, tracking, keys, study.pictured),
        units=dict(zip(units["utterance_id"], units[word], strict=True)),
        unit_word=word,
        test_share=float(store.query(SHARES, keys)["share"].iloc[0]),
    )


def has_results(store: FeatureStore, corpus: str, study_or_family: str) -> bool:
    """Whether the store has a row of `results` of the study or family."""
    keys = [corpus, study_or_family]
    return not store.query("SELECT 1 FROM results WHERE corpus = ? AND family = ? LIMIT 1", keys).empty


def of_former_folds(store: FeatureStore, corpus: str, study_or_family: str) -> bool:
    """Whether some stored prediction is of an utterance that is not in the test part of that fold today."""
    tables = ("predictions", "dimension_predictions")
    return any(not store.query(ELSEWHERE.format(table=table), [corpus, study_or_family]).empty for table in tables)


def study_metadata(run: StudyRun, left_out: dict[str, str]) -> dict[str, dg.MetadataValue]:
    """Findings, tables and pictures for Dagster's page; the same files as artifacts of one MLflow run."""
    store, tracking, corpus, study = run.store, run.tracking, run.corpus, run.study
    insides = study.look_inside(_Inside(run, run.options)) if study.look_inside else {}
    summary = Summary(run.options, runs_digest(store, corpus, study.name), left_out, insides)
    section = study_section(store, tracking, corpus, study, summary)
    if section is None:
        raise dg.Failure("no row of the study could be trained and tested in any fold; the log says why of each")
    pictures = {figure.name: figure.draw("png") for figure in section.figures}
    tables = section_markdown(section)
    _log_summary(run, summary, {TABLE_FILE: tables.encode(), **{f"{n}.png": p for n, p in pictures.items()}})
    for sentence in section.findings:
        run.say(sentence)
    inlined = {name: picture_markdown(picture) for name, picture in pictures.items()}
    texts = {"findings": findings_markdown(section), "tables": tables, **inlined}
    return {name: dg.MetadataValue.md(text) for name, text in texts.items()}


def _log_summary(run: StudyRun, summary: Summary, files: Mapping[str, bytes]) -> None:
    """To MLflow, as a run of its own."""
    tags = {"dagster_run_id": run.context.run_id, "corpus": run.corpus, "family": run.name, "fingerprint": SUMMARY}
    parameters = flattened(run.options)
    with (
        TemporaryDirectory() as folder,
        run.tracking.run(run.corpus, run.name, parameters=parameters, tags=tags) as logged,
    ):
        summary.write(Path(folder))
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        for file in sorted(Path(folder).iterdir()):
            logged.log_file(file, SUMMARY)


def preset_note(study: Study, options: Mapping[str, Any]) -> str:
    """Which preset, and what of it was changed; empty where that is not known."""
    if not options:
        return ""
    keep = {"": "", "best": "; every network keeps its best epoch", "last": "; every network keeps its last epoch"}
    changed = [
        f"; {option.note.format(options[name])}"
        for name, option in study.options.items()
        if option.note and options.get(name)
    ]
    return f"Preset {options['preset']}{keep[options['keep']]}{''.join(changed)}."


def runs_digest(store: FeatureStore, corpus: str, study: str) -> str:
    """Hex sha256 of the ids of the MLflow runs that the study's stored results are of."""
    runs = store.query(
        "SELECT DISTINCT mlflow_run_id AS id FROM results WHERE corpus = ? AND family = ?", [corpus, study]
    )
    return hashlib.sha256(" ".join(sorted(runs["id"])).encode()).hexdigest()


def latest_summary(tracking: Tracking, corpus: str, study: str, runs: str) -> Summary:
    """The summary that the study's latest run left in MLflow.

    An empty one where MLflow is away or has none, and where it belongs to other runs than `runs`, a runs_digest.
    """
    latest = tracking.find_finished(corpus, study, SUMMARY)
    if latest is None:
        return Summary()
    with TemporaryDirectory() as folder:
        try:
            summary = Summary.read(tracking.download(latest.run_id, SUMMARY, Path(folder)))
        except (FileNotFoundError, KeyError, TrackingAwayError) as error:
            log.warning("the summary of %s is not shown: %s", study, error)
            return Summary()
    if summary.runs == runs:
        return summary
    log.warning("%s of %s did not come to its end: its preset and edges are not shown; make study again", study, corpus)
    return Summary()


def _history(store: FeatureStore, tracking: Tracking, keys: list[str], row: str) -> pd.DataFrame:
    """The curves of a row in its first fold and seed."""
    for _, first in store.query(FIRST_RUN, [*keys, row]).iterrows():
        return tracking.history(str(first["run_id"])).assign(experiment=row, fold=first["fold"], seed=first["seed"])
    return pd.DataFrame(columns=["experiment", "fold", "seed", "epoch", "name", "value"])


def _samples(store: FeatureStore, corpus: str, study: Study) -> dict[str, Any]:
    """`samples` and `sample_of`: the frames of one utterance in the feature sets that the study illustrates."""
    if not study.illustrates:
        return {}
    rows = store.query(ILLUSTRATED_UTTERANCE, [corpus, list(study.illustrates)])
    if rows.empty:
        return {}
    utterance, sets = str(rows["utterance_id"].iloc[0]), list(rows["sets"].iloc[0])
    samples = {name: np.array(store.read_sequences(corpus, name, [utterance]).frames) for name in sets}
    return {"samples": samples, "sample_of": utterance}

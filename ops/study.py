"""Running a study: what is new of its trainings in worker processes, a cell each, delivered to MLflow and the store."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pandas as pd

from affectory.child_processes import Lost, run_as_completed
from affectory.conditions import TRAINING_CONDITIONS
from affectory.datasets import Dataset, save_dataset
from affectory.dimension_data import VAL_CCC
from affectory.imagenet import WeightsError, imagenet_weights
from affectory.inputs import speaker_normalised
from affectory.models import FAMILIES
from affectory.study import Cell, run_cell
from affectory.study_data import ON_TEST, SPEAKER_NORMALISED
from affectory.study_rows import LINEAR_SVM, Row, mmgcn_rows, mmin_rows, omg_rows
from ops.datasets import digest, read_folds
from ops.evaluation import with_probabilities
from ops.progress import log_progress
from ops.training import RECIPE, beyond_scale, flattened, unfit
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers

TABLES = ("results", "predictions", "dimension_predictions", "sweep", "imagined")
TABLES_FOLDER = "tables"  # of a run's artifacts: what the store holds of it
Reads = tuple[tuple[str, ...], str]  # which data a row reads: its feature sets, and the suffix of how they are changed


class StudyConfig(dg.Config):
    """Which rows, over which seeds."""

    preset: str = "default"  # a preset of the study's family
    seeds: list[int] = [0, 1, 2]
    experiments: list[str] = []  # rows by name, with the teachers they need; empty: all
    speaker_normalised: list[str] = []  # rows also trained on features normalised speaker by speaker (transductive)
    keep: str = (
        ""  # best (on validation) or last: the epoch whose weights every network keeps; empty: as the preset says
    )


class MminStudyConfig(StudyConfig):
    """And what the rows are trained under."""

    train_under: str = ""  # full, missing or full_and_missing for every row that can be; empty: as the preset says


class MmgcnStudyConfig(StudyConfig):
    """And whose edges in the graph are drawn."""

    utterance: str = ""  # its id; empty: the twentieth, or the last, of the longest dialogue that is tested


class OmgStudyConfig(StudyConfig):
    """And what the rows learn with."""

    loss: str = ""  # ccc (one minus it), mse or ccc_and_mse for every row; empty: as the preset says


@dataclass(frozen=True)
class Place:
    """Where one training of the plan belongs in the tables."""

    fold: int
    seed: int
    row: Row
    suffix: str
    fingerprint: str
    seeds: tuple[int, ...]  # that its results stand for: its own, or all where there is no chance in it

    @property
    def reads(self) -> Reads:
        return self.row.feature_sets, self.suffix

    @property
    def experiment(self) -> str:
        return self.row.experiment + self.suffix

    @property
    def selected_on(self) -> str:
        """`val`, or `nothing` where the last epoch is kept."""
        return "nothing" if self.row.config is not None and self.row.config.schedule.keep == "last" else "val"


@dataclass(frozen=True)
class Study:
    """A study of one corpus, and what it runs with."""

    name: str
    family: str  # the family that it is about
    context: dg.AssetExecutionContext
    store: FeatureStore
    tracking: Tracking
    compute: Compute
    workers: Workers

    @property
    def corpus(self) -> str:
        return self.context.partition_key

    @property
    def staging(self) -> Path:
        return Path(self.workers.staging) / "studies"

    def say(self, text: str) -> None:
        self.context.log.info(text)

    def read(self, feature_sets: tuple[str, ...] = ()) -> tuple[Dataset | None, dict[int, list[str]]]:
        """The data of all folds, and every row's split in each, as ops.datasets.read_folds gives them."""
        stored = self.store.feature_sets(self.corpus)
        of = {name: modality for modality, names in stored.items() for name in names}
        sets = {of[name]: name for name in feature_sets} or None
        return read_folds(self.store, self.corpus, sets, of_dimensions=FAMILIES[self.family].OF_DIMENSIONS)


@dataclass(frozen=True)
class Ran:
    """What became of a study: counts of trainings, folds and rows, and the rows that were left out with the reason."""

    counts: dict[str, int]
    left_out: dict[str, str]


def run_study(study: Study, config: StudyConfig, every: Callable[[Dataset], list[Row]]) -> Ran | None:
    """Train, score and store what is new of the study; None where the corpus cannot feed it.

    `every` gives all rows of the study for a corpus. A row for which features or ImageNet's weights are not there is
    left out, or refused (dg.Failure) where the configuration asks for it by name.
    """
    dataset, parts = study.read()
    if dataset is None:
        study.say(
            f"{study.name} skipped for corpus {study.corpus}: {unfit(None, study.family)}. If the corpus has "
            "labels, materialise its ingestion, features and missing_modality_sets first"
        )
        return None
    for fold, splits in parts.items():
        if why := unfit(replace(dataset, splits=splits), study.family):
            study.say(f"{study.name} skipped for corpus {study.corpus}: fold {fold}: {why}")
            return None
    for sentence in beyond_scale(dataset):
        study.context.log.warning(sentence)
    rows, left_out = _feedable(study, config, _rows(config, dataset, every(dataset)))
    data_digest = digest(dataset)
    digests = {sets: _digest_of(study, sets) if sets else data_digest for sets in {row.feature_sets for row in rows}}
    places = list(_places(config, rows, parts, digests))
    known = _known(study, places)
    for fingerprint in known:  # what a kill between delivery and removal left
        shutil.rmtree(study.staging / fingerprint, ignore_errors=True)
    new = [place for place in places if place.fingerprint not in known]
    reused = len(places) - len(new)
    study.say(f"{study.name} of {study.corpus}: {len(places)} trainings, {reused} unchanged and reused")
    run_ids = dict(known)
    if new:
        data = _written(study, {place.reads for place in new}, study.staging / f"data-{data_digest[:16]}")
        cells = _cells(study, new, rows, data, parts)
        try:
            _run_cells(study, cells, new, run_ids)
        finally:
            for folder in data.values():
                shutil.rmtree(folder)
    kept = {run_ids[place.fingerprint] for place in places if place.fingerprint in run_ids}
    study.store.keep_runs(study.corpus, study.name, sorted(kept))
    return Ran({"trainings": len(places), "reused": reused, "folds": len(parts), "rows": len(rows)}, left_out)


def rows_of_mmin(config: MminStudyConfig, dataset: Dataset) -> list[Row]:
    """All rows of mmin_study; ValueError for a switch that is not known."""
    if config.train_under and config.train_under not in TRAINING_CONDITIONS:
        raise ValueError(f"train_under {config.train_under!r}: expected one of {', '.join(TRAINING_CONDITIONS)}")
    return mmin_rows(config.preset, dataset.modalities, config.train_under)


def rows_of_mmgcn(config: MmgcnStudyConfig, dataset: Dataset) -> list[Row]:
    """All rows of mmgcn_study; ValueError for an utterance to be drawn that is not there."""
    if config.utterance and config.utterance not in dataset.utterance_ids:
        some = ", ".join(dataset.utterance_ids[:3])
        raise ValueError(f"utterance {config.utterance!r}: expected the id of one in the corpus, as {some}")
    return mmgcn_rows(config.preset, dataset.modalities)


def rows_of_omg(config: OmgStudyConfig, dataset: Dataset) -> list[Row]:
    """All rows of omg_study; ValueError for a loss that is not known."""
    return omg_rows(config.preset, dataset.modalities, config.loss)


def _rows(config: StudyConfig, dataset: Dataset, every: Sequence[Row]) -> list[Row]:
    """The rows asked for, teachers before their students; ValueError names a row or switch that is not known."""
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise ValueError(f"seeds {config.seeds}: expected one or more different numbers, none below 0")
    if config.speaker_normalised and not any(dataset.speakers):
        raise ValueError(
            f"speaker_normalised {config.speaker_normalised}: no utterance of the corpus names its speaker"
        )
    if config.keep not in ("", "best", "last"):
        raise ValueError(f"keep {config.keep!r}: expected best, last or nothing")
    every = [_keeping(row, config.keep) for row in every]
    names = {row.experiment for row in every}
    if unknown := sorted({*config.experiments, *config.speaker_normalised} - names):
        have = "".join(modality.key for modality in dataset.modalities)
        raise ValueError(
            f"experiments {unknown}: of a corpus with modalities {have}, expected some of {', '.join(sorted(names))}"
        )
    wanted = set(config.experiments) | set(config.speaker_normalised) if config.experiments else names
    wanted |= {row.config.teacher for row in every if row.experiment in wanted and row.config is not None}
    return [row for row in every if row.experiment in wanted]


def _keeping(row: Row, keep: str) -> Row:
    if row.config is None or not keep:
        return row
    return replace(row, config=replace(row.config, schedule=replace(row.config.schedule, keep=keep)))


def _feedable(study: Study, config: StudyConfig, rows: Sequence[Row]) -> tuple[list[Row], dict[str, str]]:
    """The rows that can be trained, and in short why others cannot; the log says of each what would help.

    dg.Failure where those were asked for by name.
    """
    stored = {name for names in study.store.feature_sets(study.corpus).values() for name in names}
    left_out: dict[str, str] = {}
    remedies: dict[str, str] = {}
    for row in rows:
        if absent := sorted(set(row.feature_sets) - stored):
            of = "acoustic_features" if row.family == "audio_cnn" else "visual_features"
            left_out[row.experiment] = f"what they read is not in the feature_sets of {of}"
            remedies[row.experiment] = f"feature set {absent[0]} is not stored; name it in the feature_sets of {of}"
        elif problem := _no_weights(row):
            left_out[row.experiment] = "ImageNet’s weights are not here"
            remedies[row.experiment] = problem
    asked = [f"{name}: {remedy}" for name, remedy in remedies.items() if name in config.experiments]
    if asked:
        raise dg.Failure(f"rows that were asked for cannot be trained: {'; '.join(asked)}")
    for name, remedy in remedies.items():
        study.say(f"{name} is left out: {remedy}")
    return [row for row in rows if row.experiment not in left_out], left_out


def _no_weights(row: Row) -> str:
    """What is wrong with the published weights that training the row starts from; empty where nothing is."""
    if not getattr(row.config, "pretrained", False):
        return ""
    try:
        imagenet_weights(row.config.architecture if row.family == "audio_cnn" else row.config.backbone)
    except WeightsError as error:
        return str(error)
    return ""


def _digest_of(study: Study, feature_sets: tuple[str, ...]) -> str:
    dataset, _ = study.read(feature_sets)
    assert dataset is not None
    return digest(dataset)


def _places(
    config: StudyConfig, rows: Sequence[Row], parts: dict[int, list[str]], digests: dict[tuple[str, ...], str]
) -> Iterator[Place]:
    """Every training of the study; a machine without chance is trained with the first seed only."""
    suffixes = ["", SPEAKER_NORMALISED] if config.speaker_normalised else [""]
    by_name = {row.name: row for row in rows}
    for fold, splits in parts.items():
        for seed in config.seeds:
            for suffix in suffixes:
                for row in rows:
                    if row.family == LINEAR_SVM and seed != config.seeds[0]:
                        continue
                    if suffix and row.experiment not in config.speaker_normalised:
                        continue
                    data = [digests[row.feature_sets], splits]
                    seeds = tuple(config.seeds) if row.family == LINEAR_SVM else (seed,)
                    chance = None if row.family == LINEAR_SVM else seed
                    yield Place(fold, seed, row, suffix, _fingerprint(row, by_name, chance, suffix, data), seeds)


def _fingerprint(row: Row, rows: dict[str, Row], seed: int | None, suffix: str, data: list[Any]) -> str:
    """Names a training: row and condition, data, configuration and its teacher's, seed, recipe and torch release."""
    chain: list[Any] = []
    current: Row | None = row
    while current is not None:
        chain.append([current.family, None if current.config is None else asdict(current.config)])
        current = rows.get(current.config.teacher) if current.config is not None and current.config.teacher else None
    parts = [RECIPE, row.name, chain, row.reads_all, row.shuffled, seed, suffix, data, version("torch")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _known(study: Study, places: Sequence[Place]) -> dict[str, str]:
    """fingerprint -> run id of what is finished in MLflow; results that have left the store come back from there.

    Others leave the store before anything is trained, so that a study which is killed never shows two configurations;
    not so while MLflow is away, which tells nothing.
    """
    finished = study.tracking.finished_fingerprints(study.corpus, study.name)
    rows = study.store.query(
        "SELECT mlflow_run_id, list(DISTINCT seed) AS seeds FROM results WHERE corpus = ? AND family = ? GROUP BY ALL",
        [study.corpus, study.name],
    )
    stored = dict(zip(rows["mlflow_run_id"], rows["seeds"], strict=True))
    known, gone = {}, []
    for place in places:
        if run_id := finished.get(place.fingerprint):
            known[place.fingerprint] = run_id
            if set(place.seeds) != set(stored.get(run_id, ())):
                gone.append(place)
    if finished:
        still = set(known.values()) - {known[place.fingerprint] for place in gone}
        study.store.keep_runs(study.corpus, study.name, sorted(still))
    tables = _no_tables()
    for place in gone:
        with TemporaryDirectory() as folder:
            run_id = known[place.fingerprint]
            try:
                files = study.tracking.download(run_id, TABLES_FOLDER, Path(folder))
            except FileNotFoundError as error:
                study.context.log.warning(f"{place.experiment} is trained anew: {error}")
                del known[place.fingerprint]
            else:
                _add(tables, place, files, run_id, study.name)
    if gone:
        _store(study, tables)
        study.say(f"{study.name} of {study.corpus}: results of {len(gone)} trainings brought back from MLflow")
    return known


def _written(study: Study, reads: set[Reads], folder: Path) -> dict[Reads, Path]:
    """The data that the cells read, for all worker processes to map into memory."""
    data = {}
    for number, (feature_sets, suffix) in enumerate(sorted(reads)):
        dataset, _ = study.read(feature_sets)
        assert dataset is not None
        data[feature_sets, suffix] = folder.with_name(f"{folder.name}-{number}")
        save_dataset(speaker_normalised(dataset) if suffix else dataset, data[feature_sets, suffix])
    return data


def _cells(
    study: Study, new: Sequence[Place], rows: Sequence[Row], data: dict[Reads, Path], parts: dict[int, list[str]]
) -> list[Cell]:
    """A cell a fold, seed and way of reading the data."""
    keys = dict.fromkeys((place.fold, place.seed, place.reads) for place in new)
    first = (min(parts), min(place.seed for place in new), ((), ""))
    device, cells = str(study.compute.torch_device()), []
    for fold, seed, reads in keys:
        of_cell = [p for p in new if (p.fold, p.seed, p.reads) == (fold, seed, reads)]
        names = {p.row.name for p in of_cell}
        teachers = {p.row.config.teacher for p in of_cell if p.row.config is not None}
        cells.append(
            Cell(
                dataset=data[reads],
                splits=parts[fold],
                fold=fold,
                seed=seed,
                rows=[row for row in rows if row.name in names | teachers],
                fingerprints={p.row.name: p.fingerprint for p in of_cell},
                results=study.staging,
                device=device,
                pictures=(fold, seed, reads) == first,
            )
        )
    return cells


def _run_cells(study: Study, cells: Sequence[Cell], new: Sequence[Place], run_ids: dict[str, str]) -> None:
    """Deliver each cell as it is done; what is lost is said at the end, when the others are safe."""
    processes = 1 if cells[0].device.startswith("cuda") else study.workers.count
    report, lost = log_progress(study.context, "cells of the study"), []
    by_fingerprint = {place.fingerprint: place for place in new}
    done = run_as_completed(run_cell, cells, workers=processes, timeout_s=study.workers.cell_timeout_s)
    for number, (index, outcome) in enumerate(done, start=1):
        cell = cells[index]
        if isinstance(outcome, Lost):
            lost.append(f"fold {cell.fold} seed {cell.seed}: {outcome.detail}")
        else:
            trained = [by_fingerprint[cell.fingerprints[name]] for name in outcome.done if name in cell.fingerprints]
            run_ids |= _deliver(study, trained)
            for name, why in outcome.skipped.items():
                study.say(f"{name} of fold {cell.fold}, seed {cell.seed} is left out: {why}")
            lost += [f"{name} of fold {cell.fold}, seed {cell.seed}: {why}" for name, why in outcome.failed.items()]
        report(number, len(cells))
    if lost:
        raise dg.Failure(
            f"a part of the study was lost, the rest is stored: {'; '.join(lost)}. Mend what is named, or leave it out "
            "by `experiments`, and materialise again: finished trainings are kept"
        )


def _deliver(study: Study, places: Sequence[Place]) -> dict[str, str]:
    """Each training to MLflow, all their rows to the store; then their folders go. fingerprint -> run id."""
    run_ids, tables = {}, _no_tables()
    for place in places:
        folder = study.staging / place.fingerprint
        run_ids[place.fingerprint] = _log_run(study, place, folder)
        _add(tables, place, folder, run_ids[place.fingerprint], study.name)
    _store(study, tables)
    for place in places:
        shutil.rmtree(study.staging / place.fingerprint)
    return run_ids


def _no_tables() -> dict[str, list[pd.DataFrame]]:
    return {name: [] for name in TABLES}


def _add(tables: dict[str, list[pd.DataFrame]], place: Place, folder: Path, run_id: str, study: str) -> None:
    """The rows of one training, from its files in `folder`."""
    for name, parts in tables.items():
        if (file := folder / f"{name}.parquet").exists() and len(rows := pd.read_parquet(file)):
            keys = {"family": study, "experiment": place.experiment, "fold": place.fold}
            if name == "results" and "selected_on" not in rows:
                keys["selected_on"] = place.selected_on
            parts += [rows.assign(**keys, mlflow_run_id=run_id, seed=seed) for seed in place.seeds]


def _store(study: Study, tables: dict[str, list[pd.DataFrame]]) -> None:
    store, corpus = study.store, study.corpus
    if tables["predictions"]:
        predictions = pd.concat([with_probabilities(rows) for rows in tables["predictions"]])
        store.replace_rows("predictions", corpus, predictions)
    names = {"sweep": "sweeps", "imagined": "imagined", "dimension_predictions": "dimension_predictions"}
    for name, table in names.items():
        if tables[name]:
            store.replace_rows(table, corpus, pd.concat(tables[name]))
    if tables["results"]:  # last: it says that the training is stored
        results = pd.concat(tables["results"])
        results.loc[results["metric"].str.endswith(ON_TEST), "selected_on"] = "test"
        store.replace_rows("results", corpus, results)


def _log_run(study: Study, place: Place, folder: Path) -> str:
    facts = json.loads((folder / "facts.json").read_text())
    config = {} if place.row.config is None else flattened(asdict(place.row.config))
    tags = {
        "fingerprint": place.fingerprint,
        "dagster_run_id": study.context.run_id,
        "corpus": study.corpus,
        "family": place.row.family,
        "study": study.name,
        "experiment": place.experiment,
        "fold": str(place.fold),
        "seed": str(place.seed),
        "selected_on": place.selected_on,
    }
    name = f"{study.name}/{place.row.name}{place.suffix}"
    parameters = {"seed": place.seed, "fold": place.fold, **config}
    with study.tracking.run(study.corpus, name, parameters=parameters, tags=tags) as run:
        for epoch, measured in enumerate(facts.get("history", []), start=1):
            run.log_epoch(epoch, measured)
        if "score" in facts:
            run.log_metrics({"best_score": facts["score"], "best_epoch": facts["best_epoch"]})
        results = pd.read_parquet(folder / "results.parquet")
        run.log_metrics(
            {
                f"test/{metric}/{condition.strip('{}').replace(',', '')}": value
                for condition, metric, value in results[["condition", "metric", "value"]].itertuples(index=False)
                if metric != VAL_CCC
            }
        )
        for file in sorted(folder.glob("*.parquet")):
            run.log_file(file, TABLES_FOLDER)
        for file in sorted((folder / "deployed").iterdir()) if (folder / "deployed").exists() else ():
            run.log_file(file, "deployed")
    return run.run_id

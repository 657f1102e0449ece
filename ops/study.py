"""Running a study: what is new of its trainings in worker processes, a cell each, delivered to MLflow and the store."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
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
from affectory.inputs import speaker_normalised
from affectory.study import LINEAR_SVM, Cell, Row, mmin_rows, run_cell
from affectory.study_data import SPEAKER_NORMALISED
from ops.datasets import digest, read_folds
from ops.evaluation import with_probabilities
from ops.progress import log_progress
from ops.training import RECIPE, flattened, unfit
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers

STUDY = "mmin_study"

TABLES = ("results", "predictions", "sweep", "imagined")
TABLES_FOLDER = "tables"  # of a run's artifacts: what the store holds of it


class StudyConfig(dg.Config):
    """Which rows, over which seeds."""

    preset: str = "default"  # a preset of the family mmin
    seeds: list[int] = [0, 1, 2]
    experiments: list[str] = []  # rows by name, with the teachers they need; empty: all
    speaker_normalised: list[str] = []  # rows also trained on features normalised speaker by speaker (transductive)
    keep: str = (
        ""  # best (on validation) or last: the epoch whose weights every network keeps; empty: as the preset says
    )
    train_under: str = ""  # full, missing or full_and_missing for every row that can be; empty: as the preset says


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
    def experiment(self) -> str:
        return self.row.experiment + self.suffix


def run_study(
    context: dg.AssetExecutionContext,
    config: StudyConfig,
    store: FeatureStore,
    tracking: Tracking,
    compute: Compute,
    workers: Workers,
) -> dict[str, int] | None:
    """Train, score and store what is new of the study; counts of trainings, or None where the corpus cannot feed it."""
    corpus = context.partition_key
    dataset, parts = read_folds(store, corpus)
    if dataset is None:
        context.log.info(
            f"{STUDY} skipped for corpus {corpus}: no utterance has a label and a split. If the corpus has labels, "
            "materialise its ingestion, features and missing_modality_sets first"
        )
        return None
    for fold, splits in parts.items():
        if why := unfit(replace(dataset, splits=splits)):
            context.log.info(f"{STUDY} skipped for corpus {corpus}: fold {fold}: {why}")
            return None
    rows = _rows(config, dataset)
    staging = Path(workers.staging) / "studies"
    data_digest = digest(dataset)
    places = list(_places(config, rows, parts, data_digest))
    known = _known(context, places, store, tracking)
    new = [place for place in places if place.fingerprint not in known]
    context.log.info(f"{STUDY} of {corpus}: {len(places)} trainings, {len(places) - len(new)} unchanged and reused")
    run_ids = dict(known)
    if new:
        data = _written(dataset, {place.suffix for place in new}, staging / f"data-{data_digest[:16]}")
        cells = _cells(new, rows, data, parts, staging, str(compute.torch_device()))
        try:
            _run_cells(context, cells, new, store, tracking, workers, staging, run_ids)
        finally:
            for folder in data.values():
                shutil.rmtree(folder)
    store.keep_runs(corpus, STUDY, sorted({run_ids[p.fingerprint] for p in places if p.fingerprint in run_ids}))
    return {"trainings": len(places), "reused": len(places) - len(new), "folds": len(parts), "rows": len(rows)}


def _rows(config: StudyConfig, dataset: Dataset) -> list[Row]:
    """The rows asked for, teachers before their students; ValueError names a row or switch that is not known."""
    if config.train_under and config.train_under not in TRAINING_CONDITIONS:
        raise ValueError(f"train_under {config.train_under!r}: expected one of {', '.join(TRAINING_CONDITIONS)}")
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise ValueError(f"seeds {config.seeds}: expected one or more different numbers, none below 0")
    if config.speaker_normalised and not any(dataset.speakers):
        raise ValueError(
            f"speaker_normalised {config.speaker_normalised}: no utterance of the corpus names its speaker"
        )
    if config.keep not in ("", "best", "last"):
        raise ValueError(f"keep {config.keep!r}: expected best, last or nothing")
    every = [_keeping(row, config.keep) for row in mmin_rows(config.preset, dataset.modalities, config.train_under)]
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


def _places(config: StudyConfig, rows: Sequence[Row], parts: dict[int, list[str]], data_digest: str) -> Iterator[Place]:
    """Every training of the study; a machine without chance is trained with the first seed only."""
    suffixes = ["", SPEAKER_NORMALISED] if config.speaker_normalised else [""]
    by_name = {row.name: row for row in rows}
    for fold, splits in parts.items():
        data = [data_digest, splits]
        for seed in config.seeds:
            for suffix in suffixes:
                for row in rows:
                    if row.family == LINEAR_SVM and seed != config.seeds[0]:
                        continue
                    if suffix and row.experiment not in config.speaker_normalised:
                        continue
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
    parts = [RECIPE, row.name, chain, row.reads_all, seed, suffix, data, version("torch")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _known(
    context: dg.AssetExecutionContext, places: Sequence[Place], store: FeatureStore, tracking: Tracking
) -> dict[str, str]:
    """fingerprint -> run id of what is finished in MLflow; results that have left the store come back from there.

    Others leave the store before anything is trained, so that a study which is killed never shows two configurations;
    not so while MLflow is away, which tells nothing.
    """
    corpus = context.partition_key
    finished = tracking.finished_fingerprints(corpus, STUDY)
    rows = store.query(
        "SELECT mlflow_run_id, list(DISTINCT seed) AS seeds FROM results WHERE corpus = ? AND family = ? GROUP BY ALL",
        [corpus, STUDY],
    )
    stored = dict(zip(rows["mlflow_run_id"], rows["seeds"], strict=True))
    known, gone = {}, []
    for place in places:
        if run_id := finished.get(place.fingerprint):
            known[place.fingerprint] = run_id
            if set(place.seeds) != set(stored.get(run_id, ())):
                gone.append(place)
    if finished:
        store.keep_runs(corpus, STUDY, sorted(set(known.values()) - {known[place.fingerprint] for place in gone}))
    tables = _no_tables()
    for place in gone:
        with TemporaryDirectory() as folder:
            run_id = known[place.fingerprint]
            try:
                files = tracking.download(run_id, TABLES_FOLDER, Path(folder))
            except FileNotFoundError as error:
                context.log.warning(f"{place.experiment} is trained anew: {error}")
                del known[place.fingerprint]
            else:
                _add(tables, place, files, run_id)
    if gone:
        _store(store, corpus, tables)
        context.log.info(f"{STUDY} of {corpus}: results of {len(gone)} trainings brought back from MLflow")
    return known


def _written(dataset: Dataset, suffixes: set[str], folder: Path) -> dict[str, Path]:
    """The data that the cells read, by suffix, for all worker processes to map into memory."""
    data = {}
    for suffix in suffixes:
        data[suffix] = folder.with_name(f"{folder.name}{'-speakers' if suffix else ''}")
        save_dataset(speaker_normalised(dataset) if suffix else dataset, data[suffix])
    return data


def _cells(
    new: Sequence[Place],
    rows: Sequence[Row],
    data: dict[str, Path],
    parts: dict[int, list[str]],
    staging: Path,
    device: str,
) -> list[Cell]:
    """A cell a fold, seed and normalisation."""
    keys = dict.fromkeys((place.fold, place.seed, place.suffix) for place in new)
    first = (min(parts), min(place.seed for place in new), "")
    cells = []
    for fold, seed, suffix in keys:
        of_cell = [p for p in new if (p.fold, p.seed, p.suffix) == (fold, seed, suffix)]
        names = {p.row.name for p in of_cell}
        teachers = {p.row.config.teacher for p in of_cell if p.row.config is not None}
        cells.append(
            Cell(
                dataset=data[suffix],
                splits=parts[fold],
                fold=fold,
                seed=seed,
                rows=[row for row in rows if row.name in names | teachers],
                fingerprints={p.row.name: p.fingerprint for p in of_cell},
                results=staging,
                device=device,
                pictures=(fold, seed, suffix) == first,
            )
        )
    return cells


def _run_cells(
    context: dg.AssetExecutionContext,
    cells: Sequence[Cell],
    new: Sequence[Place],
    store: FeatureStore,
    tracking: Tracking,
    workers: Workers,
    staging: Path,
    run_ids: dict[str, str],
) -> None:
    """Deliver each cell as it is done; what is lost is said at the end, when the others are safe."""
    processes = 1 if cells[0].device.startswith("cuda") else workers.count
    report, lost = log_progress(context, "cells of the study"), []
    by_fingerprint = {place.fingerprint: place for place in new}
    done = run_as_completed(run_cell, cells, workers=processes, timeout_s=workers.cell_timeout_s)
    for number, (index, outcome) in enumerate(done, start=1):
        cell = cells[index]
        if isinstance(outcome, Lost):
            lost.append(f"fold {cell.fold} seed {cell.seed}: {outcome.detail}")
        else:
            trained = [by_fingerprint[cell.fingerprints[name]] for name in outcome.done if name in cell.fingerprints]
            run_ids |= _deliver(context, trained, staging, store, tracking)
            for name, why in outcome.skipped.items():
                context.log.info(f"{name} of fold {cell.fold}, seed {cell.seed} is left out: {why}")
            lost += [f"{name} of fold {cell.fold}, seed {cell.seed}: {why}" for name, why in outcome.failed.items()]
        report(number, len(cells))
    if lost:
        raise dg.Failure(
            f"a part of the study was lost, the rest is stored: {'; '.join(lost)}. Mend what is named, or leave it out "
            "by `experiments`, and materialise again: finished trainings are kept"
        )


def _deliver(
    context: dg.AssetExecutionContext,
    places: Sequence[Place],
    staging: Path,
    store: FeatureStore,
    tracking: Tracking,
) -> dict[str, str]:
    """Each training to MLflow, all their rows to the store; then their folders go. fingerprint -> run id."""
    run_ids, tables = {}, _no_tables()
    for place in places:
        folder = staging / place.fingerprint
        run_ids[place.fingerprint] = _log_run(context, place, folder, tracking)
        _add(tables, place, folder, run_ids[place.fingerprint])
    _store(store, context.partition_key, tables)
    for place in places:
        shutil.rmtree(staging / place.fingerprint)
    return run_ids


def _no_tables() -> dict[str, list[pd.DataFrame]]:
    return {name: [] for name in TABLES}


def _add(tables: dict[str, list[pd.DataFrame]], place: Place, folder: Path, run_id: str) -> None:
    """The rows of one training, from its files in `folder`."""
    for name, parts in tables.items():
        if (file := folder / f"{name}.parquet").exists() and len(rows := pd.read_parquet(file)):
            keys = {"family": STUDY, "experiment": place.experiment, "fold": place.fold}
            parts += [rows.assign(**keys, mlflow_run_id=run_id, seed=seed) for seed in place.seeds]


def _store(store: FeatureStore, corpus: str, tables: dict[str, list[pd.DataFrame]]) -> None:
    if tables["predictions"]:
        predictions = pd.concat([with_probabilities(rows) for rows in tables["predictions"]])
        store.replace_rows("predictions", corpus, predictions)
    for name, table in (("sweep", "sweeps"), ("imagined", "imagined")):
        if tables[name]:
            store.replace_rows(table, corpus, pd.concat(tables[name]))
    if tables["results"]:  # last: it says that the training is stored
        results = pd.concat(tables["results"]).assign(selected_on="val")
        store.replace_rows("results", corpus, results)


def _log_run(context: dg.AssetExecutionContext, place: Place, folder: Path, tracking: Tracking) -> str:
    facts = json.loads((folder / "facts.json").read_text())
    config = {} if place.row.config is None else flattened(asdict(place.row.config))
    tags = {
        "fingerprint": place.fingerprint,
        "dagster_run_id": context.run_id,
        "corpus": context.partition_key,
        "family": place.row.family,
        "study": STUDY,
        "experiment": place.experiment,
        "fold": str(place.fold),
        "seed": str(place.seed),
        "selected_on": "val",
    }
    name = f"{STUDY}/{place.row.name}{place.suffix}"
    parameters = {"seed": place.seed, "fold": place.fold, **config}
    with tracking.run(context.partition_key, name, parameters=parameters, tags=tags) as run:
        for epoch, measured in enumerate(facts.get("history", []), start=1):
            run.log_epoch(epoch, measured)
        if "score" in facts:
            run.log_metrics({"best_score": facts["score"], "best_epoch": facts["best_epoch"]})
        results = pd.read_parquet(folder / "results.parquet")
        run.log_metrics(
            {
                f"test/{metric}/{condition.strip('{}').replace(',', '')}": value
                for condition, metric, value in results[["condition", "metric", "value"]].itertuples(index=False)
            }
        )
        for file in sorted(folder.glob("*.parquet")):
            run.log_file(file, TABLES_FOLDER)
        for file in sorted((folder / "deployed").iterdir()) if (folder / "deployed").exists() else ():
            run.log_file(file, "deployed")
    return run.run_id

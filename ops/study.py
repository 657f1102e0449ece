"""Running a study: what is new of its trainings in worker processes, a cell each, delivered to MLflow and the store."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
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
    why = next((why for splits in parts.values() if (why := unfit(dataset and replace(dataset, splits=splits)))), "")
    if dataset is None or why:
        context.log.info(f"{STUDY} skipped for corpus {corpus}: {why or 'no utterance has a label and a split'}")
        return None
    rows = _rows(config, dataset)
    staging = Path(workers.staging) / "studies"
    places = list(_places(config, rows, dataset, parts))
    known = _delivered(store, tracking, corpus, {place.fingerprint for place in places})
    new = [place for place in places if place.fingerprint not in known]
    context.log.info(f"{STUDY} of {corpus}: {len(places)} trainings, {len(places) - len(new)} unchanged and reused")
    run_ids = dict(known)
    if new:
        data = _written(dataset, {place.suffix for place in new}, staging)
        cells = _cells(new, rows, data, parts, staging, str(compute.torch_device()))
        _run_cells(context, cells, new, store, tracking, workers, staging, run_ids)
        for folder in data.values():
            shutil.rmtree(folder)
    store.keep_runs(corpus, STUDY, sorted({run_ids[place.fingerprint] for place in places}))
    return {"trainings": len(places), "reused": len(places) - len(new), "folds": len(parts), "rows": len(rows)}


def _rows(config: StudyConfig, dataset: Dataset) -> list[Row]:
    """The rows asked for, teachers before their students; ValueError names a row or switch that is not known."""
    if config.train_under and config.train_under not in TRAINING_CONDITIONS:
        raise ValueError(f"train_under {config.train_under!r}: expected one of {', '.join(TRAINING_CONDITIONS)}")
    if config.keep not in ("", "best", "last"):
        raise ValueError(f"keep {config.keep!r}: expected best, last or nothing")
    every = [_keeping(row, config.keep) for row in mmin_rows(config.preset, dataset.modalities, config.train_under)]
    names = {row.experiment for row in every}
    if unknown := sorted({*config.experiments, *config.speaker_normalised} - names):
        raise ValueError(f"experiments {unknown}: expected some of {', '.join(sorted(names))}")
    wanted = set(config.experiments) | set(config.speaker_normalised) if config.experiments else names
    wanted |= {row.config.teacher for row in every if row.experiment in wanted and row.config is not None}
    return [row for row in every if row.experiment in wanted]


def _keeping(row: Row, keep: str) -> Row:
    if row.config is None or not keep:
        return row
    return replace(row, config=replace(row.config, schedule=replace(row.config.schedule, keep=keep)))


def _places(config: StudyConfig, rows: Sequence[Row], dataset: Dataset, parts: dict[int, list[str]]) -> Iterator[Place]:
    """Every training of the study; a machine without chance is trained with the first seed only."""
    suffixes = ["", SPEAKER_NORMALISED] if config.speaker_normalised else [""]
    by_name = {row.name: row for row in rows}
    for fold, splits in parts.items():
        data = digest(replace(dataset, splits=splits))
        for seed in config.seeds:
            for suffix in suffixes:
                for row in rows:
                    if row.family == LINEAR_SVM and seed != config.seeds[0]:
                        continue
                    if suffix and row.experiment not in config.speaker_normalised:
                        continue
                    seeds = tuple(config.seeds) if row.family == LINEAR_SVM else (seed,)
                    yield Place(fold, seed, row, suffix, _fingerprint(row, by_name, seed, suffix, data), seeds)


def _fingerprint(row: Row, rows: dict[str, Row], seed: int, suffix: str, data: str) -> str:
    """Names a training: row and condition, data, configuration and its teacher's, seed, recipe and torch release."""
    chain: list[Any] = []
    current: Row | None = row
    while current is not None:
        chain.append([current.family, None if current.config is None else asdict(current.config)])
        current = rows.get(current.config.teacher) if current.config is not None and current.config.teacher else None
    parts = [RECIPE, row.name, chain, row.reads_all, seed, suffix, data, version("torch")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _delivered(store: FeatureStore, tracking: Tracking, corpus: str, wanted: set[str]) -> dict[str, str]:
    """fingerprint -> run id of the trainings that are finished in MLflow and whose results are stored."""
    stored = store.query("SELECT DISTINCT mlflow_run_id FROM results WHERE corpus = ? AND family = ?", [corpus, STUDY])
    ids = set(stored["mlflow_run_id"])
    finished = tracking.finished_fingerprints(corpus, STUDY) if ids else {}
    return {name: run_id for name, run_id in finished.items() if name in wanted and run_id in ids}


def _written(dataset: Dataset, suffixes: set[str], staging: Path) -> dict[str, Path]:
    """The data that the cells read, by suffix, for all worker processes to map into memory."""
    data = {}
    for suffix in suffixes:
        data[suffix] = staging / f"data-{digest(dataset)[:16]}{'-speakers' if suffix else ''}"
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
            of_cell = [by_fingerprint[fingerprint] for fingerprint in cell.fingerprints.values()]
            run_ids |= _deliver(context, of_cell, staging, store, tracking)
        report(number, len(cells))
    if lost:
        raise dg.Failure(
            f"{len(lost)} of {len(cells)} cells of the study were lost, the others are stored: {'; '.join(lost)}. "
            "Materialise again: finished trainings are kept"
        )


def _deliver(
    context: dg.AssetExecutionContext,
    places: Sequence[Place],
    staging: Path,
    store: FeatureStore,
    tracking: Tracking,
) -> dict[str, str]:
    """Each training to MLflow, all their rows to the store; then their folders go. fingerprint -> run id."""
    corpus, run_ids = context.partition_key, {}
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    for place in places:
        folder = staging / place.fingerprint
        run_ids[place.fingerprint] = _log_run(context, place, folder, tracking)
        for name in TABLES:
            if (file := folder / f"{name}.parquet").exists() and len(rows := pd.read_parquet(file)):
                keys = {"family": STUDY, "experiment": place.experiment, "fold": place.fold}
                of_run = rows.assign(**keys, mlflow_run_id=run_ids[place.fingerprint])
                tables[name] += [of_run.assign(seed=seed) for seed in place.seeds]
    _store(store, corpus, tables)
    for place in places:
        shutil.rmtree(staging / place.fingerprint)
    return run_ids


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
        for file in sorted((folder / "deployed").iterdir()) if (folder / "deployed").exists() else ():
            run.log_file(file, "deployed")
    return run.run_id

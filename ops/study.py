"""Running a study: what is new of its trainings in worker processes, a cell each, delivered as they are done."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from affectory.data.dataset import Dataset, save_dataset
from affectory.data.inputs import speaker_normalised
from affectory.layers.imagenet import WeightsError, imagenet_weights
from affectory.models import FAMILIES
from affectory.processes.child_processes import Lost, run_as_completed
from affectory.study import Cell, run_cell
from affectory.study_rows import Row
from ops.datasets import digest
from ops.progress import log_progress
from ops.study_delivery import TABLES_FOLDER, add_tables, deliver, no_tables, store_tables
from ops.study_plan import Place, Reads, Study, StudyConfig, places_of, rows_asked_for
from ops.training import beyond_scale, unfit


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
    rows, left_out = _feedable(study, config, rows_asked_for(config, dataset, every(dataset)))
    data_digest = digest(dataset)
    digests = {sets: _digest_of(study, sets) if sets else data_digest for sets in {row.feature_sets for row in rows}}
    places = list(places_of(config, rows, parts, digests))
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
    try:
        for name in FAMILIES[row.family].weights(row.config) if row.config is not None else ():
            imagenet_weights(name)
    except WeightsError as error:
        return str(error)
    return ""


def _digest_of(study: Study, feature_sets: tuple[str, ...]) -> str:
    dataset, _ = study.read(feature_sets)
    assert dataset is not None
    return digest(dataset)


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
    tables = no_tables()
    for place in gone:
        with TemporaryDirectory() as folder:
            run_id = known[place.fingerprint]
            try:
                files = study.tracking.download(run_id, TABLES_FOLDER, Path(folder))
            except FileNotFoundError as error:
                study.context.log.warning(f"{place.experiment} is trained anew: {error}")
                del known[place.fingerprint]
            else:
                add_tables(tables, place, files, run_id, study.name)
    if gone:
        store_tables(study, tables)
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
            run_ids |= deliver(study, trained)
            for name, why in outcome.skipped.items():
                study.say(f"{name} of fold {cell.fold}, seed {cell.seed} is left out: {why}")
            lost += [f"{name} of fold {cell.fold}, seed {cell.seed}: {why}" for name, why in outcome.failed.items()]
        report(number, len(cells))
    if lost:
        raise dg.Failure(
            f"a part of the study was lost, the rest is stored: {'; '.join(lost)}. Mend what is named, or leave it out "
            "by `experiments`, and materialise again: finished trainings are kept"
        )

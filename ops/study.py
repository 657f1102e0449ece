"""Running a study: what is new of its trainings in worker processes, a cell each, delivered as they are done."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from affectory.data.dataset import Dataset, save_dataset
from affectory.data.inputs import normalised_by_speaker
from affectory.features import find_feature_set
from affectory.layers.imagenet import WeightsError, imagenet_weights
from affectory.processes.child_processes import Lost, run_as_completed
from affectory.studies.cell import Cell, run_cell
from affectory.studies.plan import Place, Reads, Training, asked_for, places_of, trainings
from ops.datasets import digest
from ops.progress import log_progress
from ops.study_delivery import TABLES_FOLDER, add_tables, deliver, no_tables, store_tables
from ops.study_plan import StudyRun
from ops.training import beyond_scale, unfit


@dataclass(frozen=True)
class StudyOutcome:
    """What became of a study: counts of trainings, folds and rows, and the rows that were left out with the reason."""

    counts: dict[str, int]
    left_out: dict[str, str]


def run_study(run: StudyRun) -> StudyOutcome | None:
    """Train, score and store what is new of the study; None where the corpus cannot feed it.

    A row for which features or ImageNet's weights are not there is left out, or refused (dg.Failure) where the
    configuration asks for it by name.
    """
    dataset, parts = run.read()
    if dataset is None:
        run.say(
            f"{run.name} skipped for corpus {run.corpus}: {unfit(None, run.study.family)}. If the corpus has "
            "labels, materialise its ingestion, features and missing_modality_sets first"
        )
        return None
    for fold, splits in parts.items():
        if why := unfit(replace(dataset, splits=splits), run.study.family):
            run.say(f"{run.name} skipped for corpus {run.corpus}: fold {fold}: {why}")
            return None
    for sentence in beyond_scale(dataset):
        run.context.log.warning(sentence)
    planned, left_out = _feedable(run, _planned(run, dataset))
    places = _places(run, planned, dataset, parts)
    run_ids = _finished_runs(run, places)
    for fingerprint in run_ids:  # what a kill between delivery and removal left
        shutil.rmtree(run.staging / fingerprint, ignore_errors=True)
    new = [place for place in places if place.fingerprint not in run_ids]
    reused = len(places) - len(new)
    run.say(f"{run.name} of {run.corpus}: {len(places)} trainings, {reused} unchanged and reused")
    if new:
        run_ids |= _train(run, new, planned, dataset, parts)
    current_runs = {run_ids[place.fingerprint] for place in places if place.fingerprint in run_ids}
    run.store.keep_runs(run.corpus, run.name, sorted(current_runs))
    return StudyOutcome(
        {"trainings": len(places), "reused": reused, "folds": len(parts), "rows": len(planned)}, left_out
    )


def _planned(run: StudyRun, dataset: Dataset) -> list[Training]:
    config, study = run.config, run.study
    if study.check:
        study.check(run.options, dataset)
    return asked_for(
        trainings(study, config.preset, dataset.modalities, run.options),
        dataset,
        seeds=config.seeds,
        experiments=config.experiments,
        speaker_normalised=config.speaker_normalised,
        keep=config.keep,
    )


def _places(run: StudyRun, planned: Sequence[Training], dataset: Dataset, parts: dict[int, list[str]]) -> list[Place]:
    sets_read = {training.feature_sets for training in planned}
    digests = {sets: _digest_of(run, sets) if sets else digest(dataset) for sets in sets_read}
    config = run.config
    return list(places_of(planned, parts, digests, seeds=config.seeds, speaker_normalised=config.speaker_normalised))


def _train(
    run: StudyRun, new: Sequence[Place], planned: Sequence[Training], dataset: Dataset, parts: dict[int, list[str]]
) -> dict[str, str]:
    """Train and deliver the new places; fingerprint -> run id."""
    folder = run.staging / f"data-{digest(dataset)[:16]}"
    data = _save_datasets(run, {place.reads for place in new}, folder)
    try:
        return _run_cells(run, _cells(run, new, planned, data, parts), new)
    finally:
        for written in data.values():
            shutil.rmtree(written)


def _feedable(run: StudyRun, planned: Sequence[Training]) -> tuple[list[Training], dict[str, str]]:
    """The rows that can be trained, and in short why others cannot; the log says of each what would help.

    dg.Failure where those were asked for by name.
    """
    stored = {name for names in run.store.feature_sets(run.corpus).values() for name in names}
    left_out: dict[str, str] = {}
    remedies: dict[str, str] = {}
    for training in planned:
        if absent := sorted(set(training.feature_sets) - stored):
            asset = f"{find_feature_set(absent[0]).modality}_features"
            left_out[training.experiment] = f"what they read is not in the feature_sets of {asset}"
            remedy = f"feature set {absent[0]} is not stored; name it in the feature_sets of {asset}"
            remedies[training.experiment] = remedy
        elif problem := _no_weights(training):
            left_out[training.experiment] = "ImageNet’s weights are not here"
            remedies[training.experiment] = problem
    asked_for = [f"{name}: {remedy}" for name, remedy in remedies.items() if name in run.config.experiments]
    if asked_for:
        raise dg.Failure(f"rows that were asked for cannot be trained: {'; '.join(asked_for)}")
    for name, remedy in remedies.items():
        run.say(f"{name} is left out: {remedy}")
    return [training for training in planned if training.experiment not in left_out], left_out


def _no_weights(training: Training) -> str:
    """What is wrong with the published weights that training the row starts from; empty where nothing is."""
    try:
        for backbone in training.weights:
            imagenet_weights(backbone)
    except WeightsError as error:
        return str(error)
    return ""


def _digest_of(run: StudyRun, feature_sets: tuple[str, ...]) -> str:
    dataset, _ = run.read(feature_sets)
    assert dataset is not None
    return digest(dataset)


def _finished_runs(run: StudyRun, places: Sequence[Place]) -> dict[str, str]:
    """fingerprint -> run id of what is finished in MLflow; results that have left the store come back from there.

    Others leave the store before anything is trained, so that a study which is killed never shows two configurations;
    not so while MLflow is away, which tells nothing.
    """
    finished = run.tracking.finished_fingerprints(run.corpus, run.name)
    rows = run.store.query(
        "SELECT mlflow_run_id, list(DISTINCT seed) AS seeds FROM results WHERE corpus = ? AND family = ? GROUP BY ALL",
        [run.corpus, run.name],
    )
    stored = dict(zip(rows["mlflow_run_id"], rows["seeds"], strict=True))
    run_ids, not_stored = {}, []
    for place in places:
        if run_id := finished.get(place.fingerprint):
            run_ids[place.fingerprint] = run_id
            if set(place.seeds) != set(stored.get(run_id, ())):
                not_stored.append(place)
    if finished:
        stored_still = set(run_ids.values()) - {run_ids[place.fingerprint] for place in not_stored}
        run.store.keep_runs(run.corpus, run.name, sorted(stored_still))
    tables = no_tables()
    for place in not_stored:
        with TemporaryDirectory() as folder:
            run_id = run_ids[place.fingerprint]
            try:
                files = run.tracking.download(run_id, TABLES_FOLDER, Path(folder))
            except FileNotFoundError as error:
                run.context.log.warning(f"{place.experiment} is trained anew: {error}")
                del run_ids[place.fingerprint]
            else:
                add_tables(tables, place, files, run_id, run.name)
    if not_stored:
        store_tables(run, tables)
        run.say(f"{run.name} of {run.corpus}: results of {len(not_stored)} trainings brought back from MLflow")
    return run_ids


def _save_datasets(run: StudyRun, reads: set[Reads], folder: Path) -> dict[Reads, Path]:
    """The data that the cells read, for all worker processes to map into memory."""
    data = {}
    for number, (feature_sets, suffix) in enumerate(sorted(reads)):
        dataset, _ = run.read(feature_sets)
        assert dataset is not None
        data[feature_sets, suffix] = folder.with_name(f"{folder.name}-{number}")
        save_dataset(normalised_by_speaker(dataset) if suffix else dataset, data[feature_sets, suffix])
    return data


def _cells(
    run: StudyRun,
    new: Sequence[Place],
    planned: Sequence[Training],
    data: dict[Reads, Path],
    parts: dict[int, list[str]],
) -> list[Cell]:
    """A cell a fold, seed and way of reading the data."""
    keys = dict.fromkeys((place.fold, place.seed, place.reads) for place in new)
    first = (min(parts), min(place.seed for place in new), ((), ""))
    device, cells = str(run.compute.torch_device()), []
    for fold, seed, reads in keys:
        of_cell = [p for p in new if (p.fold, p.seed, p.reads) == (fold, seed, reads)]
        names = {p.training.name for p in of_cell}
        teachers = {p.training.teacher for p in of_cell}
        cells.append(
            Cell(
                study=run.name,
                dataset=data[reads],
                splits=parts[fold],
                fold=fold,
                seed=seed,
                trainings=[training for training in planned if training.name in names | teachers],
                fingerprints={p.training.name: p.fingerprint for p in of_cell},
                results=run.staging,
                device=device,
                pictures=(fold, seed, reads) == first,
            )
        )
    return cells


def _run_cells(run: StudyRun, cells: Sequence[Cell], new: Sequence[Place]) -> dict[str, str]:
    """Deliver each cell as it is done; fingerprint -> run id. What is lost is said at the end, when others are safe."""
    run_ids: dict[str, str] = {}
    processes = 1 if cells[0].device.startswith("cuda") else run.workers.count
    report, lost = log_progress(run.context, "cells of the study"), []
    by_fingerprint = {place.fingerprint: place for place in new}
    outcomes = run_as_completed(run_cell, cells, workers=processes, timeout_s=run.workers.cell_timeout_s)
    for number, (index, outcome) in enumerate(outcomes, start=1):
        cell = cells[index]
        if isinstance(outcome, Lost):
            lost.append(f"fold {cell.fold} seed {cell.seed}: {outcome.detail}")
        else:
            trained = [by_fingerprint[cell.fingerprints[name]] for name in outcome.done if name in cell.fingerprints]
            run_ids |= deliver(run, trained)
            for name, why in outcome.skipped.items():
                run.say(f"{name} of fold {cell.fold}, seed {cell.seed} is left out: {why}")
            lost += [f"{name} of fold {cell.fold}, seed {cell.seed}: {why}" for name, why in outcome.failed.items()]
        report(number, len(cells))
    if lost:
        raise dg.Failure(
            f"a part of the study was lost, the rest is stored: {'; '.join(lost)}. Mend what is named, or leave it out "
            "by `experiments`, and materialise again: finished trainings are kept"
        )
    return run_ids

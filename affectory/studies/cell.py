"""One cell of a study: the rows of a published table, trained in one fold with one seed, and what they yield.

A cell runs in a process of its own. Each of its trainings ends as a folder named by the training's fingerprint, renamed
into place, so that a study which was killed goes on where it was, to the same weights.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from affectory.data.conditions import rows_under
from affectory.data.dataset import load_dataset, with_shuffled_company, with_shuffled_labels, with_shuffled_order
from affectory.learning.deployed import load_deployed
from affectory.learning.dimension_evaluation import evaluate_dimensions
from affectory.learning.evaluation import evaluate
from affectory.learning.experiment import Fold, Trained, train_experiment
from affectory.learning.linear_svm import evaluate_linear_svm
from affectory.learning.selection import selected_on
from affectory.learning.sweeps import sweep
from affectory.learning.training import NO_ROWS, WATCHED
from affectory.models.family import Model
from affectory.results.metrics import CLASSIFICATION
from affectory.results.names import ON_TEST
from affectory.results.selected import TEST, VALIDATION
from affectory.studies import STUDIES
from affectory.studies.plan import Training
from affectory.vocabulary import Condition, Modality, conditions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """Trainings of one fold with one seed: their fingerprints name the folders under `results`."""

    study: str  # of STUDIES
    dataset: Path  # where affectory.data.dataset.load_dataset finds it
    splits: Sequence[str]  # of the dataset's rows in this fold, empty where a row is in no part
    fold: int
    seed: int
    trainings: Sequence[Training]  # with the teachers of those that have one, these first
    fingerprints: Mapping[str, str]  # of the trainings that are wanted, by name
    results: Path
    device: str
    pictures: bool  # what is shown of one cell alone is wanted of this one


@dataclass(frozen=True)
class Outcome:
    """What became of a cell's wanted rows, by name."""

    done: list[str]
    skipped: dict[str, str]  # why there is nothing to train or test on
    failed: dict[str, str]


def run_cell(cell: Cell) -> Outcome:
    """Train and score the cell's wanted rows, one after the other; a row that fails takes no other with it."""
    torch.set_num_threads(1)
    dataset = replace(load_dataset(cell.dataset), splits=list(cell.splits))
    fold = Fold(dataset, torch.device(cell.device))
    models: dict[str, Model] = {}
    outcome = Outcome([], {}, {})
    for training in cell.trainings:
        if why := _nothing_for(training.only, fold):
            outcome.skipped[training.name] = why
            continue
        try:
            _run_training(cell, training, fold, models)
            outcome.done.append(training.name)
        except Exception as error:  # whatever it is, the other rows are still worth having
            log.warning("row %s of fold %d, seed %d", training.name, cell.fold, cell.seed, exc_info=True)
            outcome.failed[training.name] = f"{type(error).__name__}: {error}"
    return outcome


def _nothing_for(only: Condition | None, fold: Fold) -> str:
    """Why a row that is bound to one condition has nothing to train or test on in this fold; else empty."""
    if only is None:
        return ""
    dataset = fold.dataset
    for modality in only:
        if not dataset.sequences[modality].lengths[fold.train].any():
            return f"no training row of the fold has the {modality} modality"
    available = np.any([dataset.sequences[modality].lengths[fold.train] > 0 for modality in only], axis=0)
    if len(np.unique(dataset.labels[fold.train][available], axis=0)) < 2:
        return f"its training rows with any of {only} have one and the same label"
    if not rows_under(only, dataset.present[fold.test], dataset.modalities).any():
        return f"no test row of the fold has just {only}, or everything"
    return ""


def _run_training(cell: Cell, training: Training, fold: Fold, models: dict[str, Model]) -> None:
    """Unless its folder is there already; a teacher joins `models`."""
    is_wanted = training.name in cell.fingerprints
    folder = cell.results / cell.fingerprints.get(training.name, "")
    is_teacher = training.name in {other.teacher for other in cell.trainings}
    if is_wanted and folder.exists():
        if is_teacher:
            models[training.name] = load_deployed(folder / "deployed").model
    elif not training.is_network:
        values, predictions = evaluate_linear_svm(fold.dataset, fold.train, fold.val, fold.test)
        _keep(folder, {"results": values.assign(selected_on=VALIDATION), "predictions": predictions})
    else:
        fold = _shuffled(training.row.shuffled, fold, cell.seed)
        trained = _train(cell, training, fold, models)
        if is_teacher:
            models[training.name] = trained.model
        if is_wanted:
            _keep_trained(cell, training, folder, trained, fold)


def _shuffled(what: str, fold: Fold, seed: int) -> Fold:
    if not what:
        return fold
    shuffle = {"order": with_shuffled_order, "company": with_shuffled_company, "labels": with_shuffled_labels}[what]
    return Fold(shuffle(fold.dataset, seed), fold.device)


def _train(cell: Cell, training: Training, fold: Fold, models: Mapping[str, Model]) -> Trained:
    only, config = training.only, training.config
    of_row = fold if training.row.reads_all or only is None else Fold(fold.dataset.only(only), fold.device)
    fingerprint = cell.fingerprints.get(training.name)
    if training.teacher and training.teacher not in models:
        raise ValueError(f"its teacher {training.teacher} was not trained")
    learned = of_row.packed(config.preparation)[1].modalities
    is_watched = training.row.watched
    return train_experiment(
        training.family,
        config,
        of_row,
        seed=cell.seed,
        teacher=models.get(training.teacher),
        checkpoint=cell.results / f"{fingerprint}.pt" if fingerprint else None,
        watched=_tested(fold, _conditions_of(only, learned)[-1:]) if is_watched else NO_ROWS,
    )


def _conditions_of(only: Condition | None, learned: Sequence[Modality]) -> tuple[Condition, ...]:
    """Under which a row, which learned from these modalities, is tested; the one with all of them last."""
    return (only,) if only else conditions(learned)


def _tested(fold: Fold, under: Sequence[Condition]) -> np.ndarray:
    """The test rows that count under any of the conditions."""
    dataset, test = fold.dataset, fold.test
    return test[np.any([rows_under(c, dataset.present[test], dataset.modalities) for c in under], axis=0)]


def _keep_trained(cell: Cell, training: Training, folder: Path, trained: Trained, fold: Fold) -> None:
    """Score on the test part and write down everything of the training."""
    under = _conditions_of(training.only, trained.data.modalities)
    facts = {"score": trained.fit.best_score, "best_epoch": trained.fit.best_epoch, "history": trained.fit.history}
    if fold.dataset.dimensions:
        tables = _dimension_tables(trained, fold, under)
    else:
        tables = _class_tables(cell, training, trained, fold, under)
    values = tables["results"].assign(selected_on=selected_on(trained.config.schedule, trained.fit.best_score))
    values.loc[values["metric"].str.endswith(ON_TEST), "selected_on"] = TEST
    _keep(folder, {**tables, "results": values}, facts, trained)


def _class_tables(
    cell: Cell, training: Training, trained: Trained, fold: Fold, under: Sequence[Condition]
) -> dict[str, pd.DataFrame]:
    dataset = replace(fold.dataset, classes=trained.classes)
    rows = _tested(fold, under)
    values, predictions = evaluate(trained.model, trained.data, dataset, rows, under, trained.temperatures)
    tables = {"predictions": predictions}
    if training.row.swept:
        tables["sweep"] = sweep(trained, fold.dataset, fold.test, seed=cell.seed)
    look = STUDIES[cell.study].after_training
    inside = look(trained, fold, cell.pictures) if look else {}
    more = [inside.pop("results")] if "results" in inside else []
    if f"{WATCHED}/weighted_f1" in trained.fit.history[0]:
        more.append(_best_on_test(trained.fit.history, under[-1]))
    return {"results": pd.concat([values, *more]), **tables, **inside}


def _dimension_tables(trained: Trained, fold: Fold, under: Sequence[Condition]) -> dict[str, pd.DataFrame]:
    rows = _tested(fold, under)
    values, predictions = evaluate_dimensions(trained.model, trained.data, fold.dataset, rows, fold.val, under)
    return {"results": values, "dimension_predictions": predictions}


def _keep(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    facts: Mapping[str, Any] | None = None,
    trained: Trained | None = None,
) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, table in tables.items():
        table.to_parquet(partial / f"{name}.parquet", index=False)
    (partial / "facts.json").write_text(json.dumps(facts or {}))
    if trained is not None:
        trained.save(partial / "deployed")
    partial.rename(folder)
    for checkpoint in folder.parent.glob(f"{folder.name}.*pt"):
        checkpoint.unlink()


def _best_on_test(history: Sequence[Mapping[str, float]], condition: Condition) -> pd.DataFrame:
    """condition, metric, value of the epoch with the highest weighted F1 on the test part, as published code reports.

    Of the first training, before any refit.
    """
    best = max(history, key=lambda measured: measured[f"{WATCHED}/weighted_f1"])
    scores = {f"{name}{ON_TEST}": best[f"{WATCHED}/{name}"] for name in CLASSIFICATION}
    return pd.DataFrame({"condition": str(condition), "metric": list(scores), "value": list(scores.values())})

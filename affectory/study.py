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

from affectory.data.conditions import condition_masks, rows_under
from affectory.data.dataset import Dataset, load_dataset, shuffled_labels, shuffled_order, strangers
from affectory.learning.deployed import load_deployed
from affectory.learning.dimension_evaluation import evaluate_dimensions
from affectory.learning.evaluation import evaluate
from affectory.learning.experiment import Fold, Trained, train_experiment
from affectory.learning.linear_svm import evaluate_linear_svm
from affectory.learning.projection import distances, project
from affectory.learning.selection import selected_on
from affectory.learning.sweeps import sweep
from affectory.learning.training import NOTHING, WATCHED
from affectory.models.family import Imagines, Model
from affectory.results.metrics import CLASSIFICATION
from affectory.study_data import ON_TEST
from affectory.study_rows import LINEAR_SVM, Row
from affectory.vocabulary import Condition, Modality, conditions, missing_conditions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """Rows to train in one fold with one seed: their fingerprints name the folders under `results`."""

    dataset: Path  # where affectory.datasets.load_dataset finds it
    splits: Sequence[str]  # of the dataset's rows in this fold, empty where a row is in no part
    fold: int
    seed: int
    rows: Sequence[Row]  # with the teachers of those that have one
    fingerprints: Mapping[str, str]  # of the rows that are wanted, by name
    results: Path
    device: str
    pictures: bool  # lay out what is imagined


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
    trained: dict[str, Model] = {}
    outcome = Outcome([], {}, {})
    for row in cell.rows:
        if why := _nothing_for(row, fold):
            outcome.skipped[row.name] = why
            continue
        try:
            _run_row(cell, row, fold, trained)
            outcome.done.append(row.name)
        except Exception as error:  # whatever it is, the other rows are still worth having
            log.warning("row %s of fold %d, seed %d", row.name, cell.fold, cell.seed, exc_info=True)
            outcome.failed[row.name] = f"{type(error).__name__}: {error}"
    return outcome


def _nothing_for(row: Row, fold: Fold) -> str:
    """Why a row that is bound to one condition has nothing to train or test on in this fold; else empty."""
    if row.only is None:
        return ""
    dataset = fold.dataset
    for modality in row.only:
        if not dataset.sequences[modality].lengths[fold.train].any():
            return f"no training row of the fold has the {modality} modality"
    there = np.any([dataset.sequences[modality].lengths[fold.train] > 0 for modality in row.only], axis=0)
    if len(np.unique(dataset.labels[fold.train][there], axis=0)) < 2:
        return f"its training rows with any of {row.only} have one and the same label"
    if not rows_under(row.only, dataset.present[fold.test], dataset.modalities).any():
        return f"no test row of the fold has just {row.only}, or everything"
    return ""


def _run_row(cell: Cell, row: Row, fold: Fold, trained: dict[str, Model]) -> None:
    """Unless its folder is there already; a teacher joins `trained`."""
    wanted = row.name in cell.fingerprints
    folder = cell.results / cell.fingerprints.get(row.name, "")
    needed = row.name in {other.config.teacher for other in cell.rows if other.config is not None}
    if wanted and folder.exists():
        if needed:
            trained[row.name] = load_deployed(folder / "deployed").model
    elif row.family == LINEAR_SVM:
        values, predictions = evaluate_linear_svm(fold.dataset, fold.train, fold.val, fold.test)
        _keep(folder, {"results": values, "predictions": predictions})
    else:
        fold = _shuffled(row, fold, cell.seed) if row.shuffled else fold
        model = _train_row(cell, row, fold, trained)
        if needed:
            trained[row.name] = model.model
        if wanted:
            _keep_trained(cell, row, folder, model, fold)


def _shuffled(row: Row, fold: Fold, seed: int) -> Fold:
    shuffle = {"order": shuffled_order, "company": strangers, "labels": shuffled_labels}[row.shuffled]
    return Fold(shuffle(fold.dataset, seed), fold.device)


def _train_row(cell: Cell, row: Row, fold: Fold, trained: Mapping[str, Model]) -> Trained:
    of_row = fold if row.reads_all or row.only is None else Fold(fold.dataset.only(row.only), fold.device)
    checkpoint = cell.results / f"{cell.fingerprints[row.name]}.pt" if row.name in cell.fingerprints else None
    if row.config.teacher and row.config.teacher not in trained:
        raise ValueError(f"its teacher {row.config.teacher} was not trained")
    teacher = trained[row.config.teacher] if row.config.teacher else None
    learned = of_row.packed(row.config.preparation)[1].modalities
    watched = _tested(fold, _conditions_of(row, learned)[-1:]) if row.watched else NOTHING
    return train_experiment(
        row.family, row.config, of_row, seed=cell.seed, teacher=teacher, checkpoint=checkpoint, watched=watched
    )


def _conditions_of(row: Row, learned: Sequence[Modality]) -> tuple[Condition, ...]:
    """Under which the row, which learned from these modalities, is tested; the one with all of them last."""
    return (row.only,) if row.only else conditions(learned)


def _tested(fold: Fold, under: Sequence[Condition]) -> np.ndarray:
    """The test rows that count under any of the conditions."""
    dataset, test = fold.dataset, fold.test
    return test[np.any([rows_under(c, dataset.present[test], dataset.modalities) for c in under], axis=0)]


def _keep_trained(cell: Cell, row: Row, folder: Path, trained: Trained, fold: Fold) -> None:
    """Score on the test part and write down everything of the training."""
    dataset, under = fold.dataset, _conditions_of(row, trained.data.modalities)
    facts = {"score": trained.fit.best_score, "best_epoch": trained.fit.best_epoch, "history": trained.fit.history}
    if dataset.dimensions:
        _keep(folder, _dimension_tables(trained, fold, under), facts, trained)
        return
    values, predictions = evaluate(
        trained.model,
        trained.data,
        replace(dataset, classes=trained.classes),
        _tested(fold, under),
        under,
        trained.temperatures,
    )
    tables = {"predictions": predictions}
    if row.swept:
        tables["sweep"] = sweep(trained, dataset, fold.test, seed=cell.seed)
    if isinstance(trained.model, Imagines):
        measured, tables["imagined"] = _imagination(trained, dataset, fold.test, cell.pictures)
        values = pd.concat([values, measured])
    if f"{WATCHED}/weighted_f1" in trained.fit.history[0]:
        values = pd.concat([values, _best_on_test(trained.fit.history, under[-1])])
    values = values.assign(selected_on=selected_on(trained.config.schedule, trained.fit.best_score))
    _keep(folder, {"results": values, **tables}, facts, trained)


def _dimension_tables(trained: Trained, fold: Fold, under: Sequence[Condition]) -> dict[str, pd.DataFrame]:
    rows = _tested(fold, under)
    values, predictions = evaluate_dimensions(trained.model, trained.data, fold.dataset, rows, fold.val, under)
    selected = selected_on(trained.config.schedule, trained.fit.best_score)
    return {"results": values.assign(selected_on=selected), "dimension_predictions": predictions}


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
    found = {f"{name}{ON_TEST}": best[f"{WATCHED}/{name}"] for name in CLASSIFICATION}
    return pd.DataFrame({"condition": str(condition), "metric": list(found), "value": list(found.values())})


def _imagination(
    trained: Trained, dataset: Dataset, rows: np.ndarray, pictures: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How far what is imagined lies from what the teacher encodes of the missing modalities, under each condition.

    Metrics imagination_<distance> (condition, metric, value); and, for pictures, both laid out on a plane.
    """
    model, data, modalities = trained.model, trained.data, trained.data.modalities
    assert isinstance(model, Imagines)
    full = rows[dataset.present[rows].all(1)]
    under = missing_conditions(modalities)
    if len(full) < 3 or model.taught is None or not under:
        return pd.DataFrame(columns=["condition", "metric", "value"]), pd.DataFrame()
    batch, masks = data.batch(full), condition_masks(under, modalities).to(data.device)
    with torch.inference_mode():
        available = masks[:, None].expand(-1, len(full), -1)
        imagined = model.eval().imagined(batch, available)[0].unflatten(-1, (len(modalities), -1))  # [K, n, M, H]
        true = model.taught[batch.index]  # [n, M, H]
    values, points = [], []
    for condition, mask, of_condition in zip(under, masks, imagined, strict=True):
        pair = true[:, ~mask].flatten(1).cpu().numpy(), of_condition[:, ~mask].flatten(1).cpu().numpy()
        for name, value in distances(*pair).items():
            values.append({"condition": str(condition), "metric": f"imagination_{name}", "value": value})
        if pictures:
            points.append(_points(str(condition), project(*pair, seed=0), dataset, full))
    return pd.DataFrame(values), pd.concat(points) if points else pd.DataFrame()


def _points(condition: str, laid_out: np.ndarray, dataset: Dataset, rows: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "condition": condition,
            "utterance_id": np.array(dataset.utterance_ids, object)[rows],
            "label": np.array(dataset.classes, object)[dataset.labels[rows]],
            **{f"true_{axis}": laid_out[0, :, place] for place, axis in enumerate("xy")},
            **{f"imagined_{axis}": laid_out[1, :, place] for place, axis in enumerate("xy")},
        }
    )

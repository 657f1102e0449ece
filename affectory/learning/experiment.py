"""One experiment on one fold: from its data to a trained, calibrated and scored model.

Shapes: N rows, K conditions, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.conditions import rows_under
from affectory.data.dataset import Dataset
from affectory.data.inputs import ModalityInput, Preparation, fit_inputs
from affectory.learning.calibration import fit_temperatures
from affectory.learning.deployed import save_deployed
from affectory.learning.evaluation import logits_under
from affectory.learning.training import NO_ROWS, Callback, Fit, fit
from affectory.models import FAMILIES
from affectory.models.family import Begins, LearnsFrom, Model
from affectory.vocabulary import Condition, Modality, Split, conditions

Inputs = dict[Modality, ModalityInput]


@dataclass
class Fold:
    """The rows of one fold, prepared once for each way of preparing them and kept on the device."""

    dataset: Dataset
    device: torch.device
    _packed: dict[tuple[Preparation, bool], tuple[Inputs, PackedFeatures]] = field(default_factory=dict)

    @property
    def train(self) -> np.ndarray:
        return self.dataset.rows(Split.TRAIN)

    @property
    def val(self) -> np.ndarray:
        return self.dataset.rows(Split.VAL)

    @property
    def test(self) -> np.ndarray:
        return self.dataset.rows(Split.TEST)

    def packed(self, preparation: Preparation, *, with_val: bool = False) -> tuple[Inputs, PackedFeatures]:
        """(inputs fitted on the training rows, all rows prepared by them), made once for each way of preparing.

        `with_val`: fitted on the validation rows too, for a refit.
        """
        key = (preparation, with_val)
        if key not in self._packed:
            rows = np.concatenate([self.train, self.val]) if with_val else self.train
            inputs = fit_inputs(self.dataset, rows, preparation)
            self._packed[key] = inputs, PackedFeatures.from_dataset(self.dataset, inputs, self.device)
        return self._packed[key]


@dataclass(frozen=True)
class Trained:
    """A finished training: `fit` is what validation selected from, `model` its result or the one of the refit."""

    family: str
    config: Any
    model: Model
    inputs: Inputs
    data: PackedFeatures  # all rows as the model sees them
    classes: tuple[str, ...]
    dimensions: tuple[str, ...]
    fit: Fit
    temperatures: dict[Condition, float]  # fitted on validation, before any refit

    def save(self, folder: Path) -> None:
        """Write the model into `folder`, for affectory.learning.deployed.load_deployed to read."""
        save_deployed(
            folder,
            self.family,
            self.config,
            self.model,
            self.classes,
            self.inputs,
            self.temperatures,
            dimensions=self.dimensions,
        )


def train_experiment(
    family: str,
    config: Any,
    fold: Fold,
    *,
    seed: int,
    teacher: Model | None = None,
    callbacks: Sequence[Callback] = (),
    checkpoint: Path | None = None,
    watched: np.ndarray = NO_ROWS,
) -> Trained:
    """Train on the fold's train part, select and calibrate on its val part; the test part is not looked at.

    Unless its rows are `watched`: then the first training's history has their scores after each epoch, and no more.

    `teacher` is the trained model that the config names. A config whose schedule says refit is then trained anew on
    both parts for as many epochs as validation chose. Callbacks hear of the first training.
    """

    def start(inputs: Inputs, data: PackedFeatures, rows: np.ndarray) -> Model:
        model = FAMILIES[family].build(config, inputs, fold.dataset.outputs, seed=seed)
        if isinstance(model, Begins):
            model.begin(data.labels[rows])
        if config.teacher:
            if teacher is None or not isinstance(model, LearnsFrom):
                raise ValueError(
                    f"{family}: expected {config.teacher}, trained, and a model that learns from it, "
                    f"got {type(teacher).__name__} and {type(model).__name__}"
                )
            model.learn_from(teacher, data)
        return model

    inputs, data = fold.packed(config.preparation)
    model = start(inputs, data, fold.train)
    schedule = config.schedule
    fitted = fit(
        model,
        data,
        fold.train,
        fold.val,
        schedule=schedule,
        seed=seed,
        callbacks=callbacks,
        checkpoint=checkpoint,
        watched=watched,
    )
    temperatures = _temperatures(model, data, fold)
    if schedule.refit and len(fold.val):
        inputs, data = fold.packed(config.preparation, with_val=True)
        train_and_val, no_rows = np.concatenate([fold.train, fold.val]), fold.val[:0]
        model = start(inputs, data, train_and_val)
        fit(
            model,
            data,
            train_and_val,
            no_rows,
            schedule=schedule,
            seed=seed,
            epochs=fitted.best_epoch,
            checkpoint=checkpoint and checkpoint.with_suffix(".refit.pt"),
        )
    outputs = fold.dataset.classes, fold.dataset.dimensions
    return Trained(family, config, model, inputs, data, *outputs, fitted, temperatures)


def _temperatures(model: Model, data: PackedFeatures, fold: Fold) -> dict[Condition, float]:
    """One a condition, from the validation rows that are tested under it; dimensions have none."""
    if not len(fold.val) or fold.dataset.dimensions:
        return {}
    under = conditions(data.modalities)
    present = data.present[fold.val].cpu().numpy()
    tested = np.stack([rows_under(condition, present, data.modalities) for condition in under])
    temperatures = fit_temperatures(logits_under(model, data, fold.val, under), fold.dataset.labels[fold.val], tested)
    return dict(zip(under, temperatures.tolist(), strict=True))

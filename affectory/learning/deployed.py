"""A trained model as a folder of weights.safetensors and config.json: no pickle, nothing but torch to load it.

Shapes: N rows, T frames, D features, C classes, V dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Sequences
from affectory.data.inputs import ModalityInput
from affectory.learning.evaluation import logits_under
from affectory.models import FAMILIES
from affectory.models.family import Model
from affectory.vocabulary import MODALITIES, Condition, Modality

FORMAT = 2  # of the folder; rises when an older reader could no longer read it
WEIGHTS, CONFIG = "weights.safetensors", "config.json"
_STATISTICS = ("mean", "std", "projection")  # of each modality's features: kept beside the weights, bit for bit


@dataclass(frozen=True)
class Prediction:
    """What a model says of N rows. It has classes or dimensions, never both: the other array has no columns."""

    probabilities: np.ndarray  # float32 [N, C], in the order of the model's classes
    modalities_used: list[Condition]  # of each row, what its prediction rests on; str() of one is "{a,v}"
    values: np.ndarray  # float32 [N, V], in the order of the model's dimensions and in the units of its labels

    @property
    def numbers(self) -> np.ndarray:
        """float32 [N, C or V]: whichever there are, in the order of DeployedModel.columns."""
        return np.concatenate([self.values, self.probabilities], axis=1)


@dataclass(frozen=True)
class DeployedModel:
    """What `load_deployed` returns: a model with all it needs to know of its inputs."""

    family: str
    config: Any  # the family's Config
    classes: tuple[str, ...]
    inputs: dict[Modality, ModalityInput]
    model: Model
    temperatures: dict[Condition, float]
    dimensions: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The names of what is predicted, in tables: `valence`, `arousal`, or `p_<class>` ..."""
        return [*self.dimensions, *(f"p_{name}" for name in self.classes)]

    def predict(
        self,
        features: Mapping[Modality, Sequence[np.ndarray | None]],
        feature_sets: Mapping[Modality, str] | None = None,
        *,
        dialogues: Sequence[str] | None = None,
        speakers: Sequence[str] | None = None,
    ) -> Prediction:
        """The prediction of N rows.

        `features` holds for each modality a list of N arrays [T, D], None (or T = 0) where a row misses it; a modality
        may be left out altogether. `feature_sets` names the sets that the caller used, to be checked against the
        model's.

        Only models of conversations read `dialogues` and `speakers`, a name a row. Rows of one dialogue come in the
        order in which they were said, and their predictions depend on one another; with any other model a row's
        depends on that row alone. An empty dialogue is a row by itself; rows with an empty speaker share one speaker.

        ValueError, naming the row, what was expected and what came: another width, an unknown modality or feature set,
        a value that is not finite, a row without any modality.
        """
        self._check_names(features, feature_sets or {})
        n_rows = max((len(rows) for rows in features.values()), default=0)
        rows = {modality: self._checked(modality, features.get(modality), n_rows) for modality in self.inputs}
        for row in range(n_rows):
            if all(of_modality[row] is None for of_modality in rows.values()):
                raise ValueError(f"row {row}: expected at least one modality of {_names(self.inputs)}, got none")
        if not n_rows:
            empty = (np.zeros((0, len(names)), np.float32) for names in (self.classes, self.dimensions))
            return Prediction(next(empty), [], next(empty))
        sequences = {m: Sequences.from_rows(i.feature_set, rows[m], i.width) for m, i in self.inputs.items()}
        labels = np.full(n_rows, -1)
        data = PackedFeatures(sequences, labels, self.inputs, dialogues=dialogues, speakers=speakers)
        logits = logits_under(self.model, data, np.arange(n_rows), under=None)[0]
        modalities_used = [Condition(m for m in rows if rows[m][row] is not None) for row in range(n_rows)]
        nothing = np.zeros((n_rows, 0), np.float32)
        if self.dimensions:
            return Prediction(nothing, modalities_used, logits)
        temperatures = torch.tensor([[self.temperatures.get(condition, 1.0)] for condition in modalities_used])
        return Prediction((torch.from_numpy(logits) / temperatures).softmax(-1).numpy(), modalities_used, nothing)

    def _check_names(self, features: Mapping[Modality, Sequence[Any]], feature_sets: Mapping[Modality, str]) -> None:
        for modality, rows in features.items():
            if modality not in self.inputs and any(row is not None for row in rows):
                raise ValueError(f"modality {modality}: the model knows {_names(self.inputs)}; leave it out")
        if len({len(rows) for rows in features.values()}) > 1:
            counts = ", ".join(f"{len(rows)} {modality}" for modality, rows in features.items())
            raise ValueError(
                f"expected the same number of rows of each modality, got {counts}; give None where missing"
            )
        for modality, name in feature_sets.items():
            if modality in self.inputs and name != self.inputs[modality].feature_set:
                expected = self.inputs[modality].feature_set
                raise ValueError(f"{modality}: the model was trained on feature set {expected!r}, got {name!r}")

    def _checked(
        self, modality: Modality, rows_given: Sequence[np.ndarray | None] | None, n_rows: int
    ) -> list[np.ndarray | None]:
        """The rows of a modality as float32 [T, D], no longer than the model reads; None where missing."""
        fitted = self.inputs[modality]
        checked: list[np.ndarray | None] = [None] * n_rows
        for row, value in enumerate(rows_given or ()):
            if value is None or len(value) == 0:
                continue
            frames = np.asarray(value)
            expected = f"row {row}, {modality}: expected {'1' if fitted.vector else 'T'} x {fitted.width} numbers"
            if frames.ndim != 2 or frames.shape[1] != fitted.width or frames.dtype.kind not in "fiu":
                raise ValueError(
                    f"{expected} (feature set {fitted.feature_set}), got {frames.dtype} {list(frames.shape)}"
                )
            if fitted.vector and len(frames) != 1:
                raise ValueError(f"{expected} (feature set {fitted.feature_set}), got {len(frames)} frames")
            with np.errstate(over="ignore"):
                frames = frames[: fitted.max_frames].astype(np.float32)
            if not np.isfinite(frames).all():
                step, feature = np.argwhere(~np.isfinite(frames))[0]
                raise ValueError(
                    f"{expected}, finite ones; feature {feature} of frame {step} is {frames[step, feature]}"
                )
            checked[row] = frames
        return checked


def save_deployed(
    folder: Path,
    family: str,
    config: Any,
    model: Model,
    classes: Sequence[str],
    inputs: Mapping[Modality, ModalityInput],
    temperatures: Mapping[Condition, float] | None = None,
    *,
    dimensions: Sequence[str] = (),
) -> None:
    """Write weights.safetensors and config.json into `folder`, each renamed into place.

    `temperatures` divide the logits of rows that have just the condition's modalities; 1 where none is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.cpu() for name, value in model.state_dict().items()}
    described = {}
    for modality, fitted in inputs.items():
        values = {field.name: getattr(fitted, field.name) for field in fields(fitted)}
        arrays = {name: values.pop(name) for name in _STATISTICS}
        weights |= {_statistic(modality, n): torch.from_numpy(a) for n, a in arrays.items() if a is not None}
        described[modality.value] = values
    stored = {
        "format": FORMAT,
        "family": family,
        "config": asdict(config),
        "classes": list(classes),
        "dimensions": list(dimensions),
        "inputs": described,
        "temperatures": {str(condition): value for condition, value in (temperatures or {}).items()},
    }
    tensors = save({name: value.contiguous() for name, value in weights.items()})
    (folder / f"{WEIGHTS}.partial").write_bytes(tensors)
    (folder / f"{WEIGHTS}.partial").rename(folder / WEIGHTS)
    (folder / f"{CONFIG}.partial").write_text(json.dumps(stored, indent=1) + "\n")
    (folder / f"{CONFIG}.partial").rename(folder / CONFIG)


def load_deployed(folder: Path) -> DeployedModel:
    """The model in `folder`, on the CPU; ValueError when the format is another version's or the weights do not fit."""
    stored = _read_config(folder / CONFIG)
    try:
        weights: dict[str, Tensor] = load_file(folder / WEIGHTS)
        inputs = {}
        for modality in (modality for modality in MODALITIES if modality in stored["inputs"]):
            tensors = {name: weights.pop(_statistic(modality, name), None) for name in _STATISTICS}
            arrays = {name: tensor.numpy() for name, tensor in tensors.items() if tensor is not None}
            fitted: dict[str, Any] = {**stored["inputs"][modality], **arrays}
            inputs[modality] = ModalityInput(**fitted)
        family, classes = FAMILIES[stored["family"]], tuple(stored["classes"])
        dimensions = tuple(stored.get("dimensions", ()))
        config = family.config_from(stored["config"])
        model = family.build(config, inputs, dimensions or classes, seed=0)
        model.load_state_dict(weights)
        temperatures = {Condition.parse(name): float(value) for name, value in stored["temperatures"].items()}
    except (KeyError, TypeError, RuntimeError, SafetensorError) as problem:
        raise ValueError(f"{folder}: {WEIGHTS} and {CONFIG} do not make a model: {problem}") from problem
    return DeployedModel(stored["family"], config, classes, inputs, model.eval(), temperatures, dimensions)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text())
    except json.JSONDecodeError as problem:
        raise ValueError(f"{path}: expected JSON: {problem}") from problem
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        got = stored.get("format") if isinstance(stored, dict) else type(stored).__name__
        raise ValueError(f"{path}: expected format {FORMAT}, got {got}; save the model again with this version")
    return stored


def _statistic(modality: Modality, name: str) -> str:
    return f"inputs.{modality.value}.{name}"


def _names(modalities: Mapping[Modality, Any]) -> str:
    return ", ".join(modality.value for modality in modalities)

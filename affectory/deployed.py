"""A trained model as a folder of weights.safetensors and config.json: no pickle, nothing but torch to load it.

Shapes: N rows, T frames, D features, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectory.batches import ModalityInput
from affectory.vocabulary import Condition, Modality


@dataclass(frozen=True)
class Prediction:
    """`probabilities` float32 [N, C] in the order of the model's classes; the modalities each row's rest on."""

    probabilities: np.ndarray
    modalities_used: list[Condition]  # str() of one is "{a,v}"


class DeployedModel:
    """What `load_deployed` returns."""

    family: str
    classes: tuple[str, ...]
    inputs: dict[Modality, ModalityInput]

    def predict(
        self,
        features: Mapping[Modality, Sequence[np.ndarray | None]],
        feature_sets: Mapping[Modality, str] | None = None,
    ) -> Prediction:
        """Class probabilities of N rows; a row's do not depend on the other rows.

        `features` holds a list of N arrays [T, D] a modality, None (or T = 0) where a row misses it; a modality may be
        left out altogether. ValueError, naming the row, what was expected and what came: another width, an unknown
        modality or feature set (`feature_sets` says which the caller used), a value that is not finite, no modality.
        """
        raise NotImplementedError


def save_deployed(
    folder: Path, model: object, classes: Sequence[str], inputs: Mapping[Modality, ModalityInput]
) -> None:
    """Write weights.safetensors and config.json into `folder`, each renamed into place."""
    raise NotImplementedError


def load_deployed(folder: Path) -> DeployedModel:
    """The model in `folder`, on the CPU; ValueError when the format is another version's or the weights do not fit."""
    raise NotImplementedError

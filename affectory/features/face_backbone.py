"""`faces:<backbone>`: what a network that was trained on ImageNet sees in each picture of `faces`.

The network reads the 112 by 112 pixels of a picture as they are; affectory/layers/imagenet.py has the networks, their
widths and where their weights come from. `faces:<backbone>:random` is the network untrained, as a control: random
weights are used where they are asked for by that name and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from affectory.features.faces import SIZE, Faces
from affectory.features.feature_set import FeatureRow, FeatureSetError, Segment, installed
from affectory.layers.imagenet import BACKBONES, WeightsError, as_images, backbone, imagenet_weights, weights_sha256
from affectory.vocabulary import Modality

if TYPE_CHECKING:
    from torch import nn

FACES = Faces()
SEED = 0  # of random weights


@dataclass(frozen=True)
class FaceBackbone:
    """One vector a bin with a face, from a network of affectory.layers.imagenet.BACKBONES."""

    backbone: str
    random: bool = False
    modality: Modality = Modality.VISUAL
    rate_hz: float | None = None  # 16 an utterance, however long

    @property
    def name(self) -> str:
        return f"faces:{self.backbone}{':random' if self.random else ''}"

    @property
    def means(self) -> str:
        weights = "random weights" if self.random else "ImageNet's weights"
        return f"what {self.backbone} with {weights} makes of each picture of `faces`"

    @property
    def width(self) -> int:
        return BACKBONES[self.backbone].width

    @property
    def version(self) -> str:
        """Names the weights by their sha256, for which their file is needed: raises FeatureSetError without it."""
        untrained = f"random weights of seed {SEED}, {installed('torch')}"
        weights = untrained if self.random else f"weights {_sha256(self.backbone)}"
        return f"1, {installed('torchvision')}, faces {FACES.version}, {weights}"

    @property
    def options(self) -> Mapping[str, object]:
        return {**FACES.options, "input_size": SIZE}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return FACES.source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        network = _network(self.backbone, self.random)  # first, for without weights no film need be read
        for row in FACES.extract(segments):
            frames = encode_pictures(row.frames, network) if row.valid else np.empty((0, self.width), np.float32)
            yield replace(row, frames=frames)


def encode_pictures(frames: np.ndarray, network: nn.Module) -> np.ndarray:
    """Rows of `faces` [T, 112 * 112 * 3] -> float32 [T, D], in one forward pass."""
    import torch

    with torch.inference_mode():
        return network(as_images(torch.from_numpy(frames))).numpy()


def _sha256(name: str) -> str:
    try:
        return weights_sha256(name)
    except WeightsError as error:
        raise FeatureSetError(f"faces:{name}: {error}") from error


@lru_cache(maxsize=1)
def _network(name: str, random: bool) -> nn.Module:
    try:
        weights = None if random else imagenet_weights(name)[0]
    except WeightsError as error:
        raise FeatureSetError(f"faces:{name}: {error}") from error
    return backbone(name, weights, SEED).eval()

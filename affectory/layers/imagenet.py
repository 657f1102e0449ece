"""Networks of torchvision that were trained on ImageNet, as backbones: one vector a picture, no classifier.

The weights are the IMAGENET1K_V1 files of torchvision, which name the first digits of their own sha256. They lie where
torch.hub keeps its files and are fetched from torchvision's address when they are not there; a file is checked each
time, and the whole sha256 goes into the version of what is computed with it. torchvision is imported when it is needed.

Shapes: B pictures of S by S pixels, D = width of the backbone.
"""

from __future__ import annotations

import hashlib
import re
import socket
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from math import isqrt
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of red, green and blue in ImageNet, 0..1
TIMEOUT_S = 20.0  # without an answer from where the weights are published
SHORTEST_DIGEST = 8  # hexadecimal digits in a file's name


@dataclass(frozen=True)
class Backbone:
    """A torchvision network whose classifier is cut off, or cut short: what it gives is one vector a picture."""

    width: int  # of the vector
    classifier: str  # the network's attribute that holds the classifier
    kept: int = 0  # first layers of the classifier that stay


BACKBONES: dict[str, Backbone] = {
    "resnet50": Backbone(2048, "fc"),
    "vgg16": Backbone(4096, "classifier", kept=5),  # to the second fully connected layer's ReLU
    "densenet121": Backbone(1024, "classifier"),
    "mobilenet_v3_small": Backbone(576, "classifier"),  # the one for a CPU
    "alexnet": Backbone(4096, "classifier", kept=6),  # likewise
}


class WeightsError(RuntimeError):
    """The published weights are not here and cannot be fetched, or are not what was published."""


def backbone(name: str, weights: Mapping[str, Tensor] | None, seed: int = 0) -> nn.Module:
    """A network [B, 3, S, S] -> [B, D] of BACKBONES with these weights, or with random ones of `seed` where None.

    Its attribute `out_features` is D; it is in training mode, as torch makes modules. ValueError for another name.
    """
    import torch
    from torch import nn
    from torchvision.models import get_model

    from affectory.layers.seeding import seeded

    parts = _checked_backbone(name)
    with seeded(seed), torch.device("cpu" if weights is None else "meta"):
        network = get_model(name, weights=None)
    if weights is not None:
        # Copied: what is trained on must not change the caller's weights.
        network.load_state_dict({key: value.clone() for key, value in weights.items()}, assign=True)
    classifier = getattr(network, parts.classifier)
    setattr(network, parts.classifier, classifier[: parts.kept] if parts.kept else nn.Identity())
    network.out_features = parts.width  # pyright: ignore[reportArgumentType]
    return network


def imagenet_weights(name: str) -> tuple[dict[str, Tensor], str]:
    """({parameter name: tensor}, hex sha256 of the file) of the published weights, fetched where they are not there.

    The names are those of today's torchvision. Raises WeightsError.
    """
    import torch

    sha256 = weights_sha256(name)
    try:
        weights = torch.load(_file(name), map_location="cpu", weights_only=True)
        return {_present_name(key): value for key, value in weights.items()}, sha256
    except (AttributeError, OSError, RuntimeError, UnpicklingError) as error:
        raise WeightsError(
            f"{_file(name).name} in {_file(name).parent} holds no weights ({type(error).__name__}); remove it and "
            f"fetch it again from {_address(name)}"
        ) from error


def weights_sha256(name: str) -> str:
    """Hex sha256 of the published weights' file, which is fetched where it is not there.

    Raises WeightsError when the file cannot be had, or when its sha256 does not begin as its name says.
    """
    path, digits = _file(name), _digits(name)
    if not path.is_file():
        _fetch(name)
    status = path.stat()
    sha256 = _sha256(path, status.st_mtime_ns, status.st_size)
    if not sha256.startswith(digits):
        raise WeightsError(
            f"{path.name} in {path.parent} is not what was published: expected a sha256 that begins with {digits}, "
            f"found {sha256}; remove it and fetch it again from {_address(name)}"
        )
    return sha256


def as_images(pictures: Tensor) -> Tensor:
    """Pictures [..., S * S * 3] as `faces` stores them, 0..255 -> what the networks read, float [..., 3, S, S]."""
    size = isqrt(pictures.shape[-1] // 3)
    images = pictures.unflatten(-1, (size, size, 3)).movedim(-1, -3).float()
    mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return (images / 255 - mean) / deviation


def _checked_backbone(name: str) -> Backbone:
    if name not in BACKBONES:
        raise ValueError(f"no backbone {name!r}; there are {sorted(BACKBONES)}")
    return BACKBONES[name]


def _address(name: str) -> str:
    """Where torchvision says that the weights are published."""
    from torchvision.models import get_model_weights

    _checked_backbone(name)
    return get_model_weights(name)["IMAGENET1K_V1"].url


def _file(name: str) -> Path:
    """Where torch.hub keeps them, `resnet50-0676ba61.pth`."""
    import torch

    return Path(torch.hub.get_dir(), "checkpoints", _address(name).rsplit("/", 1)[-1])


def _digits(name: str) -> str:
    """The first digits of the sha256, which the file's name tells."""
    path = _file(name)
    digits = path.stem.rsplit("-", 1)[-1]
    if len(digits) < SHORTEST_DIGEST or not set(digits) <= set("0123456789abcdef"):
        raise WeightsError(f"{path.name} does not tell its sha256: torchvision names its files in another way")
    return digits


def _fetch(name: str) -> None:
    """To a temporary name first, and checked before it gets its own."""
    import torch

    path, digits, address = _file(name), _digits(name), _address(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _answer_within(TIMEOUT_S):
            torch.hub.download_url_to_file(address, str(path), hash_prefix=digits, progress=False)
    except (OSError, RuntimeError, HTTPException) as error:
        raise WeightsError(
            f"the weights of {name} are not here and could not be fetched ({error}): put {path.name}, whose sha256 "
            f"begins with {digits}, from {address} into {path.parent}; rows without pretrained weights need no file"
        ) from error


@contextmanager
def _answer_within(seconds: float) -> Iterator[None]:
    """Sockets that are opened meanwhile give up waiting after so long."""
    former = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(former)


@lru_cache(maxsize=16)
def _sha256(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _present_name(key: str) -> str:
    """densenet121's file is older than today's names: `denselayer1.norm.1.weight` is `denselayer1.norm1.weight`."""
    return re.sub(r"(\bdenselayer\d+\.(?:norm|conv))\.(?=[12]\.)", r"\1", key)

"""Valence and arousal from three seconds of sound: the convolutional networks of the slides on OMG-Emotion.

A (log-)mel, linear or MFCC spectrogram is read as a picture by AlexNet, VGG16 or ResNet50, started from ImageNet's
weights or from chance, or by the slides' three networks of their own, whose channels the slides do not give
(layers/spectrogram). An utterance longer than the window is cropped, a shorter one padded; which part the slides take
is not said: at random while training, the middle when tested.

Equations and the form of the head: of_dimensions.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from affectory.data.inputs import FRAMES, ModalityInput, Preparation
from affectory.layers.imagenet import imagenet_weights
from affectory.layers.seeding import seeded
from affectory.layers.spectrogram import ARCHITECTURES, spectrogram_encoder
from affectory.models.family import Family, Schedule
from affectory.models.of_dimensions import (
    LARGE_NETWORK_RATE,
    SLIDES,
    SMALL_CORPORA,
    OfDimensions,
    OneEncoder,
    only_input,
)
from affectory.vocabulary import Modality

OF_IMAGENET = ("resnet50", "vgg16", "alexnet")


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family; trailing comments give the slides."""

    architecture: str  # of ARCHITECTURES
    pretrained: bool = False  # P, else NP
    training_conditions: Literal["full"] = "full"
    schedule: Schedule = SLIDES
    preparation: Preparation = FRAMES
    teacher: str | None = None  # none in this family
    window_frames: int = 94  # 3 s
    crop: Literal["start", "centre", "random"] = "random"
    channels: int = 16  # of the first layer of those that are not torchvision's
    dropout: float = 0.5
    ccc_weight: float = 1.0  # of 1 - CCC
    mse_weight: float = 0.0


def _rows(schedule: Schedule) -> dict[str, Config]:
    rows = {name: Config(architecture=name, schedule=schedule) for name in ARCHITECTURES}
    return rows | {f"{name}_pretrained": replace(rows[name], pretrained=True) for name in OF_IMAGENET}


def _adam(**changes: Any) -> dict[str, Config]:
    """The large networks at a lower rate."""
    small = replace(SMALL_CORPORA, **changes)
    large = replace(small, learning_rate=LARGE_NETWORK_RATE)
    rows = _rows(small)
    return {n: replace(row, schedule=large) if row.architecture in OF_IMAGENET else row for n, row in rows.items()}


_TINY = Schedule(
    optimizer="sgd", constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2, select="ccc"
)  # fmt: skip


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], dimensions: Sequence[str], *, seed: int
) -> OfDimensions:
    """A new model, ImageNet's weights not in it yet; the same seed gives the same weights.

    ValueError where there is more to read than one acoustic feature set.
    """
    fitted = only_input(inputs, Modality.ACOUSTIC, "audio_cnn")
    with seeded(seed):
        encoder = spectrogram_encoder(
            config.architecture,
            in_features=fitted.model_width,
            window_frames=config.window_frames,
            crop=config.crop,
            channels=config.channels,
            dropout=config.dropout,
        )

        def pretrain() -> None:
            if config.pretrained:
                encoder.load_imagenet(imagenet_weights(config.architecture)[0])

        return OfDimensions(OneEncoder(Modality.ACOUSTIC, encoder), dimensions, config, pretrain=pretrain)


FAMILY = Family(
    name="audio_cnn",
    description="Valence and arousal from the spectrogram of three seconds of sound, by convolutional networks.",
    config=Config,
    presets={
        "default": _adam(),
        "paper": _rows(SLIDES),
        "quick": _adam(constant_epochs=4, decay_epochs=8),
        # Tiny, for tests: torchvision's networks stay out.
        "debug": {
            name: Config(architecture=name, schedule=_TINY, window_frames=32, channels=4, dropout=0.0)
            for name in ARCHITECTURES
            if name not in OF_IMAGENET
        },
    },
    build=build,
    of_dimensions=True,
    reads=lambda config: ("logmel",),
    weights=lambda config: (config.architecture,) if config.pretrained else (),
)

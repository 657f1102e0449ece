"""Valence and arousal from 16 aligned faces: an image network of each, then time (the slides on OMG-Emotion).

{ResNet50, VGG16, DenseNet121} x {RNN, GRU, LSTM} and {ResNet50, VGG16} x 4Conv1D. A frozen backbone's vectors are a
feature set of their own, `faces:<backbone>`, computed once and stored, so that neither an epoch nor a fold runs it
again; with `fine_tune` it is a part of the model, which then reads the pictures of `faces`.

Equations and the form of the head: of_dimensions.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from affectory.data.inputs import AS_STORED, FRAMES, ModalityInput, Preparation
from affectory.layers.imagenet import backbone, imagenet_weights
from affectory.layers.pictures_in_time import TEMPORAL, PicturesInTime
from affectory.layers.seeding import seeded
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

PAIRS = (
    *((network, temporal) for network in ("resnet50", "vgg16", "densenet121") for temporal in ("rnn", "gru", "lstm")),
    *((network, "conv1d_4") for network in ("resnet50", "vgg16")),
)
SMALL = tuple(("mobilenet_v3_small", temporal) for temporal in TEMPORAL)


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family."""

    backbone: str  # of imagenet.BACKBONES
    temporal: str  # of TEMPORAL
    random_backbone: bool = False  # drawn from seed 0 in the place of ImageNet's weights
    fine_tune: bool = False
    training_conditions: Literal["full"] = "full"
    schedule: Schedule = SLIDES
    preparation: Preparation = FRAMES
    teacher: str | None = None  # none in this family
    width: int = 128  # of the recurrent state; not given in the slides
    dropout: float = 0.5
    ccc_weight: float = 1.0  # of 1 - CCC
    mse_weight: float = 0.0

    @property
    def feature_set(self) -> str:
        """The feature set that the model reads: pictures where it is fine-tuned, else the vectors of its backbone."""
        return "faces" if self.fine_tune else f"faces:{self.backbone}{':random' if self.random_backbone else ''}"

    @property
    def pretrained(self) -> bool:
        """Whether training loads ImageNet's weights: not for a frozen backbone, whose vectors are stored features."""
        return self.fine_tune and not self.random_backbone


def _rows(pairs: Iterable[tuple[str, str]], schedule: Schedule) -> dict[str, Config]:
    """Each pair on ImageNet's weights and on random ones, and the GRU of the first backbone fine-tuned."""
    rows = {f"{b}_{t}": Config(backbone=b, temporal=t, schedule=schedule) for b, t in pairs}
    rows |= {f"{name}_random": replace(config, random_backbone=True) for name, config in rows.items()}
    name = f"{next(iter(rows.values())).backbone}_gru"
    for end in ("", "_random"):
        # 8 rows of 16 pictures: ResNet50 keeps some 25 MB of each while it learns.
        along = replace(schedule, batch_size=8, learning_rate=min(schedule.learning_rate, LARGE_NETWORK_RATE))
        config = replace(rows[f"{name}{end}"], fine_tune=True, preparation=AS_STORED, schedule=along)
        rows[f"{name}_fine_tuned{end}"] = config
    return rows


_TINY = Schedule(
    optimizer="sgd", constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2, select="ccc"
)  # fmt: skip


def _quick() -> dict[str, Config]:
    """For a CPU: a small backbone too, and few epochs where one is trained along."""
    rows = _rows((*SMALL, *PAIRS), SMALL_CORPORA)
    few = {"constant_epochs": 2, "decay_epochs": 4}
    return {
        name: replace(config, schedule=replace(config.schedule, **few)) if config.fine_tune else config
        for name, config in rows.items()
    }


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], dimensions: Sequence[str], *, seed: int
) -> OfDimensions:
    """A new model, ImageNet's weights not in it yet; the same seed gives the same weights.

    ValueError where there is more to read than one visual feature set.
    """
    fitted = only_input(inputs, Modality.VISUAL, "face_sequence")
    network = backbone(config.backbone, None) if config.fine_tune else None
    with seeded(seed):
        encoder = PicturesInTime(
            in_features=fitted.model_width, temporal=config.temporal, width=config.width, backbone=network
        )

        def pretrain() -> None:
            if config.pretrained and network is not None:
                weights = backbone(config.backbone, imagenet_weights(config.backbone)[0]).state_dict()
                network.load_state_dict(weights)

        return OfDimensions(OneEncoder(Modality.VISUAL, encoder), dimensions, config, pretrain=pretrain)


FAMILY = Family(
    name="face_sequence",
    description="Valence and arousal from the faces of an utterance: an image network of each, then time.",
    config=Config,
    presets={
        "default": _rows(PAIRS, SMALL_CORPORA),
        "paper": _rows(PAIRS, SLIDES),
        "quick": _quick(),
        # Tiny, for tests.
        "debug": {
            f"mobilenet_v3_small_{temporal}_random": Config(
                backbone="mobilenet_v3_small",
                temporal=temporal,
                random_backbone=True,
                schedule=_TINY,
                width=8,
                dropout=0.0,
            )
            for temporal in TEMPORAL
        },
    },
    build=build,
    of_dimensions=True,
    reads=lambda config: (config.feature_set,),
    weights=lambda config: (config.backbone,) if config.pretrained else (),
)

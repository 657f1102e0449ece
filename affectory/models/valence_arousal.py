"""Valence and arousal from sound, face and words together, whichever of them there are.

What the slides on OMG-Emotion ask for next: a multimodal model and textual cues. The encoders are MMIN's (Zhao, Li,
Jin, ACL 2021), so that a missing modality is the encoding of one zero frame, and the missing-modality protocol is the
same: `multimodal` learns from full rows, `multimodal_augmented` from every missing condition made of them too.

Equations and the form of the head: of_dimensions.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from affectory.data.inputs import FRAMES, ModalityInput, Preparation
from affectory.layers.modality_encoders import ModalityEncoders
from affectory.layers.seeding import seeded
from affectory.models.family import Family, Schedule
from affectory.models.of_dimensions import OfDimensions
from affectory.vocabulary import Modality


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family."""

    training_conditions: Literal["full", "missing", "full_and_missing"]
    schedule: Schedule
    preparation: Preparation = FRAMES
    teacher: str | None = None  # none in this family
    width: int = 128  # of every encoder and of the layer after them
    kernel_sizes: tuple[int, ...] = (3, 4, 5)  # of the textual encoder
    dropout: float = 0.3
    ccc_weight: float = 1.0  # of 1 - CCC
    mse_weight: float = 0.0


def _rows(schedule: Schedule, **changes: Any) -> dict[str, Config]:
    full = Config(training_conditions="full", schedule=schedule, **changes)
    return {"multimodal": full, "multimodal_augmented": replace(full, training_conditions="full_and_missing")}


_ADAM = Schedule(constant_epochs=15, decay_epochs=15, batch_size=32, learning_rate=1e-3, select="ccc")


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], dimensions: Sequence[str], *, seed: int
) -> OfDimensions:
    """A new model; the same seed gives the same weights."""
    with seeded(seed):
        encoders = ModalityEncoders(
            inputs, width=config.width, kernel_sizes=config.kernel_sizes, dropout=config.dropout
        )
        return OfDimensions(encoders, dimensions, config, hidden=config.width)


FAMILY = Family(
    name="valence_arousal",
    description="Valence and arousal from all modalities, trained on full rows and on rows that miss some, a run a "
    "seed, CCC under every condition; of the second the best seed is registered as `<corpus>-valence_arousal`.",
    config=Config,
    presets={
        # The schedule of mmin's default, for corpora of about a thousand utterances.
        "default": _rows(_ADAM),
        "mse": _rows(_ADAM, ccc_weight=0.0, mse_weight=1.0),
        "ccc_and_mse": _rows(_ADAM, mse_weight=1.0),
        "quick": _rows(replace(_ADAM, constant_epochs=8, decay_epochs=8), width=64),
        # Tiny, for tests.
        "debug": _rows(
            Schedule(constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2, select="ccc"),
            width=8,
            dropout=0.0,
        ),
    },
    build=build,
    deployed=("multimodal_augmented",),
    of_dimensions=True,
)

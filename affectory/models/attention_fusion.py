r"""Fusion by attention across modalities, like cLSTM-MMA (Pan, Luo, Yang, Li, Interspeech 2020).

Each modality m is encoded to one vector $x_m$, attends to the modalities n that the same utterance has, and the
vectors are classified together:

    $s_m = \mathrm{softmax}_n \cos(Q_m x_m, K_n x_n)$,  $x'_m = x_m + \mathrm{drop}(\sum_n s_{mn} V_n x_n)$
    $\mathcal L = H(p, \mathrm{softmax}\, \mathrm{MLP}([x'_a; x'_v; x'_t]))$

A missing modality is attended by none, and its slot is zero. Like, because two parts of the paper are left out: the
LSTM over a dialogue's utterances (rows here are single utterances), and the late fusion with three unimodal networks
that are trained before and frozen. The encoders are those of mmin.py, so that rows of one table differ in the fusion.

Shapes: B batch, M modalities, H width of an encoder, C classes, K ways of having modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import functional as F

from affectory.data.batches import Batch
from affectory.data.inputs import FRAMES, ModalityInput, Preparation
from affectory.layers.modality_attention import ModalityAttention
from affectory.layers.modality_encoders import ModalityEncoders
from affectory.layers.seeding import seeded
from affectory.models.family import Family, Schedule
from affectory.vocabulary import Modality


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family; trailing comments give a repository that derives from the authors' code."""

    training_conditions: Literal["full", "missing", "full_and_missing"]
    schedule: Schedule
    preparation: Preparation = FRAMES
    teacher: str | None = None  # none in this family
    width: int = 150  # 150: of every encoder and of the attention
    kernel_sizes: tuple[int, ...] = (3, 4, 5)  # of the textual encoder, as in mmin.py
    dropout: float = 0.1  # 0.1: in the encoders and of what is attended
    classifier_width: int = 200  # 200
    classifier_dropout: float = 0.5  # 0.5


def _rows(schedule: Schedule, **changes: Any) -> dict[str, Config]:
    """As published on full rows only, and with missing conditions among what is trained on."""
    full = Config(training_conditions="full", schedule=schedule, **changes)
    return {
        "attention_fusion": full,
        "attention_fusion_augmented": replace(full, training_conditions="full_and_missing"),
    }


def build(
    config: Config,
    inputs: Mapping[Modality, ModalityInput],
    classes: Sequence[str],
    *,
    seed: int,
) -> AttentionFusion:
    """A new model; the same seed gives the same weights."""
    with seeded(seed):
        return AttentionFusion(config, inputs, len(classes))


class AttentionFusion(nn.Module):
    """Encoders, attention across the modalities of a row, a classifier."""

    whole_dialogues = False

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        self.training_conditions = config.training_conditions
        self.encoders = ModalityEncoders(
            inputs, width=config.width, kernel_sizes=config.kernel_sizes, dropout=config.dropout
        )
        self.attention = ModalityAttention(modalities=len(inputs), width=config.width, dropout=config.dropout)
        self.classifier = nn.Sequential(
            nn.Linear(len(inputs) * config.width, config.classifier_width),
            nn.ReLU(),
            nn.Dropout(config.classifier_dropout),
            nn.Linear(config.classifier_width, n_classes),
        )

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        encoded = self.encoders(batch, available.any(0))  # [B, M, H]
        return self.classifier(self.attention(encoded, available).flatten(-2))  # [K, B, M * H] -> [K, B, C]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"classification": F.cross_entropy(self(batch), batch.labels)}


FAMILY = Family(
    name="attention_fusion",
    description="Attention across the modalities of an utterance, like cLSTM-MMA, a run a seed.",
    config=Config,
    presets={
        # The schedule and width of mmin's default, for corpora of about a thousand utterances.
        "default": _rows(Schedule(constant_epochs=15, decay_epochs=15, batch_size=32, learning_rate=1e-3), width=128),
        "quick": _rows(Schedule(constant_epochs=8, decay_epochs=8, batch_size=32, learning_rate=1e-3), width=64),
        # A batch was 5 dialogues, of about 37 utterances in four classes.
        "paper": _rows(Schedule(constant_epochs=100, decay_epochs=0, batch_size=185, learning_rate=1e-3, clip=1e-3)),
        # Tiny and quick, for tests.
        "debug": _rows(
            Schedule(constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2),
            width=8,
            dropout=0.0,
            classifier_width=8,
            classifier_dropout=0.0,
        ),
    },
    build=build,
)

r"""What MMGCN is compared with: models of context over fused features, and other fusions around the same deep GCN.

The context models (layers/erc) read the features of all modalities side by side, zeros for what is missing, through one
linear layer: how the published rows fused them is not told, and an LSTM that reads a thousand features at once starts
saturated and hardly learns. The fusions (layers/fusion) read the encoders of models/mmgcn.py, and no speaker, as
published. `utterance` has no context at all: what a model of conversations must beat.

Shapes: G dialogues of at most N utterances, U utterances in all, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affectory.data.inputs import STATISTICS, ModalityInput, Preparation
from affectory.layers.bilstm import DialogueLSTM
from affectory.layers.dialogues import lengths_of, order_of_appearance, unpack
from affectory.layers.dropout import DropoutReLU
from affectory.layers.erc.bc_lstm import BcLSTM
from affectory.layers.erc.cmn import CMN
from affectory.layers.erc.dialogue_gcn import DialogueGCN
from affectory.layers.erc.dialogue_rnn import DialogueRNN
from affectory.layers.erc.icon import ICON
from affectory.layers.fusion.early import EarlyFusion
from affectory.layers.fusion.gated import GatedFusion
from affectory.layers.fusion.late import LateFusion
from affectory.layers.fusion.mfn import MFN
from affectory.layers.fusion.mult import MulT
from affectory.layers.utterance_loss import Loss, utterance_loss
from affectory.models.family import Family, Schedule
from affectory.models.over_dialogues import OverDialogues, over_dialogues
from affectory.vocabulary import Modality

Method = Literal[
    "utterance", "bc_lstm", "cmn", "icon", "dialogue_rnn", "dialogue_gcn", "early", "late", "gated", "mfn", "mult"
]
FUSED: tuple[Method, ...] = ("early", "late", "gated", "mfn", "mult")
CONTEXTS: Mapping[str, Callable[..., nn.Module]] = {
    "bc_lstm": BcLSTM,
    "cmn": CMN,
    "icon": ICON,
    "dialogue_rnn": DialogueRNN,
    "dialogue_gcn": DialogueGCN,
}
FUSIONS: Mapping[str, Callable[..., nn.Module]] = {"late": LateFusion, "gated": GatedFusion, "mfn": MFN, "mult": MulT}


@dataclass(frozen=True, kw_only=True)
class Config:
    """One row of the tables; widths that a method has of its own stay as its layer's published defaults."""

    method: Method
    schedule: Schedule
    training_conditions: Literal["full", "missing", "full_and_missing"] = "full"
    preparation: Preparation = STATISTICS
    teacher: None = None
    width: int = 100  # of a context model's states
    encoder_width: int = 200  # of what stands before a context model or a fusion
    graph_layers: int = 4  # of a fusion
    dropout: float = 0.4
    loss: Loss = "cross_entropy"
    speakers: int = 9  # told apart in a dialogue by dialogue_gcn; later ones are one


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], classes: Sequence[str], *, seed: int
) -> OverDialogues:
    """A new model; the same seed gives the same weights."""
    return over_dialogues(Conversation, config, inputs, classes, seed=seed)


def _published(learning_rate: float, *, epochs: int = 60, batch_size: int = 32, weight_decay: float = 1e-5) -> Schedule:
    return Schedule(
        constant_epochs=epochs,
        decay_epochs=0,
        batch_size=batch_size,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        select="weighted_f1",
    )


def _paper() -> dict[str, Config]:
    """The schedules of the released codes, the fusions with MMGCN's."""
    fused = _published(3e-4, epochs=20, batch_size=16, weight_decay=3e-5)
    memory = _published(1e-3, epochs=10, batch_size=16)  # of 512 utterances
    rows = {
        "utterance": Config(method="utterance", schedule=fused),
        "bc_lstm": Config(method="bc_lstm", schedule=_published(1e-4), dropout=0.25),
        "cmn": Config(method="cmn", schedule=memory, dropout=0.7),
        "icon": Config(method="icon", schedule=memory, dropout=0.7),
        "dialogue_rnn": Config(method="dialogue_rnn", schedule=_published(1e-4, batch_size=30), width=150, dropout=0.1),
        "dialogue_gcn": Config(method="dialogue_gcn", schedule=_published(3e-4, weight_decay=0.0)),
    }
    return rows | {name: Config(method=name, schedule=fused) for name in FUSED}


def _alike(schedule: Schedule, **changes: Any) -> dict[str, Config]:
    """All rows with one schedule, so that a table compares methods."""
    schedule = replace(schedule, select="weighted_f1")
    return {name: replace(config, schedule=schedule, **changes) for name, config in _paper().items()}


class Conversation(nn.Module):
    """Features side by side, a context model, a classifier; or encoders, a fusion, a classifier."""

    def __init__(self, config: Config, widths: Mapping[Modality, int], n_classes: int) -> None:
        super().__init__()
        self.config, self.modalities = config, tuple(widths)
        layer = _fused(config, widths) if config.method in FUSED else _context(config, widths)
        self.layer = layer
        self.classifier = nn.Linear(layer.out_features, n_classes)  # pyright: ignore[reportArgumentType]

    def forward(self, x: Mapping[Modality, Tensor], mask: Tensor, speakers: Tensor, present: Tensor) -> Tensor:
        """Logits [G, N, C], zeros in the padding; arguments as of Mmgcn."""
        present_rows = present[mask]  # [U, M]
        parts = [
            unpack(x[modality][mask & present[..., column]], present_rows[:, column])
            for column, modality in enumerate(self.modalities)
        ]  # M of [U, D_m]
        if isinstance(self.layer, _Context):
            order = order_of_appearance(speakers, mask)
            h = self.layer(unpack(torch.cat(parts, -1), mask), mask, order)[mask]
        else:
            h = self.layer(parts, lengths_of(mask), present_rows.T)
        return unpack(self.classifier(h), mask)

    def loss(self, logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
        return utterance_loss(logits, labels, self.config.loss, class_weights=class_weights)


class _Context(nn.Module):
    """A linear encoder and a context model; without one, an activation, and each utterance is for itself."""

    def __init__(self, layer: nn.Module | None, in_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.encoder, self.layer = nn.Linear(in_features, width), layer
        self.relu = DropoutReLU(dropout)
        self.out_features = width if layer is None else layer.out_features

    def forward(self, x: Tensor, mask: Tensor, order: Tensor) -> Tensor:
        encoded = self.encoder(x)
        return self.relu(encoded) if self.layer is None else self.layer(encoded * mask[..., None], mask, order)


class _Fused(nn.Module):
    """Encoders as MMGCN's and a fusion of fusion/__init__.py's form."""

    def __init__(self, fusion: nn.Module, widths: Mapping[Modality, int], width: int, dropout: float) -> None:
        super().__init__()
        self.fusion, self.out_features = fusion, fusion.out_features
        self.text = list(widths).index(Modality.TEXTUAL) if Modality.TEXTUAL in widths else -1
        self.encoders = nn.ModuleList(nn.Linear(size, width) for size in widths.values())
        self.context = DialogueLSTM(in_features=width, width=width, dropout=dropout) if self.text >= 0 else None

    def forward(self, parts: list[Tensor], lengths: list[int], present: Tensor) -> Tensor:
        nodes = [encoder(part) for encoder, part in zip(self.encoders, parts, strict=True)]
        if self.context is not None:
            nodes[self.text] = self.context(nodes[self.text] * present[self.text][:, None], lengths)
        return self.fusion(torch.stack(nodes) * present[..., None], lengths, present)


class _Early(nn.Module):
    def __init__(self, fusion: EarlyFusion) -> None:
        super().__init__()
        self.fusion, self.out_features = fusion, fusion.out_features

    def forward(self, parts: list[Tensor], lengths: list[int], present: Tensor) -> Tensor:
        return self.fusion(torch.cat(parts, -1), lengths, present.any(0))


def _context(config: Config, widths: Mapping[Modality, int]) -> _Context:
    layer = None
    if config.method != "utterance":
        extra = {"n_speakers": config.speakers} if config.method == "dialogue_gcn" else {}
        sizes = {"in_features": config.encoder_width, "width": config.width}
        layer = CONTEXTS[config.method](**sizes, dropout=config.dropout, **extra)
    return _Context(layer, sum(widths.values()), config.encoder_width, config.dropout)


def _fused(config: Config, widths: Mapping[Modality, int]) -> _Fused | _Early:
    graph = {"graph_width": config.width, "layers": config.graph_layers, "dropout": config.dropout}
    if config.method == "early":
        return _Early(EarlyFusion(in_features=sum(widths.values()), width=config.encoder_width, **graph))
    fusion = FUSIONS[config.method](modalities=len(widths), in_features=config.encoder_width, **graph)
    return _Fused(fusion, widths, config.encoder_width, config.dropout)


FAMILY = Family(
    name="conversation",
    description="What MMGCN is compared with: models of the context of a dialogue, and other fusions before its graph.",
    config=Config,
    presets={
        "default": _alike(
            Schedule(constant_epochs=15, decay_epochs=15, batch_size=16, learning_rate=1e-3, weight_decay=3e-5),
            dropout=0.4,
        ),
        "quick": _alike(
            Schedule(constant_epochs=8, decay_epochs=8, batch_size=4, learning_rate=3e-3),
            width=50,
            encoder_width=100,
            graph_layers=2,
        ),
        "paper": _paper(),
        "debug": _alike(
            Schedule(constant_epochs=1, decay_epochs=1, batch_size=4, learning_rate=1e-2),
            width=8,
            encoder_width=16,
            graph_layers=2,
            dropout=0.0,
        ),
    },
    build=build,
    of_dialogues=True,
)

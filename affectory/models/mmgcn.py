r"""The Multimodal Graph Convolution Network (Hu, Liu, Zhao, Jin, ACL 2021; code hujingwen6666/MMGCN@85732d9).

Each utterance i of a dialogue is encoded a modality (acoustic and visual by a linear layer, textual by a BiLSTM over
the dialogue), joined with an embedding of its speaker, and is a node of the graph of layers/dialogue_graph.py:

    $x_i^m = [h_i^m; S_i]$,  $g = \mathrm{DeepGCN}(x)$,  $e_i = [x_i^a; x_i^v; x_i^t; g_i^a; g_i^v; g_i^t]$
    $\mathcal L = H(p, \mathrm{softmax}(W\, \mathrm{ReLU}(e)))$, and L2 by the optimizer

Where paper and code differ, each is a preset: `paper` has 4 layers, the speaker beside every modality and the plain
cross-entropy; `official_code` builds 64 layers whatever its flag says, adds the speaker to the text alone, and weights
classes (IEMOCAP) or takes a loss of its own (MELD, `official_code_meld`).

Two things are ours. A speaker is known by the order in which it first speaks in the dialogue, so that any number of
speakers and dialogues with new ones are served; who comes after `speakers` of them shares the last embedding. And
`causal` turns the LSTM and the graph to the past, so that a running dialogue can be scored as it comes.

Epochs are selected by weighted F1 on validation, the table's own score; the authors' code selects by it on the test.

Shapes: G dialogues of at most N utterances, U utterances in all, M modalities, H width, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from affectory.data.inputs import STATISTICS, ModalityInput, Preparation
from affectory.layers.bilstm import DialogueLSTM
from affectory.layers.deep_gcn import DeepGCN
from affectory.layers.dialogue_graph import DialogueGraph, dialogue_graph
from affectory.layers.dialogues import lengths_of, order_of_appearance, unpack
from affectory.layers.dropout import Dropout, DropoutReLU
from affectory.layers.utterance_loss import Loss, utterance_loss
from affectory.models.family import Family, Schedule
from affectory.models.over_dialogues import OverDialogues, over_dialogues
from affectory.vocabulary import DEPTHS, Modality


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family; trailing comments give the authors' code for IEMOCAP."""

    schedule: Schedule
    training_conditions: Literal["full", "missing", "full_and_missing"] = "full"
    preparation: Preparation = STATISTICS
    teacher: None = None
    width: int = 200  # 200: of every encoder
    graph_width: int = 100  # 100
    graph_layers: int = 4  # 64; the paper's best: 4
    alpha: float = 0.1  # 0.1: the share of the first state in every layer
    lambda_: float = 0.5  # 0.5: how fast a layer's weights give way to the identity
    gamma: float = 1.0  # of edges across modalities: the slides have it, the code does not
    speaker: Literal["none", "text_add", "concat_all"] = "concat_all"  # text_add
    speaker_width: int = 50  # of concat_all; not told
    speakers: int = 9  # told apart in a dialogue, by the order in which they first speak; later ones are one
    dropout: float = 0.4  # 0.4
    loss: Loss = "cross_entropy"  # class_weighted
    focal_gamma: float = 2.5  # 2.5, of focal_quirk
    causal: bool = False  # an utterance sees the past only


def _published(*, epochs: int, learning_rate: float, weight_decay: float) -> Schedule:
    """No decay and no clipping."""
    return Schedule(
        constant_epochs=epochs,
        decay_epochs=0,
        batch_size=16,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        clip=float("inf"),
        select="weighted_f1",
    )


_PAPER = Config(schedule=_published(epochs=20, learning_rate=3e-4, weight_decay=3e-5))
_OFFICIAL_CODE = replace(_PAPER, graph_layers=64, speaker="text_add", loss="class_weighted")
_DEFAULT = replace(
    _PAPER,
    schedule=Schedule(
        constant_epochs=15,
        decay_epochs=15,
        batch_size=16,
        learning_rate=1e-3,
        weight_decay=3e-5,
        select="weighted_f1",
    ),
)
_DEBUG = replace(
    _DEFAULT,
    schedule=Schedule(constant_epochs=1, decay_epochs=1, batch_size=4, learning_rate=1e-2, select="weighted_f1"),
    width=8,
    graph_width=8,
    graph_layers=2,
    speaker_width=4,
    dropout=0.0,
)


def _experiments(config: Config) -> dict[str, Config]:
    """As published, on full rows; and the one that is registered, which has also seen rows that miss modalities."""
    return {"mmgcn": config, "mmgcn_augmented": replace(config, training_conditions="full_and_missing")}


def _variants(preset: str) -> dict[str, Config]:
    """The rows of the published tables that are of this family: depths, without speakers; and ours, of the past only.

    The depth that MMGCN has by its preset is MMGCN itself and no row of its own.
    """
    rows = FAMILY.experiments(preset)
    mmgcn = rows["mmgcn"]
    by_depth = {f"mmgcn_layers_{n}": replace(mmgcn, graph_layers=n) for n in DEPTHS if n != mmgcn.graph_layers}
    variants = {"mmgcn_no_speaker": replace(mmgcn, speaker="none"), "mmgcn_causal": replace(mmgcn, causal=True)}
    return {**rows, **by_depth, **{name: config for name, config in variants.items() if config != mmgcn}}


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], classes: Sequence[str], *, seed: int
) -> OverDialogues:
    """A new model; the same seed gives the same weights."""
    return over_dialogues(Mmgcn, config, inputs, classes, seed=seed)


class Mmgcn(nn.Module):
    """Encoders, speaker embedding, graph, deep graph convolution, classifier; of the modalities that `widths` names."""

    def __init__(self, config: Config, widths: Mapping[Modality, int], n_classes: int) -> None:
        super().__init__()
        self.config, self.modalities = config, tuple(widths)
        self.encoders = nn.ModuleList(nn.Linear(width, config.width) for width in widths.values())
        self.context = _context(config) if Modality.TEXTUAL in widths else None
        beside = config.speaker_width if config.speaker == "concat_all" else config.width
        self.speaker = nn.Embedding(config.speakers, beside) if _has_speaker(config, self.modalities) else None
        in_features = config.width + (beside if config.speaker == "concat_all" else 0)
        self.dropout, self.relu = Dropout(config.dropout), DropoutReLU(config.dropout)
        self.graph = DeepGCN(
            in_features=in_features,
            width=config.graph_width,
            layers=config.graph_layers,
            dropout=config.dropout,
            alpha=config.alpha,
            lambda_=config.lambda_,
        )
        self.classifier = nn.Linear(len(widths) * (in_features + config.graph_width), n_classes)

    def forward(self, x: Mapping[Modality, Tensor], mask: Tensor, speakers: Tensor, present: Tensor) -> Tensor:
        """Logits [G, N, C], zeros in the padding.

        x holds features [G, N, D_m] of each modality; `mask` bool [G, N] is True where there is an utterance, `present`
        bool [G, N, M] where it has the modality; `speakers` int64 [G, N] are any numbers.
        """
        present_rows = present[mask].T  # [M, U]
        nodes = self.nodes(x, mask, speakers, present)  # [M, U, H]
        graph = self.graph_of(nodes, mask, present_rows)
        nodes = self.dropout(nodes)
        states = self.graph(nodes, graph, present_rows)  # [M, U, graph_width]
        joint = torch.cat([*nodes, *states], -1)  # [U, M * H + M * graph_width]
        return unpack(self.classifier(self.relu(joint)), mask)

    def nodes(self, x: Mapping[Modality, Tensor], mask: Tensor, speakers: Tensor, present: Tensor) -> Tensor:
        """[M, U, H]: every utterance as each of its modalities, zeros where it has not got the modality."""
        columns, present_rows = [], present[mask]  # [U, M]
        for column, (modality, encoder) in enumerate(zip(self.modalities, self.encoders, strict=True)):
            encoded = encoder(x[modality][mask & present[..., column]])
            encoded = unpack(encoded, present_rows[:, column])  # [U, H]
            if modality is Modality.TEXTUAL and self.context is not None:
                encoded = self.context(encoded, lengths_of(mask))
            columns.append(encoded)
        nodes = self._with_speaker(torch.stack(columns), speakers, mask)
        return nodes if bool(present_rows.all()) else nodes * present_rows.T[..., None]

    def graph_of(self, nodes: Tensor, mask: Tensor, present_rows: Tensor) -> DialogueGraph:
        """The graph between nodes [M, U, H], of which those `present_rows` bool [M, U] count."""
        return dialogue_graph(nodes, lengths_of(mask), present_rows, gamma=self.config.gamma, causal=self.config.causal)

    def loss(self, logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor:
        """The loss that the config names, of logits [G, N, C] and labels int64 [G, N]; see utterance_loss."""
        config = self.config
        return utterance_loss(logits, labels, config.loss, class_weights=class_weights, focal_gamma=config.focal_gamma)

    def _with_speaker(self, nodes: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        if self.speaker is None:
            return nodes
        order = order_of_appearance(speakers, mask)[mask].clamp(max=self.speaker.num_embeddings - 1)
        embedded = self.speaker(order)  # [U, speaker_width]
        if self.config.speaker == "concat_all":
            return torch.cat([nodes, embedded.expand(len(nodes), *embedded.shape)], -1)
        is_text = torch.tensor([m is Modality.TEXTUAL for m in self.modalities], device=nodes.device)
        return nodes + embedded * is_text[:, None, None]


def _has_speaker(config: Config, modalities: tuple[Modality, ...]) -> bool:
    return config.speaker == "concat_all" or (config.speaker == "text_add" and Modality.TEXTUAL in modalities)


def _context(config: Config) -> DialogueLSTM:
    return DialogueLSTM(
        in_features=config.width, width=config.width, layers=2, dropout=config.dropout, causal=config.causal
    )


FAMILY = Family(
    name="mmgcn",
    description="MMGCN as published and MMGCN that has also seen rows which miss modalities, a run a seed, scored "
    "under every condition; of the second the best seed on validation is registered as `<corpus>-mmgcn`.",
    config=Config,
    presets={
        "default": _experiments(_DEFAULT),
        "quick": _experiments(
            replace(
                _DEFAULT,
                schedule=replace(
                    _DEFAULT.schedule, constant_epochs=8, decay_epochs=8, batch_size=4, learning_rate=3e-3
                ),
                width=100,
                graph_width=50,
                graph_layers=2,
            )
        ),
        "paper": _experiments(_PAPER),
        "official_code": _experiments(_OFFICIAL_CODE),
        "official_code_meld": _experiments(
            replace(
                _OFFICIAL_CODE, schedule=_published(epochs=60, learning_rate=1e-3, weight_decay=0.0), loss="focal_quirk"
            )
        ),
        "causal": _experiments(replace(_DEFAULT, causal=True)),
        "debug": _experiments(_DEBUG),
    },
    build=build,
    deployed=("mmgcn_augmented",),
    of_dialogues=True,
    variants=_variants,
)

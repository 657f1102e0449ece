"""The form in which a network over dialogues side by side is a model of a family.

Shapes: B rows, G dialogues of at most N utterances, K ways of having modalities, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from affectory.data.batches import Batch
from affectory.data.inputs import ModalityInput
from affectory.layers.dialogues import unpack, valid_steps
from affectory.layers.seeding import seeded
from affectory.layers.utterance_loss import UNLABELLED, inverse_shares
from affectory.vocabulary import Modality


class Network(Protocol):
    """The interface of a network over dialogues: that of mmgcn.Mmgcn and of conversation.Conversation."""

    def __call__(self, x: Mapping[Modality, Tensor], mask: Tensor, speakers: Tensor, present: Tensor) -> Tensor: ...

    def loss(self, logits: Tensor, labels: Tensor, class_weights: Tensor | None = None) -> Tensor: ...


class OverDialogues(nn.Module):
    """One vector an utterance and modality in, logits of every row out; rows of a dialogue see one another."""

    whole_dialogues = True

    def __init__(self, network: nn.Module, training_conditions: str, n_classes: int) -> None:
        super().__init__()
        self.network = network
        self.training_conditions = training_conditions
        self.register_buffer("class_weights", torch.ones(n_classes))

    def begin(self, labels: Tensor) -> None:
        """Set the class weights for losses that use them: one over each class's share of the labels int64 [n]."""
        self.class_weights = inverse_shares(labels, len(self.class_weights)).to(self.class_weights.device)

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        order, x, mask, speakers = side_by_side(batch)
        ways = [self.network(x, mask, speakers, unpack(held_rows[order], mask))[mask] for held_rows in available]
        return torch.stack(ways)[:, order.argsort()]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        labels = torch.where(batch.labels >= 0, batch.labels, UNLABELLED)
        network: Network = self.network  # pyright: ignore[reportAssignmentType]
        return {"classification": network.loss(self(batch)[None], labels[None], self.class_weights)}


def side_by_side(batch: Batch) -> tuple[Tensor, dict[Modality, Tensor], Tensor, Tensor]:
    """The batch with its dialogues side by side: (order, x, mask, speakers).

    `order` int64 [B] sorts the rows dialogue by dialogue; in that order, padded, are x [G, N, D_m] of each modality,
    mask bool [G, N] and speakers int64 [G, N].
    """
    order = _in_order(batch)
    _, counts = batch.dialogue[order].unique_consecutive(return_counts=True)
    mask = valid_steps(counts.tolist(), batch.dialogue.device)
    x = {modality: unpack(frames[order, 0], mask) for modality, frames in batch.frames.items()}
    return order, x, mask, unpack(batch.speaker[order], mask)


def _in_order(batch: Batch) -> Tensor:
    """int64 [B]: the rows dialogue by dialogue, each in the order in which it was said."""
    by_index = batch.index.argsort()
    return by_index[batch.dialogue[by_index].argsort(stable=True)]


def over_dialogues(
    network: Callable[[Any, Mapping[Modality, int], int], nn.Module],
    config: Any,
    inputs: Mapping[Modality, ModalityInput],
    classes: Sequence[str],
    *,
    seed: int,
) -> OverDialogues:
    """A new model around network(config, features of each modality, classes); the same seed gives the same weights.

    ValueError where a modality has several frames a row.
    """
    if sequences := [modality.value for modality in inputs if not inputs[modality].single_frame]:
        raise ValueError(f"models of conversations read one vector a row, {sequences} have several: prepare statistics")
    widths = {modality: fitted.model_width for modality, fitted in inputs.items()}
    with seeded(seed):
        return OverDialogues(network(config, widths, len(classes)), config.training_conditions, len(classes))

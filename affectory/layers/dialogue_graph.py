r"""The graph of MMGCN (Hu, Liu, Zhao, Jin, ACL 2021): a node an utterance and modality, weighted by angles.

Edges join all utterances of a dialogue within a modality, each with itself, and the modalities of one utterance:

    $A_{ij} = 1 - \arccos(0.99999 \cos(x_i, x_j)) / \pi$, times $\gamma$ across modalities
    $\hat A = D^{-1/2} A D^{-1/2}$, $D_{ii} = \sum_j A_{ij}$

In block form: nothing joins two dialogues, and across modalities nothing joins two utterances, so that the weights
are one block [M, N, N] a dialogue and M^2 numbers an utterance. Published code fills a matrix over all nodes of a batch
instead. 0.99999 keeps the arc's derivative finite; a zero vector has cosine 0 to all, and its gradient there is 0.
A missing modality has no node: its edges have weight 0 and its values cannot matter.

Shapes: U utterances of all dialogues, one dialogue after the other; M modalities, H features, N utterances of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_GUARD = 0.99999
_SHORTEST = 1e-6  # a shorter vector has no direction


@dataclass(frozen=True)
class DialogueGraph:
    """The normalised weights, $\\hat A$."""

    intra: tuple[Tensor, ...]  # of each dialogue, [M, N, N]: row i receives from column j
    cross: Tensor  # [M, M, U]: m receives from n at the same utterance; 0 where m = n

    def adjacency(self, dialogue: int) -> Tensor:
        """[M * N, M * N] of one dialogue, modality after modality, as the published figure shows it."""
        start = sum(block.shape[-1] for block in self.intra[:dialogue])
        block = self.intra[dialogue]
        modalities, n = block.shape[:2]
        across = torch.diag_embed(self.cross[:, :, start : start + n])  # [M, M, N, N]
        within = torch.diag_embed(block.permute(1, 2, 0)).permute(2, 3, 0, 1)  # [M, M, N, N]
        return (across + within).transpose(1, 2).reshape(modalities * n, modalities * n)


def dialogue_graph(
    x: Tensor, lengths: Sequence[int], present: Tensor, *, gamma: float = 1.0, causal: bool = False
) -> DialogueGraph:
    """Of x [M, U, H] with `present` bool [M, U]; `lengths` are the utterances of each dialogue and sum to U.

    `causal`: an utterance receives from itself and from earlier ones only.
    """
    unit, lengths = _unit(x), list(lengths)
    intra = [angular_weights(piece @ piece.mT) for piece in unit.split(lengths, 1)]  # [M, N, N]
    if not present.all():
        pairs = [there[:, :, None] & there[:, None, :] for there in present.split(lengths, 1)]
        intra = [block * pair for block, pair in zip(intra, pairs, strict=True)]
    if causal:
        intra = [block.tril() for block in intra]
    cross = _across(unit, present) * gamma
    within = torch.cat([block.sum(2) for block in intra], 1) if intra else cross.sum(1)
    degree = within + cross.sum(1)  # [M, U]
    scale = torch.where(degree > 0, degree, 1.0).rsqrt()
    scales = scale.split(lengths, 1)
    return DialogueGraph(
        tuple(block * s[:, :, None] * s[:, None, :] for block, s in zip(intra, scales, strict=True)),
        cross * scale[:, None] * scale[None, :],
    )


def angular_weights(cosines: Tensor) -> Tensor:
    """In (0, 1): 1 of the same direction, 0.5 of a right angle."""
    half = cosines.new_tensor(0.5)
    return torch.add(half, torch.arcsin(_GUARD * cosines), alpha=1 / torch.pi)  # 1 - arccos / pi


def _across(unit: Tensor, present: Tensor) -> Tensor:
    """[M, U, H], bool [M, U] -> [M, M, U]."""
    nothing = unit.new_zeros(unit.shape[1])
    weights = {
        (m, n): angular_weights((unit[m] * unit[n]).sum(-1)) * (present[m] & present[n])
        for m in range(len(unit))
        for n in range(m)
    }
    rows = [[weights.get((max(m, n), min(m, n)), nothing) for n in range(len(unit))] for m in range(len(unit))]
    return torch.stack([torch.stack(row) for row in rows])


def _unit(x: Tensor) -> Tensor:
    """[M, U, H]: of length 1, or 0 where a vector is too short to have a direction."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length > _SHORTEST, length, torch.inf)

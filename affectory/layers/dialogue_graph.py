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
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_GUARD = 0.99999
_SHORTEST = 1e-6  # a shorter vector has no direction


@dataclass(frozen=True)
class DialogueGraph:
    """The normalised weights $\\hat A$ between the utterances of some dialogues, without its many zeros."""

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
    """The graph of node vectors x [M, U, H], of which only those `present` bool [M, U] have edges.

    `lengths` are the numbers of utterances of the dialogues, and sum to U.

    `causal`: an utterance receives from itself and from earlier ones only.
    """
    unit, lengths = _unit(x), list(lengths)
    edges = (
        None if bool(present.all()) else [nodes[:, :, None] & nodes[:, None, :] for nodes in present.split(lengths, 1)]
    )
    if causal:
        edges = edges or [torch.ones(1, n, n, dtype=torch.bool, device=x.device) for n in lengths]
        edges = [edge.tril() for edge in edges]
    cross, *intra = _Normalised.apply(unit, _across(unit, present) * gamma, lengths, edges)  # pyright: ignore
    return DialogueGraph(tuple(intra), cross)


class _Normalised(torch.autograd.Function):
    r"""Unit vectors [M, U, H] and the weights across [M, M, U], not yet normalised -> $\hat A$: across, and the blocks.

    With $s = D^{-1/2}$ and G the gradient at $\hat A$, that at A is $s_i G_{ij} s_j - \frac12 s_i^2 t_i$, where $t_i$
    sums $G \odot \hat A$ over row and column i. It takes half the time of autograd's many small steps a dialogue.
    """

    @staticmethod
    def forward(
        ctx: Any, unit: Tensor, cross: Tensor, lengths: list[int], edges: list[Tensor] | None
    ) -> tuple[Tensor, ...]:
        cosines = [(piece @ piece.mT).mul_(_GUARD) for piece in unit.split(lengths, 1)]
        blocks = [_angular(cosine) for cosine in cosines]
        if edges is not None:
            blocks = [block.mul_(edge) for block, edge in zip(blocks, edges, strict=True)]
        degree = cross.sum(1)  # [M, U]
        if blocks:
            degree += torch.cat([block.sum(2) for block in blocks], 1)
        scale = torch.where(degree > 0, degree, 1.0).rsqrt()
        blocks = [_scaled(block, s) for block, s in zip(blocks, scale.split(lengths, 1), strict=True)]
        cross = cross * scale[:, None] * scale[None, :]
        ctx.lengths, ctx.edges = lengths, edges
        ctx.save_for_backward(unit, scale, *cosines, cross, *blocks)
        return cross, *blocks

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (unit, scale, *rest), (d_cross, *d_blocks) = ctx.saved_tensors, grads
        cosines, (cross, *blocks) = rest[: len(d_blocks)], rest[len(d_blocks) :]
        product = d_cross * cross
        total = product.sum(1) + product.sum(0)  # [M, U]
        if blocks:
            products = [grad * block for grad, block in zip(d_blocks, blocks, strict=True)]
            total += torch.cat([product.sum(2) + product.sum(1) for product in products], 1)
        d_degree = -0.5 * scale.square() * total
        d_unit = torch.empty_like(unit)
        columns = (d_blocks, cosines, *(part.split(ctx.lengths, 1) for part in (scale, d_degree, unit, d_unit)))
        for index, (grad, cosine, s, degree, piece, target) in enumerate(zip(*columns, strict=True)):
            slope = _scaled(grad * (_GUARD / torch.pi), s).add_(degree[:, :, None], alpha=_GUARD / torch.pi)
            slope.mul_((1 - cosine.square()).rsqrt_())
            if ctx.edges is not None:
                slope.mul_(ctx.edges[index])
            target.copy_((slope + slope.mT) @ piece)
        return d_unit, d_cross * scale[:, None] * scale[None, :] + d_degree[:, None], None, None


def _scaled(block: Tensor, s: Tensor) -> Tensor:
    """[M, N, N] times s_i s_j, in place."""
    return block.mul_(s[:, :, None]).mul_(s[:, None, :])


def angular_weights(cosines: Tensor) -> Tensor:
    """Edge weights in (0, 1) of cosines: nearly 1 for the same direction, 0.5 for a right angle."""
    return _angular(_GUARD * cosines)


def _angular(guarded: Tensor) -> Tensor:
    half = guarded.new_tensor(0.5)
    return torch.add(half, torch.arcsin(guarded), alpha=1 / torch.pi)  # 1 - arccos / pi


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

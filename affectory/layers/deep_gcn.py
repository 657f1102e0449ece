r"""The deep graph convolution of MMGCN: GCNII (Chen et al., ICML 2020) in the variant that reads both of its inputs.

With $\hat A$ of dialogue_graph.py, $h^0 = \mathrm{ReLU}(W x + b)$ and $\theta_l = \ln(\lambda / l + 1)$, for l = 1..L:

    $m = \hat A\, \mathrm{drop}(h^{l-1})$
    $h^l = \mathrm{ReLU}(\theta_l [m; h^0] W_l + (1 - \theta_l)((1 - \alpha) m + \alpha h^0))$

The result is $\mathrm{drop}(h^L)$. The second term is the product of $[m; h^0]$ with a constant matrix, so it is folded
into the weights: $W'_l = \theta_l W_l + (1 - \theta_l) [(1 - \alpha) I; \alpha I]$, two products a layer. The gradient
is written by hand, because autograd would keep seven matrices a layer where two suffice: m, and the state after ReLU
and dropout, which is positive exactly where the gradient passes.

Shapes: U utterances of all dialogues, M modalities, D features, H width, L layers, N utterances of one dialogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from affectory.layers.dialogue_graph import DialogueGraph
from affectory.layers.dropout import dropout_noise, kept_share


class DeepGCN(nn.Module):
    """x [M, U, in_features] and its graph -> [M, U, width]; zeros where `present` bool [M, U] is False."""

    def __init__(
        self, *, in_features: int, width: int, layers: int, dropout: float, alpha: float = 0.1, lambda_: float = 0.5
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.into = nn.Linear(in_features, width)
        self.weights = nn.Parameter(torch.empty(layers, 2 * width, width).uniform_(-(width**-0.5), width**-0.5))
        theta = torch.tensor([log(lambda_ / layer + 1) for layer in range(1, layers + 1)]).view(layers, 1, 1)
        residual = torch.cat([(1 - alpha) * torch.eye(width), alpha * torch.eye(width)])
        self.register_buffer("theta", theta, persistent=False)
        self.register_buffer("residual", residual, persistent=False)
        self.theta: Tensor  # [L, 1, 1]
        self.residual: Tensor  # [2 * H, H]

    def forward(self, x: Tensor, graph: DialogueGraph, present: Tensor) -> Tensor:
        h0 = F.relu(self.into(x))  # [M, U, H]
        h0 = h0 if bool(present.all()) else h0 * present[..., None]
        weights = torch.lerp(self.residual, self.weights, self.theta)  # [L, 2 * H, H]
        p = self.dropout if self.training else 0.0
        if torch.is_grad_enabled():
            return _Propagation.apply(h0, weights, graph.cross, p, *graph.intra)  # pyright: ignore[reportReturnType]
        state = h0
        for _, state in _propagate(h0, weights, graph.cross, graph.intra, p):  # noqa: B007
            pass
        return state


def _propagate(
    h0: Tensor, weights: Tensor, cross: Tensor, intra: Sequence[Tensor], p: float
) -> Iterator[tuple[Tensor | None, Tensor]]:
    """What came in, [M, U, H], and the state that it gave, [M, U, H], of each layer; first (None, drop(h0))."""
    lengths = [block.shape[-1] for block in intra]
    state = h0 * dropout_noise(h0.shape, p, h0) if p > 0 else h0
    yield None, state
    initial = h0.flatten(0, 1)
    for weight in weights:
        from_graph, from_initial = weight.chunk(2)
        message = _message(intra, cross, state, lengths)
        state = (initial @ from_initial).addmm_(message.flatten(0, 1), from_graph).relu_().view_as(h0)
        if p > 0:
            state.mul_(dropout_noise(h0.shape, p, h0))
        yield message, state


def _message(intra: Sequence[Tensor], cross: Tensor, state: Tensor, lengths: list[int]) -> Tensor:
    """$\\hat A h$: within each dialogue and modality, then across the modalities of each utterance."""
    message = torch.empty_like(state)
    for block, source, target in zip(intra, state.split(lengths, 1), message.split(lengths, 1), strict=True):
        torch.bmm(block, source, out=target)
    for m, n in _pairs(len(state)):
        message[m].addcmul_(cross[m, n, :, None], state[n])
    return message


def _pairs(modalities: int) -> list[tuple[int, int]]:
    return [(m, n) for m in range(modalities) for n in range(modalities) if m != n]


class _Propagation(torch.autograd.Function):
    """`_propagate` with its gradient: states and messages are kept, everything else is overwritten layer by layer."""

    @staticmethod
    def forward(ctx: Any, h0: Tensor, weights: Tensor, cross: Tensor, p: float, *intra: Tensor) -> Tensor:
        messages, states = zip(*_propagate(h0, weights, cross, intra, p), strict=True)
        state = states[-1].clone() if states[-1] is h0 else states[-1]
        ctx.p, ctx.dialogues, ctx.layers = p, len(intra), len(weights)
        ctx.save_for_backward(h0, weights, cross, *intra, *messages[1:], *states[:-1], state)
        return state

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h0, weights, cross, *rest = ctx.saved_tensors
        intra, rest = rest[: ctx.dialogues], rest[ctx.dialogues :]
        gradients = _Gradients(h0, weights, cross, intra, kept_share(ctx.p, h0))
        grad = grads[0].contiguous()
        for layer in reversed(range(ctx.layers)):
            state, after = rest[ctx.layers + layer : ctx.layers + layer + 2]
            grad = gradients.through(layer, grad, rest[layer], state, after)
        return gradients.of_h0(grad, rest[ctx.layers]), gradients.weights, gradients.of_cross(), None, *gradients.intra


class _Gradients:
    """What the layers' gradients sum up to, from the last layer to the first."""

    def __init__(self, h0: Tensor, weights: Tensor, cross: Tensor, intra: Sequence[Tensor], kept: float) -> None:
        self._initial, self._weights, self._kept = h0.flatten(0, 1), weights, kept
        self._backwards = [block.mT for block in intra], cross.transpose(0, 1), [block.shape[-1] for block in intra]
        self.weights, self.intra = torch.empty_like(weights), [torch.zeros_like(block) for block in intra]
        self._h0 = torch.zeros_like(self._initial)
        self._products = {pair: torch.zeros_like(h0[0]) for pair in _pairs(len(h0))}  # [U, H], summed over H last

    def through(self, layer: int, grad: Tensor, message: Tensor, state: Tensor, after: Tensor) -> Tensor:
        """The gradient at `state`, the layer's input, from `grad` at `after`, its output; all [M, U, H]."""
        grad = self._behind_relu_and_dropout(grad, after).flatten(0, 1)
        of_graph, of_initial = self.weights[layer].chunk(2)
        torch.mm(message.flatten(0, 1).T, grad, out=of_graph)
        torch.mm(self._initial.T, grad, out=of_initial)
        from_graph, from_initial = self._weights[layer].chunk(2)
        self._h0.addmm_(grad, from_initial.T)
        grad = (grad @ from_graph.T).view_as(state)
        self._add_edges(grad, state)
        return _message(self._backwards[0], self._backwards[1], grad, self._backwards[2])

    def of_h0(self, grad: Tensor, state: Tensor) -> Tensor:
        """From `grad` at the first state, drop(h0); where h0 is 0 the ReLU before it lets nothing pass anyway."""
        return self._behind_relu_and_dropout(grad, state).add_(self._h0.view_as(grad))

    def of_cross(self) -> Tensor:
        """[M, M, U]."""
        modalities, rows = len(self._backwards[1]), len(self._initial)
        cross = self._initial.new_zeros(modalities, modalities, rows // modalities)
        for (m, n), product in self._products.items():
            torch.sum(product, -1, out=cross[m, n])
        return cross

    def _behind_relu_and_dropout(self, grad: Tensor, after: Tensor) -> Tensor:
        return torch.ops.aten.threshold_backward(grad, after, 0).mul_(1 / self._kept)

    def _add_edges(self, grad: Tensor, state: Tensor) -> None:
        lengths = self._backwards[2]
        pieces = zip(self.intra, grad.split(lengths, 1), state.split(lengths, 1), strict=True)
        for block, received, sent in pieces:
            block.baddbmm_(received, sent.mT)
        for (m, n), product in self._products.items():
            product.addcmul_(grad[m], state[n])

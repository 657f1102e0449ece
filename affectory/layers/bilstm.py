r"""The recurrent context of an utterance: stacked LSTMs over a dialogue, in both directions or from the past alone.

With the gates $[g; i; f; o] = W x_t + b + U h_{t-1}$, the sigmoid of the last three and the tanh of the first:

    $c_t = f \odot c_{t-1} + i \odot g$,  $h_t = o \odot \tanh c_t$

Rows are packed: no step is spent on padding, and the direction from the future starts at the last utterance of its own
dialogue (published code lets it read padding first, so that a result depends on the longest dialogue of the batch).
Both directions take each step together, and the gradient is written by hand over all steps at once except for what
truly recurs; on a CPU this takes a quarter of the time of torch's packed LSTM.

Shapes: U utterances of all dialogues, H width of a direction, D directions; R = U * D rows, step after step, within a
step direction after direction, within a direction the longest dialogue first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from affectory.layers.dropout import Dropout


class DialogueLSTM(nn.Module):
    """x [U, in_features] of dialogues of `lengths` -> states [U, width].

    The first half of the width is the direction from the past, the second that from the future; a `causal` one has the
    past's alone, of the whole width. ValueError for two directions of an odd width.
    """

    def __init__(
        self, *, in_features: int, width: int, layers: int = 2, dropout: float = 0.0, causal: bool = False
    ) -> None:
        super().__init__()
        self.directions = 1 if causal else 2
        if width % self.directions:
            raise ValueError(f"width {width} of two directions: expected an even number")
        self.dropout = Dropout(dropout)  # between layers
        self.layers = nn.ModuleList(
            _Layer(size, width // self.directions, self.directions) for size in [in_features] + [width] * (layers - 1)
        )

    def forward(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        steps = _Steps.of(lengths, self.directions, x.device)
        for index, layer in enumerate(self.layers):
            x = layer(self.dropout(x) if index > 0 else x, steps)
        return x


class _Layer(nn.Module):
    """x [U, in_features] -> [U, D * H]."""

    def __init__(self, in_features: int, width: int, directions: int) -> None:
        super().__init__()
        bound = width**-0.5  # as torch.nn.LSTM
        self.weight = nn.Parameter(torch.empty(directions * 4 * width, in_features).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(directions * 4 * width).uniform_(-bound, bound))
        self.recurrent = nn.Parameter(torch.empty(directions, width, 4 * width).uniform_(-bound, bound))

    def forward(self, x: Tensor, steps: _Steps) -> Tensor:
        gates = F.linear(x, self.weight, self.bias).view(-1, self.recurrent.shape[2])  # [U * D, 4 * H]
        states = _Recurrence.apply(gates, self.recurrent, steps)  # [U * D, H]
        return states.view(len(x), -1)  # pyright: ignore[reportOptionalMemberAccess]


@dataclass(frozen=True)
class _Steps:
    """Where the R rows of all steps are, of dialogues that begin together and end each in its own time."""

    sizes: list[int]  # the dialogues that have not ended, of each step
    directions: int
    source: Tensor  # int64 [R]: the row in utterance order, [U, D], of each row in step order
    previous: Tensor  # int64 [R]: the row of the step before; R where there is none

    @classmethod
    def of(cls, lengths: Sequence[int], directions: int, device: torch.device) -> _Steps:
        counts = torch.tensor(lengths, dtype=torch.int64)
        starts = counts.cumsum(0) - counts
        counts, order = counts.sort(descending=True, stable=True)
        going = torch.arange(max(lengths, default=0))[:, None] < counts  # [T, G]
        both = going[:, None].expand(-1, directions, -1)  # [T, D, G]
        step, direction, dialogue = both.nonzero().unbind(1)
        position = torch.where(direction == 0, step, counts[dialogue] - 1 - step)
        source = (starts[order][dialogue] + position) * directions + direction
        numbers = (both.flatten().cumsum(0) - 1).view(both.shape)
        previous = torch.where(step > 0, numbers[(step - 1).clamp(min=0), direction, dialogue], len(step))
        return cls(going.sum(1).tolist(), directions, source.to(device), previous.to(device))

    def blocks(self, rows: Tensor) -> list[Tensor]:
        """[R, H] -> [D, size, H] of each step, without a copy."""
        parts = rows.split([self.directions * size for size in self.sizes])
        return [part.view(self.directions, size, -1) for part, size in zip(parts, self.sizes, strict=True)]

    def before(self, rows: Tensor) -> Tensor:
        """[R, H] of the step before each row; zeros at the first step."""
        return torch.cat([rows, rows.new_zeros(1, rows.shape[1])])[self.previous]

    def in_utterance_order(self, rows: Tensor) -> Tensor:
        return torch.empty_like(rows).index_copy_(0, self.source, rows)


class _Recurrence(torch.autograd.Function):
    """gates [U * D, 4 * H] before any activation and `recurrent` [D, H, 4 * H] -> states [U * D, H]."""

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor, steps: _Steps) -> Tensor:
        gates = gates[steps.source]  # in step order, and ours to overwrite
        cells, tanhs, states = (gates.new_empty(len(gates), recurrent.shape[1]) for _ in range(3))
        state = cell = None
        for gate, c, tanh, h in zip(*map(steps.blocks, (gates, cells, tanhs, states)), strict=True):
            if state is not None:
                gate.baddbmm_(state[:, : gate.shape[1]], recurrent)
            new, i, forget, o = _activated(gate)
            torch.mul(i, new, out=c)
            if cell is not None:
                c.addcmul_(forget, cell[:, : c.shape[1]])
            torch.tanh(c, out=tanh)
            torch.mul(o, tanh, out=h)
            state, cell = h, c
        ctx.steps = steps
        ctx.save_for_backward(gates, cells, tanhs, states, recurrent)
        return steps.in_utterance_order(states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gates, cells, tanhs, states, recurrent = ctx.saved_tensors
        steps: _Steps = ctx.steps
        forget = gates.chunk(4, 1)[2].contiguous()
        d_gates, d_cells = _slopes(gates, steps.before(cells), tanhs)
        d_states, transposed = grads[0][steps.source], recurrent.mT.contiguous()
        # Of the step after, which fewer dialogues reach: the gradients at its gates and, through f, at our cells.
        later = tuple(rows.new_zeros(len(recurrent), 0, rows.shape[1]) for rows in (gates, cells))
        columns = (d_gates, d_cells, d_states, forget)
        for d_gate, d_c, d_h, f in reversed(list(zip(*map(steps.blocks, columns), strict=True))):
            going = later[0].shape[1]
            d_h[:, :going].baddbmm_(later[0], transposed)
            d_c.mul_(d_h)[:, :going].add_(later[1])
            by_gate = d_gate.view(*d_gate.shape[:2], 4, -1)
            by_gate[:, :, :3].mul_(d_c[:, :, None])
            by_gate[:, :, 3].mul_(d_h)
            later = d_gate, d_c * f
        d_gates = steps.in_utterance_order(d_gates)
        before = steps.in_utterance_order(steps.before(states)).view(-1, *recurrent.shape[:2])  # [U, D, H]
        by_direction = d_gates.view(len(before), len(recurrent), -1)  # [U, D, 4 * H]
        return d_gates, before.permute(1, 2, 0) @ by_direction.transpose(0, 1), None


def _activated(gate: Tensor) -> Sequence[Tensor]:
    """g, i, f, o, each [D, size, H], activated in place."""
    width = gate.shape[2] // 4
    gate[..., :width].tanh_()
    gate[..., width:].sigmoid_()
    return gate.chunk(4, 2)


def _slopes(gates: Tensor, cells_before: Tensor, tanhs: Tensor) -> tuple[Tensor, Tensor]:
    """[R, 4 * H]: of c_t by the gates g, i, f before activation, and of h_t by o; [R, H]: of h_t by c_t."""
    new, i, forget, o = gates.chunk(4, 1)
    slopes = [
        (1 - new * new) * i,
        new * i * (1 - i),
        cells_before * forget * (1 - forget),
        tanhs * o * (1 - o),
    ]
    return torch.cat(slopes, 1), (1 - tanhs * tanhs) * o

"""A GRU that steps over what is masked, as the memories of CMN and ICON need it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MaskedGRU(nn.Module):
    """The state is carried over masked steps; what comes out there is zero.

    Shapes: x [..., T, in_features], mask bool [..., T] -> [..., T, width].
    """

    def __init__(self, *, in_features: int, width: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(in_features, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        rows, valid = x.flatten(0, -3), mask.flatten(0, -2)[..., None]  # [R, T, D], [R, T, 1]
        state, states = x.new_zeros(len(rows), self.cell.hidden_size), []
        for step in range(rows.shape[1]):
            state = torch.where(valid[:, step], self.cell(rows[:, step], state), state)
            states.append(state * valid[:, step])
        return torch.stack(states, 1).view(*x.shape[:-1], -1)

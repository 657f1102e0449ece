"""One step of a GRU whose input was projected beforehand, for all steps at once."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gru_step(projected: Tensor, state: Tensor, cell: nn.GRUCell) -> Tensor:
    """The next state [B, H], as cell(x, state) gives it, from `projected` = x W_ih + b_ih [B, 3 H] and state [B, H]."""
    h, width = F.linear(state, cell.weight_hh, cell.bias_hh), cell.hidden_size
    reset, update = (projected[:, : 2 * width] + h[:, : 2 * width]).sigmoid().chunk(2, 1)
    new = (projected[:, 2 * width :] + reset * h[:, 2 * width :]).tanh()
    return torch.lerp(new, state, update)

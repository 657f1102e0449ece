"""Maximum over time that never sees padding."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """[B, T, H] and bool [B, T] -> [B, H]: the maximum over the valid steps; zeros where a row has none."""
    lowest = torch.finfo(values.dtype).min
    pooled = values.masked_fill(~mask[..., None], lowest).amax(1)
    return pooled.masked_fill(~mask.any(1, keepdim=True), 0.0)

"""A window of fixed length of each row: what a network of pictures can read."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Crop = Literal["start", "centre", "random"]


def window(frames: Tensor, mask: Tensor, *, steps: int, crop: Crop, training: bool) -> tuple[Tensor, Tensor]:
    """([B, steps, D], bool [B, steps]) of frames [B, T, D] and mask bool [B, T], whose padding is at the end.

    A row longer than `steps` is cropped: from its start, from its centre (the earlier one of two), or from anywhere
    while `training` and from its centre otherwise. A shorter one gets zeros at its end, where the mask is False. Random
    crops follow torch.manual_seed, the same on every device.
    """
    lengths = mask.sum(1)
    first = _first_steps((lengths - steps).clamp(min=0), crop if training or crop != "random" else "centre")
    offsets = torch.arange(steps, device=frames.device)
    inside = offsets < lengths[:, None]  # [B, steps]
    positions = torch.where(inside, first[:, None] + offsets, 0)
    cropped = frames.gather(1, positions[..., None].expand(-1, -1, frames.shape[2]))
    return cropped.masked_fill(~inside[..., None], 0.0), inside


def picture(x: Tensor, *, smallest: int) -> Tensor:
    """[B, S, D] -> [B, 1, S, D], with zeros below and to the right where a side is shorter than `smallest`."""
    sides = x.shape[1:]
    below, right = (max(smallest - side, 0) for side in sides)
    return F.pad(x, (0, right, 0, below))[:, None]


def _first_steps(spare: Tensor, crop: Crop) -> Tensor:
    """int64 [B]: where each window starts; `spare` int64 [B] are the frames that do not fit in."""
    if crop == "start":
        return torch.zeros_like(spare)
    if crop == "centre":
        return spare // 2
    return (torch.rand(len(spare), dtype=torch.float64).to(spare.device) * (spare + 1)).long()

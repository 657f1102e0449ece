"""What surrounds each utterance of a dialogue, as views without a copy."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def windows(x: Tensor, *, past: int, future: int) -> Tensor:
    """[G, N, D] -> [G, N, past + 1 + future, D]: from `past` utterances before to `future` after, zeros outside."""
    return F.pad(x, (0, 0, past, future)).unfold(1, past + 1 + future, 1).transpose(2, 3)


def preceding(x: Tensor, slots: int) -> Tensor:
    """[G, N, D] -> [G, N, slots, D]: the `slots` utterances before each, nearest last, zeros where there is none."""
    return windows(x, past=slots, future=0)[:, :, :-1]

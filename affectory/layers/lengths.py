"""Rows of near lengths, so that little is computed on padding."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_RATIO = 1.5  # of the longest to the shortest row of a group: less padding costs more in small groups than it saves


def near_lengths(lengths: Tensor) -> list[Tensor]:
    """The positions int64 [n] of rows of near `lengths` int64 [B], in groups from long to short; none of length 0."""
    order = lengths.argsort(descending=True, stable=True)[: int(lengths.count_nonzero())]
    ordered = lengths[order].numpy()
    sizes, start = [], 0
    while start < len(ordered):
        sizes.append(int(np.count_nonzero(ordered[start:] * _RATIO >= ordered[start])))
        start += sizes[-1]
    return list(torch.split(order, sizes))

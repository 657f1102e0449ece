"""The textual encoder of MMIN: convolutions over the tokens, pooled by their maximum (Kim, EMNLP 2014)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.pooling import masked_max


class TextCNN(nn.Module):
    r"""$h = \mathrm{ReLU}(W [c_{3}; c_{4}; c_{5}])$, $c_k = \max_t \mathrm{ReLU}(\mathrm{conv}_k(x))_t$.

    Only windows that lie inside the sequence count; a sequence shorter than a kernel has one window, filled up with
    zeros. Shapes: frames [B, T, in_features], mask bool [B, T] -> [B, width].
    """

    def __init__(
        self, *, in_features: int, width: int, channels: int, kernel_sizes: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.kernel_sizes = tuple(kernel_sizes)
        self.convolutions = nn.ModuleList(nn.Conv1d(in_features, channels, size) for size in kernel_sizes)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(channels * len(kernel_sizes), width)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        pairs = zip(self.convolutions, self.kernel_sizes, strict=True)
        pooled = [self._windows(convolution, size, frames, mask) for convolution, size in pairs]
        return F.relu(self.out(self.dropout(torch.cat(pooled, dim=1))))  # [B, H]

    def _windows(self, convolution: nn.Module, size: int, frames: Tensor, mask: Tensor) -> Tensor:
        filled = F.pad((frames * mask[..., None]).transpose(1, 2), (0, max(size - frames.shape[1], 0)))  # [B, D, T]
        windows = F.relu(convolution(filled)).transpose(1, 2)  # [B, T - size + 1, channels]
        last = (mask.sum(1, keepdim=True) - size).clamp(min=0)  # where the last whole window begins
        valid = torch.arange(windows.shape[1], device=mask.device) <= last
        return masked_max(windows, valid & mask.any(1, keepdim=True))

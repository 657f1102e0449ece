"""The textual encoder of MMIN: convolutions over the tokens, pooled by their maximum (Kim, EMNLP 2014)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TextCNN(nn.Module):
    r"""$h = \mathrm{ReLU}(W [c_{3}; c_{4}; c_{5}])$, $c_k = \max_t \mathrm{ReLU}(\mathrm{conv}_k(x))_t$.

    Only windows that lie inside the sequence count; a sequence shorter than a kernel has one window, filled up with
    zeros. Shapes: frames [B, T, in_features], mask bool [B, T] -> [B, width], zeros where a row has no frame.
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
        widest, rows = max(self.kernel_sizes), mask.any(1).nonzero()[:, 0]
        if (fill := widest - frames.shape[1]) > 0:
            frames, mask = F.pad(frames, (0, 0, 0, fill)), F.pad(mask, (0, fill))
        counts = mask[rows].sum(1)
        lengths = counts.clamp(min=widest)
        steps = torch.arange(frames.shape[1], device=frames.device)
        inside = steps < lengths[:, None]  # [n, T]
        positions = (rows[:, None] * len(steps) + steps)[inside]
        packed = frames.flatten(0, 1).index_select(0, positions)  # [sum of lengths, D]
        packed = packed.masked_fill_(~mask[rows][inside][:, None], 0.0)
        starts = lengths.cumsum(0) - lengths
        pooled = [
            strongest_window(packed, starts, (counts - size).clamp(min=0) + 1, *layer.parameters())
            for size, layer in zip(self.kernel_sizes, self.convolutions, strict=True)
        ]
        encoded = self._of_pooled(torch.cat(pooled, dim=1))  # [n, H]
        return encoded.new_zeros(len(frames), encoded.shape[1]).index_copy(0, rows, encoded)

    def missing(self) -> Tensor:
        """[1, width]: the encoding of one zero frame, of which the convolutions leave their biases."""
        return self._of_pooled(torch.cat([bias for _, bias in map(nn.Module.parameters, self.convolutions)])[None])

    def _of_pooled(self, pooled: Tensor) -> Tensor:
        return F.relu(self.out(self.dropout(F.relu(pooled))))


def strongest_window(frames: Tensor, starts: Tensor, windows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""$\max_t (\mathrm{conv}(x)_t + b)$ over the windows of each row: [B, C].

    frames [N, D] of all rows, one after the other; int64 [B] where each row starts and how many windows it has, at
    least one; weight [C, D, S] and bias [C] as of Conv1d. Only the windows that won have a gradient, and only they are
    read for it: on a CPU forward and backward together take half the time of torch's convolution and maximum.
    """
    return _StrongestWindow.apply(frames, starts, windows, weight, bias)  # pyright: ignore[reportReturnType]


class _StrongestWindow(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, frames: Tensor, starts: Tensor, windows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        size = weight.shape[2]
        n = max(len(frames) - size + 1, 0)
        taps = weight.permute(2, 0, 1).contiguous()  # [S, C, D]
        responses = torch.addmm(bias, frames[:n], taps[0].T)  # [n, C], also where a window runs into another row
        for tap in range(1, size):
            responses.addmm_(frames[tap : tap + n], taps[tap].T)
        steps = torch.arange(int(windows.max()) if len(windows) else 1, device=frames.device)
        inside = steps < windows[:, None]
        of_row = responses[torch.where(inside, starts[:, None] + steps, 0)]  # [B, T, C]
        strongest, place = of_row.masked_fill(~inside[..., None], torch.finfo(frames.dtype).min).max(1)
        ctx.save_for_backward(frames, weight, starts[:, None] + place)
        return strongest

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, None, None, Tensor, Tensor]:
        grad = grads[0]  # [B, C]
        frames, weight, first = ctx.saved_tensors  # first [B, C]: where the windows that won begin
        channels, features, size = weight.shape
        of_weight = torch.zeros_like(weight)
        if len(first):
            taps = torch.arange(size, device=first.device)[:, None, None]
            bags = (first.T + taps).flatten(0, 1)  # [S * C, B]
            sums = F.embedding_bag(bags, frames, mode="sum", per_sample_weights=grad.T.repeat(size, 1))
            of_weight = sums.view(size, channels, features).permute(1, 2, 0)
        of_frames = None
        if ctx.needs_input_grad[0]:
            responses = grad.new_zeros(len(frames), channels).scatter_add_(0, first, grad)
            of_frames = responses @ weight[..., 0]
            for tap in range(1, size):
                of_frames[tap:] += responses[: len(frames) - tap] @ weight[..., tap]
        return of_frames, None, None, of_weight, grad.sum(0)

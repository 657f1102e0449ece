"""The encoder of faces in time: a network's vector of each picture, then a recurrent layer or parallel convolutions.

Source of the convolutions: the 4Conv1D of W. Zheng and S. Cao in the OMG-Emotion challenge, 2018: kernels of 2, 3, 4
and 5 frames, 128 filters each, batch normalisation, ReLU, the maximum over time, one fully connected layer.

Shapes: B rows, T frames, n rows with a frame, N frames or windows of all rows, D values of a vector, H = width.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.imagenet import as_images

RECURRENT: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
CONV1D_4 = "conv1d_4"
TEMPORAL = (*RECURRENT, CONV1D_4)
KERNELS = (2, 3, 4, 5)  # frames
FILTERS = 128  # of each kernel
PICTURES = 64  # that a network reads at a time where it does not learn


class PicturesInTime(nn.Module):
    r"""$h = \mathrm{RNN}(x_1 .. x_T)_T$, or $h = \mathrm{ReLU}(W [c_2; c_3; c_4; c_5])$ with $c_k$ as in `_Windows`.

    Frames [B, T, in_features] are the vectors x. With a `backbone` ([N, 3, S, S] -> [N, its out_features]) they are
    pictures of 0..255, in_features = S * S * 3, and x is what it makes of them while it is trained along; with `freeze`
    it is not, and stays in evaluation mode. Only valid frames are read, wherever they are. mask bool [B, T] -> [B, H],
    zeros where a row has no frame.
    """

    def __init__(
        self, *, in_features: int, temporal: str, width: int = 256, backbone: nn.Module | None = None,
        freeze: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if temporal not in TEMPORAL:
            raise ValueError(f"temporal {temporal!r}: expected one of {', '.join(TEMPORAL)}")
        size: int = in_features if backbone is None else backbone.out_features  # pyright: ignore[reportAssignmentType]
        kind = RECURRENT.get(temporal)
        self.temporal = _LastState(kind(size, width, batch_first=True)) if kind else _Windows(size, width)
        self.backbone = backbone
        self.frozen = freeze and backbone is not None
        self.out_features = width
        if backbone is not None and self.frozen:
            backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> PicturesInTime:
        super().train(mode)
        if self.backbone is not None and self.frozen:
            self.backbone.eval()
        return self

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        rows = mask.any(1).nonzero()[:, 0]
        encoded = frames.new_zeros(len(frames), self.out_features, dtype=self.missing().dtype)
        if not len(rows):
            return encoded
        lengths = mask[rows].sum(1)
        vectors = self._seen(frames[mask])  # [N, D]
        valid = torch.arange(int(lengths.max()), device=mask.device) < lengths[:, None]  # [n, T]
        steps = vectors.new_zeros(*valid.shape, vectors.shape[1]).masked_scatter(valid[..., None], vectors)
        return encoded.index_copy(0, rows, self.temporal(steps, lengths))

    def missing(self) -> Tensor:
        """[1, H]: zeros, as of a row without a frame."""
        return next(self.temporal.parameters()).new_zeros(1, self.out_features)

    def _seen(self, frames: Tensor) -> Tensor:
        """What a temporal layer sees of frames [N, ..]: [N, D]."""
        if self.backbone is None:
            return frames
        if torch.is_grad_enabled() and not self.frozen:
            return self.backbone(as_images(frames))
        with torch.no_grad():  # a few at a time: nothing of them is kept
            return torch.cat([self.backbone(as_images(group)) for group in frames.split(PICTURES)])


class _LastState(nn.Module):
    """The state after the last frame of each row: steps [n, T, D], lengths int64 [n] -> [n, H]."""

    def __init__(self, recurrent: nn.RNNBase) -> None:
        super().__init__()
        self.recurrent = recurrent

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        states, _ = self.recurrent(steps)  # [n, T, H]; looks back only, so what follows the last frame has no part
        return states[torch.arange(len(states), device=states.device), lengths - 1]


class _Windows(nn.Module):
    r"""$c_k = \max_t \mathrm{ReLU}(\mathrm{BN}(\mathrm{conv}_k(x)_t))$: steps [n, T, D], lengths [n] -> [n, H].

    Only windows that lie inside the row count, in the batch's statistics too; a row shorter than a kernel has one,
    filled up with zeros.
    """

    def __init__(self, in_features: int, width: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv1d(in_features, FILTERS, size) for size in KERNELS)
        self.norms = nn.ModuleList(_WindowNorm(FILTERS) for _ in KERNELS)
        self.out = nn.Linear(FILTERS * len(KERNELS), width)

    def forward(self, steps: Tensor, lengths: Tensor) -> Tensor:
        channels = F.pad(steps, (0, 0, 0, max(max(KERNELS) - steps.shape[1], 0))).mT  # [n, D, T]
        pooled = []
        for size, convolution, norm in zip(KERNELS, self.convolutions, self.norms, strict=True):
            responses = convolution(channels).mT  # [n, T - size + 1, FILTERS]
            windows = (lengths - size).clamp(min=0) + 1
            inside = torch.arange(responses.shape[1], device=lengths.device) < windows[:, None]
            strength = F.relu(norm(responses[inside]))  # [N, FILTERS]
            pooled.append(torch.zeros_like(responses).masked_scatter(inside[..., None], strength).amax(1))
        return F.relu(self.out(torch.cat(pooled, dim=1)))


class _WindowNorm(nn.BatchNorm1d):
    """Takes a batch of a single window by the statistics so far, where torch refuses to make some of it."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)

"""1-D convolution over time beside 2-D convolution over the picture ("Conv 1D + 2D")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectory.layers.pooling import masked_max
from affectory.layers.spectrogram.conv2d_5 import conv_blocks
from affectory.layers.spectrogram.windows import picture

_SMALLEST = 16  # the 2-D blocks halve each side four times


class Conv1d2d(nn.Module):
    """Two branches side by side, [B, 8 * channels] each.

    1-D: two times convolution over 5 steps, the bands as channels, batch normalisation and ReLU; then the maximum over
    the valid steps. 2-D: four blocks as in Conv2d5, then the mean over the picture. As spectrogram/__init__.py. The
    branches have 4 and 8, and 1, 2, 4 and 8 times `channels`; these and all of their form are also our choice.
    """

    def __init__(self, *, in_features: int, channels: int = 16) -> None:
        super().__init__()
        self.over_time = nn.Sequential(*_conv1d(in_features, 4 * channels), *_conv1d(4 * channels, 8 * channels))
        self.over_picture = conv_blocks([channels * times for times in (1, 2, 4, 8)], pool=(2, 2))
        self.out_features = 16 * channels

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        strongest = masked_max(self.over_time(x.mT).mT, mask)
        mean = self.over_picture(picture(x, smallest=_SMALLEST)).mean((2, 3))
        return torch.cat([strongest, mean], 1)


def _conv1d(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv1d(before, after, 5, padding=2, bias=False), nn.BatchNorm1d(after), nn.ReLU(inplace=True)

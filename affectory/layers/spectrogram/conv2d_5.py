"""Five blocks of 2-D convolution over the spectrogram ("5Conv2D")."""

from __future__ import annotations

from torch import Tensor, nn

from affectory.layers.spectrogram.windows import picture

_SMALLEST = 32  # the blocks halve each side five times


class Conv2d5(nn.Module):
    """Five times convolution 3x3, batch normalisation, ReLU and maximum over 2x2; then the mean over the picture.

    As spectrogram/__init__.py. The blocks have 1, 2, 4, 8 and 8 times `channels`, which is also our choice.
    """

    def __init__(self, *, channels: int = 16) -> None:
        super().__init__()
        self.blocks = conv_blocks([channels * times for times in (1, 2, 4, 8, 8)], pool=(2, 2))
        self.out_features = 8 * channels

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.blocks(picture(x, smallest=_SMALLEST)).mean((2, 3))


def conv_blocks(channels: list[int], *, pool: tuple[int, int]) -> nn.Sequential:
    """[B, 1, S, D] -> [B, channels[-1], ...]: one block a number, each pooled over `pool` steps and bands."""
    blocks = nn.Sequential()
    for before, after in zip([1, *channels], channels, strict=False):
        blocks.append(
            nn.Sequential(
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(pool),
            )
        )
    return blocks

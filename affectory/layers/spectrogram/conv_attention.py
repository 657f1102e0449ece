"""2-D convolution over the spectrogram and attention over its steps ("Conv + ATT")."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.dialogue_attention import masked_softmax
from affectory.layers.spectrogram.conv2d_5 import conv_blocks
from affectory.layers.spectrogram.windows import picture

_SMALLEST = 16  # the blocks halve the bands four times


class ConvAttention(nn.Module):
    r"""$y = \sum_t a_t h_t$, $a_t = \mathrm{softmax}_t(w \cdot \tanh(W h_t))$ over the valid steps t.

    $h_t$ are four blocks of convolution 3x3, batch normalisation, ReLU and maximum over two bands, then the mean over
    the bands that are left; no block pools over time. After each block the steps beyond the row's end are zeros again,
    so that a row gives the same in windows of any length that holds it. As spectrogram/__init__.py. The blocks have
    1, 2, 4 and 8 times `channels`; these, their number and where they pool are also our choice.
    """

    def __init__(self, *, channels: int = 16) -> None:
        super().__init__()
        self.out_features = 8 * channels
        self.blocks = conv_blocks([channels * times for times in (1, 2, 4, 8)], pool=(1, 2))
        self.keys = nn.Linear(self.out_features, self.out_features)
        self.score = nn.Linear(self.out_features, 1, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = picture(x, smallest=_SMALLEST)
        mask = F.pad(mask, (0, h.shape[2] - mask.shape[1]))
        for block in self.blocks:
            h = block(h) * mask[:, None, :, None]
        h = h.mean(3).mT  # [B, S, H]
        attention = masked_softmax(self.score(self.keys(h).tanh())[..., 0], mask)  # [B, S]
        return (attention[:, None] @ h)[:, 0]

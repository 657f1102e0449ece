"""The acoustic and visual encoder of MMIN: an LSTM, pooled by its maximum over time."""

from __future__ import annotations

from torch import Tensor, nn

from affectory.layers.pooling import masked_max


class MaxPooledLSTM(nn.Module):
    r"""$h = \max_{t \le T} \mathrm{LSTM}(x_1 .. x_T)_t$, one layer, one direction (Zhao et al., ACL 2021).

    The LSTM only looks back and padding is at the end, so valid steps never see it and need no packing; the pooling
    takes the mask. Shapes: frames [B, T, in_features], mask bool [B, T] -> [B, width].
    """

    def __init__(self, *, in_features: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_features, width, batch_first=True)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        states, _ = self.lstm(frames)  # [B, T, H]
        return masked_max(states, mask)

    def missing(self) -> Tensor:
        """[1, width]: the encoding of one zero frame."""
        frame = next(self.parameters()).new_zeros(1, 1, self.lstm.input_size)
        return self.lstm(frame)[0][:, 0]

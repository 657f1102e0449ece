"""The acoustic and visual encoder of MMIN: an LSTM, pooled by its maximum over time."""

from __future__ import annotations

from torch import Tensor, nn

from affectory.layers.lengths import near_lengths
from affectory.layers.pooling import masked_max


class MaxPooledLSTM(nn.Module):
    r"""$h = \max_{t \le T} \mathrm{LSTM}(x_1 .. x_T)_t$, one layer, one direction (Zhao et al., ACL 2021).

    The LSTM only looks back and padding is at the end, so valid steps never see it and need no packing; the pooling
    takes the mask. On a CPU rows of near lengths run together: most utterances take few seconds and some many, and
    padded to the longest most of the work would be on padding. Shapes: frames [B, T, in_features], mask bool [B, T] ->
    [B, width], zeros where a row has no frame.
    """

    def __init__(self, *, in_features: int, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(in_features, width, batch_first=True)

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        lengths = mask.sum(1)
        groups = near_lengths(lengths) if lengths.device.type == "cpu" else [lengths.nonzero()[:, 0]]
        pooled = frames.new_zeros(len(frames), self.lstm.hidden_size)
        for rows in filter(len, groups):
            steps = int(lengths[rows].max())
            states, _ = self.lstm(frames[:, :steps].index_select(0, rows))  # [n, steps, H]
            pooled = pooled.index_copy(0, rows, masked_max(states, mask[rows, :steps]))
        return pooled

    def missing(self) -> Tensor:
        """[1, width]: the encoding of one zero frame."""
        frame = next(self.parameters()).new_zeros(1, 1, self.lstm.input_size)
        return self.lstm(frame)[0][:, 0]

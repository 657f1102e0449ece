"""The encoder of features that are one vector an utterance, where sequence encoders have nothing to read."""

from __future__ import annotations

from torch import Tensor, nn


class VectorEncoder(nn.Module):
    r"""$h = \mathrm{ReLU}(W_2\,\mathrm{ReLU}(W_1 x))$, dropout between; the first frame is the vector.

    Shapes: frames [B, T, in_features], mask bool [B, T] -> [B, width], zeros where a row has no frame.
    """

    def __init__(self, *, in_features: int, width: int, dropout: float) -> None:
        super().__init__()
        self.in_features = in_features
        self.layers = nn.Sequential(
            nn.Linear(in_features, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU()
        )

    def forward(self, frames: Tensor, mask: Tensor) -> Tensor:
        rows = mask[:, 0].nonzero()[:, 0]
        encoded = self.layers(frames[rows, 0])
        return encoded.new_zeros(len(frames), encoded.shape[1]).index_copy(0, rows, encoded)

    def missing(self) -> Tensor:
        """[1, width]: the encoding of a vector of zeros."""
        return self.layers(next(self.parameters()).new_zeros(1, self.in_features))

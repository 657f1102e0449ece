"""The encoders of MMIN: one a modality, each to one vector, and what stands in for a missing modality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.inputs import ModalityInput
from affectory.layers.lstm import MaxPooledLSTM
from affectory.layers.textcnn import TextCNN
from affectory.layers.vector import VectorEncoder
from affectory.vocabulary import MODALITIES, Modality

_BATCH_ROWS = 256


class ModalityEncoders(nn.Module):
    """An LSTM (acoustic, visual), a TextCNN (textual), or an MLP where the model sees one frame a row.

    A missing modality is the encoding of a single zero frame ($x_{miss} = 0$), so that a row's result depends on
    nothing but the row. Shapes: B batch, M modalities, H width, K ways of having modalities.
    """

    def __init__(
        self, inputs: Mapping[Modality, ModalityInput], *, width: int, kernel_sizes: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.modalities = tuple(modality for modality in MODALITIES if modality in inputs)
        self.widths = tuple(inputs[modality].model_width for modality in self.modalities)
        self.encoders = nn.ModuleList(
            _encoder(modality, inputs[modality], width, kernel_sizes, dropout) for modality in self.modalities
        )
        self.out_features = len(self.modalities) * width

    def forward(self, batch: Batch, wanted: Tensor) -> Tensor:
        """[B, M, H]: each modality encoded once, of the rows where `wanted` bool [B, M]; zeros elsewhere."""
        columns = [
            encoder(batch.frames[modality], batch.mask[modality] & wanted[:, column, None])
            for column, (modality, encoder) in enumerate(zip(self.modalities, self.encoders, strict=True))
        ]
        return torch.stack(columns, dim=1)

    def missing(self) -> Tensor:
        """[M, H]: the encoding of one zero frame, the same for every row."""
        return torch.cat([encoder.missing() for encoder in self.encoders])  # pyright: ignore[reportCallIssue]

    def joint(self, encoded: Tensor, available: Tensor) -> Tensor:
        """[..., B, M * H]: each row's encodings side by side, `missing()` where `available` bool [..., B, M] is False.

        `encoded` [B, M, H] is what forward gives.
        """
        return torch.where(available[..., None], encoded, self.missing()).flatten(-2)

    @torch.no_grad()
    def of_all(self, data: PackedFeatures) -> Tensor:
        """[N, M, H]: every row of the data encoded once, without dropout; zeros where a modality is missing."""
        was_training = self.training
        self.to(data.device).eval()
        order = data.longest(np.arange(len(data))).argsort(kind="stable")
        encoded = None
        for start in range(0, len(order), _BATCH_ROWS):
            batch = data.batch(order[start : start + _BATCH_ROWS])
            part = self(batch, batch.present)
            encoded = part.new_zeros(len(data), *part.shape[1:]) if encoded is None else encoded
            encoded[batch.index] = part
        self.train(was_training)
        assert encoded is not None, "no rows"
        return encoded


def _encoder(
    modality: Modality, fitted: ModalityInput, width: int, kernel_sizes: Sequence[int], dropout: float
) -> nn.Module:
    in_features = fitted.model_width
    if fitted.single_frame:
        return VectorEncoder(in_features=in_features, width=width, dropout=dropout)
    if modality is Modality.TEXTUAL:
        return TextCNN(in_features=in_features, width=width, channels=width, kernel_sizes=kernel_sizes, dropout=dropout)
    return MaxPooledLSTM(in_features=in_features, width=width)

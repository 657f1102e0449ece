"""Attention of each modality of an utterance over all that it has (Pan, Luo, Yang, Li, Interspeech 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SHORTEST = 1e-6  # a query or key is divided by no less: the cosine's gradient stays finite where a vector is zero


class ModalityAttention(nn.Module):
    r"""$x'_m = x_m + \mathrm{drop}(\sum_n s_{mn} V_n x_n)$, $s_m = \mathrm{softmax}_n \cos(Q_m x_m, K_n x_n)$.

    The softmax is over the modalities n that the row has, m itself among them; there is no softmax over time. The
    slot of a modality that the row misses is zero. Weighting each value by its own s_mn is the equation; code derived
    from the authors' takes s_m1 for all three values.
    Shapes: x [B, M, width], available bool [..., B, M] -> [..., B, M, width]; the conditions in front share all
    projections and scores.
    """

    def __init__(self, *, modalities: int, width: int, dropout: float) -> None:
        super().__init__()
        self.queries, self.keys, self.values = (_projections(modalities, width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, available: Tensor) -> Tensor:
        queries, keys, values = (
            torch.einsum("bmh,mhd->bmd", x, weights) for weights in (self.queries, self.keys, self.values)
        )
        scores = F.normalize(queries, dim=-1, eps=_SHORTEST) @ F.normalize(keys, dim=-1, eps=_SHORTEST).mT  # [B, M, M]
        lowest = torch.finfo(scores.dtype).min
        weights = torch.where(available[..., None, :], scores, lowest).softmax(-1)  # [..., B, M, M]
        return torch.where(available[..., None], x + self.dropout(weights @ values), 0.0)


def _projections(modalities: int, width: int) -> nn.Parameter:
    """One square matrix a modality, [M, width, width], drawn as torch draws a linear layer's."""
    return nn.Parameter(torch.empty(modalities, width, width).uniform_(-(width**-0.5), width**-0.5))

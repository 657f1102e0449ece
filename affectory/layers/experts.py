"""Experts: each modality votes for itself, the votes of those that are available add up, several members average.

A product of experts (Hinton 1999) over an ensemble (Lakshminarayanan et al., NIPS 2017): what is missing has no vote,
so there is nothing to imagine. The members lie in one tensor and are trained together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StackedLinear(nn.Module):
    """S linear layers at once: x [S, B, in_features] -> [S, B, out_features], each with its own weights."""

    def __init__(self, *, members: int, in_features: int, out_features: int) -> None:
        super().__init__()
        bound = in_features**-0.5  # as torch.nn.Linear
        self.weight = nn.Parameter(nn.init.uniform_(torch.empty(members, in_features, out_features), -bound, bound))
        self.bias = nn.Parameter(nn.init.uniform_(torch.empty(members, 1, out_features), -bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, x, self.weight)


class ModalityExperts(nn.Module):
    r"""Votes of S members: $o_m = W_2\,\mathrm{drop}(\mathrm{ReLU}(W_1\,\mathrm{drop}(x_m)))$ for each modality m.

    Shapes: x a list of M tensors [B, D_m] -> votes [S, M, B, C].
    """

    def __init__(
        self,
        *,
        in_features: Sequence[int],
        width: int,
        n_classes: int,
        members: int,
        input_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.members = members
        self.first = nn.ModuleList(
            StackedLinear(members=members, in_features=features, out_features=width) for features in in_features
        )
        self.second = nn.ModuleList(
            StackedLinear(members=members, in_features=width, out_features=n_classes) for _ in in_features
        )
        self.input_dropout, self.dropout = nn.Dropout(input_dropout), nn.Dropout(dropout)

    def forward(self, x: Sequence[Tensor]) -> Tensor:
        votes = []
        for features, first, second in zip(x, self.first, self.second, strict=True):
            spread = features.expand(self.members, *features.shape)
            votes.append(second(self.dropout(F.relu(first(self.input_dropout(spread))))))
        return torch.stack(votes, dim=1)

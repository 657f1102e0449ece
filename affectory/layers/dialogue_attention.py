"""General attention of every utterance over its dialogue (Luong et al., EMNLP 2015), as ERC models end in it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class DialogueAttention(nn.Module):
    r"""$y_i = \sum_j \mathrm{softmax}_j(h_i^\top W h_j)\, h_j$ over the utterances j of the dialogue.

    Shapes: h [G, N, width], mask bool [G, N] -> [G, N, width].
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, width, bias=False)

    def forward(self, h: Tensor, mask: Tensor) -> Tensor:
        scores = self.weight(h) @ h.mT  # [G, N, N]
        return masked_softmax(scores, mask[:, None, :]) @ h


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last dimension where the mask is True; zeros, also in the gradient, where it is nowhere True."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, lowest).softmax(-1) * mask

"""CMN, the Conversational Memory Network (Hazarika et al., NAACL 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectory.layers.dialogue_attention import masked_softmax
from affectory.layers.dropout import Dropout
from affectory.layers.masked_gru import MaskedGRU
from affectory.layers.utterance_windows import preceding


class CMN(nn.Module):
    r"""An utterance asks what its speaker, and what the others have said before it.

    With $H_s$, $H_o$ the states of two GRUs over the speaker's own and the others' utterances among the `slots` before:

        $q_0 = \tanh(W x_i)$,  $M_k = \mathrm{GRU}_k(\tanh H_k)$
        $r_k = \sum_j \mathrm{softmax}_j(\tanh(q \cdot M_{kj}))\, M_{kj}$
        $q \leftarrow \tanh(q + r_s + r_o)$, `hops` times

    All others are one party, so that any number may speak. An utterance without a history reads nothing.
    Shapes as in erc/__init__.py.
    """

    def __init__(
        self, *, in_features: int, width: int = 100, slots: int = 40, hops: int = 3, dropout: float = 0.7
    ) -> None:
        super().__init__()
        self.out_features, self.slots, self.hops = width, slots, hops
        self.query = nn.Linear(in_features, width)
        self.own, self.others = (MaskedGRU(in_features=in_features, width=width) for _ in range(2))
        self.memories = nn.ModuleList(MaskedGRU(in_features=width, width=width) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, speakers: Tensor) -> Tensor:
        query = self.query(x).tanh()  # [G, N, H]
        slots = max(1, min(self.slots, x.shape[1] - 1))
        utterances, masks = self.dropout(x), own_and_others(speakers, mask, slots)
        memories = [
            memory(self.dropout(gru.over_history(utterances, heard)).tanh(), heard)  # [G, N, slots, H]
            for gru, memory, heard in zip((self.own, self.others), self.memories, masks, strict=True)
        ]
        for _ in range(self.hops):
            answers = [read_memory(query, memory, heard) for memory, heard in zip(memories, masks, strict=True)]
            query = (query + torch.stack(answers).sum(0)).tanh()
        return query * mask[..., None]


def own_and_others(speakers: Tensor, mask: Tensor, slots: int) -> tuple[Tensor, Tensor]:
    """Two masks bool [G, N, slots] over the utterances before each: those of the same speaker, those of all others."""
    before = preceding(mask[..., None].float(), slots)[..., 0] > 0
    same_speaker = preceding(speakers[..., None], slots)[..., 0] == speakers[..., None]
    return before & same_speaker, before & ~same_speaker


def read_memory(query: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
    """What each utterance's `query` [G, N, H] reads from its `memory` [G, N, slots, H]: [G, N, H].

    The mean of the slots whose `mask` bool [G, N, slots] is True, weighted by attention; zeros where there is none.
    """
    scores = (memory @ query[..., None])[..., 0].tanh()
    return (masked_softmax(scores, mask)[..., None, :] @ memory)[..., 0, :]

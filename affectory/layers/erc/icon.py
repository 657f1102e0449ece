"""ICON, the Interactive Conversational Memory Network (Hazarika et al., EMNLP 2018)."""

from __future__ import annotations

from torch import Tensor, nn

from affectory.layers.dropout import Dropout
from affectory.layers.erc.cmn import own_and_others, read_memory
from affectory.layers.masked_gru import MaskedGRU


class ICON(nn.Module):
    r"""As CMN, with one memory for the speaker and the others together, read anew on every hop.

        $G = \tanh(H_s + H_o)$,  $M^1 = \mathrm{GRU}(G)$,  $M^{k+1} = \mathrm{GRU}'(M^k)$
        $r = \sum_j \mathrm{softmax}_j(\tanh(q \cdot M^k_j))\, M^k_j$,  $q \leftarrow \tanh(q + r)$

    Shapes as in erc/__init__.py.
    """

    def __init__(
        self, *, in_features: int, width: int = 100, slots: int = 40, hops: int = 3, dropout: float = 0.7
    ) -> None:
        super().__init__()
        self.out_features, self.slots, self.hops = width, slots, hops
        self.query = nn.Linear(in_features, width)
        self.own, self.others = (MaskedGRU(in_features=in_features, width=width) for _ in range(2))
        self.first, self.next = (MaskedGRU(in_features=width, width=width) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, speakers: Tensor) -> Tensor:
        query = self.query(x).tanh()  # [G, N, H]
        slots = max(1, min(self.slots, x.shape[1] - 1))
        utterances = self.dropout(x)
        own, others = own_and_others(speakers, mask, slots)
        states = self.own.over_history(utterances, own) + self.others.over_history(utterances, others)
        memory, in_history = self.dropout(states).tanh(), own | others  # [G, N, slots, H]
        for hop in range(self.hops):
            memory = (self.next if hop else self.first)(memory, in_history)
            query = (query + read_memory(query, memory, in_history)).tanh()
        return query * mask[..., None]

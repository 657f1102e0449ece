"""The deep graph convolution over one kind of node, with which every fusion but MMGCN's ends or begins."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from affectory.layers.deep_gcn import DeepGCN
from affectory.layers.dialogue_graph import dialogue_graph
from affectory.layers.dropout import Dropout


class NodeGraph(nn.Module):
    """x [U, in_features] of dialogues of `lengths`, `present` bool [U] -> [x; g], [U, in_features + width].

    Each dialogue is a complete graph with the weights of dialogue_graph.py; zeros where an utterance is not present.
    """

    def __init__(
        self, *, in_features: int, width: int = 100, layers: int = 4, dropout: float = 0.4, causal: bool = False
    ) -> None:
        super().__init__()
        self.out_features, self.causal = in_features + width, causal
        self.dropout = Dropout(dropout)
        self.gcn = DeepGCN(in_features=in_features, width=width, layers=layers, dropout=dropout)

    def forward(self, x: Tensor, lengths: Sequence[int], present: Tensor) -> Tensor:
        nodes, present_nodes = (x * present[:, None])[None], present[None]
        graph = dialogue_graph(nodes, lengths, present_nodes, causal=self.causal)
        nodes = self.dropout(nodes)
        return torch.cat([nodes, self.gcn(nodes, graph, present_nodes)], -1)[0]

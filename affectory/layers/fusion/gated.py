"""Gated attention: pairs of modalities weigh each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from affectory.layers.dropout import Dropout, DropoutReLU
from affectory.layers.fusion.node_graph import NodeGraph


class GatedFusion(nn.Module):
    r"""With $m = [x_m; \mathrm{DeepGCN}_m(x_m)]$ and $h_m = \tanh(W_m m)$, for each pair (m, n) of modalities:

        $z = \sigma(w \cdot [m; n; m \odot n])$,  $f_{mn} = z h_m + (1 - z) h_n$

    and $y = \mathrm{drop}(\mathrm{ReLU}([f_{mn}]))$; of one modality, of $h_m$. As fusion/__init__.py.
    """

    def __init__(
        self,
        *,
        modalities: int,
        in_features: int,
        graph_width: int = 100,
        layers: int = 4,
        dropout: float = 0.4,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.graphs = nn.ModuleList(
            NodeGraph(in_features=in_features, width=graph_width, layers=layers, dropout=dropout, causal=causal)
            for _ in range(modalities)
        )
        joint = in_features + graph_width
        self.pairs = tuple(combinations(range(modalities), 2))
        self.transforms = nn.ModuleList(nn.Linear(joint, graph_width) for _ in range(modalities))
        self.gates = nn.ModuleList(nn.Linear(3 * joint, 1, bias=False) for _ in self.pairs)
        self.dropout, self.relu = Dropout(dropout), DropoutReLU(dropout)
        self.out_features = graph_width * max(len(self.pairs), 1)

    def forward(self, nodes: Tensor, lengths: Sequence[int], present: Tensor) -> Tensor:
        parts = zip(self.graphs, nodes, present, strict=True)
        m = [self.dropout(graph(x, lengths, of_modality)) for graph, x, of_modality in parts]
        h = [transform(x).tanh() for transform, x in zip(self.transforms, m, strict=True)]
        fused = []
        for gate, (i, j) in zip(self.gates, self.pairs, strict=True):
            z = gate(torch.cat([m[i], m[j], m[i] * m[j]], -1)).sigmoid()  # [U, 1]
            fused.append(z * h[i] + (1 - z) * h[j])
        return self.relu(torch.cat(fused or h, -1))

"""Late fusion: a graph convolution a modality, and their results side by side."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from affectory.layers.dropout import DropoutReLU
from affectory.layers.fusion.node_graph import NodeGraph


class LateFusion(nn.Module):
    r"""$y = \mathrm{drop}(\mathrm{ReLU}([m_1; ..; m_M]))$ of $m = [x_m; \mathrm{DeepGCN}_m(x_m)]$.

    No average of decisions: one classifier reads all. As fusion/__init__.py.
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
        self.relu = DropoutReLU(dropout)
        self.out_features = modalities * (in_features + graph_width)

    def forward(self, nodes: Tensor, lengths: Sequence[int], present: Tensor) -> Tensor:
        parts = zip(self.graphs, nodes, present, strict=True)
        return self.relu(torch.cat([graph(x, lengths, of_modality) for graph, x, of_modality in parts], -1))

"""Early fusion: the modalities' features are one vector from the start."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from affectory.layers.bilstm import DialogueLSTM
from affectory.layers.dropout import DropoutReLU
from affectory.layers.fusion.node_graph import NodeGraph


class EarlyFusion(nn.Module):
    r"""$y = \mathrm{drop}(\mathrm{ReLU}([x'; \mathrm{DeepGCN}(x')]))$ of $x' = \mathrm{BiLSTM}(W [x_a; x_v; x_t])$.

    Shapes: x [U, in_features], the features side by side with zeros for what is missing, `present` bool [U].
    """

    def __init__(
        self,
        *,
        in_features: int,
        projected: int = 250,
        width: int = 200,
        graph_width: int = 100,
        layers: int = 4,
        dropout: float = 0.4,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.project = nn.Linear(in_features, projected)
        self.context = DialogueLSTM(in_features=projected, width=width, dropout=dropout, causal=causal)
        self.graph = NodeGraph(in_features=width, width=graph_width, layers=layers, dropout=dropout, causal=causal)
        self.relu = DropoutReLU(dropout)
        self.out_features = self.graph.out_features

    def forward(self, x: Tensor, lengths: Sequence[int], present: Tensor) -> Tensor:
        context = self.context(self.project(x), lengths)  # [U, width]
        return self.relu(self.graph(context, lengths, present))

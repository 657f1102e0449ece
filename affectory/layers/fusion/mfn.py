"""MFN, the Memory Fusion Network (Zadeh et al., AAAI 2018), over the utterances of a dialogue."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from affectory.layers.dialogues import pad, valid_steps
from affectory.layers.dropout import Dropout, DropoutReLU
from affectory.layers.fusion.node_graph import NodeGraph


class MFN(nn.Module):
    r"""An LSTM a modality with cells c, and a memory that watches how the cells of all change together.

        $c^* = [c_{t-1}; c_t]$,  $\hat c = \mathrm{softmax}(\mathrm{MLP}(c^*)) \odot c^*$
        $\gamma = \sigma(\mathrm{MLP}([\hat c; u_{t-1}]))$
        $u_t = \gamma_1 \odot u_{t-1} + \gamma_2 \odot \tanh(\mathrm{MLP}(\hat c))$

    Its output an utterance, an MLP of $[h_1; ..; h_M; u_t]$, is the node of the graph. It only looks back.
    As fusion/__init__.py; an utterance without a modality gives zeros to that modality's LSTM.
    """

    def __init__(
        self,
        *,
        modalities: int,
        in_features: int,
        width: int = 64,
        memory: int = 128,
        graph_width: int = 100,
        layers: int = 4,
        dropout: float = 0.4,
        causal: bool = False,
    ) -> None:
        super().__init__()
        cells, self.memory_width = 2 * modalities * width, memory
        self.lstms = nn.ModuleList(nn.LSTMCell(in_features, width) for _ in range(modalities))
        self.attention = nn.Sequential(_mlp(cells, width, cells, dropout), nn.Softmax(-1))
        self.update = nn.Sequential(_mlp(cells, width, memory, dropout), nn.Tanh())
        self.gates = nn.Sequential(_mlp(cells + memory, width, 2 * memory, dropout), nn.Sigmoid())
        self.node = _mlp(modalities * width + memory, 2 * width, 2 * graph_width, dropout)
        self.graph = NodeGraph(
            in_features=2 * graph_width, width=graph_width, layers=layers, dropout=dropout, causal=causal
        )
        self.relu = DropoutReLU(dropout)
        self.out_features = self.graph.out_features

    def forward(self, nodes: Tensor, lengths: Sequence[int], present: Tensor) -> Tensor:
        lengths = list(lengths)
        padded = pad(nodes.transpose(0, 1), lengths)  # [G, N, M, H]
        memories = self._memories(padded)[valid_steps(lengths, nodes.device)]  # [U, M * width + memory]
        return self.relu(self.graph(self.node(memories), lengths, present.any(0)))

    def _memories(self, x: Tensor) -> Tensor:
        """[G, N, M, H] -> [G, N, M * width + memory]."""
        blank = [x.new_zeros(len(x), cell.weight_hh.shape[1]) for cell in self.lstms]  # pyright: ignore
        h, c, memory, outputs = blank, blank, x.new_zeros(len(x), self.memory_width), []
        for step in x.unbind(1):
            before = c
            pairs = zip(self.lstms, step.unbind(1), h, c, strict=True)
            h, c = zip(*[lstm(u, (h_m, c_m)) for lstm, u, h_m, c_m in pairs], strict=True)
            cells = torch.cat([*before, *c], -1)
            attended = self.attention(cells) * cells
            keep, write = self.gates(torch.cat([attended, memory], -1)).chunk(2, -1)
            memory = keep * memory + write * self.update(attended)
            outputs.append(torch.cat([*h, memory], -1))
        return torch.stack(outputs, 1)


def _mlp(in_features: int, width: int, out_features: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, width), nn.ReLU(), Dropout(dropout), nn.Linear(width, out_features))

"""MulT, the Multimodal Transformer (Tsai et al., ACL 2019), over the utterances of a dialogue."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.dialogues import pad, valid_steps
from affectory.layers.dropout import Dropout, DropoutReLU
from affectory.layers.fusion.node_graph import NodeGraph


class MulT(nn.Module):
    r"""Each modality m is read by every other n, then by itself, and what all give an utterance is the graph's node.

        $z_{m \leftarrow n} = \mathrm{Layer}^L(z_m, z_n)$ of $z = \sqrt d\, W x + \mathrm{position}$ in each layer
        $\mathrm{node} = [\mathrm{Layer}^{L'}([z_{m \leftarrow n}]_n)]_m$, then a residual MLP

    A layer is attention and a feed-forward network of 4 d, each after a LayerNorm and beside a residual. An utterance
    without modality n is no key of n. As fusion/__init__.py; with one modality it reads itself.
    """

    def __init__(
        self,
        *,
        modalities: int,
        in_features: int,
        width: int = 30,
        heads: int = 5,
        depth: int = 5,
        graph_width: int = 100,
        layers: int = 4,
        dropout: float = 0.1,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.causal = width, causal
        sources_of = {m: [n for n in range(modalities) if n != m] or [m] for m in range(modalities)}
        self.sources = [(m, n) for m, sources in sources_of.items() for n in sources]
        wide = width * max(modalities - 1, 1)
        self.project = nn.ModuleList(nn.Linear(in_features, width, bias=False) for _ in range(modalities))
        self.crossings = nn.ModuleList(_layers(width, heads, depth, dropout) for _ in self.sources)
        self.memories = nn.ModuleList(_layers(wide, heads, max(depth, 3), dropout) for _ in range(modalities))
        joint = wide * modalities
        self.residual = nn.Sequential(nn.Linear(joint, joint), nn.ReLU(), Dropout(dropout), nn.Linear(joint, joint))
        self.graph = NodeGraph(in_features=joint, width=graph_width, layers=layers, dropout=dropout, causal=causal)
        self.relu = DropoutReLU(dropout)
        self.out_features = self.graph.out_features

    def forward(self, nodes: Tensor, lengths: Sequence[int], present: Tensor) -> Tensor:
        lengths = list(lengths)
        valid = valid_steps(lengths, nodes.device)  # [G, N]
        present_steps = pad(present.T, lengths).unbind(-1)  # M of [G, N]
        z = [self._embedded(m, pad(x, lengths)) for m, x in enumerate(nodes)]  # M of [G, N, width]
        crossed: dict[int, list[Tensor]] = {}
        for (m, n), crossing in zip(self.sources, self.crossings, strict=True):
            crossed.setdefault(m, []).append(_through(crossing, z[m], z[n], present_steps[n], self.causal))
        joint = [torch.cat(parts, -1) for parts in crossed.values()]  # M of [G, N, wide]
        pairs = zip(self.memories, joint, strict=True)
        node = torch.cat([_through(memory, x, None, valid, self.causal) for memory, x in pairs], -1)[valid]
        return self.relu(self.graph(node + self.residual(node), lengths, present.any(0)))

    def _embedded(self, modality: int, x: Tensor) -> Tensor:
        return self.width**0.5 * self.project[modality](x) + _positions(x.shape[1], self.width, x)


class _Layer(nn.Module):
    """x [G, N, width] asks `source` [G, N, width], of which `valid` bool [G, 1, Nq or 1, N] may answer."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} of {heads} heads: expected a multiple")
        self.heads = heads
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), DropoutReLU(dropout), nn.Linear(4 * width, width))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor | None, valid: Tensor) -> Tensor:
        normed = self.before(x)
        key, value = self.key_value(normed if source is None else self.before(source)).chunk(2, -1)
        answers = F.scaled_dot_product_attention(*map(self._by_head, (self.query(normed), key, value)), attn_mask=valid)
        answers = answers * valid.any(-1, keepdim=True)  # nobody may answer: nothing, not NaN
        x = x + self.dropout(self.out(answers.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed(self.between(x)))

    def _by_head(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [G, heads, N, width / heads]


def _layers(width: int, heads: int, depth: int, dropout: float) -> nn.ModuleList:
    return nn.ModuleList([*(_Layer(width, heads, dropout) for _ in range(depth)), nn.LayerNorm(width)])


def _through(layers: nn.Module, x: Tensor, source: Tensor | None, present_steps: Tensor, causal: bool) -> Tensor:
    valid = present_steps[:, None, None, :]
    if causal:
        valid = valid & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
    *steps, norm = layers.children()
    for step in steps:
        x = step(x, source, valid)
    return norm(x)


def _positions(steps: int, width: int, like: Tensor) -> Tensor:
    """[N, width]: sines and cosines of falling frequency."""
    half = (width + 1) // 2
    frequencies = 10_000.0 ** (-torch.arange(half, device=like.device, dtype=like.dtype) / max(half - 1, 1))
    angles = torch.arange(steps, device=like.device, dtype=like.dtype)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :width]

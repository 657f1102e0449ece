"""DialogueGCN (Ghosal et al., EMNLP 2019): a relational graph over what surrounds an utterance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from affectory.layers.bilstm import DialogueLSTM
from affectory.layers.dialogue_attention import DialogueAttention, masked_softmax
from affectory.layers.dialogues import lengths_of, unpack
from affectory.layers.dropout import DropoutReLU
from affectory.layers.utterance_windows import windows


class DialogueGCN(nn.Module):
    r"""A BiLSTM's states g, two graph layers over the window of each utterance i (itself included), attention, a layer.

        $\alpha_{ij} = \mathrm{softmax}_j(g_i^\top W_e g_j)$
        $h_i = \sum_j \alpha_{ij} W_{r(i,j)} g_j + W_0 g_i$,  $h'_i = W h_i + \sum_j W' h_j$
        $y = \mathrm{drop}(\mathrm{ReLU}(W_y\, \mathrm{att}([g; h'])))$

    The relation r is who speaks, to whom, and whether before: $2 S^2$ of them, whose matrices are mixtures of `bases`.
    This is the paper's $\alpha$; its code learns a weight a position instead. Who comes after `n_speakers` shares the
    last number. Shapes as in erc/__init__.py; K utterances of a window.
    """

    def __init__(
        self,
        *,
        in_features: int,
        width: int = 100,
        n_speakers: int = 2,
        past: int = 10,
        future: int = 10,
        bases: int = 30,
        dropout: float = 0.4,
    ) -> None:
        super().__init__()
        self.out_features, self.n_speakers, self.past, self.future = width, n_speakers, past, future
        relations = 2 * n_speakers**2
        self.context = DialogueLSTM(in_features=in_features, width=2 * width, dropout=dropout)
        self.edges = nn.Linear(2 * width, 2 * width, bias=False)
        self.mixtures = nn.Parameter(torch.randn(relations, min(bases, relations)) * relations**-0.5)
        self.bases = nn.Linear(min(bases, relations) * 2 * width, width, bias=False)
        self.root, self.own = nn.Linear(2 * width, width), nn.Linear(width, width)
        self.neighbours = nn.Linear(width, width, bias=False)
        self.attention = DialogueAttention(width=3 * width)
        self.out = nn.Sequential(nn.Linear(3 * width, width), DropoutReLU(dropout))

    def forward(self, x: Tensor, mask: Tensor, speakers: Tensor) -> Tensor:
        g = unpack(self.context(x[mask], lengths_of(mask)), mask)  # [G, N, 2 * width]
        around, inside = (
            self._window(g),
            self._window(mask[..., None].float())[..., 0] > 0,
        )  # [G, N, K, .], [G, N, K]
        alpha = masked_softmax((around @ self.edges(g)[..., None])[..., 0], inside)
        mixed = (alpha[..., None] * self.mixtures[self._relations(speakers)]).mT @ around  # [G, N, bases, 2 * width]
        h = self.bases(mixed.flatten(2)) + self.root(g)  # [G, N, width]
        received = (self._window(h) * inside[..., None]).sum(2)
        joint = torch.cat([g, self.own(h) + self.neighbours(received)], -1)
        return self.out(self.attention(joint, mask)) * mask[..., None]

    def _window(self, x: Tensor) -> Tensor:
        return windows(x, past=self.past, future=self.future)

    def _relations(self, speakers: Tensor) -> Tensor:
        """int64 [G, N, K]: of each utterance of the window, j, to the one in its middle, i."""
        speakers = speakers.clamp(max=self.n_speakers - 1)
        pairs = self._window(speakers[..., None])[..., 0] * self.n_speakers + speakers[..., None]
        before = torch.arange(self.past + 1 + self.future, device=speakers.device) < self.past
        return 2 * pairs + before

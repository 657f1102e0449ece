"""DialogueRNN (Majumder et al., AAAI 2019): a state of the dialogue, one of each party, one of the emotion."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.layers.dialogue_attention import DialogueAttention
from affectory.layers.dropout import Dropout, DropoutReLU
from affectory.layers.gru_step import gru_step


class DialogueRNN(nn.Module):
    r"""Both directions of `_Direction`, general attention over the dialogue, a layer; or the past alone.

    Shapes as in erc/__init__.py; `width` of dialogue and party states, `emotion_width` of a direction and the result.
    """

    def __init__(
        self,
        *,
        in_features: int,
        width: int = 150,
        emotion_width: int = 100,
        dropout: float = 0.1,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.out_features = emotion_width
        directions = 1 if causal else 2
        self.directions = nn.ModuleList(
            _Direction(in_features, width, emotion_width, dropout) for _ in range(directions)
        )
        self.attention = None if causal else DialogueAttention(width=2 * emotion_width)
        self.out = nn.Sequential(nn.Linear(directions * emotion_width, emotion_width), DropoutReLU(dropout))

    def forward(self, x: Tensor, mask: Tensor, speakers: Tensor) -> Tensor:
        states = [self.directions[0](x, speakers)]
        for backward in self.directions[1:]:
            order = _turned(mask)
            states.append(_turn(backward(_turn(x, order), speakers.gather(1, order)), order))
        h = torch.cat(states, -1) * mask[..., None]  # [G, N, directions * emotion_width]
        return self.out(h if self.attention is None else self.attention(h, mask)) * mask[..., None]


class _Direction(nn.Module):
    r"""With s the speaker of utterance t, $u_t$ the utterance, listeners unchanged:

    $g_t = \mathrm{GRU}([u_t; q_s], g_{t-1})$,  $c_t = \sum_{i<t} \mathrm{softmax}_i(g_i \cdot W u_t)\, g_i$
    $q_s \leftarrow \mathrm{GRU}([u_t; c_t], q_s)$,  $e_t = \mathrm{GRU}(q_s, e_{t-1})$
    """

    def __init__(self, in_features: int, width: int, emotion_width: int, dropout: float) -> None:
        super().__init__()
        self.dialogue = nn.GRUCell(in_features + width, width)
        self.party = nn.GRUCell(in_features + width, width)
        self.emotion = nn.GRUCell(width, emotion_width)
        self.query = nn.Linear(in_features, width, bias=False)
        self.dropout = Dropout(dropout)  # of each new state

    def forward(self, x: Tensor, speakers: Tensor) -> Tensor:
        """[G, N, D], int64 [G, N] -> [G, N, emotion_width]."""
        rows = torch.arange(len(x), device=x.device)
        parties = int(speakers.max()) + 1 if speakers.numel() else 1
        past, emotions, queries = [], [], self.query(x)
        dialogue, party = (_split(cell, x.shape[-1]) for cell in (self.dialogue, self.party))
        projected = [F.linear(x, of_input, bias).unbind(1) for of_input, _, bias in (dialogue, party)]
        g = x.new_zeros(len(x), self.dialogue.hidden_size)
        q = g[:, None].expand(-1, parties, -1)  # [G, parties, width]
        e = x.new_zeros(len(x), self.emotion.hidden_size)
        for to_g, to_q, query, speaker in zip(*projected, queries.unbind(1), speakers.unbind(1), strict=True):
            spoke = q[rows, speaker]  # [G, width]
            context = _attended(query, past) if past else torch.zeros_like(g)
            g = self.dropout(gru_step(to_g + F.linear(spoke, dialogue[1]), g, self.dialogue))
            spoke = self.dropout(gru_step(to_q + F.linear(context, party[1]), spoke, self.party))
            q = q.index_put((rows, speaker), spoke)
            e = self.dropout(self.emotion(spoke, e))
            past.append(g)
            emotions.append(e)
        return torch.stack(emotions, 1)


def _split(cell: nn.GRUCell, in_features: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights of the utterance, which are known for all steps at once, those of what comes beside it, and the bias."""
    return cell.weight_ih[:, :in_features], cell.weight_ih[:, in_features:], cell.bias_ih


def _attended(query: Tensor, past: list[Tensor]) -> Tensor:
    states = torch.stack(past, 1)  # [G, t - 1, width]
    weights = (states @ query[..., None])[..., 0].softmax(1)
    return (weights[:, None] @ states)[:, 0]


def _turned(mask: Tensor) -> Tensor:
    """int64 [G, N]: n - 1 .. 0 of a dialogue of n utterances, padding where it is."""
    steps = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - steps, steps)


def _turn(x: Tensor, order: Tensor) -> Tensor:
    return x.gather(1, order[..., None].expand_as(x))

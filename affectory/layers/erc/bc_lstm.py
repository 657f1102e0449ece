"""bc-LSTM (Poria et al., ACL 2017): the context is what a bidirectional LSTM carries."""

from __future__ import annotations

from torch import Tensor, nn

from affectory.layers.bilstm import DialogueLSTM
from affectory.layers.dialogue_attention import DialogueAttention
from affectory.layers.dialogues import lengths_of, unpack
from affectory.layers.dropout import DropoutReLU


class BcLSTM(nn.Module):
    r"""$y = \mathrm{drop}(\mathrm{ReLU}(W\, \mathrm{att}(\mathrm{BiLSTM}(x))))$, an LSTM of two layers.

    `attention` may be left out, and is when `causal`. Speakers are not read.
    Shapes as in erc/__init__.py; `width` of a direction and of the result.
    """

    def __init__(
        self, *, in_features: int, width: int = 100, dropout: float = 0.25, attention: bool = True, causal: bool = False
    ) -> None:
        super().__init__()
        self.out_features = width
        self.context = DialogueLSTM(in_features=in_features, width=2 * width, dropout=dropout, causal=causal)
        self.attention = DialogueAttention(width=2 * width) if attention and not causal else None
        self.out = nn.Sequential(nn.Linear(2 * width, width), DropoutReLU(dropout))

    def forward(self, x: Tensor, mask: Tensor, speakers: Tensor) -> Tensor:
        h = unpack(self.context(x[mask], lengths_of(mask)), mask)  # [G, N, 2 * width]
        return self.out(h if self.attention is None else self.attention(h, mask)) * mask[..., None]

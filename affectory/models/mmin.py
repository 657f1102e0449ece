r"""The Missing Modality Imagination Network and its baselines (Zhao, Li, Jin, ACL 2021; code AIM3-RUC/MMIN@69a45fe).

Each modality is encoded to one vector. With $h$ the concatenated vectors of a row and $\hat h$ the teacher's:

    fusion       $\mathcal L = H(p, q)$ on $h$, trained on full rows (teacher, baseline) or on missing conditions too
    imagination  $h' = \mathrm{CRA}(h)$, $h'' = \mathrm{CRA}'(h')$, classified from the latents of the first CRA:
                 $\mathcal L = H(p, q) + \lambda_1 \|\hat h - h'\|^2 + \lambda_2 \|h - h''\|^2$
    experts      no imagination: the votes of the available modalities add up (layers/experts.py), the preset `best`

The authors' code pads without masks, so that its results depend on a batch's longest row; here padding is never read.
Shapes: B batch, M modalities, H width of an encoder, C classes, K ways of having modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.inputs import FRAMES, ModalityInput, Preparation
from affectory.layers.autoencoder import ImaginationAutoencoder
from affectory.layers.cra import CascadeResidualAutoencoder
from affectory.layers.experts import ModalityExperts
from affectory.layers.modality_encoders import ModalityEncoders
from affectory.layers.seeding import seeded
from affectory.models.family import Schedule, experiments_of, restored
from affectory.vocabulary import MODALITIES, Modality

DEPLOYED = ("best", "mmin")
OF_DIALOGUES = False
OF_DIMENSIONS = False


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family; trailing comments give the authors' code for IEMOCAP."""

    method: Literal["fusion", "imagination", "experts"]
    training_conditions: Literal["full", "missing", "full_and_missing"]
    schedule: Schedule
    preparation: Preparation = FRAMES
    teacher: str | None = None  # the experiment whose encoders this one starts from
    width: int = 128  # 128: of every encoder and of the classifier's layers
    kernel_sizes: tuple[int, ...] = (3, 4, 5)  # 3, 4, 5
    dropout: float = 0.5  # 0.3 of the baselines, 0.5 of MMIN
    init: Literal["kaiming", "normal", "torch"] = "kaiming"  # of linear and convolution weights
    imagination: Literal["cascade", "autoencoder"] = "cascade"  # autoencoder: MMIN-AE
    blocks: int = 5  # 5 autoencoders in the cascade
    block_widths: tuple[int, ...] = (256, 128, 64)  # 256, 128, 64; of MMIN-AE 512, 450, 384, 256
    transition: bool = True  # two more layers after the cascade: in the code, not in the paper
    target_of_available: Literal["missing", "embedding"] = "missing"  # the teacher sees only what the student misses
    forward_weight: float = 4.0  # 4; the paper: 0.1; 0: no imagination loss
    cycle_weight: float = 2.0  # 2; the paper: 0.1; 0: MMIN-NoCycle
    cycle_shares_weights: bool = False  # the code's reading for MSP-IMPROV
    reduction: Literal["mean", "norm"] = "mean"  # over rows and features; the paper: squared norm a row
    members: int = 1  # of the experts
    input_dropout: float = 0.0  # of the experts
    label_smoothing: float = 0.0


def experiments(preset: str = "default") -> dict[str, Config]:
    """What is trained to be registered, and its baselines, teacher first; ValueError for a preset not of PRESETS."""
    return experiments_of("mmin", PRESETS, preset)


def study_experiments(preset: str = "default") -> dict[str, Config]:
    """The rows of the published table that are of this family, and the controls.

    Two controls tell imagination from pretraining: the augmented baseline started from the teacher's encoders, and MMIN
    with both imagination losses switched off.
    """
    rows = {"best": _best(), **experiments("default" if preset == "best" else preset)}
    mmin, augmented = rows["mmin"], rows["augmented_baseline"]
    return {
        **rows,
        "mmin_ae": _with_autoencoder(mmin, preset),
        "mmin_no_cycle": replace(mmin, cycle_weight=0.0),
        "mmin_no_imagination": replace(mmin, forward_weight=0.0, cycle_weight=0.0),
        "augmented_pretrained": replace(augmented, teacher="full_baseline"),
    }


def _with_autoencoder(mmin: Config, preset: str) -> Config:
    """MMIN-AE; where the preset is the authors', with their widths, schedule and start."""
    widths = {"quick": (96, 64), "debug": (8, 4)}.get(preset, (256, 192, 128))
    if preset not in ("official_code", "official_code_msp", "paper"):
        return replace(mmin, imagination="autoencoder", block_widths=widths)
    schedule = replace(mmin.schedule, constant_epochs=20, decay_epochs=30, batch_size=256, learning_rate=1e-3)
    published: dict[str, Any] = {"block_widths": (512, 450, 384, 256), "schedule": schedule, "init": "normal"}
    return replace(mmin, imagination="autoencoder", **published)


def _official_code() -> dict[str, Config]:
    """As the code trains on IEMOCAP."""
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


def _official_code_msp() -> dict[str, Config]:
    """As the code trains on MSP-IMPROV: other weights and rates, and one cascade for both directions."""
    rows = _official_code()
    schedules = {name: replace(config.schedule, learning_rate=5e-4) for name, config in rows.items()}
    schedules["full_baseline"] = replace(schedules["full_baseline"], batch_size=64)
    longer = {"batch_size": 64, "constant_epochs": 25, "decay_epochs": 25}
    schedules["augmented_baseline"] = replace(schedules["augmented_baseline"], **longer)
    rows = {name: replace(config, schedule=schedules[name]) for name, config in rows.items()}
    msp: dict[str, Any] = {"forward_weight": 2.0, "cycle_weight": 0.5, "cycle_shares_weights": True}
    rows["mmin"] = replace(rows["mmin"], **msp)
    return rows


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
    return {**{name: replace(config, schedule=schedule) for name, config in rows.items()}, "best": _best()}


def _best() -> Config:
    """Chosen by validation scores alone: five folds over ravdess's actors, mean UA under {a} and {v}.

    A rate that decays to nothing leaves no epoch to select, and validation rows are worth more as training rows.
    """
    return Config(
        method="experts",
        training_conditions="full_and_missing",
        schedule=Schedule(
            constant_epochs=10, decay_epochs=30, batch_size=32, learning_rate=1e-3, keep="last", refit=True
        ),
        preparation=Preparation(statistics=True, whitening_rank=500, shrinkage=0.3),
        init="torch",
        members=5,
        input_dropout=0.5,
    )


def _quick() -> dict[str, Config]:
    """Half the width and epochs of the default: for a first look, and for the demo corpus."""
    schedule = Schedule(constant_epochs=8, decay_epochs=8, batch_size=32, learning_rate=1e-3)
    small: dict[str, Any] = {"schedule": schedule, "width": 64, "blocks": 3, "block_widths": (64, 32)}
    rows = {name: replace(config, **small) for name, config in _default().items()}
    return {**rows, "best": replace(_best(), width=64)}


def _debug() -> dict[str, Config]:
    """Tiny and quick, for tests."""
    schedule = Schedule(constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2)
    tiny: dict[str, Any] = {"schedule": schedule, "width": 8, "blocks": 2, "block_widths": (8, 4), "dropout": 0.0}
    best = replace(_best(), **tiny, members=2, input_dropout=0.0)
    rows = {name: replace(config, **tiny) for name, config in _official_code().items()}
    return {**rows, "best": replace(best, schedule=replace(schedule, refit=True))}


PRESETS = {
    "default": _default(),
    "best": {name: config for name, config in _default().items() if name != "mmin"},
    "quick": _quick(),
    "official_code": _official_code(),
    "official_code_msp": _official_code_msp(),
    "paper": _paper(),
    "debug": _debug(),
}


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], classes: Sequence[str], *, seed: int
) -> FullModality | Mmin | Experts:
    """A new model; the same seed gives the same weights."""
    of_method = {"fusion": FullModality, "imagination": Mmin, "experts": Experts}
    with seeded(seed):
        model = of_method[config.method](config, inputs, len(classes))
        _initialise(model, config.init)
    return model


def config_from(values: Mapping[str, Any]) -> Config:
    """The Config that dataclasses.asdict made these values of, after JSON."""
    return restored(Config, values)


class FullModality(nn.Module):
    """Encoders and a classifier: the teacher, the full-modality and, by its conditions, the augmented baseline."""

    whole_dialogues = False

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        self.training_conditions = config.training_conditions
        self.label_smoothing = config.label_smoothing
        self.encoders = _encoders(config, inputs)
        self.classifier = _classifier(self.encoders.out_features, config, n_classes)

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        return self.classifier(self.encoders.joint(self.encoders(batch, available.any(0)), available))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        return {"classification": F.cross_entropy(self(batch), batch.labels, label_smoothing=self.label_smoothing)}

    def learn_from(self, teacher: FullModality, data: PackedFeatures) -> None:
        """Start from the teacher's encoders."""
        self.encoders.load_state_dict(teacher.encoders.state_dict())


class Mmin(nn.Module):
    """The student: imagines what the teacher encodes of the missing modalities, and classifies from how it does."""

    whole_dialogues = False

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        self.training_conditions = config.training_conditions
        self.config = config
        self.encoders = _encoders(config, inputs)
        self.imagination = _imagination(self.encoders.out_features, config)
        own_cycle = config.cycle_weight and not config.cycle_shares_weights
        self.cycle = _imagination(self.encoders.out_features, config) if own_cycle else None
        self.classifier = _classifier(self.imagination.out_latents, config, n_classes)
        self.taught: Tensor | None = None  # [N, M, H]: the teacher's encodings of every row, once for the training
        self.taught_missing: Tensor | None = None  # [M, H]

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        return self.classifier(self.imagined(batch, available)[1])

    def imagined(self, batch: Batch, available: Tensor) -> tuple[Tensor, Tensor]:
        """h' [K, B, M * H] and the latents [K, B, L] under `available` bool [K, B, M]."""
        return self.imagination(self.encoders.joint(self.encoders(batch, available.any(0)), available))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        config = self.config
        h = self.encoders.joint(self.encoders(batch, batch.available), batch.available)  # [B, M * H]
        imagined, latents = self.imagination(h)
        terms = {"classification": F.cross_entropy(self.classifier(latents), batch.labels)}
        if config.forward_weight:
            known = batch.present.repeat_interleave(h.shape[1] // batch.present.shape[1], dim=1)
            terms["forward"] = config.forward_weight * self._distance(imagined, self.target(batch), known)
        if config.cycle_weight:
            recalled, _ = (self.imagination if self.cycle is None else self.cycle)(imagined)
            terms["cycle"] = config.cycle_weight * self._distance(recalled, h.detach(), torch.ones_like(h))
        return terms

    def learn_from(self, teacher: FullModality, data: PackedFeatures) -> None:
        """Start from the teacher's encoders, and keep what it encodes of every row of `data`: the targets."""
        self.encoders.load_state_dict(teacher.encoders.state_dict())
        self.taught = teacher.encoders.of_all(data)
        self.taught_missing = teacher.encoders.missing().detach()

    def target(self, batch: Batch) -> Tensor:
        """[B, M * H]: what the teacher encodes of the modalities that the student misses."""
        if self.taught is None or self.taught_missing is None:
            raise ValueError("expected a teacher to imagine from, got none; learn_from a trained full_baseline")
        shown = batch.present & ~batch.available if self.config.target_of_available == "missing" else batch.present
        return torch.where(shown[..., None], self.taught[batch.index], self.taught_missing).flatten(1)

    def _distance(self, value: Tensor, target: Tensor, known: Tensor) -> Tensor:
        """Squared distance where `known` [B, M * H]: a modality that a row lacks has no target."""
        squares = (value - target).square() * known
        return squares.sum() / (known.sum() if self.config.reduction == "mean" else len(known))


class Experts(nn.Module):
    """The votes of the available modalities, added; the members' probabilities, averaged."""

    whole_dialogues = False

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        sequences = [modality.value for modality in inputs if not inputs[modality].single_frame]
        if sequences:
            raise ValueError(f"experts read one frame a row, {sequences} have several: prepare them as statistics")
        self.training_conditions = config.training_conditions
        self.label_smoothing = config.label_smoothing
        self.modalities = tuple(modality for modality in MODALITIES if modality in inputs)
        self.experts = ModalityExperts(
            in_features=[inputs[modality].model_width for modality in self.modalities],
            width=config.width,
            n_classes=n_classes,
            members=config.members,
            input_dropout=config.input_dropout,
            dropout=config.dropout,
        )

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        return self._log_probabilities(batch, available).logsumexp(1)  # but for a constant

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        members = self._log_probabilities(batch, batch.available[None])[0].transpose(0, 1).transpose(1, 2)  # [B, C, S]
        labels = batch.labels[:, None].expand(-1, members.shape[2])
        return {"classification": F.cross_entropy(members, labels, label_smoothing=self.label_smoothing)}

    def _log_probabilities(self, batch: Batch, available: Tensor) -> Tensor:
        """[K, S, B, C] of each member."""
        votes = self.experts([batch.frames[modality][:, 0] for modality in self.modalities])  # [S, M, B, C]
        counted = available.to(votes.dtype)
        return torch.einsum("kbm,smbc->ksbc", counted, votes).log_softmax(-1)


def _encoders(config: Config, inputs: Mapping[Modality, ModalityInput]) -> ModalityEncoders:
    return ModalityEncoders(inputs, width=config.width, kernel_sizes=config.kernel_sizes, dropout=config.dropout)


def _imagination(in_features: int, config: Config) -> CascadeResidualAutoencoder | ImaginationAutoencoder:
    if config.imagination == "autoencoder":
        return ImaginationAutoencoder(in_features=in_features, widths=config.block_widths)
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

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

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.inputs import ModalityInput
from affectory.layers.autoencoder import ImaginationAutoencoder
from affectory.layers.cra import CascadeResidualAutoencoder
from affectory.layers.experts import ModalityExperts
from affectory.layers.modality_encoders import ModalityEncoders
from affectory.layers.seeding import seeded
from affectory.models.family import Family
from affectory.models.mmin_presets import PRESETS, Config, variants
from affectory.vocabulary import MODALITIES, Modality


def build(
    config: Config, inputs: Mapping[Modality, ModalityInput], classes: Sequence[str], *, seed: int
) -> FullModality | Mmin | Experts:
    """A new model; the same seed gives the same weights."""
    of_method = {"fusion": FullModality, "imagination": Mmin, "experts": Experts}
    with seeded(seed):
        model = of_method[config.method](config, inputs, len(classes))
        _initialise(model, config.init)
    return model


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
            has_target = batch.present.repeat_interleave(h.shape[1] // batch.present.shape[1], dim=1)
            terms["forward"] = config.forward_weight * self._distance(imagined, self.target(batch), has_target)
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
        taught = batch.present & ~batch.available if self.config.target_of_available == "missing" else batch.present
        return torch.where(taught[..., None], self.taught[batch.index], self.taught_missing).flatten(1)

    def _distance(self, value: Tensor, target: Tensor, has_target: Tensor) -> Tensor:
        """Squared distance where `known` [B, M * H]: a modality that a row lacks has no target."""
        squares = (value - target).square() * has_target
        return squares.sum() / (has_target.sum() if self.config.reduction == "mean" else len(has_target))


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


FAMILY = Family(
    name="mmin",
    description="The augmented baseline, MMIN and `best`, a run a seed, scored under every condition; the best seed of "
    "`best` on validation is registered as `<corpus>-mmin`.",
    teacher_description="The full-modality baseline, one MLflow run a seed; its encoders start and teach the student.",
    config=Config,
    presets=PRESETS,
    build=build,
    deployed=("best", "mmin"),
    variants=variants,
)

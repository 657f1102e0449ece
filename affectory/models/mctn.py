r"""The Multimodal Cyclic Translation Network (Pham, Liang, Manzini, Morency, Poczos, AAAI 2019), from its equations.

One model a missing condition, as the MMIN paper compares it: it reads the condition's modalities (sources) and learns
by translating them into the missing ones (targets), which it sees while training only. With encoder e (a BiLSTM,
directions summed), attention decoder d and a linear layer in ($P_m$) and out ($R_m$) for each modality:

    $E = e(\sum_s P_s x_s)$, $\hat x_t = R_t\, d(E)$          translation
    $\hat x_s = R_s\, d(e(P_t \hat x_t))$                       cycle: the same e and d lead back
    $\mathcal L = H(p, q) + \lambda_t \sum_t \|x_t - \hat x_t\|^2 + \lambda_c \sum_s \|x_s - \hat x_s\|^2$

p is classified from the last E by an LSTM, pooled by attention. The six conditions of three modalities:

    {a}, {v}, {t}        hierarchical: the source into the first missing modality (a before v before t) with the cycle;
                         level 2, with its own e and d, translates that E, not the source, into the second, no cycle
    {a,v}, {a,t}, {v,t}  the sources, step by step side by side, into the missing one; the cycle leads back to both

Readings where the text leaves room:
    steps       every sequence, the shorter ones too, becomes max_steps steps, each the mean of an equal share of the
                utterance's frames (a frame between two steps counts in both by its overlap). So source and target steps
                are the same moments, sources can be put side by side, and no step is padding. Where every modality is
                a vector, one step.
    widths      the published code (GPL; nothing here derives from it) pads source and target to one width; here $P_m$
                and $R_m$ change it, and both distances are between normalised frames, mean over steps and features, so
                that no projection can shrink them.
    decoder     runs free, while training as well: it reads the attended E only, for the frame it emitted last is linear
                in the state that it has anyway. Decoders serve training; predicting needs no translation.
    classes     cross entropy in place of the regression's absolute error.

Shapes: B batch, S steps, D features, H width, C classes, K ways of having modalities.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affectory.data.batches import Batch
from affectory.data.inputs import FRAMES, ModalityInput, Preparation
from affectory.layers.seeding import seeded
from affectory.models.family import Family, Schedule
from affectory.vocabulary import MODALITIES, Condition, Modality, missing_conditions


@dataclass(frozen=True, kw_only=True)
class Config:
    """One experiment of the family; trailing comments give the published values."""

    condition: str  # keys of what is available: "a", "av" ...
    schedule: Schedule
    training_conditions: Literal["full"] = "full"  # the targets have to be there
    preparation: Preparation = FRAMES
    teacher: str | None = None  # none in this family
    width: int = 32  # 32: of every LSTM
    max_steps: int = 20  # 20
    translation_weight: float = 0.1  # 0.1
    cycle_weight: float = 0.1  # 0.1
    output_penalty: float = 0.01  # 0.01: squared norm of the last layer's weights


def source_condition(config: Config) -> Condition:
    """The modalities that the experiment's model reads: its sources.

    The model can be built from inputs whose missing_conditions have this condition.
    """
    return Condition.parse(",".join(config.condition))


def _rows(schedule: Schedule, **changes: Any) -> dict[str, Config]:
    keys = [condition.keys for condition in missing_conditions()]
    return {f"mctn_{key}": Config(condition=key, schedule=schedule, **changes) for key in keys}


def build(
    config: Config,
    inputs: Mapping[Modality, ModalityInput],
    classes: Sequence[str],
    *,
    seed: int,
) -> Mctn:
    """A new model; the same seed gives the same weights. ValueError where `inputs` leave nothing to translate into."""
    possible = missing_conditions(inputs)
    if source_condition(config) not in possible:
        raise ValueError(
            f"mctn of condition {source_condition(config)}: expected a missing condition of the modalities "
            f"{', '.join(inputs)}, one of {', '.join(map(str, possible)) or 'none'}"
        )
    with seeded(seed):
        return Mctn(config, inputs, len(classes))


class Mctn(nn.Module):
    """Reads the sources of one condition; the batch's other modalities are targets of the losses and nothing else."""

    whole_dialogues = False

    def __init__(self, config: Config, inputs: Mapping[Modality, ModalityInput], n_classes: int) -> None:
        super().__init__()
        self.training_conditions = config.training_conditions
        self.config = config
        modalities = [modality for modality in MODALITIES if modality in inputs]
        self.sources = [modality for modality in modalities if modality in source_condition(config)]
        self.targets = [modality for modality in modalities if modality not in self.sources]
        self.columns = {modality: column for column, modality in enumerate(modalities)}
        self.steps = 1 if all(inputs[modality].single_frame for modality in modalities) else config.max_steps
        self.into = nn.ModuleDict(  # P: of what an encoder of level 1 reads
            {
                m.value: nn.Linear(inputs[m].model_width, config.width, bias=False)
                for m in [*self.sources, self.targets[0]]
            }
        )
        self.out_of = nn.ModuleDict({m.value: nn.Linear(config.width, inputs[m].model_width) for m in modalities})  # R
        self.encoders = nn.ModuleList(SummedBiLSTM(width=config.width) for _ in self.targets)  # e of each level
        self.decoders = nn.ModuleList(AttentionDecoder(width=config.width) for _ in self.targets)  # d of each level
        self.head = SequenceClassifier(width=config.width, n_classes=n_classes)

    def forward(self, batch: Batch) -> Tensor:
        return self.logits_under(batch, batch.available[None])[0]

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        """Conditions that leave the same sources are computed once; without any source a row reads zeros."""
        availability = available[..., [self.columns[source] for source in self.sources]]  # [K, B, sources]
        different, number = availability.unique(dim=0, return_inverse=True)
        joined = self._joined({source: self._frames(batch, source) for source in self.sources}, different)
        logits = self.head(self._encoded(joined.flatten(0, 1))[-1])  # [different * B, C]
        return logits.unflatten(0, different.shape[:2])[number]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        frames = {modality: self._frames(batch, modality) for modality in self.columns}  # [B, S, D] each
        available = batch.available[:, [self.columns[source] for source in self.sources]]  # [B, sources]
        encoded = self._encoded(self._joined(frames, available))
        states = [decoder(e) for decoder, e in zip(self.decoders, encoded, strict=True)]  # [B, S, H] a target
        translated = {target: self._emitted(target, s) for target, s in zip(self.targets, states, strict=True)}
        first = self.targets[0]
        returned = self.decoders[0](self.encoders[0](self.into[first.value](translated[first])))  # [B, S, H]
        recalled = {source: self._emitted(source, returned) for source in self.sources}
        targets = batch.present[:, [self.columns[target] for target in self.targets]] & available.any(1, keepdim=True)
        return {
            "classification": F.cross_entropy(self.head(encoded[-1]), batch.labels),
            "translation": self.config.translation_weight * _distance(translated, frames, targets),
            "cycle": self.config.cycle_weight * _distance(recalled, frames, available),
            "penalty": self.config.output_penalty * self.head.out.weight.square().sum(),
        }

    def _frames(self, batch: Batch, modality: Modality) -> Tensor:
        return resampled(batch.frames[modality], batch.mask[modality], self.steps)  # [B, S, D]

    def _joined(self, frames: Mapping[Modality, Tensor], available: Tensor) -> Tensor:
        """[..., B, S, H]: the sum of P x over the sources that `available` bool [..., B, sources] leaves."""
        projected = (self.into[source.value](frames[source]) for source in self.sources)  # [B, S, H] each
        masks = available[..., None, None].unbind(-3)  # [..., B, 1, 1] each
        return _total(
            torch.where(mask, source_states, 0.0) for source_states, mask in zip(projected, masks, strict=True)
        )

    def _encoded(self, states: Tensor) -> list[Tensor]:
        """E [B, S, H] of each level; a level encodes what the one before made."""
        encoded = []
        for encoder in self.encoders:
            states = encoder(states)
            encoded.append(states)
        return encoded

    def _emitted(self, modality: Modality, states: Tensor) -> Tensor:
        return self.out_of[modality.value](states)  # [B, S, D]


class SummedBiLSTM(nn.Module):
    """Both directions of an LSTM, summed. Shapes: [B, S, H] -> [B, S, H]."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True, bidirectional=True)

    def forward(self, steps: Tensor) -> Tensor:
        return self.lstm(steps)[0].unflatten(-1, (2, -1)).sum(-2)


class AttentionDecoder(nn.Module):
    r"""$s_i = \mathrm{LSTM}(c_i, s_{i-1})$, $c_i = \sum_j \alpha_{ij} E_j$ (Bahdanau, Cho, Bengio, ICLR 2015).

    $\alpha_i = \mathrm{softmax}_j\, w^\top \tanh(W s_{i-1} + U E_j)$, $s_0 = 0$; as many states as E has steps.
    Shapes: E [B, S, H] -> [B, S, H].
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.keys = nn.Linear(width, width)  # U
        self.query = nn.Linear(width, width, bias=False)  # W
        self.score = nn.Linear(width, 1, bias=False)  # w
        self.cell = nn.LSTMCell(width, width)

    def forward(self, encoded: Tensor) -> Tensor:
        keys, states = self.keys(encoded), []
        state = cell = encoded.new_zeros(len(encoded), encoded.shape[-1])  # [B, H]
        for _ in range(encoded.shape[1]):
            weights = self.score(torch.tanh(self.query(state)[:, None] + keys)).softmax(1)  # [B, S, 1]
            state, cell = self.cell((weights * encoded).sum(1), (state, cell))
            states.append(state)
        return torch.stack(states, dim=1)


class SequenceClassifier(nn.Module):
    r"""$h = \mathrm{LSTM}(E)$, pooled by $\mathrm{softmax}_j\, w^\top \tanh(U h_j)$, and a linear layer.

    Shapes: E [B, S, H] -> [B, C].
    """

    def __init__(self, *, width: int, n_classes: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.keys = nn.Linear(width, width)  # U
        self.score = nn.Linear(width, 1, bias=False)  # w
        self.out = nn.Linear(width, n_classes)

    def forward(self, encoded: Tensor) -> Tensor:
        states, _ = self.lstm(encoded)  # [B, S, H]
        weights = self.score(torch.tanh(self.keys(states))).softmax(1)  # [B, S, 1]
        return self.out((weights * states).sum(1))


def resampled(frames: Tensor, mask: Tensor, steps: int) -> Tensor:
    """[B, T, D] and bool [B, T] -> [B, steps, D]: means over equal shares of each row's valid frames.

    Frame i of a row of n counts in step j with the overlap of [i, i + 1) and [j n / steps, (j + 1) n / steps); fewer
    frames than steps are repeated. A row without frames gives zeros.
    """
    count = mask.sum(1).clamp(min=1)[:, None, None]  # [B, 1, 1]
    step = torch.arange(steps, device=mask.device)[:, None]
    frame = torch.arange(mask.shape[1], device=mask.device)
    overlap = torch.minimum((step + 1) * count / steps, frame + 1) - torch.maximum(step * count / steps, frame)
    weights = overlap.clamp(min=0) * (steps / count)  # [B, steps, T]
    return weights @ frames.masked_fill(~mask[..., None], 0.0)


def _distance(emitted: Mapping[Modality, Tensor], frames: Mapping[Modality, Tensor], rows: Tensor) -> Tensor:
    """Sum over the n modalities emitted of the mean square over the `rows` bool [B, n]; 0 of one without rows."""
    errors = [(emission - frames[modality]).square().mean((1, 2)) for modality, emission in emitted.items()]
    return ((torch.stack(errors, dim=1) * rows).sum(0) / rows.sum(0).clamp(min=1)).sum()


def _total(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum(0)


FAMILY = Family(
    name="mctn",
    description="A network for each missing condition that translates what is there into what is missing (MCTN).",
    config=Config,
    presets={
        # The schedule of mmin's default, for corpora of about a thousand utterances, and half its width.
        "default": _rows(Schedule(constant_epochs=15, decay_epochs=15, batch_size=32, learning_rate=1e-3), width=64),
        "quick": _rows(Schedule(constant_epochs=8, decay_epochs=8, batch_size=32, learning_rate=1e-3)),
        "paper": _rows(Schedule(constant_epochs=200, decay_epochs=0, batch_size=32, learning_rate=1e-4)),
        # Tiny and quick, for tests.
        "debug": _rows(
            Schedule(constant_epochs=1, decay_epochs=1, batch_size=8, learning_rate=1e-2), width=8, max_steps=4
        ),
    },
    build=build,
)

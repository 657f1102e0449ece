"""What a family is, the form of its models, and how long and how fast they train."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.inputs import ModalityInput, Preparation
from affectory.vocabulary import Modality

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a model is trained: a constant phase, then a decay, linear to nearly nothing or geometric to a last rate."""

    constant_epochs: int
    decay_epochs: int
    batch_size: int
    learning_rate: float
    optimizer: Literal["adam", "sgd"] = "adam"  # sgd: with Nesterov's momentum
    beta1: float = 0.9  # of sgd the momentum
    last_learning_rate: float = 0.0  # of the last epoch; 0: the decay is linear
    weight_decay: float = 0.0
    keep: Literal["best", "last"] = "best"  # which epoch's weights: the best on validation, or the last
    select: Literal["wa", "ua", "weighted_f1", "macro_f1", "ccc"] = "ua"  # what is best on validation
    refit: bool = False  # train anew on train and val, for as many epochs as were kept
    clip: float = 1.0  # largest gradient norm of each sub-network (a direct child of the model)

    @property
    def epochs(self) -> int:
        """The epochs of both phases together."""
        return self.constant_epochs + self.decay_epochs

    def learning_rate_at(self, epoch: int) -> float:
        """The learning rate of an epoch counted from 0."""
        if self.last_learning_rate:
            share = max(0, epoch + 1 - self.constant_epochs) / max(self.decay_epochs, 1)
            return self.learning_rate * (self.last_learning_rate / self.learning_rate) ** share
        return self.learning_rate * (1 - max(0, epoch + 1 - self.constant_epochs) / (self.decay_epochs + 1))


class Model(Protocol):
    """A torch module of a family; B rows, K ways of having modalities, M modalities, C classes or dimensions.

    What only some models can is asked through Begins, LearnsFrom and Imagines.
    """

    training_conditions: str  # one of affectory.data.conditions.TRAINING_CONDITIONS
    whole_dialogues: bool  # a batch holds every row of its dialogues, those without a label too (-1); else rows alone

    def __call__(self, batch: Batch) -> Tensor:
        """Logits, or values of dimensions, [B, C] with what is available in the batch."""
        ...

    def logits_under(self, batch: Batch, available: Tensor) -> Tensor:
        """Logits [K, B, C] with what `available` bool [K, B, M] leaves; modalities are encoded once for all K."""
        ...

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The terms, already weighted, that the loop sums, minimises and logs by name."""
        ...

    # What the loop needs of nn.Module.
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def children(self) -> Iterable[nn.Module]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any: ...
    def train(self, mode: bool = True) -> Self: ...
    def eval(self) -> Self: ...
    def to(self, device: torch.device) -> Self: ...


@runtime_checkable
class Begins(Protocol):
    """A model that has to see the labels of the training rows before it is trained."""

    def begin(self, labels: Tensor) -> None:
        """Called once with the labels of the training rows, before the first epoch."""
        ...


@runtime_checkable
class LearnsFrom(Protocol):
    """A model that can learn from a teacher, as every config that names one builds."""

    def learn_from(self, teacher: Any, data: PackedFeatures) -> None:
        """Called once with the trained teacher and all rows, before the first epoch."""
        ...


@runtime_checkable
class Imagines(Protocol):
    """A model that imagines how its teacher encodes the modalities which a row misses; H width of an encoder."""

    taught: Tensor | None  # [N, M, H]: what the teacher encodes of every row; None before it has learned from one

    def imagined(self, batch: Batch, available: Tensor) -> tuple[Tensor, Tensor]:
        """(imagined encodings [K, B, M * H], latents [K, B, L] to classify from) under `available` bool [K, B, M]."""
        ...


class Build(Protocol):
    """A function that makes a model of a family."""

    def __call__(
        self, config: Any, inputs: Mapping[Modality, ModalityInput], outputs: Sequence[str], /, *, seed: int
    ) -> Model:
        """A new model with an output for each class or dimension; the same seed gives the same weights."""
        ...


def _none(config: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Family(Generic[Config]):
    """A family of models: the experiments that can be trained, what they need, and how they are described.

    A file of affectory/models ends with its family, and FAMILIES lists them all. An experiment is a config with a name.
    """

    name: str
    description: str  # of what is trained, as Dagster says it of the asset
    teacher_description: str = ""  # likewise of the asset of its teachers, where an experiment that is deployed has one
    config: type[Config]  # frozen: schedule, training_conditions, preparation; `teacher`, an experiment's name or None
    presets: Mapping[str, Mapping[str, Config]]  # experiments, a teacher first; there are `default` and a tiny `debug`
    build: Build
    deployed: tuple[str, ...] = ()  # the first of these that a preset has is registered; empty: only rows of a study
    of_dialogues: bool = False  # its models have whole_dialogues: a corpus without dialogues cannot feed it
    of_dimensions: bool = False  # its models predict values of dimensions, not classes
    reads: Callable[[Config], tuple[str, ...]] = _none  # feature sets; (): those of the missing-modality sets
    weights: Callable[[Config], tuple[str, ...]] = _none  # networks of layers/imagenet.py that training starts from
    variants: Callable[[str], Mapping[str, Config]] | None = None  # of a preset, what studies train; None: experiments

    def experiments(self, preset: str = "default") -> dict[str, Config]:
        """Configs by name, a teacher before its students; ValueError, with the known ones, for another preset."""
        if preset not in self.presets:
            raise ValueError(f"preset {preset!r} of family {self.name}: expected one of {', '.join(self.presets)}")
        return dict(self.presets[preset])

    def study_experiments(self, preset: str = "default") -> dict[str, Config]:
        """All that studies train of the family: the experiments and their variants. ValueError as of `experiments`."""
        experiments = self.experiments(preset)
        return dict(self.variants(preset)) if self.variants else experiments

    def config_of(self, experiment: str, preset: str = "default") -> Config:
        """The config of an experiment that is deployed or studied; ValueError for a name that the preset has not."""
        configs = self.study_experiments(preset)
        if experiment not in configs:
            raise ValueError(
                f"experiment {experiment!r} of family {self.name}, preset {preset}: expected one of "
                f"{', '.join(configs)}"
            )
        return configs[experiment]

    def config_from(self, values: Mapping[str, Any]) -> Config:
        """The config whose dataclasses.asdict gave these values, before JSON turned its tuples into lists."""
        plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        parts = {"schedule": Schedule(**values["schedule"]), "preparation": Preparation(**values["preparation"])}
        return self.config(**{**plain, **parts})

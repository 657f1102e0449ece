"""What a family is: the form of its models and of the file that defines them, and how long and how fast they train."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from affectory.data.batches import Batch
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
        return self.constant_epochs + self.decay_epochs

    def learning_rate_at(self, epoch: int) -> float:
        """Of an epoch counted from 0."""
        if self.last_learning_rate:
            share = max(0, epoch + 1 - self.constant_epochs) / max(self.decay_epochs, 1)
            return self.learning_rate * (self.last_learning_rate / self.learning_rate) ** share
        return self.learning_rate * (1 - max(0, epoch + 1 - self.constant_epochs) / (self.decay_epochs + 1))


class Model(Protocol):
    """A torch module of a family; B rows, K ways of having modalities, M modalities, C classes or dimensions.

    One whose config names a teacher also has learn_from(teacher, data: PackedFeatures), called before its training.
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
    """A model that wants to know what it will learn from."""

    def begin(self, labels: Tensor) -> None:
        """Called once with the labels of the training rows, before the first epoch."""
        ...


class Family(Protocol):
    """A file of affectory/models."""

    DEPLOYED: tuple[str, ...]  # the first of these that a preset has is registered; empty: only rows of a study
    OF_DIALOGUES: bool  # its models have whole_dialogues: a corpus without dialogues cannot feed it
    OF_DIMENSIONS: bool  # its models predict values of dimensions, not classes
    PRESETS: Mapping[str, Mapping[str, Any]]  # experiments by preset; "default" and the tiny "debug" are always there

    def experiments(self, preset: str = ...) -> dict[str, Any]:
        """Frozen configurations by name, a teacher before its students.

        Each has schedule, training_conditions, preparation, and `teacher`, which names an experiment or is None.
        """
        ...

    def build(
        self,
        config: Any,
        inputs: Mapping[Modality, ModalityInput],
        outputs: Sequence[str],
        *,
        seed: int,
    ) -> Model:
        """A new model with an output for each class or dimension; the same seed gives the same weights."""
        ...

    def config_from(self, values: Mapping[str, Any]) -> Any:
        """The config that dataclasses.asdict made these plain values of."""
        ...


# What the files of affectory/models share.


def experiments_of(family: str, presets: Mapping[str, Mapping[str, Config]], preset: str) -> dict[str, Config]:
    """Those of a preset; ValueError, with the known ones, for another."""
    if preset not in presets:
        raise ValueError(f"preset {preset!r} of family {family}: expected one of {', '.join(presets)}")
    return dict(presets[preset])


def restored(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """The config that dataclasses.asdict made these values of, after JSON, which has lists for tuples."""
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    parts = {"schedule": Schedule(**values["schedule"]), "preparation": Preparation(**values["preparation"])}
    return kind(**{**plain, **parts})

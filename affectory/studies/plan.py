"""What a study trains: its rows with their configurations for one corpus, and each training's place in the tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from affectory.data.dataset import Dataset
from affectory.learning.selection import training_fingerprint
from affectory.models import FAMILIES
from affectory.results.names import SPEAKER_NORMALISED
from affectory.studies.study import LINEAR_SVM, Row, Study
from affectory.vocabulary import Condition, Modality, conditions, missing_conditions

Reads = tuple[tuple[str, ...], str]  # which data a row reads: its feature sets, and the suffix of how they are changed


@dataclass(frozen=True)
class Training:
    """A row with its configuration; of a row that stands for several, the one of a condition."""

    row: Row
    config: Any = None  # of the row's family; None: no network
    only: Condition | None = None  # trained for this condition and scored under it alone

    @property
    def name(self) -> str:
        return _with_keys(self.row.name, self.only)

    @property
    def experiment(self) -> str:
        """What the tables call it."""
        return self.row.name

    @property
    def family(self) -> str:
        return self.row.family

    @property
    def is_network(self) -> bool:
        return self.config is not None

    @property
    def teacher(self) -> str:
        """The name of the training that must come before it; empty without one."""
        return (self.config.teacher or "") if self.is_network else ""

    @property
    def feature_sets(self) -> tuple[str, ...]:
        """What it reads; empty: the sets that the missing-modality sets are made of."""
        if self.row.feature_sets or not self.is_network:
            return self.row.feature_sets
        return FAMILIES[self.family].reads(self.config)

    @property
    def weights(self) -> tuple[str, ...]:
        """The backbones of layers/imagenet.py whose published weights it starts from."""
        return FAMILIES[self.family].weights(self.config) if self.is_network else ()


@dataclass(frozen=True)
class Place:
    """Where one training of the plan belongs in the tables."""

    fold: int
    seed: int
    training: Training
    suffix: str  # SPEAKER_NORMALISED, or nothing
    fingerprint: str
    seeds: tuple[int, ...]  # that its results stand for: its own, or all where there is no chance in it

    @property
    def reads(self) -> Reads:
        return self.training.feature_sets, self.suffix

    @property
    def experiment(self) -> str:
        return self.training.experiment + self.suffix


def trainings(study: Study, preset: str, modalities: Iterable[Modality], options: Mapping[str, Any]) -> list[Training]:
    """All trainings of a study for a corpus with these modalities, a teacher before its students.

    `preset` is one of the study's family; other families take what `study.presets` says for it, or the same. A row that
    a preset does not have is left out. ValueError for an unknown preset, and for an option that is none of its choices.
    """
    for name, option in study.options.items():
        if option.choices and options.get(name) and options[name] not in option.choices:
            raise ValueError(f"{name} {options[name]!r}: expected one of {', '.join(option.choices)}")
    FAMILIES[study.family].experiments(study.presets.get(study.family, {}).get(preset, preset))
    held = tuple(modalities)
    every = [training for row in study.rows for training in _of_row(study, row, preset, held)]
    changed = [study.change(training, options) for training in every] if study.change else every
    teachers = {training.teacher for training in changed}
    return sorted(changed, key=lambda training: training.name not in teachers)


def _of_row(study: Study, row: Row, preset: str, modalities: Sequence[Modality]) -> list[Training]:
    if (row.fuses and len(modalities) < 2) or (row.only and Modality(row.only) not in modalities):
        return []
    bound: Sequence[Condition | None] = {
        "": [Condition({Modality(row.only)}) if row.only else None],
        "condition": conditions(modalities),
        "missing_condition": missing_conditions(modalities),
    }[row.each]
    if row.family == LINEAR_SVM:
        return [Training(row)]
    of_family = study.presets.get(row.family, {}).get(preset, preset)
    configs = FAMILIES[row.family].study_experiments(of_family)
    experiment = row.experiment or row.name
    named = [(configs.get(experiment) or configs.get(_with_keys(experiment, only)), only) for only in bound]
    return [Training(row, config, only) for config, only in named if config is not None]


def _with_keys(name: str, only: Condition | None) -> str:
    keys = "".join(modality.key for modality in Modality if only and modality in only)
    return f"{name}_{keys}" if keys else name


def asked_for(
    every: Sequence[Training],
    dataset: Dataset,
    *,
    seeds: Sequence[int],
    experiments: Sequence[str],
    speaker_normalised: Sequence[str],
    keep: str,
) -> list[Training]:
    """The rows asked for (`experiments` empty: all), teachers before their students.

    `keep`: best or last, the epoch that every network keeps; empty as its configuration says. ValueError names a row,
    seed or switch that is not known.
    """
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        raise ValueError(f"seeds {seeds}: expected one or more different numbers, none below 0")
    if speaker_normalised and not any(dataset.speakers):
        raise ValueError(f"speaker_normalised {speaker_normalised}: no utterance of the corpus names its speaker")
    if keep not in ("", "best", "last"):
        raise ValueError(f"keep {keep!r}: expected best, last or nothing")
    names = {training.experiment for training in every}
    if unknown := sorted({*experiments, *speaker_normalised} - names):
        have = "".join(modality.key for modality in dataset.modalities)
        raise ValueError(
            f"experiments {unknown}: of a corpus with modalities {have}, expected some of {', '.join(sorted(names))}"
        )
    wanted = {*experiments, *speaker_normalised} if experiments else names
    wanted |= {training.teacher for training in every if training.experiment in wanted}
    return [_keeping(training, keep) for training in every if training.experiment in wanted]


def _keeping(training: Training, keep: str) -> Training:
    if not keep or not training.is_network:
        return training
    schedule = replace(training.config.schedule, keep=keep)
    return replace(training, config=replace(training.config, schedule=schedule))


def places_of(
    planned: Sequence[Training],
    parts: Mapping[int, Sequence[str]],
    digests: Mapping[tuple[str, ...], str],
    *,
    seeds: Sequence[int],
    speaker_normalised: Sequence[str],
) -> Iterator[Place]:
    """Every training of the study; a machine without chance is trained with the first seed only.

    `parts`: fold -> split of each row; `digests`: feature sets -> digest of the data that they give.
    """
    suffixes = ["", SPEAKER_NORMALISED] if speaker_normalised else [""]
    by_name = {training.name: training for training in planned}
    for fold, splits in parts.items():
        for seed in seeds:
            for suffix in suffixes:
                for training in planned:
                    if not training.is_network and seed != seeds[0]:
                        continue
                    if suffix and training.experiment not in speaker_normalised:
                        continue
                    data = f"{digests[training.feature_sets]} {list(splits)}"
                    yield Place(
                        fold=fold,
                        seed=seed,
                        training=training,
                        suffix=suffix,
                        fingerprint=training_fingerprint(
                            training.family,
                            training.name,
                            training.config,
                            {name: other.config for name, other in by_name.items()},
                            seed=seed if training.is_network else None,
                            data=data,
                            extras=[training.row.reads_all, training.row.shuffled, suffix],
                        ),
                        seeds=(seed,) if training.is_network else tuple(seeds),
                    )

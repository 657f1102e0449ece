"""What a study of a corpus trains: its configuration, its rows, and a place in the tables for every training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg

from affectory.data.conditions import TRAINING_CONDITIONS
from affectory.data.dataset import Dataset
from affectory.learning import selection
from affectory.models import FAMILIES
from affectory.study_data import SPEAKER_NORMALISED
from affectory.study_rows import LINEAR_SVM, Row, mmgcn_rows, mmin_rows, omg_rows
from ops.datasets import read_folds
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers

Reads = tuple[tuple[str, ...], str]  # which data a row reads: its feature sets, and the suffix of how they are changed


class StudyConfig(dg.Config):
    """Which rows, over which seeds."""

    preset: str = "default"  # a preset of the study's family
    seeds: list[int] = [0, 1, 2]
    experiments: list[str] = []  # rows by name, with the teachers they need; empty: all
    speaker_normalised: list[str] = []  # rows also trained on features normalised speaker by speaker (transductive)
    keep: str = (
        ""  # best (on validation) or last: the epoch whose weights every network keeps; empty: as the preset says
    )


class MminStudyConfig(StudyConfig):
    """And what the rows are trained under."""

    train_under: str = ""  # full, missing or full_and_missing for every row that can be; empty: as the preset says


class MmgcnStudyConfig(StudyConfig):
    """And whose edges in the graph are drawn."""

    utterance: str = ""  # its id; empty: the twentieth, or the last, of the longest dialogue that is tested


class OmgStudyConfig(StudyConfig):
    """And what the rows learn with."""

    loss: str = ""  # ccc (one minus it), mse or ccc_and_mse for every row; empty: as the preset says


@dataclass(frozen=True)
class Place:
    """Where one training of the plan belongs in the tables."""

    fold: int
    seed: int
    row: Row
    suffix: str
    fingerprint: str
    seeds: tuple[int, ...]  # that its results stand for: its own, or all where there is no chance in it

    @property
    def reads(self) -> Reads:
        return self.row.feature_sets, self.suffix

    @property
    def experiment(self) -> str:
        return self.row.experiment + self.suffix

    def selected_on(self, score: float) -> str:
        """As selection.selected_on; a linear SVM's penalty is selected on validation."""
        return "val" if self.row.config is None else selection.selected_on(self.row.config.schedule, score)


@dataclass(frozen=True)
class Study:
    """A study of one corpus, and what it runs with."""

    name: str
    family: str  # the family that it is about
    context: dg.AssetExecutionContext
    store: FeatureStore
    tracking: Tracking
    compute: Compute
    workers: Workers

    @property
    def corpus(self) -> str:
        return self.context.partition_key

    @property
    def staging(self) -> Path:
        return Path(self.workers.staging) / "studies"

    def say(self, text: str) -> None:
        self.context.log.info(text)

    def read(self, feature_sets: tuple[str, ...] = ()) -> tuple[Dataset | None, dict[int, list[str]]]:
        """The data of all folds, and every row's split in each, as ops.datasets.read_folds gives them."""
        stored = self.store.feature_sets(self.corpus)
        of = {name: modality for modality, names in stored.items() for name in names}
        sets = {of[name]: name for name in feature_sets} or None
        return read_folds(self.store, self.corpus, sets, of_dimensions=FAMILIES[self.family].of_dimensions)


def rows_of_mmin(config: MminStudyConfig, dataset: Dataset) -> list[Row]:
    """All rows of mmin_study; ValueError for a switch that is not known."""
    if config.train_under and config.train_under not in TRAINING_CONDITIONS:
        raise ValueError(f"train_under {config.train_under!r}: expected one of {', '.join(TRAINING_CONDITIONS)}")
    return mmin_rows(config.preset, dataset.modalities, config.train_under)


def rows_of_mmgcn(config: MmgcnStudyConfig, dataset: Dataset) -> list[Row]:
    """All rows of mmgcn_study; ValueError for an utterance to be drawn that is not there."""
    if config.utterance and config.utterance not in dataset.utterance_ids:
        some = ", ".join(dataset.utterance_ids[:3])
        raise ValueError(f"utterance {config.utterance!r}: expected the id of one in the corpus, as {some}")
    return mmgcn_rows(config.preset, dataset.modalities)


def rows_of_omg(config: OmgStudyConfig, dataset: Dataset) -> list[Row]:
    """All rows of omg_study; ValueError for a loss that is not known."""
    return omg_rows(config.preset, dataset.modalities, config.loss)


def rows_asked_for(config: StudyConfig, dataset: Dataset, every: Sequence[Row]) -> list[Row]:
    """The rows asked for, teachers before their students; ValueError names a row or switch that is not known."""
    if not config.seeds or len(set(config.seeds)) < len(config.seeds) or min(config.seeds) < 0:
        raise ValueError(f"seeds {config.seeds}: expected one or more different numbers, none below 0")
    if config.speaker_normalised and not any(dataset.speakers):
        raise ValueError(
            f"speaker_normalised {config.speaker_normalised}: no utterance of the corpus names its speaker"
        )
    if config.keep not in ("", "best", "last"):
        raise ValueError(f"keep {config.keep!r}: expected best, last or nothing")
    every = [_keeping(row, config.keep) for row in every]
    names = {row.experiment for row in every}
    if unknown := sorted({*config.experiments, *config.speaker_normalised} - names):
        have = "".join(modality.key for modality in dataset.modalities)
        raise ValueError(
            f"experiments {unknown}: of a corpus with modalities {have}, expected some of {', '.join(sorted(names))}"
        )
    wanted = set(config.experiments) | set(config.speaker_normalised) if config.experiments else names
    wanted |= {row.config.teacher for row in every if row.experiment in wanted and row.config is not None}
    return [row for row in every if row.experiment in wanted]


def _keeping(row: Row, keep: str) -> Row:
    if row.config is None or not keep:
        return row
    return replace(row, config=replace(row.config, schedule=replace(row.config.schedule, keep=keep)))


def places_of(
    config: StudyConfig, rows: Sequence[Row], parts: dict[int, list[str]], digests: dict[tuple[str, ...], str]
) -> Iterator[Place]:
    """Every training of the study; a machine without chance is trained with the first seed only."""
    suffixes = ["", SPEAKER_NORMALISED] if config.speaker_normalised else [""]
    configs = {row.name: row.config for row in rows}
    for fold, splits in parts.items():
        for seed in config.seeds:
            for suffix in suffixes:
                for row in rows:
                    if row.family == LINEAR_SVM and seed != config.seeds[0]:
                        continue
                    if suffix and row.experiment not in config.speaker_normalised:
                        continue
                    seeds = tuple(config.seeds) if row.family == LINEAR_SVM else (seed,)
                    chance = None if row.family == LINEAR_SVM else seed
                    fingerprint = selection.fingerprint(
                        row.family, row.name, row.config, configs, seed=chance, data=digests[row.feature_sets],
                        extras=(row.reads_all, row.shuffled, suffix, splits),
                    )  # fmt: skip
                    yield Place(fold, seed, row, suffix, fingerprint, seeds)

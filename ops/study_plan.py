"""A study of one corpus as it is run: its configuration in Dagster, and what it runs with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from affectory.data.dataset import Dataset
from affectory.models import FAMILIES
from affectory.studies.study import Study
from ops.datasets import read_folds
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking
from resources.workers import Workers


class StudyConfig(dg.Config):
    """Which rows, over which seeds."""

    preset: str = "default"  # a preset of the study's family
    seeds: list[int] = [0, 1, 2]
    experiments: list[str] = []  # rows by name, with the teachers they need; empty: all
    speaker_normalised: list[str] = []  # rows also trained on features normalised speaker by speaker (transductive)
    keep: str = (
        ""  # best (on validation) or last: the epoch whose weights every network keeps; empty: as the preset says
    )


def config_of(study: Study) -> type[StudyConfig]:
    """The configuration of a study: the common fields, and a text for each of its own options."""
    fields = {name: Field(default="", description=option.means) for name, option in study.options.items()}
    name = "".join(part.capitalize() for part in study.name.split("_")) + "Config"
    return type(name, (StudyConfig,), {"__annotations__": dict.fromkeys(fields, str), "__module__": __name__, **fields})


@dataclass(frozen=True)
class StudyRun:
    """A study of one corpus, its configuration, and what it runs with."""

    study: Study
    config: StudyConfig
    context: dg.AssetExecutionContext
    store: FeatureStore
    tracking: Tracking
    compute: Compute
    workers: Workers

    @property
    def corpus(self) -> str:
        return self.context.partition_key

    @property
    def name(self) -> str:
        return self.study.name

    @property
    def options(self) -> dict[str, Any]:
        """Everything that the configuration says, by name."""
        return self.config.model_dump()

    @property
    def staging(self) -> Path:
        return Path(self.workers.staging) / "studies"

    def say(self, text: str) -> None:
        self.context.log.info(text)

    def read(self, feature_sets: tuple[str, ...] = ()) -> tuple[Dataset | None, dict[int, list[str]]]:
        """The data of all folds, and every row's split in each, as ops.datasets.read_folds gives them."""
        stored = self.store.feature_sets(self.corpus)
        modality_of = {name: modality for modality, names in stored.items() for name in names}
        sets = {modality_of[name]: name for name in feature_sets} or None
        of_dimensions = FAMILIES[self.study.family].of_dimensions
        return read_folds(self.store, self.corpus, sets, of_dimensions=of_dimensions)

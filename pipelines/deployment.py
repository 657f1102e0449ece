"""Where a deployment keeps what it makes, and the resources built on those places.

`python -m pipelines.deployment` prepares the folders and Dagster's own settings, and frees what killed runs held; it is
safe to repeat.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from pipelines.dead_runs import release_dead_runs
from resources.compute import Compute
from resources.corpus_folders import CorpusFolders
from resources.feature_store import FeatureStore
from resources.openface import OpenFace
from resources.reports import Reports
from resources.tracking import Tracking
from resources.workers import Workers

CHECKOUT = Path(__file__).resolve().parent.parent

# Pools are enforced only where the instance says so: one writer of the DuckDB file, one training on the GPU.
DAGSTER_YAML = """\
telemetry:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
"""


@dataclass(frozen=True)
class Places:
    """Absolute paths of everything a deployment makes."""

    home: Path
    corpora: Path

    @classmethod
    def from_environment(cls) -> "Places":
        """The places that AFFECTORY_HOME and AFFECTORY_CORPORA name, else those below the checkout."""
        home = Path(os.environ.get("AFFECTORY_HOME") or CHECKOUT / ".affectory").absolute()
        return cls(home=home, corpora=Path(os.environ.get("AFFECTORY_CORPORA") or home / "corpora").absolute())

    @property
    def dagster(self) -> Path:
        return self.home / "dagster"

    @property
    def features(self) -> Path:
        return self.home / "features.duckdb"

    @property
    def staging(self) -> Path:
        return self.home / "staging"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def tracking_uri(self) -> str:
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path:
        return self.home / "mlartifacts"


def prepare(places: Places) -> None:
    """Create the folders and, unless the user wrote one, Dagster's dagster.yaml."""
    for folder in (places.home, places.corpora, places.dagster, places.staging, places.reports):
        if not folder.is_dir():
            folder.mkdir(parents=True)
    settings = places.dagster / "dagster.yaml"
    if not settings.exists():
        temporary = settings.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(DAGSTER_YAML)
        temporary.replace(settings)


def resources(places: Places) -> dict[str, dg.ConfigurableResource]:
    """One resource an external system, under the names that assets and ops ask for."""
    return {
        "corpus_folders": CorpusFolders(folder=str(places.corpora)),
        "store": FeatureStore(path=str(places.features), lock_timeout_s=600),
        "workers": Workers(staging=str(places.staging)),
        "openface": OpenFace(folder=str(places.home / "openface")),
        "tracking": Tracking(tracking_uri=places.tracking_uri, artifact_location=str(places.artifacts)),
        "compute": Compute(),
        "reports": Reports(folder=str(places.reports)),
    }


if __name__ == "__main__":
    places = Places.from_environment()
    prepare(places)
    with dg.DagsterInstance.from_config(str(places.dagster)) as instance:
        for line in release_dead_runs(instance):
            print(line)

"""A deployment in a temporary folder, and its lineage run in this process."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from affectory.corpora.demo import generate
from assets import checks
from pipelines.definitions import MODULES
from pipelines.deployment import Places, prepare, resources

# The tiny preset: the lineage is under test here, not how well a model learns.
MODELS = ("mmin_teacher", "mmin", "mmgcn", "valence_arousal")
DEBUG = {name: {"config": {"preset": "debug", "seeds": [0, 1]}} for name in MODELS}
EVERYTHING = "not (key:corpora or group:studies)"


@dataclass
class Deployment:
    """One AFFECTORY_HOME; `run` materialises the lineage of a corpus and returns Dagster's result."""

    places: Places
    instance: dg.DagsterInstance
    resources: dict[str, Any] = field(default_factory=dict)

    def run(self, corpus: str, *, select: str = EVERYTHING, config: dict[str, Any] | None = None):
        self.instance.add_dynamic_partitions("corpus", [corpus])
        selection = dg.AssetSelection.from_coercible(select)
        ops = config if config is not None else DEBUG
        chosen = {key.to_user_string() for key in selection.resolve(ASSETS)}
        return dg.materialize(
            [*ASSETS, *CHECKS],
            selection=selection,
            partition_key=corpus,
            instance=self.instance,
            resources=self.resources,
            run_config={"ops": {name: value for name, value in ops.items() if name in chosen}},
            raise_on_error=False,
        )

    def study(self, name: str, **config: Any) -> tuple[Any, dict[str, Any]]:
        """A study of the demo corpus with its page: Dagster's result, and the study's metadata where it was made."""
        select = f"key:{name} or key:evaluation_report"
        result = self.run("demo", select=select, config={name: {"config": {"preset": "debug", "seeds": [0], **config}}})
        events = [e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == name]
        metadata = events[-1].materialization.metadata if events else {}
        return result, {key: value.value for key, value in metadata.items()}

    def query(self, sql: str, *parameters: Any) -> pd.DataFrame:
        return self.resources["store"].query(sql, parameters)


ASSETS = dg.load_assets_from_modules(MODULES)
CHECKS = dg.load_asset_checks_from_modules([checks])


@pytest.fixture(scope="session")
def demo_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight generated dialogues, about sixty utterances."""
    return generate(tmp_path_factory.mktemp("generated") / "demo", dialogues=8)


@pytest.fixture(scope="session")
def new_deployment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Deployment]:
    """Each call is a fresh AFFECTORY_HOME."""

    def make() -> Deployment:
        os.environ.pop("MLFLOW_TRACKING_URI", None)  # MLflow leaves it behind once a model was loaded in this process
        home = tmp_path_factory.mktemp("home")
        places = Places(home=home, corpora=home / "corpora")
        prepare(places)
        return Deployment(places, dg.DagsterInstance.ephemeral(), dict(resources(places)))

    return make


@pytest.fixture(scope="module")
def demo(new_deployment: Callable[[], Deployment], demo_corpus: Path) -> Deployment:
    """A deployment whose lineage has run once on the demo corpus."""
    deployment = new_deployment()
    shutil.copytree(demo_corpus, deployment.places.corpora / "demo")
    deployment.first = deployment.run("demo")  # type: ignore[attr-defined]
    return deployment

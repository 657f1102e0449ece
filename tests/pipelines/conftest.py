"""The demo corpus and its lineage, made once for all workers of a session, and copies for those that change them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.fixtures.deployments import Deployment


@pytest.fixture(scope="session")
def demo_corpus(once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """Six generated dialogues, about fifty utterances."""

    def make(folder: Path) -> None:
        from affectory.corpora.demo import generate

        generate(folder / "demo", dialogues=6)

    return once("corpus", make) / "demo"


@pytest.fixture(scope="session")
def new_deployment(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Deployment]:
    """Each call is a fresh AFFECTORY_HOME."""
    from tests.fixtures.deployments import deployment_in

    return lambda: deployment_in(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def lineage(once: Callable[[str, Callable[[Path], None]], Path], demo_corpus: Path) -> Path:
    """The home in which the whole lineage has run once on the demo corpus; it is only read, and copied.

    `run.json` in it says how the run ended: success, the assets that were made, and each check's name and verdict.
    """

    def make(home: Path) -> None:
        from tests.fixtures.deployments import deployment_in, made

        deployment = deployment_in(home)
        shutil.copytree(demo_corpus, deployment.places.corpora / "demo")
        result = deployment.run("demo")
        verdicts = [[check.check_name, check.passed] for check in result.get_asset_check_evaluations()]
        report = {"success": result.success, "made": sorted(made(result)), "checks": verdicts}
        (home / "run.json").write_text(json.dumps(report))

    return once("lineage", make)


@pytest.fixture
def demo(lineage: Path, tmp_path: Path) -> Deployment:
    """A copy of the deployment whose lineage has run, for one test to change."""
    from tests.fixtures.deployments import copied

    return copied(lineage, tmp_path / "home")


@pytest.fixture(scope="module")
def demo_of_module(lineage: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A copy of it for the tests of a file, one after the other."""
    from tests.fixtures.deployments import copied

    return copied(lineage, tmp_path_factory.mktemp("home"))

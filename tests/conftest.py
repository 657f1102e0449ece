"""Fixtures that every part may use, and one thread a process: the workers share the cores."""

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
gc.set_threshold(50_000, 20, 50)  # collecting among all that torch and Dagster hold takes a tenth of the time

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The lineage is made first: by one worker, while the other begins with what does not need it."""
    items.sort(key=lambda item: item.path.name != "test_lineage.py")


@pytest.fixture(scope="session")
def real_corpora() -> Path:
    """The folder of real corpora beside the checkout; the test is skipped, saying so, where it is not there."""
    if not REAL.is_dir():
        pytest.skip("the real corpora are not here: ../shared/data")
    return REAL


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """once(name, make) -> a folder that `make` has filled, by whichever worker of the session asked first."""
    from filelock import FileLock

    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        path, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                path.mkdir()
                make(path)
                done.touch()
        return path

    return folder

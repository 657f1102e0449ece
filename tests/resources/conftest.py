"""Real processes that start fast: forked from a server that has imported what they need."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess

import pytest

# One server for all tests: what the first of them sets is preloaded. MLflow's stores take six seconds a process.
PRELOADED = [
    "duckdb",
    "resources.feature_store",
    "resources.tracking",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
]


@pytest.fixture
def start() -> Iterator[Callable[[str], BaseProcess]]:
    """start(code) -> a process that runs the code; it is ended with the test."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(PRELOADED)
    started: list[BaseProcess] = []

    def start(code: str) -> BaseProcess:
        process = server.Process(target=exec, args=(code, {}))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join(10)

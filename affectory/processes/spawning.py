"""Worker processes that start lean: spawned, without the caller's main module, never outliving their parent."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _LeanProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802, multiprocessing's own name
        with _main_module_hidden():
            return SpawnProcess._Popen(process_obj)  # pyright: ignore[reportAttributeAccessIssue]


class LeanSpawnContext(SpawnContext):
    """A multiprocessing context whose processes skip the import of the caller's `__main__`.

    Spawning imports it again in each process, which under the `dagster` command costs 1.7 CPU seconds a worker and
    brings nothing that a worker needs. What is sent to the workers must therefore not be defined in `__main__`.
    """

    Process = _LeanProcess  # pyright: ignore[reportAssignmentType]


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """What multiprocessing sees of `__main__` while it writes down how to prepare the child: no file, no name."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def start_worker() -> None:
    """A pool's initializer: one thread an engine (the workers are the parallelism), and no life after the parent's."""
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = "1"
    follow_parent()


def follow_parent() -> None:
    """In a spawned process: end it at once when its parent has ended, however that came about."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

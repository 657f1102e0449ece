"""Work on hostile items in child processes: one that hangs or dies is lost alone, and the rest goes on."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Literal, TypeVar

from pebble import ProcessExpired, ProcessPool

from affectory.processes.spawning import follow_parent

Item = TypeVar("Item")
Result = TypeVar("Result")
OnProgress = Callable[[int, int], None]  # items done, items in all


@dataclass(frozen=True)
class Lost:
    """An item without a result; `why` ends a refusal's reason, `detail` says what came and what to do."""

    why: Literal["timeout", "crashed", "failed"]
    detail: str


def run_each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    timeout_s: float,
    memory_bytes: int | None = None,
    on_progress: OnProgress | None = None,
) -> list[Result | Lost]:
    """function(item) of every item, in order, in `workers` spawned processes, each item at most timeout_s.

    A process that dies costs its item one more try, alone. `function` is importable by name and what it returns is
    picklable; what it raises becomes Lost("failed"). memory_bytes limits each process's address space.
    """
    if not items:
        return []
    outcomes: dict[int, Result | Lost] = {}
    crashed: list[int] = []
    for index, outcome in _in_pool(function, items, range(len(items)), workers, timeout_s, memory_bytes):
        if isinstance(outcome, Lost) and outcome.why == "crashed":
            crashed.append(index)
            continue
        outcomes[index] = outcome
        if on_progress is not None:
            on_progress(len(outcomes), len(items))
    for index in crashed:
        outcomes.update(_in_pool(function, items, [index], 1, timeout_s, memory_bytes))
        if on_progress is not None:
            on_progress(len(outcomes), len(items))
    return [outcomes[index] for index in range(len(items))]


def run_as_completed(
    function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, timeout_s: float
) -> Iterator[tuple[int, Result | Lost]]:
    """(index, function(item) or Lost) of every item as it is done; as run_each, but without a second try."""
    if items:
        yield from _in_pool(function, items, range(len(items)), workers, timeout_s, None)


def _in_pool(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    indices: Sequence[int],
    workers: int,
    timeout_s: float,
    memory_bytes: int | None,
) -> Iterator[tuple[int, Result | Lost]]:
    """(index, outcome) of each item as it is done; a pool that breaks gives "crashed" for all that it had left."""
    pool = ProcessPool(
        max_workers=min(workers, len(indices)),
        context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(memory_bytes,),
    )
    try:
        futures: dict[Future[Result], int] = {
            pool.schedule(function, args=(items[index],), timeout=timeout_s): index for index in indices
        }
        for future in as_completed(futures):
            yield futures[future], _outcome(future, timeout_s)
    finally:
        pool.stop()
        pool.join()


def _outcome(future: Future[Result], timeout_s: float) -> Result | Lost:
    try:
        return future.result()
    except TimeoutError:
        return Lost("timeout", f"not finished within {timeout_s:g} s; allow more time or leave it out")
    except ProcessExpired as error:
        return Lost("crashed", f"its process died, exit code {error.exitcode}; leave it out, or give it more memory")
    except BrokenProcessPool as error:
        return Lost("crashed", f"its process did not start or died at once: {error}")
    except Exception as error:  # whatever a decoder raises on a hostile item is that item's fault
        return Lost("failed", f"{type(error).__name__}: {error}")


def _begin(memory_bytes: int | None) -> None:
    """In each child: its limit on memory, and no life after the parent's."""
    if memory_bytes is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    follow_parent()

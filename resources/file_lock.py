"""One process at a time: a lock file that says who holds it and for what. The kernel drops it when the holder dies."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout


class LockTimeoutError(TimeoutError):
    """The lock was not free in time; the message names the holder and the remedy."""


@contextmanager
def hold(path: Path, *, timeout_s: float, purpose: str) -> Iterator[None]:
    """Hold the lock file `path` for the block; not re-entrant. Raises LockTimeoutError after `timeout_s` seconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    note = {"pid": os.getpid(), "purpose": purpose, "since": datetime.now().astimezone().isoformat(timespec="seconds")}

    def sign(descriptor: int) -> None:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(note).encode(), 0)

    # A kernel lock or none: a soft one would outlive a killed holder.
    lock = FileLock(path, timeout=timeout_s, fallback_to_soft=False, preserve_lock_file=True, on_acquired=sign)
    try:
        lock.acquire()
    except Timeout:
        raise LockTimeoutError(
            f"{path} was not free within {timeout_s:g} s: {_holder(path)}. Wait until it has ended and run the same "
            "command again; if it hangs, end that process first. Nothing was changed."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _holder(path: Path) -> str:
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return f"process {note['pid']} holds it since {note['since']} ({note['purpose']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process holds it"  # it has the lock and has not signed yet

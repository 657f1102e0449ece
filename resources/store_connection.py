"""Short connections to one DuckDB file: one writer at a time, many readers, and a clear word when it is busy.

DuckDB lets nobody in while a writer has the file open, and no writer in while anybody reads. So a writer holds the
lock file beside it from before it opens to after it closes, and a reader takes the same lock only to open: readers
read side by side, and a waiting writer keeps new ones out until those inside have finished.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from resources.file_lock import LockTimeoutError, hold
from resources.store_tables import FORMAT, create_tables

# duckdb is imported where it is used: what Dagster keeps of this module to the end would make it print leaks.
if TYPE_CHECKING:
    import duckdb

# No SQL reaches another file, the network or a Python variable, and none can switch that off again.
LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
    "arrow_large_buffer_size": "true",
    "memory_limit": "2GB",  # loading 1.8 GB takes 2.8 GB in all with it and 5.3 without, in the same time
    "lock_configuration": "true",
}
BUSY = ("Could not set lock on file", "different configuration than existing connections")


class StoreError(RuntimeError):
    """What was expected of the store, what came, and the remedy."""


class StoreBusyError(StoreError, TimeoutError):
    """The store stayed in use until the time-out; nothing was changed."""


@contextmanager
def writing(path: Path, *, timeout_s: float, purpose: str) -> Iterator["duckdb.DuckDBPyConnection"]:
    """The only connection to the file, made if it is not there; raises StoreBusyError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    with _locked(path, timeout_s, purpose):
        if not path.exists():
            _create(path)
        connection = _open(path, deadline, read_only=False)
        try:
            yield connection
        finally:
            connection.close()


@contextmanager
def reading(path: Path, *, timeout_s: float, purpose: str) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection that cannot write, beside other readers; raises StoreBusyError after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    with _locked(path, timeout_s, purpose):
        if not path.exists():
            _create(path)
        connection = _open(path, deadline, read_only=True)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection: "duckdb.DuckDBPyConnection") -> Iterator[None]:
    """A transaction around the block: committed when it ends, rolled back when it raises."""
    import duckdb

    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        with suppress(duckdb.Error):  # a failed commit has rolled back already
            connection.rollback()
        raise


@contextmanager
def _locked(path: Path, timeout_s: float, purpose: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(path.with_name(f"{path.name}.lock"), timeout_s=timeout_s, purpose=purpose))
        except LockTimeoutError as error:
            raise StoreBusyError(f"feature store {path} is in use: {error}") from None
        yield


def _create(path: Path) -> None:
    """Make the tables under another name, so that a file under the final name is always complete."""
    import duckdb

    new = path.with_name(f"{path.name}.new")
    for leftover in (new, new.with_name(f"{new.name}.wal")):
        leftover.unlink(missing_ok=True)
    with duckdb.connect(str(new), config=LOCKED_DOWN) as connection, transaction(connection):
        create_tables(connection)
    new.replace(path)


def _open(path: Path, deadline: float, *, read_only: bool) -> "duckdb.DuckDBPyConnection":
    import duckdb

    while True:
        try:
            connection = duckdb.connect(str(path), read_only=read_only, config=LOCKED_DOWN)
            break
        except (duckdb.IOException, duckdb.ConnectionException) as error:
            if not any(sign in str(error) for sign in BUSY):
                raise StoreError(f"feature store {path} cannot be opened: {error}") from error
            if time.monotonic() >= deadline:
                raise StoreBusyError(
                    f"feature store {path} stayed open in another connection: {error}. Wait until it has ended and run "
                    "the same command again; if it hangs, end that process first. Nothing was changed."
                ) from error
        time.sleep(0.02)
    _check_format(connection, path)
    return connection


def _check_format(connection: "duckdb.DuckDBPyConnection", path: Path) -> None:
    import duckdb

    try:
        rows = connection.execute("SELECT format FROM store").fetchall()
    except duckdb.CatalogException:
        rows = []
    if rows != [(FORMAT,)]:
        connection.close()
        raise StoreError(
            f"feature store {path}: expected format {FORMAT}, found {rows[0][0] if rows else 'no store'}. Move the "
            "file away and run again: a new one is made and filled"
        )

"""What the store promises when processes meet in it, die in it or run out of disk."""

import os
import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from affectory.features.feature_set import FeatureRow
from affectory.features.parts import part_table
from affectory.vocabulary import Modality
from resources.feature_store import FeatureStore
from resources.store_connection import StoreBusyError
from resources.store_tables import FORMAT

Start = Callable[[str], BaseProcess]
BEGIN = """
from pathlib import Path
import os, resource, signal, time
import pandas as pd
from affectory.vocabulary import Modality
from resources.feature_store import FeatureStore
"""
LOAD = """
folder = Path({folder!r})
FeatureStore(path={path!r}, lock_timeout_s=30).load_parts(
    "demo", "compare", Modality.ACOUSTIC, sorted(folder.glob("*.parquet")), [f"u{{n}}" for n in range(40)]
)
"""


def wait_for(path: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear within {seconds} s"
        time.sleep(0.002)


def frames_of(n: int) -> np.ndarray:
    """About 130 kB that compression cannot shrink, known by their number."""
    return np.random.default_rng(n).standard_normal((250, 130), np.float32)


def stage(folder: Path, n_parts: int = 40) -> Path:
    folder.mkdir()
    for n in range(n_parts):
        row = FeatureRow(utterance_id=f"u{n}", frames=frames_of(n), valid=True, reason="", coverage=1.0)
        pq.write_table(part_table([row], [f"f{n}"], 130), folder / f"f{n}.parquet")
    return folder


def assert_holds_everything_once(path: Path) -> None:
    store = FeatureStore(path=str(path), lock_timeout_s=10)
    read = store.read_sequences("demo", "compare", [f"u{n}" for n in range(40)])
    assert read.lengths.tolist() == [250] * 40
    assert np.array_equal(read.frames, np.concatenate([frames_of(n) for n in range(40)]))
    assert store.query("SELECT count(*) AS n FROM features")["n"].tolist() == [40]


DIES_AT_PART = """
import resources.feature_parts as parts
parts.CHUNK_BYTES = 1 << 20  # many inserts
real, seen = parts._checked, []
def dying(*arguments):
    seen.append(arguments)
    return os.kill(os.getpid(), signal.SIGKILL) if len(seen) == {nth} else real(*arguments)
parts._checked = dying
"""


def assert_nothing_is_lost(path: Path, staging: Path) -> None:
    stored = FeatureStore(path=str(path), lock_timeout_s=10).fingerprints("demo", "compare")
    assert len(stored) in (0, 40), "a transaction is whole or not there"
    assert set(stored.values()) | {part.stem for part in staging.glob("*.parquet")} == {f"f{n}" for n in range(40)}


@pytest.mark.slow
def test_a_load_killed_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, start: Start):
    staging, path = stage(tmp_path / "staging"), tmp_path / "features.duckdb"
    load = LOAD.format(folder=str(staging), path=str(path))
    for nth in (1, 20, 40):
        killed = start(BEGIN + DIES_AT_PART.format(nth=nth) + load)
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        assert_nothing_is_lost(path, staging)
    for delay_s in (0.05, 0.1, 0.15):  # in the commit, in the checkpoint, among the deletions: where it happens to be
        go = tmp_path / f"go-{delay_s}"
        killed = start(BEGIN + f"Path({str(go)!r}).touch()\n" + load)
        wait_for(go)
        time.sleep(delay_s)
        killed.kill()
        killed.join(10)
        assert_nothing_is_lost(path, staging)

    last = start(BEGIN + load)
    last.join(60)

    assert last.exitcode == 0 and not list(staging.iterdir())
    assert_holds_everything_once(path)


@pytest.mark.slow
def test_a_load_killed_between_its_commit_and_the_deletion_is_repeated_without_harm(tmp_path: Path, start: Start):
    staging, path = stage(tmp_path / "staging"), tmp_path / "features.duckdb"
    dies = "Path.unlink = lambda path, **_: path.suffix == '.parquet' and os.kill(os.getpid(), signal.SIGKILL)\n"
    load = LOAD.format(folder=str(staging), path=str(path))
    killed = start(BEGIN + dies + load)
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL and len(list(staging.iterdir())) == 40
    assert_holds_everything_once(path)

    again = start(BEGIN + load)
    again.join(60)

    assert again.exitcode == 0 and not list(staging.iterdir())
    assert_holds_everything_once(path)


@pytest.mark.slow
def test_writers_and_readers_that_meet_all_finish_and_no_row_is_doubled(tmp_path: Path, start: Start):
    staging, path = stage(tmp_path / "staging"), tmp_path / "features.duckdb"
    write = """
store = FeatureStore(path={path!r}, lock_timeout_s=60)
for _ in range(3):
    rows = {{"fold": 0, "utterance_id": ["u1", "u2"], "split": "train", "protocol": ""}}
    store.replace_rows("folds", "demo", pd.DataFrame(rows))
    assert len(store.query("SELECT * FROM folds")) == 2
"""
    codes = [LOAD.format(folder=str(staging), path=str(path))] * 2 + [write.format(path=str(path))] * 2
    children = [start(BEGIN + code) for code in codes]
    for child in children:
        child.join(90)
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    assert_holds_everything_once(path)


@pytest.mark.slow
def test_a_store_that_stays_in_use_is_told_with_holder_and_remedy(tmp_path: Path, start: Start):
    path, held = tmp_path / "features.duckdb", tmp_path / "held"
    holder = start(
        BEGIN + f"with FeatureStore(path={str(path)!r})._writing('loading compare of corpus demo'):\n"
        f"    Path({str(held)!r}).touch()\n    time.sleep(60)"
    )
    wait_for(held)
    store = FeatureStore(path=str(path), lock_timeout_s=0.3)
    for call in (lambda: store.query("SELECT 1"), lambda: store.replace_refusals("demo", "utterances", [])):
        begun = time.monotonic()
        with pytest.raises(StoreBusyError, match=rf"process {holder.pid} .*loading compare of corpus demo.*Wait until"):
            call()
        assert time.monotonic() - begun < 5
    assert holder.pid is not None
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    assert store.query("SELECT 1 AS one")["one"].tolist() == [1], "a killed holder holds nothing"


@pytest.mark.slow
def test_a_writer_waits_for_a_reader_that_does_not_know_the_lock_and_says_which(tmp_path: Path, start: Start):
    path, held = tmp_path / "features.duckdb", tmp_path / "held"
    store = FeatureStore(path=str(path), lock_timeout_s=0.3)
    store.query("SELECT 1")
    reader = start(
        BEGIN
        + f"import duckdb\nconnection = duckdb.connect({str(path)!r}, read_only=True)\nPath({str(held)!r}).touch()\n"
        "time.sleep(60)"
    )
    wait_for(held)
    assert store.query("SELECT 1 AS one")["one"].tolist() == [1], "readers do not hinder each other"
    with pytest.raises(StoreBusyError, match=rf"PID {reader.pid}"):
        store.replace_refusals("demo", "utterances", [])


@pytest.mark.slow
def test_a_full_disk_changes_nothing_and_the_load_succeeds_when_there_is_space(tmp_path: Path, start: Start):
    staging, path = stage(tmp_path / "staging"), tmp_path / "features.duckdb"
    FeatureStore(path=str(path)).query("SELECT 1")
    full = (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))\n"
    )
    failed = start(BEGIN + full + LOAD.format(folder=str(staging), path=str(path)))
    failed.join(60)
    assert failed.exitcode == 1 and len(list(staging.iterdir())) == 40
    assert FeatureStore(path=str(path)).fingerprints("demo", "compare") == {}

    FeatureStore(path=str(path)).load_parts(
        "demo", "compare", Modality.ACOUSTIC, sorted(staging.iterdir()), [f"u{n}" for n in range(40)]
    )

    assert_holds_everything_once(path)


def test_threads_of_one_process_take_turns(tmp_path: Path):
    from concurrent.futures import ThreadPoolExecutor

    store = FeatureStore(path=str(tmp_path / "features.duckdb"), lock_timeout_s=30)

    def turn(n: int) -> int:
        store.replace_refusals(f"corpus {n}", "utterances", [])
        return len(store.query("SELECT * FROM quarantine"))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(turn, range(8))) == [0] * 8


def test_a_file_that_was_begun_and_left_is_no_hindrance(tmp_path: Path):
    duckdb.connect(str(tmp_path / "features.duckdb.new")).execute("CREATE TABLE store (format INTEGER)").close()
    store = FeatureStore(path=str(tmp_path / "features.duckdb"))
    assert store.query("SELECT format FROM store")["format"].tolist() == [FORMAT]

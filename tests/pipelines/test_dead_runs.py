"""A run that is killed must not keep the next one waiting."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from pipelines.dead_runs import release_dead_runs
from pipelines.deployment import Places, prepare

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

JOB = """
import os, time
import dagster as dg

@dg.op(pool="gpu")
def train():
    open(os.environ["AT_WORK"], "w").close()
    time.sleep(float(os.environ["SECONDS"]))

@dg.job(executor_def=dg.in_process_executor)
def training():
    train()
"""


def begin(folder: Path, name: str, seconds: float) -> subprocess.Popen:
    """A real process that holds the pool, once it has got it."""
    (folder / "job.py").write_text(JOB)
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(folder / "home" / "dagster"),
        "AT_WORK": str(folder / name),
        "SECONDS": str(seconds),
    }
    command = [sys.executable, "-m", "dagster", "job", "execute", "-f", str(folder / "job.py"), "-j", "training"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_until_at_work(folder: Path, name: str) -> None:
    for _ in range(600):
        if (folder / name).exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{name} did not begin")


def test_a_killed_run_is_marked_and_frees_its_pool_and_a_living_one_is_left_alone(tmp_path: Path):
    places = Places(home=tmp_path / "home", corpora=tmp_path / "corpora")
    prepare(places)
    process = begin(tmp_path, "first", 600)
    try:
        wait_until_at_work(tmp_path, "first")
        with dg.DagsterInstance.from_config(str(places.dagster)) as instance:
            assert "is at work" in release_dead_runs(instance)[0]
            assert instance.event_log_storage.get_concurrency_info("gpu").claimed_slots
            process.send_signal(signal.SIGKILL)
            process.wait()
            [line] = release_dead_runs(instance)
            assert "was killed" in line and not release_dead_runs(instance)
            assert not instance.event_log_storage.get_concurrency_info("gpu").claimed_slots
            [run] = instance.get_runs()
            assert run.status is dg.DagsterRunStatus.FAILURE
    finally:
        process.kill()
    assert begin(tmp_path, "second", 0).wait(timeout=120) == 0

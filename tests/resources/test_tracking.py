"""Tracking on a real SQLite store, and on addresses where nothing answers."""

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from resources import mlflow_store
from resources.file_lock import hold
from resources.run_events import SpooledRun
from resources.tracking import FinishedRun, Run, Tracking, TrackingAwayError

TAGS = {"fingerprint": "abc123", "family": "mmin"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def tracking(home: Path, tmp_path: Path) -> Tracking:
    """One store for all tests of this file, for it takes seconds to make; a spool for each."""
    return Tracking(
        tracking_uri=f"sqlite:///{home / 'mlflow.db'}",
        artifact_location=str(home / "mlartifacts"),
        spool=str(tmp_path / "spool"),
    )


@pytest.fixture
def away(tracking: Tracking, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracking]:
    """The same spool, and a server's address where nothing listens."""
    monkeypatch.setattr(mlflow_store, "_away_since", {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        uri = f"http://someone:secret@127.0.0.1:{free.getsockname()[1]}"
    yield Tracking(tracking_uri=uri, artifact_location=tracking.artifact_location, spool=tracking.spool)


def train(run: Run, folder: Path) -> None:
    """What a training tells its run."""
    for epoch in (1, 2, 3):
        run.log_epoch(epoch, {"loss/task": 1 / epoch, "val/score": epoch / 4})
    run.log_metrics({"best_score": 0.75})
    run.log_tags({"selected_on": "val"})
    (folder / "weights.safetensors").write_bytes(b"weights")
    run.log_file(folder / "weights.safetensors", "deployed")


HISTORY = [
    (1, "loss/task", 1.0), (1, "val/score", 0.25), (2, "loss/task", 0.5), (2, "val/score", 0.5),
    (3, "loss/task", 1 / 3), (3, "val/score", 0.75),
]  # fmt: skip


def rows(tracking: Tracking, run_id: str) -> list[tuple]:
    return list(tracking.history(run_id).itertuples(index=False, name=None))


def test_a_run_keeps_parameters_tags_metrics_and_files(tracking: Tracking, tmp_path: Path):
    with tracking.run("kept", "mmin/mmin", {"seed": 1, "sizes": (128, 64)}, TAGS) as run:
        train(run, tmp_path)

    stored = tracking.store.client().get_run(run.run_id)
    assert stored.info.status == "FINISHED" and stored.info.run_name == "mmin/mmin"
    assert stored.data.params == {"seed": "1", "sizes": "(128, 64)"}
    assert stored.data.metrics == {"loss/task": 1 / 3, "val/score": 0.75, "best_score": 0.75}
    assert stored.data.tags.items() >= {**TAGS, "selected_on": "val"}.items()
    assert rows(tracking, run.run_id) == HISTORY
    folder = tracking.download(run.run_id, "deployed", tmp_path / "back")
    assert (folder / "weights.safetensors").read_bytes() == b"weights"
    assert folder.is_relative_to(tmp_path / "back") and str(stored.info.artifact_uri).startswith("file://")
    assert not tracking.spool_folder.exists()


def test_more_parameters_and_metrics_than_one_batch_takes_are_kept(tracking: Tracking):
    with tracking.run("large", "many", {f"p{n}": n for n in range(150)}, TAGS) as run:
        run.log_epoch(1, {f"m{n}": n for n in range(1200)})
    stored = tracking.store.client().get_run(run.run_id).data
    assert len(stored.params) == 150 and len(stored.metrics) == 1200


def test_a_run_whose_training_fails_is_failed_and_not_found(tracking: Tracking):
    with pytest.raises(RuntimeError, match="diverged"), tracking.run("failing", "mmin/mmin", {}, TAGS) as run:
        run.log_epoch(1, {"loss/task": float("nan")})
        raise RuntimeError("diverged")
    assert tracking.store.client().get_run(run.run_id).info.status == "FAILED"
    assert tracking.find_finished("failing", "mmin/mmin", "abc123") is None


def test_a_finished_run_is_found_by_corpus_name_and_fingerprint(tracking: Tracking):
    with tracking.run("finding", "mmin/mmin", {}, TAGS) as run:
        run.log_metrics({"best_score": 0.5})
    assert tracking.find_finished("finding", "mmin/mmin", "abc123") == FinishedRun(run.run_id, {"best_score": 0.5})
    assert tracking.find_finished("finding", "mmin/mmin", "abc124") is None
    assert tracking.find_finished("finding", "mmin/full_baseline", "abc123") is None
    assert tracking.find_finished("never seen", "mmin/mmin", "abc123") is None
    with pytest.raises(ValueError, match=r"fingerprint .*expected letters, digits"):
        tracking.find_finished("finding", "mmin/mmin", "x' OR tags.a != 'b")


def test_the_finished_runs_of_a_study_are_found_by_fingerprint(tracking: Tracking):
    ids = {}
    for fingerprint in ("aa", "bb"):
        with tracking.run("studied", "row", {}, {"study": "mmin_study", "fingerprint": fingerprint}) as run:
            pass
        ids[fingerprint] = run.run_id
    with pytest.raises(RuntimeError), tracking.run("studied", "row", {}, {"study": "mmin_study", "fingerprint": "cc"}):
        raise RuntimeError("killed")
    with tracking.run("studied", "row", {}, {"study": "another", "fingerprint": "dd"}):
        pass
    assert tracking.finished_fingerprints("studied", "mmin_study") == ids
    assert tracking.finished_fingerprints("never seen", "mmin_study") == {}


def test_no_finished_runs_are_known_while_mlflow_is_away(away: Tracking):
    assert away.finished_fingerprints("studied", "mmin_study") == {}


def test_any_text_survives_in_names_parameters_and_tags(tracking: Tracking):
    text = '\'; DROP TABLE runs; -- "日本語" 🙂 ../..\n'
    with tracking.run(f"corpus {text}", f"run {text}", {"text": text}, TAGS | {"text": text}) as run:
        pass
    stored = tracking.store.client().get_run(run.run_id)
    assert (stored.info.run_name, stored.data.params["text"], stored.data.tags["text"]) == (f"run {text}", text, text)
    found = tracking.find_finished(f"corpus {text}", f"run {text}", "abc123")
    assert found is not None and found.run_id == run.run_id


def test_the_first_version_is_champion_and_a_later_one_challenger(tracking: Tracking):
    def registered(name: str):
        with tracking.run("registering", name, {}, TAGS) as run:
            pass
        client = tracking.store.client()
        experiment = client.get_run(run.run_id).info.experiment_id
        model = client.create_logged_model(experiment, "model", source_run_id=run.run_id)
        return lambda: tracking.register("registering", "mmin", model.model_uri, run.run_id)

    first, second, third = registered("a"), registered("b"), registered("c")
    assert (first().version, first().alias, first().name) == ("1", "champion", "registering-mmin")
    assert (second().version, second().alias) == ("2", "challenger")
    assert (third().version, third().alias) == ("3", "challenger")
    assert first().alias == "champion"
    aliases = tracking.store.client().get_registered_model("registering-mmin").aliases
    assert {alias: str(version) for alias, version in aliases.items()} == {"champion": "1", "challenger": "3"}


def test_a_dead_server_does_not_hold_a_training_up_and_misses_nothing_in_the_end(
    away: Tracking, tracking: Tracking, tmp_path: Path
):
    begun = time.monotonic()
    with away.run("spooling", "mmin/mmin", {"seed": 1}, TAGS) as run:
        train(run, tmp_path)
    assert time.monotonic() - begun < 15
    assert away.find_finished("spooling", "mmin/mmin", "abc123") == FinishedRun(
        run.run_id, {"loss/task": 1 / 3, "val/score": 0.75, "best_score": 0.75}
    )
    assert rows(away, run.run_id) == HISTORY
    (tmp_path / "weights.safetensors").write_bytes(b"gone on")
    assert (away.download(run.run_id, "deployed", tmp_path / "a") / "weights.safetensors").read_bytes() == b"weights"

    assert tracking.deliver_spooled() == 1

    assert tracking.deliver_spooled() == 0 and not list(tracking.spool_folder.iterdir())
    found = tracking.find_finished("spooling", "mmin/mmin", "abc123")
    assert found is not None and found.metrics["best_score"] == 0.75
    stored = tracking.store.client().get_run(found.run_id)
    assert stored.info.status == "FINISHED" and stored.data.params == {"seed": "1"}
    assert stored.data.tags["selected_on"] == "val"
    for run_id in (found.run_id, run.run_id):
        assert rows(tracking, run_id) == HISTORY
        folder = tracking.download(run_id, "deployed", tmp_path / f"b-{run_id}")
        assert (folder / "weights.safetensors").read_bytes() == b"weights"


@pytest.mark.slow
def test_a_server_that_takes_the_connection_and_never_answers_costs_its_time_outs_once(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mlflow_store, "_away_since", {})
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(16)
        mute = Tracking(
            tracking_uri=f"http://127.0.0.1:{silent.getsockname()[1]}",
            artifact_location=tracking.artifact_location,
            spool=tracking.spool,
        )
        begun = time.monotonic()
        with mute.run("mute", "mmin/mmin", {}, TAGS) as run:
            train(run, tmp_path)
        assert time.monotonic() - begun < 10
    assert run.run_id.startswith("spooled-")


def test_a_store_that_goes_away_during_a_run_gets_the_rest_later(
    tracking: Tracking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(mlflow_store, "_away_since", {})
    with tracking.run("breaking", "mmin/mmin", {}, TAGS) as run:
        run.log_epoch(1, {"loss/task": 1.0})
        run._flush()
        monkeypatch.setitem(mlflow_store._away_since, tracking.tracking_uri, time.monotonic())
        run.log_epoch(2, {"loss/task": 0.5})
    assert SpooledRun(tracking.spool_folder / run.run_id).status() == "FINISHED"
    monkeypatch.setattr(mlflow_store, "_away_since", {})
    assert tracking.store.client().get_run(run.run_id).info.status == "RUNNING"

    assert tracking.deliver_spooled() == 1

    assert tracking.store.client().get_run(run.run_id).info.status == "FINISHED"
    assert rows(tracking, run.run_id) == [(1, "loss/task", 1.0), (2, "loss/task", 0.5)]


def test_a_delivery_that_was_killed_and_repeated_doubles_nothing(away: Tracking, tracking: Tracking, tmp_path: Path):
    with away.run("repeating", "mmin/mmin", {"seed": 1}, TAGS) as run:
        train(run, tmp_path)
    spooled = SpooledRun(tracking.spool_folder / run.run_id)
    (tmp_path / "kept").mkdir()
    spooled.folder.rename(tmp_path / "kept" / run.run_id)
    for _ in range(2):
        (tmp_path / "kept" / run.run_id).rename(spooled.folder)
        with pytest.MonkeyPatch.context() as killed:
            killed.setattr(SpooledRun, "remove", lambda self: self.folder.rename(tmp_path / "kept" / self.run_id))
            assert tracking.deliver_spooled() == 1
    client = tracking.store.client()
    experiment = client.get_experiment_by_name("affectory/repeating")
    assert experiment is not None and len(client.search_runs([experiment.experiment_id])) == 1
    assert rows(tracking, run.run_id) == HISTORY


def test_a_run_that_goes_on_is_not_delivered_and_one_that_was_killed_is_marked(away: Tracking, tracking: Tracking):
    with away.run("going", "mmin/mmin", {}, TAGS) as run:
        run.log_epoch(1, {"loss/task": 1.0})
        run._flush()
        assert tracking.deliver_spooled() == 0
        spooled = SpooledRun(tracking.spool_folder / run.run_id)
        half = (spooled.folder / "events.jsonl").read_text() + '{"event": "metr'
    (spooled.folder / "events.jsonl").write_text(half)  # as a kill leaves it
    assert tracking.deliver_spooled() == 1
    assert tracking.find_finished("going", "mmin/mmin", "abc123") is None
    assert rows(tracking, run.run_id) == [(1, "loss/task", 1.0)]


def test_what_cannot_be_put_off_says_so_and_keeps_the_password(away: Tracking):
    with pytest.raises(TrackingAwayError, match="start it or set MLFLOW_TRACKING_URI") as error:
        away.register("demo", "mmin", "models:/m-1", "abc")
    assert "secret" not in str(error.value) and "127.0.0.1" in str(error.value)


@pytest.mark.slow
def test_four_processes_that_start_on_a_fresh_store_all_finish(tmp_path: Path, start: Callable[[str], BaseProcess]):
    code = f"""
from resources.tracking import Tracking
tracking = Tracking(tracking_uri="sqlite:///{tmp_path}/mlflow.db", artifact_location="{tmp_path}/artifacts")
with tracking.run("fresh", "run", {{"seed": 1}}, {{"fingerprint": "a"}}) as run:
    run.log_epoch(1, {{"loss/task": 1.0}})
"""
    children = [start(code) for _ in range(4)]
    for child in children:
        child.join(120)
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        finished = "SELECT count(*), count(DISTINCT experiment_id) FROM runs WHERE status = 'FINISHED'"
        assert database.execute(finished).fetchone() == (4, 1)


def test_a_held_lock_names_its_holder(tmp_path: Path):
    with (
        hold(tmp_path / "x.lock", timeout_s=0, purpose="a test"),
        pytest.raises(TimeoutError, match=r"process \d+ holds it since .* \(a test\)"),
        hold(tmp_path / "x.lock", timeout_s=0, purpose="another"),
    ):
        pass

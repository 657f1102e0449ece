"""MLflow: runs with their metrics and files, and the registry. While its server is away nothing is lost or stalled."""

import logging
import posixpath
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from resources.file_lock import LockTimeoutError
from resources.mlflow_store import SPOOLED_AS, MlflowStore, TrackingAwayError
from resources.run_events import Event, SpooledRun, begin_event, spooled_runs, tell

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

FLUSH_EVERY_S = 2.0
SUMMARY_STEP = 0  # epochs count from 1
NOT_DELIVERED = "spooled-"  # begins the id of a run that MLflow gave none to


@dataclass(frozen=True)
class FinishedRun:
    """A run that ended well, and the last value of each of its metrics."""

    run_id: str
    metrics: dict[str, float]


@dataclass(frozen=True)
class Registered:
    """A version of a registered model, and its alias: champion or challenger."""

    name: str
    version: str
    alias: str


class Tracking(dg.ConfigurableResource):
    """The MLflow store at `tracking_uri`: `sqlite:///<absolute path>` or the http(s) address of a server.

    A server that does not answer costs a few times `request_timeout_s` seconds and is then left alone for a minute.
    Meanwhile runs go to the folder `spool`, under ids of their own; the next run that finds the server delivers them.
    MLFLOW_HTTP_REQUEST_TIMEOUT and MLFLOW_HTTP_REQUEST_MAX_RETRIES overrule where they are set.
    """

    tracking_uri: str
    artifact_location: str  # folder for the files of an SQLite store
    spool: str = ""  # empty: the folder `spool` beside artifact_location
    request_timeout_s: int = 5

    @contextmanager
    def run(self, corpus: str, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> Iterator["Run"]:
        """A run of experiment `affectory/<corpus>` for the block; FAILED when the block raises, KILLED by Ctrl-C."""
        self.deliver_spooled()
        run = Run(self.store, self.spool_folder, begin_event(f"affectory/{corpus}", name, parameters, tags, _now_ms()))
        status = "FAILED"
        try:
            yield run
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            run.end(status)

    def find_finished(self, corpus: str, name: str, fingerprint: str) -> FinishedRun | None:
        """The latest run `name` of the corpus with the tag `fingerprint` that has FINISHED, delivered or not."""
        _check_word("fingerprint", fingerprint)
        self.deliver_spooled()
        for spooled in spooled_runs(self.spool_folder):
            begin = next(spooled.events())
            identity = (begin["experiment"], begin["name"], begin["tags"].get("fingerprint"))
            if identity == (f"affectory/{corpus}", name, fingerprint) and spooled.status() == "FINISHED":
                return FinishedRun(spooled.run_id, {metric: value for metric, value, _, _ in spooled.metrics()})
        try:
            with self.store.asking() as client:
                experiment = client.get_experiment_by_name(f"affectory/{corpus}")
                query = f"tags.fingerprint = '{fingerprint}' AND attributes.status = 'FINISHED'"
                runs = client.search_runs([experiment.experiment_id], query) if experiment else []
        except TrackingAwayError as away:
            log.warning("no earlier run is looked for: %s", away)
            return None
        return next((FinishedRun(run.info.run_id, run.data.metrics) for run in runs if run.info.run_name == name), None)

    def finished_fingerprints(self, corpus: str, study: str) -> dict[str, str]:
        """fingerprint -> run id of the finished runs with the tag `study`; none while MLflow is away."""
        _check_word("study", study.replace("_", "-"))
        self.deliver_spooled()
        run_ids, page = {}, None
        try:
            with self.store.asking() as client:
                experiment = client.get_experiment_by_name(f"affectory/{corpus}")
                query = f"tags.study = '{study}' AND attributes.status = 'FINISHED'"
                while experiment and page != "":
                    runs = client.search_runs([experiment.experiment_id], query, max_results=1000, page_token=page)
                    of_page = {run.data.tags.get("fingerprint", ""): run.info.run_id for run in reversed(runs)}
                    run_ids = of_page | run_ids  # newest first: of two runs of one training the later counts
                    page = runs.token or ""
        except TrackingAwayError as away:
            log.warning("no earlier run is looked for: %s", away)
        return run_ids

    def history(self, run_id: str) -> pd.DataFrame:
        """Table (epoch, name, value) of the metrics that a run logged by epoch, epochs counted from 1."""
        if (spooled := self._spooled(run_id)).exists():
            rows = [(step, name, value) for name, value, _, step in spooled.metrics()]
        else:
            with self.store.asking() as client:
                run = client.get_run(self._delivered(client, run_id))
                series = [client.get_metric_history(run.info.run_id, name) for name in run.data.metrics]
            rows = [(metric.step, metric.key, metric.value) for metrics in series for metric in metrics]
        by_epoch = [row for row in sorted(rows) if row[0] != SUMMARY_STEP]
        return pd.DataFrame(by_epoch, columns=["epoch", "name", "value"])

    def download(self, run_id: str, path: str, folder: Path) -> Path:
        """Copy what a run logged at `path` into `folder`; returns where it is there. FileNotFoundError if it is not."""
        spooled_path = self._spooled(run_id).files / path
        if spooled_path.is_dir():
            return Path(shutil.copytree(spooled_path, folder / path, dirs_exist_ok=True))
        if spooled_path.is_file():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            return Path(shutil.copyfile(spooled_path, folder / path))
        with self.store.asking() as client:
            delivered_id = self._delivered(client, run_id)
            parent, name = posixpath.split(path)
            if path not in {file.path for file in client.list_artifacts(delivered_id, parent or None)}:
                raise FileNotFoundError(f"run {run_id}: nothing named {name} was logged in {parent or 'its artifacts'}")
            return Path(client.download_artifacts(delivered_id, path, str(folder)))

    def register(self, corpus: str, family: str, model_uri: str, run_id: str) -> Registered:
        """Register the run's logged model, `models:/<model id>`, as a version of `<corpus>-<family>`; once a run.

        The first becomes `champion`, every later one `challenger`. TrackingAwayError when MLflow is away.
        """
        name = f"{corpus}-{family}"
        with self.store.asking() as client:
            run_id = self._delivered(client, run_id)
            versions = client.search_model_versions(f"run_id = '{run_id}'")
            version = next((str(version.version) for version in versions if version.name == name), None)
            if version is None:
                version = _add_version(client, name, model_uri, run_id)
            aliases = client.get_registered_model(name).aliases
            alias = next((alias for alias, tagged in aliases.items() if str(tagged) == version), None)
            if alias is None:
                alias = "challenger" if "champion" in aliases else "champion"
                client.set_registered_model_alias(name, alias, version)
        return Registered(name, version, alias)

    def deliver_spooled(self) -> int:
        """Send MLflow the runs in the spool that have ended; returns how many. It stops where MLflow is away."""
        delivered = 0
        for spooled in spooled_runs(self.spool_folder):
            try:
                with spooled.held(), self.store.asking() as client:
                    self._deliver(client, spooled)
            except (LockTimeoutError, FileNotFoundError):  # it goes on, or another process has delivered it
                continue
            except TrackingAwayError:
                break
            delivered += 1
            log.info("run %s has been delivered to MLflow", spooled.run_id)
        return delivered

    @property
    def store(self) -> MlflowStore:
        """The MLflow store behind the resource."""
        return MlflowStore(self.tracking_uri, Path(self.artifact_location), self.request_timeout_s)

    @property
    def spool_folder(self) -> Path:
        """Where runs wait that MLflow has not taken yet."""
        return Path(self.spool) if self.spool else Path(self.artifact_location).parent / "spool"

    def _deliver(self, client: "MlflowClient", spooled: SpooledRun) -> None:
        begin = next(spooled.events())
        run_id = begin.get("run_id") or self.store.find_delivered(client, spooled.run_id)
        if run_id is None:
            run_id = self.store.create_run(client, {**begin, "tags": {**begin["tags"], SPOOLED_AS: spooled.run_id}})
        for event in spooled.events():
            tell(client, run_id, event)
        if not spooled.status():
            client.set_terminated(run_id, "KILLED")
        spooled.remove()

    def _delivered(self, client: "MlflowClient", run_id: str) -> str:
        """The id that MLflow knows, which is another than ours where the run began while it was away."""
        if not run_id.startswith(NOT_DELIVERED):
            return run_id
        if delivered_id := self.store.find_delivered(client, run_id):
            return delivered_id
        raise TrackingAwayError(
            f"run {run_id} is in MLflow no more than in {self.spool_folder}; run the training again"
        )

    def _spooled(self, run_id: str) -> SpooledRun:
        return SpooledRun(self.spool_folder / _check_word("run id", run_id))


class Run:
    """A run that goes on. What MLflow does not take, because it is away, is kept in the spool to be delivered later."""

    def __init__(self, store: MlflowStore, spool: Path, begin: Event) -> None:
        self._store, self._spool, self._begin = store, spool, begin
        self._spooled: SpooledRun | None = None
        self._lock = ExitStack()
        self._metrics: list[tuple[str, float, int, int]] = []
        self._flushed = time.monotonic()
        self.run_id = ""
        try:
            with store.asking() as client:
                self.run_id = store.create_run(client, begin)
                tell(client, self.run_id, begin)
        except TrackingAwayError as away:
            self._keep_on_disk(away)

    def log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log what was measured in an epoch, counted from 1; sent to MLflow in batches, every FLUSH_EVERY_S seconds."""
        at_ms = _now_ms()
        self._metrics += [(name, float(value), at_ms, epoch) for name, value in metrics.items()]
        if time.monotonic() - self._flushed >= FLUSH_EVERY_S:
            self._flush()

    def log_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log what is measured once a run, not by epoch."""
        self.log_epoch(SUMMARY_STEP, metrics)

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Tag the run with what is known only after its beginning."""
        self._tell({"event": "tags", "tags": dict(tags)})

    def log_file(self, path: Path, folder: str = "") -> None:
        """Keep a file with the run, in `folder` of its artifacts."""
        self._flush()
        self._tell({"event": "file", "path": str(path), "folder": folder})

    def end(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED; called by Tracking.run."""
        self._flush()
        self._tell({"event": "end", "status": status, "at_ms": _now_ms()})
        self._lock.close()

    def _flush(self) -> None:
        if self._metrics:
            self._tell({"event": "metrics", "metrics": self._metrics})
        self._metrics, self._flushed = [], time.monotonic()

    def _tell(self, event: Event) -> None:
        if self._spooled is None:
            try:
                with self._store.asking() as client:
                    return tell(client, self.run_id, event)
            except TrackingAwayError as away:
                self._keep_on_disk(away)
        assert self._spooled is not None
        return self._spooled.append(event)

    def _keep_on_disk(self, away: TrackingAwayError) -> None:
        """From now on, for the rest of the run: a training is not held up twice."""
        begin = {**self._begin, "run_id": self.run_id} if self.run_id else self._begin
        self.run_id = self.run_id or f"{NOT_DELIVERED}{uuid.uuid4().hex}"
        self._spooled = SpooledRun(self._spool / self.run_id)
        self._lock.enter_context(self._spooled.held())
        self._spooled.append(begin)
        log.warning("run %s is kept in %s until MLflow is back: %s", self.run_id, self._spool, away)


def _add_version(client: "MlflowClient", name: str, model_uri: str, run_id: str) -> str:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = model_uri.removeprefix("models:/")
    return str(client.create_model_version(name, model_uri, run_id=run_id, model_id=model_id).version)


def _check_word(what: str, text: str) -> str:
    """Text that may become part of a path or of MLflow's filter language."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", text):
        raise ValueError(f"{what} {text!r}: expected letters, digits and hyphens")
    return text


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

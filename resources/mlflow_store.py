"""The MLflow store behind its client: made once, asked with short time-outs, left alone for a while when it is away."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from affectory.refusals import without_secrets
from resources.file_lock import hold
from resources.run_events import Event

# Read when mlflow, which takes seconds, is first imported. Its lines "View run at ..." would show a password.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

if TYPE_CHECKING:
    from mlflow import MlflowClient

ASK_AGAIN_AFTER_S = 60.0  # a server that was away is not asked before: each try may cost its time-outs
AWAY_CODES = ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED")
SPOOLED_AS = "spooled_as"  # the tag of a delivered run with the id that it had while MLflow was away
_initialised: set[str] = set()  # SQLite stores that this process has seen complete
_away_since: dict[str, float] = {}


class TrackingAwayError(RuntimeError):
    """MLflow cannot be reached; says what to do."""


@dataclass(frozen=True)
class MlflowStore:
    """`uri` is `sqlite:///<absolute path>`, whose files are in the folder `artifacts`, or the address of a server."""

    uri: str
    artifacts: Path
    request_timeout_s: int

    @property
    def is_server(self) -> bool:
        """Whether `uri` is the address of a server, and not a file."""
        return self.uri.startswith("http")

    def client(self) -> "MlflowClient":
        """A client of the store, which is made if it is not there; MLflow's own functions go there from now on."""
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(self.request_timeout_s))
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # the files here are small
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        if self.is_server or self.uri in _initialised:
            return mlflow.MlflowClient(self.uri, self.uri)
        path = Path(self.uri.removeprefix("sqlite:///"))
        # Four processes that make the tables of one fresh file at a time: three crash.
        with hold(path.with_name(f"{path.name}.lock"), timeout_s=120, purpose="making the MLflow store"):
            client = mlflow.MlflowClient(self.uri, self.uri)
            client.search_experiments(max_results=1)
        _initialised.add(self.uri)
        return client

    @contextmanager
    def asking(self) -> Iterator["MlflowClient"]:
        """A client for the block; TrackingAwayError when the store does not answer, or lately did not."""
        if time.monotonic() - _away_since.get(self.uri, float("-inf")) < ASK_AGAIN_AFTER_S:
            raise self._away("did not answer a moment ago")
        client = self.client()
        from mlflow.exceptions import MlflowException
        from requests import RequestException

        # What MLflow calls an internal error is a refused connection or an ill server there, a fault of ours here.
        away = (*AWAY_CODES, "INTERNAL_ERROR") if self.is_server else AWAY_CODES
        try:
            yield client
        except (MlflowException, RequestException) as error:
            if isinstance(error, MlflowException) and error.error_code not in away:
                raise
            _away_since[self.uri] = time.monotonic()
            raise self._away(f"does not answer ({error})") from None

    def create_run(self, client: "MlflowClient", begin: Event) -> str:
        """The id of a new run with the name and tags of its first event; its experiment is made at need."""
        from mlflow.exceptions import MlflowException

        name = begin["experiment"]
        location = None if self.is_server else self.artifacts.absolute().as_uri()
        if client.get_experiment_by_name(name) is None:
            with suppress(
                MlflowException
            ):  # another process has made it meanwhile; else the next line says what is wrong
                client.create_experiment(name, artifact_location=location)
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise RuntimeError(f"MLflow at {without_secrets(self.uri)} did not make the experiment {name!r}")
        run = client.create_run(experiment.experiment_id, begin["at_ms"], begin["tags"], begin["name"])
        return run.info.run_id

    def find_delivered(self, client: "MlflowClient", spooled_id: str) -> str | None:
        """MLflow's id of the run that began as `spooled_id` while MLflow was away; None before it is delivered."""
        experiments = client.search_experiments(filter_string="name LIKE 'affectory/%'", max_results=1000)
        ids = [experiment.experiment_id for experiment in experiments]
        runs = client.search_runs(ids, f"tags.{SPOOLED_AS} = '{spooled_id}'") if ids else []
        return runs[0].info.run_id if runs else None

    def _away(self, what: str) -> TrackingAwayError:
        return TrackingAwayError(
            without_secrets(f"MLflow at {self.uri} {what}: start it or set MLFLOW_TRACKING_URI, and run again")
        )

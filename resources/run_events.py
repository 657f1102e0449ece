"""What happens in a run, as events that can be told to MLflow now or, kept as JSON lines in a spool, later.

A spool is a folder of folders, one a run that MLflow does not know in full: `events.jsonl` and `files/`. Its lock is
held while the run goes on, so that a run whose lock is free has ended or was killed. Telling an event twice changes
nothing: MLflow keeps one metric of a name, step and time, and one file of a name.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.file_lock import hold

if TYPE_CHECKING:
    from mlflow import MlflowClient

Event = Mapping[str, Any]
EVENTS = "events.jsonl"
LONGEST_PARAMETER = 6000  # MLflow's limits, of this and of one log_batch
METRICS_A_BATCH = 1000
PARAMETERS_A_BATCH = 100


def begin_event(
    experiment: str, name: str, parameters: Mapping[str, Any], tags: Mapping[str, str], at_ms: int
) -> Event:
    """The first event: the run with its parameters and tags."""
    shortened = {key: str(value)[:LONGEST_PARAMETER] for key, value in parameters.items()}
    begin = {"event": "begin", "experiment": experiment, "name": name, "at_ms": at_ms}
    return {**begin, "parameters": shortened, "tags": dict(tags)}


def tell(client: "MlflowClient", run_id: str, event: Event) -> None:
    """Send one event of the run `run_id`, which MLflow has, to MLflow."""
    from mlflow.entities import Metric, Param, RunTag

    if event["event"] == "begin":
        parameters = [Param(key, value) for key, value in event["parameters"].items()]
        for start in range(0, len(parameters), PARAMETERS_A_BATCH):
            client.log_batch(run_id, params=parameters[start : start + PARAMETERS_A_BATCH])
    elif event["event"] == "metrics":
        metrics = [Metric(*values) for values in event["metrics"]]
        for start in range(0, len(metrics), METRICS_A_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_BATCH])
    elif event["event"] == "tags":
        client.log_batch(run_id, tags=[RunTag(key, value) for key, value in event["tags"].items()])
    elif event["event"] == "file":
        client.log_artifact(run_id, event["path"], event["folder"] or None)
    else:
        client.set_terminated(run_id, status=event["status"], end_time=event["at_ms"])


class SpooledRun:
    """The events and files of one run in `folder`, whose name is the run's id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def run_id(self) -> str:
        return self.folder.name

    @property
    def files(self) -> Path:
        """The folder of the run's logged files."""
        return self.folder / "files"

    def exists(self) -> bool:
        """Whether the run has any event on disk."""
        return (self.folder / EVENTS).exists()

    def held(self) -> AbstractContextManager[None]:
        """The run's lock; LockTimeoutError at once while its process is alive."""
        return hold(self.folder.with_suffix(".lock"), timeout_s=0, purpose=f"run {self.run_id}")

    def append(self, event: Event) -> None:
        """Write an event to disk; of an event that logs a file, a copy of the file too."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if event["event"] == "file":
            copy = self.files / event["folder"] / Path(event["path"]).name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(event["path"], copy)
            event = {**event, "path": str(copy.relative_to(self.folder))}
        line = json.dumps(event) + "\n"
        if self.exists():
            with (self.folder / EVENTS).open("a", encoding="utf-8") as file:
                file.write(line)
        else:  # a run that is there has a whole first event
            new = self.folder / f"{EVENTS}.new"
            new.write_text(line, encoding="utf-8")
            new.replace(self.folder / EVENTS)

    def events(self) -> Iterator[Event]:
        """The events in order; a last line that a kill cut short is left out."""
        with (self.folder / EVENTS).open(encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    return
                event = json.loads(line)
                yield {**event, "path": str(self.folder / event["path"])} if event["event"] == "file" else event

    def status(self) -> str:
        """FINISHED, FAILED or KILLED as the run ended; "" when it has not."""
        return next((event["status"] for event in self.events() if event["event"] == "end"), "")

    def metrics(self) -> list[tuple[str, float, int, int]]:
        """(name, value, at_ms, step) of every metric, in order."""
        batches = (event["metrics"] for event in self.events() if event["event"] == "metrics")
        return [tuple(metric) for metrics in batches for metric in metrics]

    def remove(self) -> None:
        """Forget the run: MLflow has it all."""
        shutil.rmtree(self.folder)
        self.folder.with_suffix(".lock").unlink(missing_ok=True)


def spooled_runs(spool: Path) -> list[SpooledRun]:
    """The runs in a spool, by name; empty where there is no spool."""
    return [SpooledRun(events.parent) for events in sorted(spool.glob(f"*/{EVENTS}"))]

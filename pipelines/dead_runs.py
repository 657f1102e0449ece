"""Runs whose process is gone: a killed one would hold its places in Dagster's pools for ever, and the next run wait."""

import dagster as dg
import psutil

UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def release_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark each unfinished run whose process has ended as failed, and free the places that it holds in pools.

    Returns a line for the terminal on each, and on each run that is still at work. A run's first event tells the number
    of its process; all runs of one home are taken to be of this machine.
    """
    lines = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        process, since = _process(instance, run.run_id)
        if process is None:
            continue
        if _is_alive(process, since):
            lines.append(f"run {run.run_id} (process {process}) is at work; what needs the same pool waits for it")
            continue
        instance.report_run_failed(run, f"its process {process} is gone: it was killed, or the machine went down")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        lines.append(f"run {run.run_id} was killed (process {process} is gone): marked as failed, what it held is free")
    return lines


def _process(instance: dg.DagsterInstance, run_id: str) -> tuple[int | None, float]:
    """Its number, and the time of the event that tells it."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        data = entry.dagster_event.event_specific_data if entry.dagster_event else None
        if pid := getattr(data, "metadata", {}).get("pid"):
            return int(pid.value), entry.timestamp
    return None, 0.0


def _is_alive(process: int, since: float) -> bool:
    """One that started later only has the same number."""
    try:
        return psutil.Process(process).create_time() <= since
    except psutil.NoSuchProcess:
        return False

"""Weekly retraining of every registered corpus."""

from collections.abc import Iterator

import dagster as dg

from assets.partitions import CORPUS
from pipelines.jobs import train


@dg.schedule(
    job=train,
    cron_schedule="0 3 * * 1",
    execution_timezone="UTC",
    description="Mondays at 03:00 UTC: retrain each corpus; what did not change is reused.",
)
def weekly_retraining(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run of the job `train` for each registered corpus."""
    keys = context.instance.get_dynamic_partitions(CORPUS)
    if not keys:
        yield dg.SkipReason("no corpus is registered: materialise `corpora` first")
    for key in keys:
        yield dg.RunRequest(run_key=f"{key}:{context.scheduled_execution_time:%Y-%m-%d}", partition_key=key)


SCHEDULES = [weekly_retraining]

"""New corpus folders and new media in a running deployment."""

import json

import dagster as dg

from affectory.corpora import corpus_state
from assets.partitions import CORPUS, corpus_partitions
from pipelines.jobs import everything
from resources.corpus_folders import CorpusFolders


@dg.sensor(
    job=everything,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers corpus folders as partitions and asks for a run when a corpus is new or its files changed.",
)
def corpora_watch(
    context: dg.SensorEvaluationContext, corpus_folders: CorpusFolders
) -> dg.SensorResult | dg.SkipReason:
    """A change counts once two looks in a row see the same files, so that half-copied media start nothing.

    What was registered before the first look is taken as done: switching the sensor on repeats no run.
    """
    earlier: dict[str, dict[str, str]] = json.loads(context.cursor or "{}")
    registered = set(context.instance.get_dynamic_partitions(CORPUS))
    folders, refused = corpus_folders.find()
    for refusal in refused:
        context.log.warning(refusal.detail)
    cursor, requests = {}, []
    for corpus in folders:
        state = corpus_state(corpus)
        first_look = (
            {"latest": state, "requested": state} if corpus.name in registered else {"latest": "", "requested": ""}
        )
        before = earlier.get(corpus.name, first_look)
        settled = before["latest"] == state
        if settled and before["requested"] != state:
            requests.append(dg.RunRequest(partition_key=corpus.name))
        cursor[corpus.name] = {"latest": state, "requested": state if settled else before["requested"]}
    new = sorted(corpus.name for corpus in folders if corpus.name not in registered)
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[corpus_partitions.build_add_request(new)] if new else [],
        cursor=json.dumps(cursor, sort_keys=True),
    )


SENSORS = [corpora_watch]

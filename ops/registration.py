"""Registering a family's model: of its trained seeds the one that validation prefers, as an MLflow model."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg

from affectory.models import FAMILIES
from ops.training import TrainedRun
from resources.tracking import Registered, Tracking


def registration_op(name: str, family: str) -> dg.OpDefinition:
    """An op that registers the best run of the family's deployed experiment as `<corpus>-<family>`."""

    @dg.op(name=name, tags={"kind": "mlflow"})
    def register(
        context: dg.OpExecutionContext, runs: list[TrainedRun], tracking: Tracking
    ) -> dg.Output[Registered | None]:
        best = best_run(runs, FAMILIES[family].deployed)
        if best is None:
            return dg.Output(
                None, metadata={"skipped": "the corpus cannot feed this family; the training log says why"}
            )
        registered = register_run(tracking, best)
        uri = f"models:/{registered.name}@{registered.alias}"
        context.log.info(
            f"{registered.name} version {registered.version} is {uri}: {best.experiment} seed {best.seed}, "
            f"validation score {best.score:.3f}"
        )
        return dg.Output(
            registered,
            metadata={
                "model": uri,
                "version": registered.version,
                "alias": registered.alias,
                "experiment": best.experiment,
                "seed": best.seed,
                "validation_score": best.score,
                "mlflow_run_id": best.run_id,
            },
        )

    return register


def best_run(runs: Sequence[TrainedRun], experiments: Sequence[str]) -> TrainedRun | None:
    """Of the first of the experiments that was trained, the run with the highest validation score.

    Of equals the lowest seed; None when none of the experiments was trained.
    """
    trained = [name for name in experiments if name in {run.experiment for run in runs}]
    candidates = [run for run in runs if run.experiment in trained[:1]]
    return min(candidates, key=lambda run: (-run.score, run.seed), default=None)


def register_run(tracking: Tracking, run: TrainedRun) -> Registered:
    """The version of `<corpus>-<family>` that the run's model is; a run is registered once, however often it is asked.

    TrackingAwayError when MLflow is away: the training is kept, and the next materialisation registers it.
    """
    from affectory.serving import log_model  # brings mlflow, which takes seconds to import

    tracking.deliver_spooled()
    with TemporaryDirectory() as folder, tracking.store.asking() as client:
        # A run that began while MLflow was away has another id there.
        run_id = tracking.store.find_delivered(client, run.run_id) or run.run_id
        deployed = tracking.download(run_id, "deployed", Path(folder))
        model_uri = log_model(deployed, client=client, run_id=run_id)
    return tracking.register(run.corpus, run.family, model_uri, run_id)

"""Scoring finished runs on the test part under every condition, once each, into `results` and `predictions`."""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from affectory.data.batches import PackedFeatures
from affectory.learning.dimension_evaluation import evaluate_dimensions
from affectory.learning.evaluation import evaluate
from affectory.models import FAMILIES
from affectory.report.conditions import conditions_grid
from affectory.report.markdown import grid_markdown
from affectory.results.tables import conditions_table
from affectory.studies import row_names
from affectory.vocabulary import Split
from ops.datasets import read_dataset
from ops.training import TrainedRun, load_trained
from resources.compute import Compute
from resources.feature_store import FeatureStore
from resources.tracking import Tracking

# Of the tables of a family, by whether it is of dimensions.
MAIN_METRICS = {False: ("wa", "ua"), True: ("ccc_valence", "ccc_arousal")}


def scoring_op(name: str) -> dg.OpDefinition:
    """An op that scores runs and hands them on, with the table as its metadata."""

    @dg.op(name=name)
    def score(
        context: dg.OpExecutionContext,
        runs: list[TrainedRun],
        store: FeatureStore,
        tracking: Tracking,
        compute: Compute,
    ) -> dg.Output[list[TrainedRun]]:
        if not runs:
            return dg.Output(
                runs, metadata={"skipped": "the corpus cannot feed this family; the training log says why"}
            )
        _score_new(context, runs, store, tracking, compute)
        names, metrics = row_names(), MAIN_METRICS[FAMILIES[runs[0].family].of_dimensions]
        table = conditions_table(_results(store, runs[0]), metrics, names)
        return dg.Output(
            runs,
            metadata={
                "runs": len(runs),
                "reused": sum(run.reused for run in runs),
                "table": dg.MetadataValue.md(grid_markdown(conditions_grid(table, "Scores by condition", names=names))),
            },
        )

    return score


def _score_new(
    context: dg.OpExecutionContext,
    runs: Sequence[TrainedRun],
    store: FeatureStore,
    tracking: Tracking,
    compute: Compute,
) -> None:
    """Score what is not in `results` yet; the test part is looked at once a run."""
    corpus = runs[0].corpus
    scored_ids = set(_results(store, runs[0])["mlflow_run_id"])
    todo = [run for run in runs if run.run_id not in scored_ids]
    of_dimensions = FAMILIES[runs[0].family].of_dimensions
    dataset = read_dataset(store, corpus, of_dimensions=of_dimensions) if todo else None
    if dataset is None:
        return
    rows, val, scored = dataset.rows(Split.TEST), dataset.rows(Split.VAL), []
    for run in todo:
        deployed = load_trained(tracking, run.run_id)
        data = PackedFeatures.from_dataset(dataset, deployed.inputs, compute.torch_device())
        if of_dimensions:
            tables = evaluate_dimensions(deployed.model, data, dataset, rows, val)
        else:
            tables = evaluate(deployed.model, data, dataset, rows, temperatures=deployed.temperatures)
        scored.append(keyed(run, *tables))
    table = "dimension_predictions" if of_dimensions else "predictions"
    store.replace_rows(table, corpus, pd.concat([predictions for _, predictions in scored]))
    store.add_results(pd.concat([results for results, _ in scored]))
    context.log.info(f"{len(todo)} runs scored on {len(rows)} test utterances")


def _results(store: FeatureStore, run: TrainedRun) -> pd.DataFrame:
    """All results of the run's corpus and family."""
    return store.query("SELECT * FROM results WHERE corpus = ? AND family = ?", [run.corpus, run.family])


def keyed(run: TrainedRun, values: pd.DataFrame, predictions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(results, predictions) of a run in the columns of the store: its keys, and class probabilities as one map."""
    keys = {
        "corpus": run.corpus,
        "family": run.family,
        "experiment": run.experiment,
        "fold": run.fold,
        "seed": run.seed,
        "mlflow_run_id": run.run_id,
    }
    if "dimension" not in predictions:
        predictions = with_probabilities(predictions)
    return values.assign(selected_on=run.selected_on, **keys), predictions.assign(**keys)


def with_probabilities(predictions: pd.DataFrame) -> pd.DataFrame:
    """Columns p_<class> as one column `probabilities`, a dict a row; None where there are none."""
    columns = [name for name in predictions if name.startswith("p_")]
    classes = [name.removeprefix("p_") for name in columns]
    rows = predictions[columns].to_numpy(float).tolist()
    probabilities = [dict(zip(classes, row, strict=True)) if columns else None for row in rows]
    return predictions.drop(columns=columns).assign(probabilities=probabilities)

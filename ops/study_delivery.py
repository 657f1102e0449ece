"""Finished trainings of a study to MLflow and the store, and back from MLflow to the store."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from affectory.results.names import VAL_CCC
from affectory.studies.plan import Place
from affectory.vocabulary import Condition
from ops.evaluation import with_probabilities
from ops.study_plan import StudyRun
from ops.training import flattened

TABLES = ("results", "predictions", "dimension_predictions", "sweep", "imagined")
TABLES_FOLDER = "tables"  # of a run's artifacts: what the store holds of it


def deliver(run: StudyRun, places: Sequence[Place]) -> dict[str, str]:
    """Log each finished training as an MLflow run, store the rows of all, then remove their folders from staging.

    Returns fingerprint -> MLflow run id.
    """
    run_ids, tables = {}, no_tables()
    for place in places:
        folder = run.staging / place.fingerprint
        run_ids[place.fingerprint] = _log_run(run, place, folder)
        add_tables(tables, place, folder, run_ids[place.fingerprint], run.name)
    store_tables(run, tables)
    for place in places:
        shutil.rmtree(run.staging / place.fingerprint)
    return run_ids


def no_tables() -> dict[str, list[pd.DataFrame]]:
    """An empty list of frames for each of TABLES, for add_tables to fill."""
    return {name: [] for name in TABLES}


def add_tables(tables: dict[str, list[pd.DataFrame]], place: Place, folder: Path, run_id: str, study: str) -> None:
    """Append the rows of one training, read from `folder`, to the frames of each table: once for each of its seeds."""
    for name, parts in tables.items():
        if (file := folder / f"{name}.parquet").exists() and len(rows := pd.read_parquet(file)):
            keys = {"family": study, "experiment": place.experiment, "fold": place.fold}
            parts += [rows.assign(**keys, mlflow_run_id=run_id, seed=seed) for seed in place.seeds]


def store_tables(run: StudyRun, tables: dict[str, list[pd.DataFrame]]) -> None:
    """Write the frames that add_tables collected into the store, `results` last."""
    store, corpus = run.store, run.corpus
    if tables["predictions"]:
        predictions = pd.concat([with_probabilities(rows) for rows in tables["predictions"]])
        store.replace_rows("predictions", corpus, predictions)
    names = {"sweep": "sweeps", "imagined": "imagined", "dimension_predictions": "dimension_predictions"}
    for name, table in names.items():
        if tables[name]:
            store.replace_rows(table, corpus, pd.concat(tables[name]))
    if tables["results"]:  # last: it says that the training is stored
        store.replace_rows("results", corpus, pd.concat(tables["results"]))


def _log_run(run: StudyRun, place: Place, folder: Path) -> str:
    """One training as an MLflow run with its curves, scores, tables and model; its id."""
    facts, results = json.loads((folder / "facts.json").read_text()), pd.read_parquet(folder / "results.parquet")
    training = place.training
    tags = {
        "fingerprint": place.fingerprint,
        "dagster_run_id": run.context.run_id,
        "corpus": run.corpus,
        "family": training.family,
        "study": run.name,
        "experiment": place.experiment,
        "fold": str(place.fold),
        "seed": str(place.seed),
        "selected_on": selected_in(results),
    }
    name = f"{run.name}/{training.name}{place.suffix}"
    config = flattened(asdict(training.config)) if training.is_network else {}
    parameters = {"seed": place.seed, "fold": place.fold, **config}
    with run.tracking.run(run.corpus, name, parameters=parameters, tags=tags) as logged:
        for epoch, measured in enumerate(facts.get("history", []), start=1):
            logged.log_epoch(epoch, measured)
        if "score" in facts:
            logged.log_metrics({"best_score": facts["score"], "best_epoch": facts["best_epoch"]})
        logged.log_metrics(
            {
                f"test/{metric}/{Condition.parse(condition).keys}": value
                for condition, metric, value in results[["condition", "metric", "value"]].itertuples(index=False)
                if metric != VAL_CCC
            }
        )
        for file in sorted(folder.glob("*.parquet")):
            logged.log_file(file, TABLES_FOLDER)
        for file in sorted((folder / "deployed").iterdir()) if (folder / "deployed").exists() else ():
            logged.log_file(file, "deployed")
    return logged.run_id


def selected_in(results: pd.DataFrame) -> str:
    """`val` or `nothing`: what selected the epoch whose weights a training kept.

    Scores of the epoch that is best on the test part are in `results` too, marked `test`; they do not count here.
    """
    return next((str(word) for word in results["selected_on"] if word != "test"), "nothing")

"""Finished trainings of a study to MLflow and the store, and back from MLflow to the store."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from affectory.dimension_data import VAL_CCC
from affectory.study_data import ON_TEST
from ops.evaluation import with_probabilities
from ops.study_plan import Place, Study
from ops.training import flattened

TABLES = ("results", "predictions", "dimension_predictions", "sweep", "imagined")
TABLES_FOLDER = "tables"  # of a run's artifacts: what the store holds of it


def deliver(study: Study, places: Sequence[Place]) -> dict[str, str]:
    """Each training to MLflow, all their rows to the store; then their folders go. fingerprint -> run id."""
    run_ids, tables = {}, no_tables()
    for place in places:
        folder = study.staging / place.fingerprint
        run_ids[place.fingerprint] = _log_run(study, place, folder)
        add_tables(tables, place, folder, run_ids[place.fingerprint], study.name)
    store_tables(study, tables)
    for place in places:
        shutil.rmtree(study.staging / place.fingerprint)
    return run_ids


def no_tables() -> dict[str, list[pd.DataFrame]]:
    return {name: [] for name in TABLES}


def add_tables(tables: dict[str, list[pd.DataFrame]], place: Place, folder: Path, run_id: str, study: str) -> None:
    """The rows of one training, from its files in `folder`."""
    for name, parts in tables.items():
        if (file := folder / f"{name}.parquet").exists() and len(rows := pd.read_parquet(file)):
            keys = {"family": study, "experiment": place.experiment, "fold": place.fold}
            if name == "results" and "selected_on" not in rows:
                keys["selected_on"] = place.selected_on(float("nan"))
            parts += [rows.assign(**keys, mlflow_run_id=run_id, seed=seed) for seed in place.seeds]


def store_tables(study: Study, tables: dict[str, list[pd.DataFrame]]) -> None:
    store, corpus = study.store, study.corpus
    if tables["predictions"]:
        predictions = pd.concat([with_probabilities(rows) for rows in tables["predictions"]])
        store.replace_rows("predictions", corpus, predictions)
    names = {"sweep": "sweeps", "imagined": "imagined", "dimension_predictions": "dimension_predictions"}
    for name, table in names.items():
        if tables[name]:
            store.replace_rows(table, corpus, pd.concat(tables[name]))
    if tables["results"]:  # last: it says that the training is stored
        results = pd.concat(tables["results"])
        results.loc[results["metric"].str.endswith(ON_TEST), "selected_on"] = "test"
        store.replace_rows("results", corpus, results)


def _log_run(study: Study, place: Place, folder: Path) -> str:
    facts = json.loads((folder / "facts.json").read_text())
    config = {} if place.row.config is None else flattened(asdict(place.row.config))
    tags = {
        "fingerprint": place.fingerprint,
        "dagster_run_id": study.context.run_id,
        "corpus": study.corpus,
        "family": place.row.family,
        "study": study.name,
        "experiment": place.experiment,
        "fold": str(place.fold),
        "seed": str(place.seed),
        "selected_on": place.selected_on(facts.get("score", float("nan"))),
    }
    name = f"{study.name}/{place.row.name}{place.suffix}"
    parameters = {"seed": place.seed, "fold": place.fold, **config}
    with study.tracking.run(study.corpus, name, parameters=parameters, tags=tags) as run:
        for epoch, measured in enumerate(facts.get("history", []), start=1):
            run.log_epoch(epoch, measured)
        if "score" in facts:
            run.log_metrics({"best_score": facts["score"], "best_epoch": facts["best_epoch"]})
        results = pd.read_parquet(folder / "results.parquet")
        run.log_metrics(
            {
                f"test/{metric}/{condition.strip('{}').replace(',', '')}": value
                for condition, metric, value in results[["condition", "metric", "value"]].itertuples(index=False)
                if metric != VAL_CCC
            }
        )
        for file in sorted(folder.glob("*.parquet")):
            run.log_file(file, TABLES_FOLDER)
        for file in sorted((folder / "deployed").iterdir()) if (folder / "deployed").exists() else ():
            run.log_file(file, "deployed")
    return run.run_id

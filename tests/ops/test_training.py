"""What a training leaves behind: its run in MLflow, what it hands on, and what the tables say of it."""

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import mlflow
import pandas as pd
import pytest
import torch

from affectory.data.dataset import Dataset
from affectory.learning.experiment import Fold
from affectory.models import mmin
from ops.evaluation import keyed
from ops.training import _Session, _train_once
from resources.tracking import Tracking
from tests.fixtures.datasets import small_dataset
from tests.fixtures.registry import fresh_store, process_store

DEBUG = mmin.FAMILY.experiments("debug")
AS_DEPLOYED = replace(DEBUG["best"], schedule=replace(DEBUG["best"].schedule, keep="last"))
CONFIGS = {**DEBUG, "best": AS_DEPLOYED}
DATASET = small_dataset(24)
WITHOUT_VAL = replace(DATASET, splits=["" if split == "val" else split for split in DATASET.splits])


@pytest.fixture
def tracking(tmp_path: Path):
    with process_store(mlflow.get_tracking_uri()):
        yield Tracking(tracking_uri=fresh_store(tmp_path), artifact_location=str(tmp_path / "mlartifacts"))


def session(tracking: Tracking, folder: Path, dataset: Dataset) -> _Session:
    context = cast(Any, SimpleNamespace(log=logging.getLogger(__name__), run_id="of-dagster"))
    return _Session(context, "demo", "mmin", Fold(dataset, torch.device("cpu")), "digest", tracking, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("experiment", "dataset", "selected_on"),
    [
        ("augmented_baseline", DATASET, "val"),
        ("augmented_baseline", WITHOUT_VAL, "nothing"),
        ("best", DATASET, "nothing"),  # as it is deployed: the last epoch is kept, then refitted
    ],
    ids=["the best epoch", "no validation rows", "the last epoch"],
)
def test_the_run_its_tag_the_table_and_a_reused_run_say_alike_what_selected_the_epoch(
    tracking: Tracking, tmp_path: Path, experiment: str, dataset: Dataset, selected_on: str
):
    run = _train_once(session(tracking, tmp_path, dataset), CONFIGS, experiment, 0)
    again = _train_once(session(tracking, tmp_path, dataset), CONFIGS, experiment, 0)
    assert (run.reused, again.reused, again.run_id) == (False, True, run.run_id)
    assert run.selected_on == again.selected_on == selected_on
    assert tracking.store.client().get_run(run.run_id).data.tags["selected_on"] == selected_on
    results, _ = keyed(run, pd.DataFrame({"metric": ["ua"], "value": [0.5]}), pd.DataFrame({"dimension": []}))
    assert results["selected_on"].tolist() == [selected_on]

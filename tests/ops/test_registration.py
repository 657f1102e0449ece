"""Which run becomes the registered model, and under which alias."""

from pathlib import Path

import dagster as dg
import mlflow
import pandas as pd
import pytest

from affectory.vocabulary import Modality
from ops.registration import best_run, register_run, registration_op
from ops.training import TrainedRun
from resources.tracking import Tracking
from tests.fixtures.registry import fresh_store, process_store, save_tiny_model, tiny_inputs

INPUTS = tiny_inputs({Modality.ACOUSTIC: ("compare", "1", 3), Modality.TEXTUAL: ("minilm", "1", 4)})


def run_of(experiment: str = "mmin", seed: int = 0, score: float = 0.5, run_id: str = "r") -> TrainedRun:
    return TrainedRun("demo", "mmin", experiment, seed, 0, run_id, score, "val", False)


@pytest.fixture
def tracking(tmp_path: Path) -> Tracking:
    with process_store(mlflow.get_tracking_uri()):
        yield Tracking(tracking_uri=fresh_store(tmp_path), artifact_location=str(tmp_path / "mlartifacts"))


def trained(tracking: Tracking, folder: Path, seed: int, score: float) -> TrainedRun:
    """A finished run with its deployed model, as ops/training leaves it."""
    save_tiny_model(folder, INPUTS)
    with tracking.run("demo", "mmin/mmin", parameters={}, tags={}) as run:
        for file in sorted(folder.iterdir()):
            run.log_file(file, "deployed")
    return run_of(seed=seed, score=score, run_id=run.run_id)


def test_the_best_run_is_the_deployed_experiments_with_the_highest_validation_score():
    runs = [run_of("full_baseline", 0, 0.9), run_of("mmin", 0, 0.5), run_of("mmin", 1, 0.7), run_of("mmin", 2, 0.7)]
    assert best_run(runs, ["best", "mmin"]) == runs[2]
    assert best_run([*runs, better := run_of("best", 0, 0.4)], ["best", "mmin"]) == better
    assert best_run(runs[:1], ["best", "mmin"]) is None


def test_the_first_model_of_a_corpus_is_champion_and_later_ones_are_challengers(tracking: Tracking, tmp_path: Path):
    first, second, third = (trained(tracking, tmp_path / f"model{seed}", seed, 0.5) for seed in range(3))
    versions = [register_run(tracking, run) for run in (first, second, third)]
    assert [(each.name, each.version, each.alias) for each in versions] == [
        ("demo-mmin", "1", "champion"),
        ("demo-mmin", "2", "challenger"),
        ("demo-mmin", "3", "challenger"),
    ]
    aliases = mlflow.MlflowClient().get_registered_model("demo-mmin").aliases
    assert {name: str(version) for name, version in aliases.items()} == {"champion": "1", "challenger": "3"}


def test_a_run_is_registered_once_and_its_model_loads_by_alias(tracking: Tracking, tmp_path: Path):
    run = trained(tracking, tmp_path / "model", 0, 0.5)
    assert register_run(tracking, run) == register_run(tracking, run)
    client = mlflow.MlflowClient()
    [version] = client.search_model_versions("name = 'demo-mmin'")
    assert version.run_id == run.run_id
    assert len(client.get_run(run.run_id).outputs.model_outputs) == 1
    model = mlflow.pyfunc.load_model("models:/demo-mmin@champion")
    assert model.predict(pd.DataFrame([{"textual": [[1, 2, 3, 4]]}]))["modalities_used"].tolist() == ["t"]


def test_a_run_that_was_trained_while_mlflow_was_away_is_registered_when_it_is_back(tracking: Tracking, tmp_path: Path):
    away = tracking.model_copy(update={"tracking_uri": "http://127.0.0.1:9"})
    run = trained(away, tmp_path / "model", 0, 0.5)
    registered = register_run(tracking, run)
    assert (registered.name, registered.version, registered.alias) == ("demo-mmin", "1", "champion")
    assert register_run(tracking, run) == registered


def test_the_op_registers_the_best_seed_and_says_which(tracking: Tracking, tmp_path: Path):
    runs = [trained(tracking, tmp_path / f"model{seed}", seed, score) for seed, score in ((0, 0.4), (1, 0.6))]

    @dg.op
    def scored() -> list[TrainedRun]:
        return runs

    @dg.job
    def job():
        registration_op("register_mmin", "mmin")(scored())

    result = job.execute_in_process(resources={"tracking": tracking})
    registered = result.output_for_node("register_mmin")
    assert (registered.name, registered.version, registered.alias) == ("demo-mmin", "1", "champion")
    [event] = [event for event in result.get_step_success_events() if event.step_key == "register_mmin"]
    output = next(each for each in result.all_events if each.is_successful_output and each.step_key == event.step_key)
    assert output.step_output_data.metadata["seed"].value == 1
    assert output.step_output_data.metadata["model"].value == "models:/demo-mmin@champion"


def test_a_corpus_that_trained_nothing_registers_nothing(tracking: Tracking):
    @dg.op
    def scored() -> list[TrainedRun]:
        return []

    @dg.job
    def job():
        registration_op("register_mmin", "mmin")(scored())

    result = job.execute_in_process(resources={"tracking": tracking})
    assert result.output_for_node("register_mmin") is None
    assert mlflow.MlflowClient(tracking.tracking_uri).search_registered_models() == []

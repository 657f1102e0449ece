"""What a cell of the conversation study leaves behind: its controls bite, its side column is marked as what it is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectory.data.dataset import Dataset, Sequences, save_dataset
from affectory.models.family import Schedule
from affectory.results.names import ON_TEST
from affectory.studies import STUDIES
from affectory.studies.cell import Cell, run_cell
from affectory.studies.plan import Training, trainings
from affectory.vocabulary import Modality
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
SCHEDULE = Schedule(constant_epochs=12, decay_epochs=6, batch_size=4, learning_rate=1e-2, select="weighted_f1")


def shown_by_the_one_before(dialogues: int = 30, turns: int = 10) -> Dataset:
    """An utterance's class is what the utterance before it shows; its own features say nothing of it."""
    generator = np.random.default_rng(0)
    features = generator.integers(0, 3, (dialogues, turns))
    labels = np.pad(features[:, :-1], ((0, 0), (1, 0)))
    frames = np.eye(3)[features.ravel()] * 3 + generator.normal(0, 0.3, (features.size, 3))
    parts = ["train"] * (dialogues - 12) + ["val"] * 4 + ["test"] * 8
    return Dataset(
        utterance_ids=[f"d{number:02}_u{turn}" for number in range(dialogues) for turn in range(turns)],
        labels=labels.ravel().astype(np.int64),
        classes=("anger", "joy", "sadness"),
        sequences={T: Sequences("words", frames.astype(np.float32), np.ones(features.size, np.int64))},
        speakers=[f"s{turn % 2}" for _ in range(dialogues) for turn in range(turns)],
        dialogues=[f"d{number:02}" for number in range(dialogues) for _ in range(turns)],
        splits=[part for part in parts for _ in range(turns)],
    )


def run(folder: Path, rows: Sequence[Training], dataset: Dataset, **changes) -> dict[str, pd.DataFrame]:
    save_dataset(dataset, folder / "data")
    cell = Cell(
        dataset=folder / "data",
        splits=dataset.splits,
        fold=0,
        seed=0,
        study="mmgcn_study",
        trainings=rows,
        fingerprints={row.name: row.name for row in rows},
        results=folder / "results",
        device="cpu",
        pictures=False,
    )
    assert run_cell(replace(cell, **changes)).failed == {}
    return {row.name: pd.read_parquet(folder / "results" / row.name / "results.parquet") for row in rows}


def of(results: pd.DataFrame, metric: str, condition: str = "{t}") -> float:
    (value,) = results.loc[(results["metric"] == metric) & (results["condition"] == condition), "value"]
    return value


@pytest.fixture(scope="module")
def controls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    shuffled = ["bc_lstm_shuffled_order", "mmgcn_shuffled_order", "bc_lstm_strangers", "mmgcn_shuffled_labels"]
    rows = [
        replace(row, config=replace(row.config, schedule=SCHEDULE, dropout=0.0))
        for row in trainings(STUDIES["mmgcn_study"], "quick", [T], {})
        if row.name in ("utterance", "bc_lstm", "mmgcn", *shuffled)
    ]
    return run(tmp_path_factory.mktemp("controls"), rows, shown_by_the_one_before())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bc_lstm", "mmgcn"])
def test_where_context_helps_a_shuffled_order_costs(controls: dict[str, pd.DataFrame], name: str):
    ordered, shuffled = (of(controls[row], "weighted_f1") for row in (name, f"{name}_shuffled_order"))
    alone = of(controls["utterance"], "weighted_f1")
    assert ordered > alone + 0.3 and shuffled < ordered - 0.3


@pytest.mark.slow
def test_where_context_helps_strangers_are_no_help(controls: dict[str, pd.DataFrame]):
    assert of(controls["bc_lstm_strangers"], "weighted_f1") < of(controls["bc_lstm"], "weighted_f1") - 0.3


@pytest.mark.slow
def test_shuffled_labels_bring_chance(controls: dict[str, pd.DataFrame]):
    assert of(controls["mmgcn_shuffled_labels"], "ua") == pytest.approx(1 / 3, abs=0.12)


@pytest.mark.slow
def test_the_epoch_that_is_best_on_test_stands_apart_under_names_of_its_own(controls: dict[str, pd.DataFrame]):
    for results in controls.values():
        assert of(results, f"weighted_f1{ON_TEST}") >= of(results, "weighted_f1") - 1e-9
        assert {f"{name}{ON_TEST}" for name in ("wa", "ua", "macro_f1")} <= set(results["metric"])


@pytest.mark.slow
def test_every_row_is_scored_under_its_conditions(tmp_path: Path):
    parts = ("train", "train", "val", "test")
    small = small_dataset(48)
    dataset = replace(small, splits=[parts[int(name[1:])] for name in small.dialogues])
    rows = trainings(STUDIES["mmgcn_study"], "debug", [A, V], {})
    results = run(tmp_path, rows, dataset.only([A, V]))
    for row in rows:
        under = {str(row.only)} if row.only else {"{a}", "{v}", "{a,v}"}
        assert set(results[row.name]["condition"]) == under
        watched = results[row.name].loc[results[row.name]["metric"].str.endswith(ON_TEST), "condition"]
        assert set(watched) == {str(row.only) if row.only else "{a,v}"}
    assert not list(tmp_path.glob("results/*/sweep.parquet"))

"""What a cell (a fold and seed) of the missing-modality table leaves behind, whatever became of it before."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from affectory.data.dataset import Dataset, save_dataset
from affectory.learning import training
from affectory.learning.deployed import load_deployed
from affectory.studies import STUDIES
from affectory.studies.cell import Cell, run_cell
from affectory.studies.plan import Training, trainings
from affectory.studies.study import LINEAR_SVM
from affectory.vocabulary import Modality, conditions, missing_conditions
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
DATASET = small_dataset(48, missing={6: [V]})  # test rows: 6, 7, 14, 15 ...
ROWS = trainings(STUDIES["mmin_study"], "debug", Modality, {})
BOUND = [row for row in ROWS if row.only]
FREE = [row for row in ROWS if not row.only and row.is_network]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """A cell takes one thread for the whole of its process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def named(*names: str) -> list[Training]:
    return [row for row in ROWS if row.name in names]


def cell_of(folder: Path, rows: Sequence[Training], dataset: Dataset = DATASET, **changes: Any) -> Cell:
    """A row's name serves as its fingerprint."""
    save_dataset(dataset, folder / "data")
    return Cell(
        **{
            "dataset": folder / "data",
            "splits": dataset.splits,
            "fold": 1,
            "seed": 0,
            "study": "mmin_study",
            "trainings": rows,
            "fingerprints": {row.name: row.name for row in rows},
            "results": folder / "results",
            "device": "cpu",
            "pictures": False,
            **changes,
        }
    )


def run(folder: Path, rows: Sequence[Training], dataset: Dataset = DATASET, **changes: Any) -> Path:
    cell = cell_of(folder, rows, dataset, **changes)
    outcome = run_cell(cell)
    assert not outcome.failed
    return cell.results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every row of the table, undisturbed."""
    return run(tmp_path_factory.mktemp("study"), ROWS)


def table(results: Path, row: str, name: str = "results") -> pd.DataFrame:
    return pd.read_parquet(results / row / f"{name}.parquet")


def bytes_of(results: Path, row: str) -> bytes:
    return (results / row / "deployed" / "weights.safetensors").read_bytes()


def assert_same(first: Path, second: Path, row: str) -> None:
    assert bytes_of(first, row) == bytes_of(second, row)
    config = Path("deployed", "config.json")
    assert (first / row / config).read_text() == (second / row / config).read_text()
    for name in ("results", "predictions"):
        pd.testing.assert_frame_equal(table(first, row, name), table(second, row, name))


def test_a_cell_leaves_one_folder_a_row_and_nothing_else(results: Path):
    assert sorted(path.name for path in results.iterdir()) == sorted(row.name for row in ROWS)
    for row in FREE + BOUND:
        names = {path.name for path in (results / row.name).iterdir()}
        assert {"results.parquet", "predictions.parquet", "facts.json", "deployed"} <= names
        assert ("sweep.parquet" in names) == (row.only is None)
        facts = json.loads((results / row.name / "facts.json").read_text())
        assert len(facts["history"]) == 2 and 1 <= facts["best_epoch"] <= 2


def test_free_rows_are_scored_under_every_condition_and_bound_ones_under_their_own(results: Path):
    every = [str(condition) for condition in conditions()]
    for row in FREE:
        scores = table(results, row.name)
        assert list(scores[scores["metric"] == "ua"]["condition"]) == every
    for row in BOUND:
        assert set(table(results, row.name)["condition"]) == {str(row.only)}
        assert set(table(results, row.name, "predictions")["condition"]) == {str(row.only)}


def test_every_row_is_tested_on_the_same_utterances(results: Path):
    full = [f"u{row:02}" for row in DATASET.rows("test") if row != 6]
    for row in ROWS:
        for condition, rows in table(results, row.name, "predictions").groupby("condition"):
            assert rows["utterance_id"].tolist() == (["u06", *full] if condition == "{a,t}" else full)


def test_a_partial_baseline_knows_no_other_modality(results: Path):
    for row in BOUND:
        if row.experiment == "partial_baseline":
            assert set(load_deployed(results / row.name / "deployed").inputs) == row.only


def with_other_values(modalities: Sequence[Modality], rows: np.ndarray) -> Dataset:
    """The rows' frames of some modalities replaced by other numbers."""
    sequences = dict(DATASET.sequences)
    for modality in modalities:
        own = sequences[modality]
        frames, of = own.frames.copy(), np.repeat(np.isin(np.arange(48), rows), own.lengths)
        frames[of] = np.random.default_rng(1).normal(-20.0, 9.0, frames[of].shape)
        sequences[modality] = replace(own, frames=frames)
    return replace(DATASET, sequences=sequences)


def test_a_partial_baseline_is_the_same_whatever_the_other_modalities_hold(tmp_path: Path, results: Path):
    rows, every = named("partial_baseline_a", "partial_baseline_at"), np.arange(48)
    changed = run(tmp_path, rows, with_other_values([V], every))
    for row in rows:
        assert_same(changed, results, row.name)


def test_a_translation_does_not_read_what_it_translates_into_when_it_is_tested(tmp_path: Path, results: Path):
    rows = named("mctn_v", "mctn_av")
    changed = run(tmp_path, rows, with_other_values([T], DATASET.rows("test")))
    for row in rows:
        assert_same(changed, results, row.name)
    into = run(tmp_path / "all", rows, with_other_values([T], np.arange(48)))
    assert bytes_of(into, "mctn_v") != bytes_of(results, "mctn_v")  # what it sees while it is trained


@pytest.mark.slow
def test_a_cell_that_was_run_in_parts_ends_with_the_same_weights(tmp_path: Path, results: Path):
    first = named("full_baseline", "mctn_a", "best", "mmin")
    later = [row for row in ROWS if row.name != "mmin_ae"][::2]
    teacher = named("full_baseline")
    run(tmp_path, first)
    run(tmp_path, teacher + [row for row in later if row.name != "full_baseline"])
    for name in {row.name for row in (*first, *later)} - {LINEAR_SVM}:
        assert_same(tmp_path / "results", results, name)


@pytest.mark.slow
def test_a_folder_that_is_lost_is_made_again_and_no_other(tmp_path: Path, results: Path):
    rows = named("full_baseline", "mmin", "best", LINEAR_SVM)
    done = run(tmp_path, rows)
    for lost in ("mmin", "best", "full_baseline", LINEAR_SVM):
        written = {row.name: (done / row.name).stat().st_mtime_ns for row in rows}
        (done / lost).rename(tmp_path / lost)
        run(tmp_path, rows)
        again = {row.name for row in rows if (done / row.name).stat().st_mtime_ns != written[row.name]}
        assert again == {lost} and sorted(path.name for path in done.iterdir()) == sorted(row.name for row in rows)
        if lost != LINEAR_SVM:
            assert_same(done, results, lost)
        pd.testing.assert_frame_equal(table(done, lost), table(results, lost))


class KilledError(BaseException):
    pass


def killed_at(checkpoint: int) -> Callable[..., None]:
    saved, save = count(1), training._Progress.save

    def save_and_die(*arguments: Any) -> None:
        save(*arguments)
        if next(saved) == checkpoint:
            raise KilledError

    return save_and_die


@pytest.mark.slow
def test_a_cell_that_is_killed_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: Path
):
    rows, ticks = named("full_baseline", "mmin", "best"), count(0, 100)
    monkeypatch.setattr(training, "monotonic", lambda: next(ticks))  # every epoch is due a checkpoint
    for checkpoint in range(1, 7):  # in and after the teacher, its student, the refit of best
        folder = tmp_path / str(checkpoint)
        with monkeypatch.context() as patch:
            patch.setattr(training._Progress, "save", killed_at(checkpoint))
            with pytest.raises(KilledError):
                run(folder, rows)
        done = run(folder, rows)
        for row in rows:
            assert_same(done, results, row.name)
        assert sorted(path.name for path in done.iterdir()) == sorted(row.name for row in rows)


def test_what_was_being_written_when_the_cell_was_killed_is_written_anew(tmp_path: Path, results: Path):
    (tmp_path / "results" / "best.partial" / "deployed").mkdir(parents=True)
    (tmp_path / "results" / "best.partial" / "results.parquet").write_bytes(b"PAR1")
    assert_same(run(tmp_path, named("best")), results, "best")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["best"]


def test_a_checkpoint_cut_short_does_not_stop_a_row_from_being_kept(tmp_path: Path, results: Path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "best.pt.partial").write_bytes(b"half a checkpoint")
    assert_same(run(tmp_path, named("best")), results, "best")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["best"]


def test_a_teacher_that_nobody_asked_for_is_trained_and_not_kept(tmp_path: Path, results: Path):
    done = run(tmp_path, named("full_baseline", "mmin"), fingerprints={"mmin": "mmin"})
    assert [path.name for path in done.iterdir()] == ["mmin"]
    assert_same(done, results, "mmin")


def test_another_seed_and_other_splits_give_other_weights(tmp_path: Path, results: Path):
    other = run(tmp_path, named("best"), seed=1)
    assert bytes_of(other, "best") != bytes_of(results, "best")
    turned = [{"train": "train", "val": "test", "test": "val"}[split] for split in DATASET.splits]
    fold = run(tmp_path / "fold", named("best"), splits=turned)
    assert set(table(fold, "best", "predictions")["utterance_id"]) == {f"u{row:02}" for row in DATASET.rows("val")}


def test_imagination_is_measured_under_missing_conditions_of_the_rows_that_imagine(results: Path):
    for row in ROWS:
        scores = table(results, row.name)
        measured = scores[scores["metric"].str.startswith("imagination_")]
        if not row.name.startswith("mmin"):
            assert measured.empty
            continue
        assert set(measured["condition"]) == {str(condition) for condition in missing_conditions()}
        names = {f"imagination_{name}" for name in ("relative_error", "cosine", "energy")}
        assert set(measured["metric"]) == names and measured["value"].notna().all()
        assert not (results / row.name / "imagined.parquet").exists()


def test_pictures_lay_out_every_full_row_of_test_under_every_missing_condition(tmp_path: Path):
    done = run(tmp_path, named("full_baseline", "mmin"), pictures=True)
    points = table(done, "mmin", "imagined")
    full = {f"u{row:02}" for row in DATASET.rows("test") if row != 6}
    assert set(points["condition"]) == {str(condition) for condition in missing_conditions()}
    assert all(set(rows["utterance_id"]) == full for _, rows in points.groupby("condition"))
    assert points[["true_x", "true_y", "imagined_x", "imagined_y"]].notna().all(axis=None)
    assert set(points["label"]) == {"angry", "happy"}


def test_the_linear_machine_has_predictions_and_no_model(results: Path):
    assert sorted(path.name for path in (results / LINEAR_SVM).iterdir()) == [
        "facts.json",
        "predictions.parquet",
        "results.parquet",
    ]
    predictions = table(results, LINEAR_SVM, "predictions")
    assert set(predictions["condition"]) == {str(condition) for condition in conditions()}
    scores = table(results, LINEAR_SVM)
    for condition, rows in predictions.groupby("condition"):
        wa = scores[(scores["condition"] == condition) & (scores["metric"] == "wa")]["value"].item()
        assert wa == pytest.approx((rows["label"] == rows["predicted"]).mean())


@pytest.mark.slow
def test_every_row_runs_on_two_modalities_and_on_one(tmp_path: Path):
    for modalities in ([A, V], [T]):
        dataset, rows = DATASET.only(modalities), trainings(STUDIES["mmin_study"], "debug", modalities, {})
        done = run(tmp_path / str(len(modalities)), rows, dataset)
        assert {path.name for path in done.iterdir()} == {row.name for row in rows}
        under = {str(condition) for condition in conditions(modalities)}
        assert set(table(done, "mmin")["condition"]) == set(table(done, LINEAR_SVM)["condition"]) == under


def test_a_modality_that_no_training_row_has_is_no_condition_of_a_row(tmp_path: Path):
    never = {row: [V] for row in np.flatnonzero(np.array(DATASET.splits) != "test")}
    done = run(tmp_path, named("full_baseline", "best", "partial_baseline_t"), small_dataset(48, missing=never))
    for name in ("full_baseline", "best"):
        assert set(table(done, name)["condition"]) == {"{a}", "{t}", "{a,t}"}


def test_rows_that_a_fold_cannot_feed_are_left_out_by_name_and_the_others_are_kept(tmp_path: Path):
    voice_or_face = {row: [Modality.VISUAL if row % 4 < 2 else Modality.ACOUSTIC] for row in range(len(DATASET.labels))}
    dataset = small_dataset(len(DATASET.labels), missing=voice_or_face)
    lengths = dataset.sequences[Modality.TEXTUAL].lengths
    dataset.sequences[Modality.TEXTUAL] = replace(
        dataset.sequences[Modality.TEXTUAL], frames=np.zeros((0, 6), np.float32), lengths=np.zeros_like(lengths)
    )
    rows = trainings(STUDIES["mmin_study"], "debug", [A, V], {})
    outcome = run_cell(cell_of(tmp_path, rows, dataset))
    assert not outcome.failed and {"full_baseline", "augmented_baseline", "mmin", "best"} <= set(outcome.done)
    assert all("no test row of the fold" in why for why in outcome.skipped.values()), outcome.skipped


def test_a_row_that_fails_takes_no_other_with_it(tmp_path: Path):
    full, augmented, mmin_row = (row for row in ROWS if row.name in ("full_baseline", "augmented_baseline", "mmin"))
    broken = replace(full, config=replace(full.config, width=-1))
    outcome = run_cell(cell_of(tmp_path, [broken, augmented, mmin_row]))
    assert outcome.done == ["augmented_baseline"] and set(outcome.failed) == {"full_baseline", "mmin"}
    assert "its teacher full_baseline was not trained" in outcome.failed["mmin"]

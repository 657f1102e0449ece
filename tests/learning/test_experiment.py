"""One experiment on one fold: what it learns from, what it never sees, how it goes on after a kill."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, Sequences
from affectory.data.inputs import fit_inputs
from affectory.learning import training
from affectory.learning.deployed import load_deployed
from affectory.learning.evaluation import evaluate
from affectory.learning.experiment import Fold, Trained, train_experiment
from affectory.learning.training import fit
from affectory.models import mmin
from affectory.vocabulary import Modality, conditions
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
DEBUG = mmin.FAMILY.experiments("debug")
DATASET = small_dataset(24)


def fold_of(dataset: Dataset = DATASET) -> Fold:
    return Fold(dataset, torch.device("cpu"))


def config_of(name: str, schedule: dict[str, Any] | None = None, **changes: Any) -> mmin.Config:
    config = DEBUG[name]
    return replace(config, schedule=replace(config.schedule, **(schedule or {})), **changes)


def train(config: mmin.Config, dataset: Dataset = DATASET, *, seed: int = 3, **options: Any) -> Trained:
    """With its teacher, if it has one."""
    fold = fold_of(dataset)
    teacher = train_experiment("mmin", DEBUG[config.teacher], fold, seed=seed).model if config.teacher else None
    return train_experiment("mmin", config, fold, seed=seed, teacher=teacher, **options)


def with_val_labels_turned(dataset: Dataset) -> Dataset:
    """The longer a model learns, the worse it does on validation: an early epoch is kept."""
    labels = dataset.labels.copy()
    labels[dataset.rows("val")] = 1 - labels[dataset.rows("val")]
    return replace(dataset, labels=labels)


def same(first: Trained, second: Trained, within: float = 0.0) -> bool:
    """The same weights and normalisation; to the bit, unless other numbers of rows were computed with."""
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    assert list(ours) == list(theirs) and list(first.inputs) == list(second.inputs)
    normalised = [
        np.allclose(getattr(first.inputs[m], name), getattr(second.inputs[m], name), rtol=0, atol=within)
        for m in first.inputs
        for name in ("mean", "std", "projection")
        if getattr(first.inputs[m], name) is not None
    ]
    return all(torch.allclose(ours[name], theirs[name], rtol=0, atol=within) for name in ours) and all(normalised)


def test_a_refit_learns_from_train_and_val_for_as_many_epochs_as_validation_kept():
    dataset = with_val_labels_turned(DATASET)
    config = config_of("best", {"constant_epochs": 4})
    trained = train(config, dataset)
    kept = trained.fit.best_epoch
    assert len(trained.fit.history) == 5 and kept < 5
    both = np.concatenate([dataset.rows("train"), dataset.rows("val")])
    inputs, data = fold_of(dataset).packed(config.preparation, with_val=True)
    expected = mmin.build(config, inputs, dataset.classes, seed=3)
    fit(expected, data, both, both[:0], schedule=config.schedule, seed=3, epochs=kept)
    assert all(torch.equal(trained.model.state_dict()[k], value) for k, value in expected.state_dict().items())
    on_both, on_train = (fit_inputs(dataset, rows, config.preparation)[A] for rows in (both, dataset.rows("train")))
    assert np.array_equal(trained.inputs[A].mean, on_both.mean) and not np.array_equal(on_both.mean, on_train.mean)


def test_without_a_refit_the_model_is_the_one_that_validation_selected():
    trained = train(config_of("augmented_baseline"))
    assert all(torch.equal(trained.model.state_dict()[k], value) for k, value in trained.fit.state.items())
    on_train = fit_inputs(DATASET, DATASET.rows("train"))
    assert np.array_equal(trained.inputs[T].std, on_train[T].std)


def test_validation_rows_change_a_refit_and_no_weight_without_one():
    turned = with_val_labels_turned(DATASET)
    last = {"keep": "last"}
    plain = config_of("best", {**last, "refit": False})
    assert same(train(plain), train(plain, turned))
    assert not same(train(config_of("best", last)), train(config_of("best", last), turned))


@pytest.mark.parametrize("name", DEBUG)
def test_the_rows_of_test_influence_nothing(name: str):
    generator, test = np.random.default_rng(9), set(DATASET.rows("test").tolist())
    sequences = {}
    for modality, own in DATASET.sequences.items():
        noise = [generator.normal(-50.0, 1e3, own.row(row).shape).astype(np.float32) for row in range(24)]
        rows = [noise[row] if row in test else own.row(row) for row in range(24)]
        sequences[modality] = Sequences.from_rows(own.feature_set, rows, own.width, own.version)
    labels = np.where(np.isin(np.arange(24), list(test)), 1 - DATASET.labels, DATASET.labels)
    first, second = train(DEBUG[name]), train(DEBUG[name], replace(DATASET, sequences=sequences, labels=labels))
    assert same(first, second)
    assert first.fit.history == second.fit.history and first.temperatures == second.temperatures


def test_rows_of_test_may_be_taken_away():
    kept = np.flatnonzero(np.array(DATASET.splits) != "test")
    without = Dataset(
        utterance_ids=[DATASET.utterance_ids[row] for row in kept],
        labels=DATASET.labels[kept],
        classes=DATASET.classes,
        sequences={
            m: Sequences.from_rows(s.feature_set, [s.row(row) for row in kept], s.width, s.version)
            for m, s in DATASET.sequences.items()
        },
        **{name: [getattr(DATASET, name)[row] for row in kept] for name in ("speakers", "dialogues", "splits")},
    )
    # Fewer rows may be summed in another order: weights move by 1e-7; by 0.03 where one row of test is learned from.
    assert same(train(DEBUG["best"]), train(DEBUG["best"], without), within=1e-5)


def test_the_last_epoch_is_kept_where_the_schedule_says_so():
    dataset = with_val_labels_turned(DATASET)
    best = train(config_of("augmented_baseline", {"constant_epochs": 4}), dataset)
    last = train(config_of("augmented_baseline", {"constant_epochs": 4, "keep": "last"}), dataset)
    assert best.fit.best_epoch < 5 and last.fit.best_epoch == 5 and not same(best, last)
    assert last.fit.best_score == last.fit.history[-1]["val/score"]
    unseen = replace(dataset, splits=["" if split == "val" else split for split in dataset.splits])
    assert same(last, train(config_of("augmented_baseline", {"constant_epochs": 4}), unseen))


def test_without_validation_rows_nothing_is_refitted_or_calibrated():
    unseen = replace(DATASET, splits=["" if split == "val" else split for split in DATASET.splits])
    trained = train(DEBUG["best"], unseen)
    assert trained.temperatures == {} and trained.fit.best_epoch == 2


@pytest.mark.parametrize("name", ["augmented_baseline", "mmin", "best"])
def test_a_deployed_model_gives_the_probabilities_that_were_evaluated_under_each_condition(tmp_path: Path, name: str):
    dataset = small_dataset(192, missing={6: [V], 15: [A, T]})  # 46 rows of validation and more
    trained, test = train(DEBUG[name], dataset), dataset.rows("test")
    assert set(trained.temperatures) == set(conditions()) and len(set(trained.temperatures.values())) == 7
    _, predictions = evaluate(trained.model, trained.data, dataset, test, temperatures=trained.temperatures)
    trained.save(tmp_path)
    deployed = load_deployed(tmp_path)
    assert deployed.temperatures == trained.temperatures
    for condition in conditions():
        expected = predictions[predictions["condition"] == str(condition)]
        rows = [dataset.utterance_ids.index(utterance) for utterance in expected["utterance_id"]]
        predicted = deployed.predict({m: [dataset.sequences[m].row(row) for row in rows] for m in condition})
        assert set(predicted.modalities_used) == {condition}
        # A low temperature multiplies what float32 logits are off by, 1e-6.
        np.testing.assert_allclose(predicted.probabilities, expected[["p_angry", "p_happy"]], atol=1e-5)


def test_temperatures_are_fitted_on_validation_before_the_refit():
    dataset = small_dataset(192)
    refitted, selected = (train(config_of("best", {"refit": refit}), dataset) for refit in (True, False))
    assert refitted.temperatures == selected.temperatures and not same(refitted, selected)


def test_a_model_that_was_saved_is_scored_as_it_was(tmp_path: Path):
    trained, test = train(DEBUG["best"]), DATASET.rows("test")
    trained.save(tmp_path)
    again = load_deployed(tmp_path)
    data = PackedFeatures.from_dataset(DATASET, again.inputs)
    first = evaluate(trained.model, trained.data, DATASET, test, temperatures=trained.temperatures)[1]
    assert first.equals(evaluate(again.model, data, DATASET, test, temperatures=again.temperatures)[1])


class KilledError(Exception):
    pass


def killed_after(saves: int) -> Callable[..., None]:
    """A _Progress.save that is the last thing its process does."""
    done, save = count(1), training._Progress.save

    def save_and_die(*given: Any) -> None:
        save(*given)
        if next(done) == saves:
            raise KilledError

    return save_and_die


@pytest.mark.parametrize("saves", [1, 3, 4, 6])  # in the first training, after it, in the refit, at its end
def test_a_training_that_is_killed_at_any_stage_goes_on_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
):
    ticks = count(0, 100)
    monkeypatch.setattr(training, "monotonic", lambda: next(ticks))  # every epoch is due a checkpoint
    monkeypatch.setattr(training, "_PATIENCE", 0.0)  # by that clock saving takes long
    config = config_of("best", {"constant_epochs": 2, "keep": "last"}, dropout=0.4, input_dropout=0.3)
    undisturbed, checkpoint = train(config), tmp_path / "training.pt"
    with monkeypatch.context() as patch:
        patch.setattr(training._Progress, "save", killed_after(saves))
        with pytest.raises(KilledError):
            train(config, checkpoint=checkpoint)
    seen: list[int] = []
    resumed = train(config, checkpoint=checkpoint, callbacks=[lambda epoch, _: seen.append(epoch)])
    assert seen == list(range(saves + 1, 4))
    assert same(resumed, undisturbed) and resumed.fit.history == undisturbed.fit.history
    assert resumed.temperatures == undisturbed.temperatures
    assert sorted(path.name for path in tmp_path.iterdir()) == ["training.pt", "training.refit.pt"]

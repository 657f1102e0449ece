import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.inputs import fit_inputs
from affectory.learning.training import Fit, TrainingError, fit
from affectory.models import mmin
from affectory.models.family import Model, Schedule
from tests.fixtures.datasets import packed, small_dataset

CHECKOUT = Path(__file__).parents[2]
DATASET = small_dataset(24)
TRAIN, VAL = DATASET.rows("train"), DATASET.rows("val")
SCHEDULE = Schedule(constant_epochs=2, decay_epochs=2, batch_size=4, learning_rate=1e-2)


def new_model(experiment: str = "mmin", **changes) -> Model:
    inputs, configs = fit_inputs(DATASET, TRAIN), mmin.FAMILY.experiments("debug")
    config = replace(configs[experiment], **changes)
    teacher = mmin.build(configs["full_baseline"], inputs, DATASET.classes, seed=1)
    assert isinstance(teacher, mmin.FullModality)
    model = mmin.build(config, inputs, DATASET.classes, seed=0)
    if config.teacher:
        model.learn_from(teacher, packed(DATASET))
    return model


def digest(state: dict[str, torch.Tensor]) -> str:
    return hashlib.sha256(b"".join(value.numpy().tobytes() for value in state.values())).hexdigest()


def run(model: Model, seed: int = 5, schedule: Schedule = SCHEDULE, **options) -> Fit:
    return fit(model, packed(DATASET), TRAIN, VAL, schedule=schedule, seed=seed, **options)


@pytest.mark.gpu
def test_a_training_on_cuda_comes_near_the_one_on_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    data = PackedFeatures.from_dataset(DATASET, fit_inputs(DATASET, TRAIN), "cuda")
    on_gpu, on_cpu = fit(new_model(), data, TRAIN, VAL, schedule=SCHEDULE, seed=5), run(new_model())
    assert on_gpu.history[0]["loss/total"] == pytest.approx(on_cpu.history[0]["loss/total"], rel=1e-3)


class KilledError(Exception):
    pass


def test_the_learning_rate_is_constant_and_then_falls_to_nearly_nothing():
    rates = [SCHEDULE.learning_rate_at(epoch) for epoch in range(4)]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-2 * 2 / 3, 1e-2 / 3])


def test_a_training_that_is_killed_and_resumed_equals_an_undisturbed_one_bit_for_bit(tmp_path: Path):
    def kill(epoch: int, measured: dict[str, float]) -> None:
        if epoch == 3:
            raise KilledError

    checkpoint = tmp_path / "run" / "checkpoint.pt"
    undisturbed = run(new_model(dropout=0.4))
    with pytest.raises(KilledError):
        run(new_model(dropout=0.4), callbacks=[kill], checkpoint=checkpoint, checkpoint_every_s=0)
    seen: list[int] = []
    resumed = run(new_model(dropout=0.4), callbacks=[lambda epoch, _: seen.append(epoch)], checkpoint=checkpoint)
    assert seen == [3, 4]  # the third epoch's checkpoint was never written
    assert resumed.history == undisturbed.history and resumed.best_epoch == undisturbed.best_epoch
    assert all(torch.equal(resumed.state[name], value) for name, value in undisturbed.state.items())
    assert [path.name for path in checkpoint.parent.iterdir()] == ["checkpoint.pt"]


def test_a_finished_training_is_not_repeated(tmp_path: Path):
    first = run(new_model(), checkpoint=tmp_path / "checkpoint.pt")
    again = run(new_model(), checkpoint=tmp_path / "checkpoint.pt", callbacks=[lambda *_: pytest.fail("trained again")])
    assert again.history == first.history and all(torch.equal(again.state[k], v) for k, v in first.state.items())


def test_another_trainings_checkpoint_is_refused(tmp_path: Path):
    run(new_model(), checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match="is of another training"):
        run(new_model(), seed=6, checkpoint=tmp_path / "checkpoint.pt")


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_in_a_fresh_process():
    same_threads = f"torch.set_num_threads({torch.get_num_threads()})"  # of which the order of additions depends
    code = f"from {__name__} import *; {same_threads}; print(digest(run(new_model(dropout=0.4)).state))"
    command = [sys.executable, "-c", code]
    fresh = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, cwd=CHECKOUT)
    assert fresh.stdout.strip() == digest(run(new_model(dropout=0.4)).state)


def test_another_seed_gives_other_weights_and_the_callers_chance_is_left_alone():
    before = torch.random.get_rng_state()
    first, second = run(new_model(), seed=1).state, run(new_model(), seed=2).state
    assert any(not torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_model_is_left_with_the_epoch_that_is_best_on_validation():
    model = new_model("augmented_baseline")
    trained = run(model)
    scores = [measured["val/score"] for measured in trained.history]
    assert trained.best_score == max(scores) and trained.best_epoch == scores.index(max(scores)) + 1
    assert all(torch.equal(model.state_dict()[name], value) for name, value in trained.state.items())


def test_callbacks_receive_every_term_and_every_condition_that_was_trained_on():
    received: dict[int, dict[str, float]] = {}
    trained = run(new_model(), callbacks=[received.__setitem__])
    assert list(received) == [1, 2, 3, 4] and list(received.values()) == trained.history
    losses = ["loss/classification", "loss/forward", "loss/cycle", "loss/total"]
    conditions = [f"val/ua/{keys}" for keys in ("a", "v", "t", "av", "at", "vt")]
    assert list(received[1]) == [*losses, *conditions, "val/score"]
    assert received[1]["loss/total"] == pytest.approx(sum(received[1][name] for name in losses[:3]), rel=1e-5)
    assert received[1]["val/score"] == pytest.approx(np.mean([received[1][name] for name in conditions]))


def test_the_full_modality_baseline_selects_on_the_full_condition():
    names = [name for name in run(new_model("full_baseline")).history[0] if name.startswith("val/ua")]
    assert names == ["val/ua/avt"]


def test_the_validation_rows_are_never_trained_on():
    changed = small_dataset(24)
    for sequences in changed.sequences.values():
        frames_of = np.repeat(np.isin(np.arange(24), VAL), sequences.lengths)
        sequences.frames[frames_of] = 0.0
    one_epoch = replace(SCHEDULE, constant_epochs=1, decay_epochs=0)
    first = fit(new_model(), packed(DATASET), TRAIN, VAL, schedule=one_epoch, seed=0)
    second = fit(new_model(), packed(changed), TRAIN, VAL, schedule=one_epoch, seed=0)
    assert all(torch.equal(second.state[name], value) for name, value in first.state.items())


def test_without_validation_rows_the_last_epoch_is_kept():
    trained = fit(new_model(), packed(DATASET), TRAIN, VAL[:0], schedule=SCHEDULE, seed=0)
    assert trained.best_epoch == 4 and np.isnan(trained.best_score) and "val/score" not in trained.history[0]


def test_no_training_rows_and_a_loss_that_is_not_finite_are_refused():
    with pytest.raises(ValueError, match="no labelled training rows"):
        fit(new_model(), packed(DATASET), TRAIN[:0], VAL, schedule=SCHEDULE, seed=0)
    model = new_model("full_baseline")
    with torch.no_grad():
        next(iter(model.parameters())).fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"epoch 1: loss/classification, loss/total not finite"):
        run(model)


def test_the_score_that_selects_is_the_one_that_the_schedule_names():
    history = run(new_model(), schedule=replace(SCHEDULE, select="weighted_f1")).history
    assert [name for name in history[0] if name.startswith("val/")][:2] == ["val/weighted_f1/a", "val/weighted_f1/v"]
    assert history[0]["val/score"] != run(new_model()).history[0]["val/score"]


def test_rows_that_are_watched_are_scored_after_each_epoch_and_change_nothing():
    plain, watched = run(new_model()), run(new_model(), watched=DATASET.rows("test"))
    assert digest(plain.state) == digest(watched.state) and plain.best_epoch == watched.best_epoch
    for before, measured in zip(plain.history, watched.history, strict=True):
        seen = {name: value for name, value in measured.items() if name.startswith("watched/")}
        assert set(seen) == {f"watched/{name}" for name in ("wa", "ua", "weighted_f1", "macro_f1")}
        assert measured == {**before, **seen}

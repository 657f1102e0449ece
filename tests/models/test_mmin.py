from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.conditions import condition_masks
from affectory.data.inputs import fit_inputs
from affectory.models import mmin
from affectory.vocabulary import Condition, Modality, conditions
from tests.fixtures.datasets import packed, rows_with_frames, small_dataset

A, V, T = Modality
DEBUG = mmin.FAMILY.experiments("debug")
DATASET = small_dataset(16)
INPUTS = fit_inputs(DATASET, DATASET.rows("train"))


def teacher() -> mmin.FullModality:
    model = mmin.build(DEBUG["full_baseline"], INPUTS, DATASET.classes, seed=3)
    assert isinstance(model, mmin.FullModality)
    return model


def student(**changes) -> mmin.Mmin:
    config = replace(DEBUG["mmin"], **changes)
    model = mmin.build(config, INPUTS, DATASET.classes, seed=0)
    model.learn_from(teacher(), packed(DATASET))
    assert isinstance(model, mmin.Mmin)
    return model


@pytest.fixture
def batch() -> Batch:
    return packed(DATASET).batch(np.arange(6))


def test_encoders_run_once_for_all_seven_conditions(batch: Batch):
    model, calls = student().eval(), []
    for encoder in model.encoders.encoders:
        encoder.register_forward_hook(lambda _, given, __: calls.append(rows_with_frames(given[1])))
    model.logits_under(batch, batch.present & condition_masks(conditions(), batch.modalities)[:, None])
    assert calls == [6, 6, 6]  # each modality: the six rows; what is missing is not theirs


def test_rows_that_miss_a_modality_are_not_encoded(batch: Batch):
    model, calls = student().eval(), []
    model.encoders.encoders[0].register_forward_hook(lambda _, given, __: calls.append(rows_with_frames(given[1])))
    model(batch.under(Condition([V, T])))
    assert calls == [0]


def test_a_missing_modality_is_the_encoding_of_one_zero_frame(batch: Batch):
    model = student().eval()
    available = batch.under(Condition([A])).available
    h = model.encoders.joint(model.encoders(batch, available), available).unflatten(1, (3, -1))
    zero_frame, valid = torch.zeros(1, 1, 6), torch.ones(1, 1, dtype=torch.bool)
    assert torch.allclose(h[:, 2], model.encoders.encoders[2](zero_frame, valid).expand(6, -1), atol=1e-6)
    acoustic = model.encoders.encoders[0](batch.frames[A], batch.mask[A])
    assert torch.allclose(h[:, 0], acoustic, atol=1e-6)


def test_the_student_starts_from_the_teachers_encoders_and_shares_nothing_with_them():
    model, taught_by = student(), teacher()
    for mine, theirs in zip(model.encoders.parameters(), taught_by.encoders.parameters(), strict=True):
        assert torch.equal(mine, theirs) and mine.data_ptr() != theirs.data_ptr()
    assert not any("taught" in name for name in model.state_dict())


def test_targets_are_computed_once_and_equal_the_teachers_encodings(batch: Batch):
    model, taught_by = student(), teacher().eval()
    assert model.taught is not None
    assert torch.allclose(model.taught[batch.index], taught_by.encoders(batch, batch.present), atol=1e-6)


def test_the_control_without_imagination_has_no_imagination_loss(batch: Batch):
    assert set(student(forward_weight=0.0, cycle_weight=0.0).losses(batch)) == {"classification"}
    assert set(student(cycle_weight=0.0).losses(batch)) == {"classification", "forward"}


def test_one_cascade_serves_both_directions_where_weights_are_shared(batch: Batch):
    shared, own = student(cycle_shares_weights=True), student()
    assert set(shared.losses(batch)) == set(own.losses(batch)) == {"classification", "forward", "cycle"}
    assert sum(p.numel() for p in shared.parameters()) < sum(p.numel() for p in own.parameters())


def test_experts_count_only_the_votes_of_what_is_available(batch: Batch):
    inputs = fit_inputs(DATASET, DATASET.rows("train"), DEBUG["best"].preparation)
    rows = PackedFeatures.from_dataset(DATASET, inputs).batch(np.arange(6))
    model = mmin.build(DEBUG["best"], inputs, DATASET.classes, seed=0).eval()
    assert isinstance(model, mmin.Experts)
    votes = model.experts([rows.frames[modality][:, 0] for modality in model.modalities])
    expected = votes[:, [0, 2]].sum(1).softmax(-1).mean(0)
    assert torch.allclose(model(rows.under(Condition([A, T]))).softmax(-1), expected, atol=1e-6)


def test_experts_of_sequences_ask_for_their_statistics():
    with pytest.raises(ValueError, match="prepare them as statistics"):
        mmin.build(DEBUG["best"], INPUTS, DATASET.classes, seed=0)


def test_the_forward_target_is_what_the_student_misses(batch: Batch):
    model, encoders = student(), teacher().eval().encoders
    target = model.target(batch.under(Condition([A]))).unflatten(1, (3, -1))
    missing = encoders.missing()
    textual = encoders.encoders[2](batch.frames[T], batch.mask[T])
    assert torch.allclose(target[:, 0], missing[0].expand(6, -1), atol=1e-6)
    assert torch.allclose(target[:, 2], textual, atol=1e-6)


def test_the_embedding_target_also_holds_what_is_available(batch: Batch):
    model = student(target_of_available="embedding")
    target = model.target(batch.under(Condition([A]))).unflatten(1, (3, -1))
    acoustic = teacher().eval().encoders.encoders[0](batch.frames[A], batch.mask[A])
    assert torch.allclose(target[:, 0], acoustic, atol=1e-6)


def test_reductions_are_the_mean_square_and_the_squared_norm_of_a_row(batch: Batch):
    for reduction, scale in (("mean", 1), ("norm", 24)):  # 3 modalities x width 8
        model = student(reduction=reduction, forward_weight=0.5, cycle_weight=0.25).eval()
        some = batch.under(Condition([A, T]))
        h = model.encoders.joint(model.encoders(some, some.available), some.available)
        imagined, _ = model.imagination(h)
        losses = model.losses(some)
        assert model.cycle is not None
        expected = 0.5 * scale * F.mse_loss(imagined, model.target(some))
        assert torch.allclose(losses["forward"], expected, rtol=1e-5)
        assert torch.allclose(losses["cycle"], 0.25 * scale * F.mse_loss(model.cycle(imagined)[0], h), rtol=1e-5)


def test_what_a_row_never_had_is_no_target():
    dataset = small_dataset(8, missing={row: [V] for row in range(4)})
    data = packed(dataset)
    batch = data.batch(np.arange(4)).under(Condition([A]))
    model = mmin.build(DEBUG["mmin"], fit_inputs(dataset, np.arange(8)), dataset.classes, seed=0)
    assert isinstance(model, mmin.Mmin)
    known = batch.present.repeat_interleave(8, dim=1)
    value = torch.where(known, 0.0, 1e6)
    assert model._distance(value, torch.zeros_like(value), known) == 0


def test_an_imagination_without_its_teacher_predicts_but_does_not_train(batch: Batch):
    model = mmin.build(DEBUG["mmin"], INPUTS, DATASET.classes, seed=0)
    assert model(batch).shape == (6, 2)
    with pytest.raises(ValueError, match="learn_from a trained full_baseline"):
        model.losses(batch)


def test_presets_differ_where_slides_and_code_do():
    paper, code = mmin.FAMILY.experiments("paper"), mmin.FAMILY.experiments("official_code")
    assert (paper["mmin"].forward_weight, paper["mmin"].cycle_weight, paper["mmin"].reduction) == (0.1, 0.1, "norm")
    assert (code["mmin"].forward_weight, code["mmin"].cycle_weight, code["mmin"].reduction) == (4.0, 2.0, "mean")
    assert not paper["mmin"].transition and code["mmin"].transition
    assert paper["augmented_baseline"].training_conditions == "full_and_missing"
    assert code["augmented_baseline"].training_conditions == "missing"


def test_the_published_teacher_has_the_published_shapes():
    model = mmin.build(mmin.FAMILY.experiments("official_code")["mmin"], INPUTS, ("a", "b", "c", "d"), seed=0)
    assert isinstance(model, mmin.Mmin)
    assert model.imagination.out_latents == 320
    assert [tuple(step.weight.shape) for step in model.classifier if hasattr(step, "weight")] == [
        (128, 320),
        (128, 128),
        (4, 128),
    ]


def test_packed_features_of_another_modality_set_are_encoded_by_name():
    alone = PackedFeatures({T: DATASET.sequences[T]}, DATASET.labels, {T: INPUTS[T]})
    model = mmin.build(DEBUG["full_baseline"], {T: INPUTS[T]}, DATASET.classes, seed=0)
    assert model(alone.batch(np.arange(3))).shape == (3, 2)

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from affectory.data.batches import Batch
from affectory.data.conditions import condition_masks
from affectory.data.inputs import fit_inputs
from affectory.learning.deployed import load_deployed, save_deployed
from affectory.learning.training import Fit, fit
from affectory.models import attention_fusion
from affectory.vocabulary import Condition, Modality, conditions
from tests.fixtures.datasets import packed, rows_with_frames, small_dataset

A, V, T = Modality
DEBUG = attention_fusion.FAMILY.experiments("debug")
DATASET = small_dataset(32, missing={2: [V]})
INPUTS = fit_inputs(DATASET, DATASET.rows("train"))


def fusion(name: str = "attention_fusion", **changes) -> attention_fusion.AttentionFusion:
    return attention_fusion.build(replace(DEBUG[name], **changes), INPUTS, DATASET.classes, seed=0)


def trained(name: str, epochs: int, seed: int = 0) -> Fit:
    schedule = replace(DEBUG[name].schedule, constant_epochs=epochs)
    return fit(
        fusion(name, dropout=0.1),
        packed(DATASET),
        DATASET.rows("train"),
        DATASET.rows("val"),
        schedule=schedule,
        seed=seed,
    )


@pytest.fixture
def batch() -> Batch:
    return packed(DATASET).batch(np.arange(6))


def test_encoders_run_once_for_all_seven_conditions(batch: Batch):
    model, calls = fusion().eval(), []
    for encoder in model.encoders.encoders:
        encoder.register_forward_hook(lambda _, given, __: calls.append(rows_with_frames(given[1])))
    model.logits_under(batch, batch.present & condition_masks(conditions(), batch.modalities)[:, None])
    assert calls == [6, 5, 6]  # row 2 has no visual frames


def test_the_classifier_sees_zeros_for_what_is_missing(batch: Batch):
    model, seen = fusion().eval(), []
    model.classifier.register_forward_hook(lambda module, given, result: seen.append(given[0].unflatten(-1, (3, -1))))
    model(batch.under(Condition([A, T])))
    assert not seen[0][0, :, 1].any() and seen[0][0, :, [0, 2]].any(-1).all()


def test_longer_padding_changes_nothing(batch: Batch):
    model = fusion().eval()
    frames = {modality: F.pad(values, (0, 0, 0, 5)) for modality, values in batch.frames.items()}
    mask = {modality: F.pad(valid, (0, 5)) for modality, valid in batch.mask.items()}
    assert torch.allclose(model(batch), model(replace(batch, frames=frames, mask=mask)), atol=1e-6)


def test_gradients_are_finite_under_every_condition(batch: Batch):
    for condition in conditions():
        model = fusion()
        some = replace(batch, present=batch.present.index_fill(0, torch.tensor([2]), True)).under(condition)
        model.losses(some)["classification"].backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_the_augmented_row_is_trained_and_selected_on_every_condition():
    result = trained("attention_fusion_augmented", 1)
    assert {name for name in result.history[0] if name.startswith("val/ua/")} == {
        f"val/ua/{keys}" for keys in ("a", "v", "t", "av", "at", "vt", "avt")
    }
    assert "val/ua/avt" in (only := trained("attention_fusion", 1).history[0]) and "val/ua/a" not in only


def test_training_learns_the_classes_and_a_seed_repeats_it():
    first, again = trained("attention_fusion_augmented", 12), trained("attention_fusion_augmented", 12)
    losses = [epoch["loss/total"] for epoch in first.history]
    assert losses[-1] < 0.5 * losses[0] and first.best_score > 0.8
    assert first.history == again.history and all(torch.equal(first.state[k], again.state[k]) for k in first.state)
    assert trained("attention_fusion_augmented", 12, seed=1).history != first.history


def test_a_deployed_model_predicts_the_same(tmp_path: Path):
    model = fusion().eval()
    save_deployed(tmp_path, "attention_fusion", DEBUG["attention_fusion"], model, DATASET.classes, INPUTS)
    deployed = load_deployed(tmp_path)
    assert deployed.config == DEBUG["attention_fusion"]
    batch = packed(DATASET).batch(np.arange(6))
    assert torch.equal(deployed.model(batch), model(batch))


def test_the_paper_preset_has_the_published_numbers():
    config = attention_fusion.FAMILY.experiments("paper")["attention_fusion"]
    assert attention_fusion.FAMILY.config_from(json.loads(json.dumps(asdict(config)))) == config
    assert (config.width, config.classifier_width, config.dropout, config.classifier_dropout) == (150, 200, 0.1, 0.5)
    assert (config.schedule.epochs, config.schedule.learning_rate, config.schedule.clip) == (100, 1e-3, 1e-3)
    model = attention_fusion.build(config, INPUTS, ("a", "b", "c", "d"), seed=0)
    weights = [parameter for parameter in model.classifier.parameters() if parameter.ndim == 2]
    assert [tuple(weight.shape) for weight in weights] == [(200, 450), (4, 200)]

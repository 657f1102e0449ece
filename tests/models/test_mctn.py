import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.conditions import condition_masks
from affectory.data.dataset import Dataset
from affectory.data.inputs import fit_inputs
from affectory.learning.deployed import load_deployed, save_deployed
from affectory.learning.training import Fit, fit
from affectory.models import mctn
from affectory.vocabulary import Condition, Modality, conditions, missing_conditions
from tests.fixtures.datasets import packed, small_dataset

A, V, T = Modality
DEBUG = mctn.FAMILY.experiments("debug")
DATASET = small_dataset(32, missing={2: [V]})
INPUTS = fit_inputs(DATASET, DATASET.rows("train"))


def translation(name: str, dataset: Dataset = DATASET, **changes) -> mctn.Mctn:
    inputs = fit_inputs(dataset, dataset.rows("train"))
    return mctn.build(replace(DEBUG[name], **changes), inputs, dataset.classes, seed=0)


def only(dataset: Dataset, *modalities: Modality) -> Dataset:
    return replace(dataset, sequences={modality: dataset.sequences[modality] for modality in modalities})


def trained(name: str, epochs: int, seed: int = 0) -> Fit:
    schedule = replace(DEBUG[name].schedule, constant_epochs=epochs)
    rows = DATASET.rows("train"), DATASET.rows("val")
    return fit(translation(name), packed(DATASET), *rows, schedule=schedule, seed=seed)


@pytest.fixture(params=["mctn_a", "mctn_vt"])  # two targets; two sources
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def data() -> PackedFeatures:
    return packed(DATASET)


@pytest.fixture
def batch(data: PackedFeatures) -> Batch:
    return data.batch(np.arange(6))


def test_each_missing_condition_has_its_model():
    assert list(DEBUG) == ["mctn_a", "mctn_v", "mctn_t", "mctn_av", "mctn_at", "mctn_vt"]
    assert tuple(mctn.source_condition(config) for config in DEBUG.values()) == missing_conditions()
    read = {name: (translation(name).sources, translation(name).targets) for name in DEBUG}
    assert read == {
        "mctn_a": ([A], [V, T]),
        "mctn_v": ([V], [A, T]),
        "mctn_t": ([T], [A, V]),
        "mctn_av": ([A, V], [T]),
        "mctn_at": ([A, T], [V]),
        "mctn_vt": ([V, T], [A]),
    }


def test_of_two_modalities_each_is_translated_into_the_other():
    pair = only(DATASET, A, V)
    assert (translation("mctn_a", pair).targets, translation("mctn_v", pair).targets) == ([V], [A])
    for name in ("mctn_t", "mctn_av", "mctn_at"):
        with pytest.raises(ValueError, match=r"of the modalities acoustic, visual, one of \{a\}, \{v\}"):
            translation(name, pair)


def test_one_modality_has_nothing_to_be_translated_into():
    with pytest.raises(ValueError, match="one of none"):
        translation("mctn_a", only(DATASET, A))


def test_the_missing_modalities_are_never_read(name: str, batch: Batch):
    model = translation(name).eval()
    broken = {m: torch.full_like(frames, torch.nan) for m, frames in batch.frames.items() if m in model.targets}
    unread = replace(batch, frames={**batch.frames, **broken})
    assert torch.equal(model(batch), model(unread))
    masks = batch.present & condition_masks(conditions(), batch.modalities)[:, None]
    assert torch.equal(model.logits_under(batch, masks), model.logits_under(unread, masks))
    assert torch.equal(model(batch), model(batch.under(mctn.source_condition(model.config))))


def test_predicting_needs_no_decoder_and_conditions_share_their_sources(batch: Batch):
    for name, different in (("mctn_a", 2), ("mctn_av", 4)):  # with and without each source
        model, rows = translation(name).eval(), []
        model.encoders[0].register_forward_hook(lambda module, given, result, rows=rows: rows.append(len(given[0])))
        for decoder in model.decoders:
            decoder.register_forward_hook(lambda *_: pytest.fail("a decoder ran"))
        model.logits_under(batch, batch.present & condition_masks(conditions(), batch.modalities)[:, None])
        assert rows == [different * 6]


def test_the_cycle_uses_the_first_level_again_and_the_second_reads_what_the_first_encoded(batch: Batch):
    model, made = translation("mctn_a"), {0: [], 1: []}
    for level, encoder in enumerate(model.encoders):
        encoder.register_forward_hook(lambda module, given, result, level=level: made[level].append((given[0], result)))
    model.losses(batch)
    assert len(made[0]) == 2 and len(made[1]) == 1
    assert made[1][0][0] is made[0][0][1]


def test_the_terms_are_weighted_distances_of_normalised_frames(data: PackedFeatures):
    batch = data.batch(np.array([0, 1, 3, 4]))  # full rows
    model = translation("mctn_at", translation_weight=0.5, cycle_weight=0.25, output_penalty=0.125)
    frames = {m: mctn.resampled(batch.frames[m], batch.mask[m], 4) for m in Modality}
    encoded = model.encoders[0](model.into["acoustic"](frames[A]) + model.into["textual"](frames[T]))
    emitted = model.out_of["visual"](model.decoders[0](encoded))
    back = model.decoders[0](model.encoders[0](model.into["visual"](emitted)))
    cycle = sum(F.mse_loss(model.out_of[m.value](back), frames[m]) for m in (A, T))
    losses = model.losses(batch)
    assert torch.allclose(losses["translation"], 0.5 * F.mse_loss(emitted, frames[V]))
    assert torch.allclose(losses["cycle"], 0.25 * cycle)
    assert torch.allclose(losses["penalty"], 0.125 * model.head.out.weight.square().sum())
    assert torch.allclose(losses["classification"], F.cross_entropy(model.head(encoded), batch.labels))


def test_what_a_row_never_had_is_no_target(data: PackedFeatures):
    whole, lacking = data.batch(np.array([0, 1])), data.batch(np.array([0, 1, 2]))  # row 2 has no visual frames
    model = translation("mctn_at")
    assert torch.allclose(model.losses(whole)["translation"], model.losses(lacking)["translation"])
    nothing = data.batch(np.array([2]))
    assert model.losses(nothing)["translation"] == 0 and translation("mctn_v").losses(nothing)["cycle"] == 0


def test_gradients_are_finite_where_no_row_has_a_source(name: str, batch: Batch):
    model = translation(name)
    bare = batch.under(Condition(model.targets))
    torch.stack(list(model.losses(bare).values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_longer_padding_changes_nothing(name: str, batch: Batch):
    model = translation(name).eval()
    frames = {modality: F.pad(values, (0, 0, 0, 9), value=7.0) for modality, values in batch.frames.items()}
    mask = {modality: F.pad(valid, (0, 9)) for modality, valid in batch.mask.items()}
    longer = replace(batch, frames=frames, mask=mask)
    assert torch.allclose(model(batch), model(longer), atol=1e-6)
    for term, loss in model.losses(batch).items():
        assert torch.allclose(loss, model.losses(longer)[term], atol=1e-6)


def test_steps_are_means_of_equal_shares():
    rows = [[1.0, 3.0, 5.0, 7.0], [2.0, 4.0, 9.0, 99.0], [6.0, 99.0, 99.0, 99.0], [99.0] * 4]
    mask = torch.arange(4) < torch.tensor([4, 3, 1, 0])[:, None]
    two = mctn.resampled(torch.tensor(rows)[..., None], mask, 2)[..., 0]
    expected = [[2.0, 6.0], [(2 + 4 / 2) / 1.5, (4 / 2 + 9) / 1.5], [6.0, 6.0], [0.0, 0.0]]
    assert torch.allclose(two, torch.tensor(expected))
    four = mctn.resampled(torch.tensor(rows)[..., None], mask, 4)[..., 0]
    assert torch.equal(four[0], torch.tensor(rows[0])) and torch.equal(four[2], torch.full((4,), 6.0))


def test_the_decoder_is_a_cell_over_attended_encodings():
    torch.manual_seed(0)
    decoder, encoded = mctn.AttentionDecoder(width=3), torch.randn(2, 4, 3)
    states, state, cell = decoder(encoded), torch.zeros(2, 3), torch.zeros(2, 3)
    for step in range(4):
        scores = decoder.score(torch.tanh(decoder.query(state)[:, None] + decoder.keys(encoded)))[..., 0]  # [B, S]
        attended = torch.stack([weights @ e for weights, e in zip(scores.softmax(1), encoded, strict=True)])
        state, cell = decoder.cell(attended, (state, cell))
        assert torch.allclose(states[:, step], state, atol=1e-6)


def test_vectors_alone_are_one_step():
    assert translation("mctn_av", small_dataset(16, vector=True)).steps == 1
    assert translation("mctn_av").steps == DEBUG["mctn_av"].max_steps


def test_training_learns_the_classes_and_a_seed_repeats_it(name: str):
    first, again = trained(name, 12), trained(name, 12)
    losses = [epoch["loss/total"] for epoch in first.history]
    assert losses[-1] < 0.8 * losses[0] and first.best_score > 0.8
    assert first.history == again.history and all(torch.equal(first.state[k], again.state[k]) for k in first.state)


def test_translating_is_learned():
    history = trained("mctn_a", 12).history
    for term in ("loss/translation", "loss/cycle"):
        assert history[-1][term] < 0.9 * history[0][term]


def test_a_deployed_model_predicts_the_same(name: str, batch: Batch, tmp_path: Path):
    model = translation(name).eval()
    save_deployed(tmp_path, "mctn", DEBUG[name], model, DATASET.classes, INPUTS)
    deployed = load_deployed(tmp_path)
    assert deployed.config == DEBUG[name] and torch.equal(deployed.model(batch), model(batch))


def test_the_paper_preset_has_the_published_numbers():
    config = mctn.FAMILY.experiments("paper")["mctn_av"]
    assert mctn.FAMILY.config_from(json.loads(json.dumps(asdict(config)))) == config
    assert (config.width, config.max_steps, config.output_penalty) == (32, 20, 0.01)
    assert (config.translation_weight, config.cycle_weight) == (0.1, 0.1)
    assert (config.schedule.epochs, config.schedule.learning_rate, config.schedule.batch_size) == (200, 1e-4, 32)

"""What holds of every structure of every family; a new family is here by itself, with all of its experiments."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from affectory.data.batches import Batch, PackedFeatures
from affectory.data.conditions import condition_masks, draw_available, training_conditions
from affectory.data.dataset import Dataset
from affectory.data.inputs import fit_inputs
from affectory.features import find_feature_set
from affectory.models import FAMILIES
from affectory.models.family import Model
from affectory.vocabulary import DIMENSIONS, Condition, Modality, conditions
from tests.fixtures.datasets import small_dataset


def experiments(family: str) -> dict:
    """Those of the family, and those that only a study trains."""
    module = FAMILIES[family]
    return module.study_experiments("debug")


def readable(family: str, name: str, dataset: Dataset) -> Dataset:
    """The rows as the experiment reads them: its kind of labels, and its modalities."""
    if FAMILIES[family].of_dimensions:
        labels = np.stack([dataset.labels - 0.5, 0.25 + 0.5 * dataset.labels], axis=1).astype(np.float32)
        dataset = replace(dataset, labels=labels, classes=(), dimensions=DIMENSIONS)
    modalities = read_by(family, name)
    return dataset.only(modalities) if modalities else dataset


def read_by(family: str, name: str) -> set[Modality]:
    """Of the feature sets that the experiment asks for; none where it takes what the corpus has."""
    return {find_feature_set(name).modality for name in FAMILIES[family].reads(experiments(family)[name])}


# One case a structure: what differs from a case in numbers alone, or lacks a part of it, is named here with that case.
ALIKE = {
    "mmin": {
        "augmented_baseline": "full_baseline",
        "augmented_pretrained": "full_baseline",
        "mmin_no_cycle": "mmin",
        "mmin_no_imagination": "mmin",
    },
    "mctn": {"mctn_v": "mctn_a", "mctn_t": "mctn_a", "mctn_at": "mctn_av", "mctn_vt": "mctn_av"},
    "attention_fusion": {"attention_fusion_augmented": "attention_fusion"},
    "mmgcn": dict.fromkeys(
        ["mmgcn_augmented", *(f"mmgcn_layers_{n}" for n in (1, 4, 8, 16, 32)), "mmgcn_no_speaker", "mmgcn_causal"],
        "mmgcn",
    ),
    "valence_arousal": {"multimodal_augmented": "multimodal"},
}
# Here one context model and one fusion; test_conversations.py asks the same of each, on tensors.
RIVALS = ("utterance", "cmn", "icon", "dialogue_rnn", "dialogue_gcn", "early", "late", "mfn", "mult")
CASES = [
    (family, name)
    for family in FAMILIES
    for name in experiments(family)
    if name not in ALIKE.get(family, {}) and not (family == "conversation" and name in RIVALS)
]
DATASET = small_dataset(16, missing={2: [Modality.VISUAL]})
ROWS = np.arange(6)


def build(family: str, name: str, dataset=DATASET) -> Model:
    configs, dataset = experiments(family), readable(family, name, dataset)
    config = configs[name]
    inputs = fit_inputs(dataset, dataset.rows("train"), config.preparation)
    model = FAMILIES[family].build(config, inputs, dataset.outputs, seed=0)
    if config.teacher:
        teacher = FAMILIES[family].build(configs[config.teacher], inputs, dataset.outputs, seed=1)
        model.learn_from(teacher, PackedFeatures.from_dataset(dataset, inputs))
    return model


def prepared(family: str, name: str, dataset=DATASET) -> PackedFeatures:
    dataset = readable(family, name, dataset)
    inputs = fit_inputs(dataset, dataset.rows("train"), experiments(family)[name].preparation)
    return PackedFeatures.from_dataset(dataset, inputs)


@pytest.fixture(params=CASES, ids=[f"{family}-{name}" for family, name in CASES])
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.fixture
def model(case: tuple[str, str]) -> Model:
    return build(*case)


@pytest.fixture
def data(case: tuple[str, str]) -> PackedFeatures:
    return prepared(*case)


def drawn(model: Model, batch: Batch) -> Batch:
    masks = condition_masks(training_conditions(model.training_conditions, batch.modalities), batch.modalities)
    return batch.with_available(draw_available(masks, batch.present, torch.Generator().manual_seed(0)))


def test_what_is_not_a_case_has_no_part_that_its_case_lacks():
    for family, names in ALIKE.items():
        for name, case in names.items():
            parts, of_case = ({type(part) for part in build(family, each).modules()} for each in (name, case))
            assert parts <= of_case, name


def test_logits_have_a_row_an_utterance_and_a_column_a_class_or_dimension(model: Model, data: PackedFeatures):
    assert model(data.batch(ROWS)).shape == (6, 2)


def test_losses_are_finite_scalars_named_by_term(model: Model, data: PackedFeatures):
    losses = model.losses(drawn(model, data.batch(ROWS)))
    assert {"classification", "ccc"} & set(losses) and all(
        loss.shape == () and loss.isfinite() for loss in losses.values()
    )


def test_every_parameter_gets_a_gradient(case: tuple[str, str], model: Model, data: PackedFeatures):
    if model.whole_dialogues:
        pytest.skip("here nobody answers anybody; see test_conversations.py")
    torch.stack(list(model.losses(drawn(model, data.batch(ROWS))).values())).sum().backward()
    for parameter in model.parameters():
        assert not parameter.requires_grad or (parameter.grad is not None and parameter.grad.abs().sum() > 0)


def test_the_loss_falls_on_one_batch(model: Model, data: PackedFeatures):
    batch = drawn(model, data.batch(ROWS))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    totals = []
    for _ in range(40):
        total = torch.stack(list(model.losses(batch).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(float(total.detach()))
        if totals[-1] < 0.5 * totals[0]:
            return
    raise AssertionError(f"the loss went from {totals[0]} to {totals[-1]}")


def test_a_permuted_batch_permutes_the_logits(model: Model, data: PackedFeatures):
    order = np.array([4, 2, 0, 5, 1, 3])
    assert torch.allclose(model.eval()(data.batch(ROWS))[order], model(data.batch(ROWS[order])), atol=1e-6)


def test_a_row_does_not_depend_on_its_batch(model: Model, data: PackedFeatures):
    groups = data.dialogues_of(ROWS) if model.whole_dialogues else [ROWS[row : row + 1] for row in range(6)]
    together = model.eval()(data.batch(np.concatenate(groups)))
    alone = torch.cat([model(data.batch(rows)) for rows in groups])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_masked_modalitys_values_cannot_matter(model: Model, data: PackedFeatures):
    for modality in data.modalities if len(data.modalities) > 1 else ():
        batch = data.batch(ROWS).under(Condition(other for other in Modality if other is not modality))
        broken = replace(batch, frames={**batch.frames, modality: batch.frames[modality] + 1e6})
        assert torch.equal(model.eval()(batch), model(broken))


def test_all_conditions_at_once_equal_one_after_the_other(model: Model, data: PackedFeatures):
    batch = data.batch(ROWS)
    under = conditions(batch.modalities)
    masks = condition_masks(under, batch.modalities)
    at_once = model.eval().logits_under(batch, batch.present & masks[:, None])
    for condition, logits in zip(under, at_once, strict=True):
        assert torch.allclose(logits, model(batch.under(condition)), atol=1e-5)


def test_every_experiment_builds_and_every_structure_for_vectors_and_a_single_modality_too():
    of_cases = {family: [name for of, name in CASES if of == family] for family in FAMILIES}
    sequences, vectors = small_dataset(8), small_dataset(8, vector=True)
    for family in FAMILIES:
        names = {id(sequences): experiments(family), id(vectors): of_cases[family]}
        for some in (sequences, vectors, *(dataset.only([Modality.ACOUSTIC]) for dataset in (sequences, vectors))):
            for name in names.get(id(some), of_cases[family]):
                if len(some.sequences) == 1 and (family == "mctn" or read_by(family, name) - {Modality.ACOUSTIC}):
                    continue  # nothing to translate into, or to see; their own tests say that it is refused
                model = build(family, name, some)
                losses = model.losses(drawn(model, prepared(family, name, some).batch(np.arange(4))))
                assert all(loss.isfinite() for loss in losses.values())


def test_the_same_seed_builds_the_same_weights_and_leaves_the_callers_chance_alone():
    before = torch.random.get_rng_state()
    for family, name in CASES:
        first, second = build(family, name).state_dict(), build(family, name).state_dict()
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert torch.equal(before, torch.random.get_rng_state())


def test_configurations_survive_json():
    for family in FAMILIES.values():
        for preset in family.presets:
            for config in family.experiments(preset).values():
                assert family.config_from(json.loads(json.dumps(asdict(config)))) == config


def test_an_unknown_preset_is_refused_with_the_known_ones():
    for family in FAMILIES.values():
        with pytest.raises(ValueError, match="expected one of default"):
            family.experiments("no such preset")


def test_a_registered_experiment_is_one_of_every_preset():
    for family in FAMILIES.values():
        for preset in family.presets:
            assert not family.deployed or set(family.deployed) & set(family.experiments(preset))

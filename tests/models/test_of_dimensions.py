"""The families of valence and arousal: scales, what they read, ImageNet's weights, backbones that are trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Sequences
from affectory.data.inputs import AS_STORED, fit_inputs
from affectory.features.faces import Faces
from affectory.layers.imagenet import WeightsError, backbone
from affectory.learning.experiment import Fold, train_experiment
from affectory.models import FAMILIES, audio_cnn, face_sequence
from affectory.models.of_dimensions import OfDimensions
from affectory.vocabulary import DIMENSIONS, Modality
from tests.fixtures.datasets import small_dataset

DATASET = small_dataset(32, dimensions=DIMENSIONS)


def multimodal(dataset=DATASET, **changes) -> OfDimensions:
    config = replace(FAMILIES["valence_arousal"].experiments("debug")["multimodal"], **changes)
    inputs = fit_inputs(dataset, dataset.rows("train"))
    return FAMILIES["valence_arousal"].build(config, inputs, dataset.outputs, seed=0)


def packed(dataset=DATASET) -> PackedFeatures:
    return PackedFeatures.from_dataset(dataset, fit_inputs(dataset, dataset.rows("train")))


def with_pictures(rows: int = 12) -> Fold:
    pictures = np.random.default_rng(0).integers(0, 256, (rows, Faces().width)).astype(np.float32)
    sequences = {Modality.VISUAL: Sequences("faces", pictures, np.ones(rows, np.int64))}
    return Fold(replace(small_dataset(rows, dimensions=DIMENSIONS), sequences=sequences), torch.device("cpu"))


def fine_tuned(**changes) -> face_sequence.Config:
    config = face_sequence.FAMILY.experiments("debug")["mobilenet_v3_small_gru_random"]
    return replace(config, fine_tune=True, preparation=AS_STORED, **changes)


def test_valence_lies_between_minus_one_and_one_and_arousal_between_nought_and_one():
    model, batch = multimodal(), packed().batch(np.arange(8))
    wild = replace(batch, frames={modality: 1e4 * frames for modality, frames in batch.frames.items()})
    values = model.eval()(wild)
    assert (values[:, 0].abs() <= 1).all() and ((values[:, 1] >= 0) & (values[:, 1] <= 1)).all()


def test_labels_beyond_that_widen_the_scale_to_their_own_ends():
    model = multimodal()
    model.begin(torch.tensor([[1.0, 0.2], [5.0, 0.4], [2.5, float("nan")]]))
    assert model.lowest.tolist() == [1.0, 0.0] and model.highest.tolist() == [5.0, 1.0]


def test_a_corpus_with_one_dimension_has_one_output():
    alone = replace(DATASET, labels=DATASET.labels[:, 1:], dimensions=("arousal",))
    assert multimodal(alone)(packed(alone).batch(np.arange(4))).shape == (4, 1)


def test_labels_may_lie_on_another_device_than_the_model_that_begins():
    """As they do on a GPU, where the model follows only when training begins."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = multimodal()
        model.begin(torch.empty(4, 2, device="cuda"))
    assert model.lowest.device.type == "cpu"


@pytest.mark.parametrize(("ccc", "mse", "terms"), [(1, 0, {"ccc"}), (0, 1, {"mse"}), (1, 2, {"ccc", "mse"})])
def test_the_loss_is_of_the_terms_that_weigh_something(ccc: float, mse: float, terms: set[str]):
    assert set(multimodal(ccc_weight=ccc, mse_weight=mse).losses(packed().batch(np.arange(8)))) == terms


def test_rows_without_a_label_are_learned_from_by_nobody():
    batch, learned = packed().batch(np.arange(8)), torch.arange(8) < 4
    model = multimodal().eval()
    half = batch.with_labels_of(learned)
    others = {m: torch.where(learned[:, None, None], frames, frames + 9) for m, frames in half.frames.items()}
    assert torch.equal(model.losses(half)["ccc"], model.losses(replace(half, frames=others))["ccc"])
    assert not torch.equal(model.losses(batch)["ccc"], model.losses(replace(batch, frames=others))["ccc"])


@pytest.mark.parametrize(("family", "came"), [("audio_cnn", "visual"), ("face_sequence", "acoustic")])
def test_a_network_of_one_modality_refuses_more_and_says_what_came(family: str, came: str):
    config = next(iter(FAMILIES[family].experiments("debug").values()))
    with pytest.raises(ValueError, match=f"{family} reads one .* came .*{came}"):
        FAMILIES[family].build(config, fit_inputs(DATASET, DATASET.rows("train")), DIMENSIONS, seed=0)


def test_a_frozen_backbone_reads_its_own_feature_set_and_a_fine_tuned_one_the_pictures():
    rows = face_sequence.FAMILY.experiments("default")
    assert rows["resnet50_gru"].feature_set == "faces:resnet50"
    assert rows["vgg16_conv1d_4_random"].feature_set == "faces:vgg16:random"
    assert rows["resnet50_gru_fine_tuned"].feature_set == "faces"
    assert [name for name, config in rows.items() if config.pretrained] == ["resnet50_gru_fine_tuned"]


@pytest.mark.slow
def test_fine_tuning_trains_the_backbone_from_pictures():
    fold = with_pictures()
    trained = train_experiment("face_sequence", fine_tuned(), fold, seed=0)
    start = backbone("mobilenet_v3_small", None).state_dict()
    ended = trained.model.state_dict()
    moved = [name for name in start if not torch.equal(start[name], ended[f"encoders.encoder.backbone.{name}"])]
    assert any(name.endswith("weight") for name in moved)


@pytest.mark.slow
@pytest.mark.parametrize("family", [audio_cnn, face_sequence])
def test_pretrained_rows_start_from_imagenets_weights_when_training_begins(family, monkeypatch):
    """And not when they are built: what loads a stored model needs no such file."""
    asked: list[str] = []

    def away(name: str):
        asked.append(name)
        raise WeightsError(f"{name} is not here")

    monkeypatch.setattr(family, "imagenet_weights", away)
    if family is audio_cnn:
        config, fold = audio_cnn.FAMILY.experiments()["alexnet_pretrained"], Fold(small_audio(), torch.device("cpu"))
    else:
        config, fold = fine_tuned(random_backbone=False), with_pictures()
    inputs, _ = fold.packed(config.preparation)
    family.build(config, inputs, DIMENSIONS, seed=0)
    assert asked == []
    with pytest.raises(WeightsError, match="is not here"):
        train_experiment(family.__name__.rsplit(".", 1)[-1], config, fold, seed=0)


def small_audio():
    return DATASET.only([Modality.ACOUSTIC])


def test_the_squared_error_is_of_shares_of_the_scale():
    """So that it weighs the same beside CCC whatever the units."""
    model, batch = multimodal(ccc_weight=0.0, mse_weight=1.0).eval(), packed().batch(np.arange(8))
    before = model.losses(batch)["mse"]
    model.highest, model.lowest = 10 * model.highest, 10 * model.lowest
    after = model.losses(replace(batch, labels=10 * batch.labels))["mse"]
    assert after.item() == pytest.approx(before.item(), rel=1e-4)

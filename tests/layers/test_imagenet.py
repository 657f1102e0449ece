"""ImageNet's networks without their classifiers, and weights that are what was published or are refused."""

import hashlib
import re
import socket
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from torch import nn

from affectory.layers.imagenet import (
    BACKBONES,
    DEVIATION,
    MEAN,
    WeightsError,
    as_images,
    backbone,
    imagenet_weights,
    weights_sha256,
)
from tests.fixtures.weights import empty_hub, publish, whole_network

SMALL = "mobilenet_v3_small"
REST = {  # what torchvision's network does after the features
    "resnet50": lambda network: network.fc,
    "vgg16": lambda network: network.classifier[5:],
    "densenet121": lambda network: network.classifier,
    "mobilenet_v3_small": lambda network: network.classifier,
    "alexnet": lambda network: network.classifier[6:],
}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_hub(tmp_path / "hub", monkeypatch)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[float | None]:
    """Nothing can be fetched; the time-outs that it was tried with."""
    tried = []

    def refuse(*_, **__):
        tried.append(socket.getdefaulttimeout())
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    return tried


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_is_torchvisions_network_to_before_its_last_layers(name):
    torch.manual_seed(0)
    whole = whole_network(name, **({"init_weights": False} if name == "vgg16" else {})).eval()
    network = backbone(name, whole.state_dict()).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        features = network(images)
        assert features.shape == (2, BACKBONES[name].width) and network.out_features == BACKBONES[name].width
        assert torch.allclose(REST[name](whole)(features), whole(images), atol=1e-5)


@pytest.mark.slow
def test_random_weights_depend_on_the_seed_alone_and_leave_chance_as_it_was():
    def drawn(seed: int) -> torch.Tensor:
        return next(backbone(SMALL, None, seed).parameters())

    before = torch.get_rng_state()
    first = drawn(3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert torch.equal(drawn(3), first) and not torch.equal(drawn(4), first)


@pytest.mark.slow
def test_training_a_backbone_leaves_the_weights_that_it_came_from():
    weights = whole_network(SMALL).state_dict()
    before = {key: value.clone() for key, value in weights.items()}
    network = backbone(SMALL, weights)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    network(torch.randn(2, 3, 32, 32))  # and the statistics of its normalisations
    assert all(torch.equal(weights[key], before[key]) for key in weights)


def test_an_unknown_backbone_is_told_the_known_ones():
    for ask in (lambda: backbone("resnet18", None), lambda: imagenet_weights("resnet18")):
        with pytest.raises(ValueError, match=r"'resnet18'; there are \['alexnet', .*'vgg16'\]"):
            ask()


def test_a_picture_becomes_what_the_networks_read():
    picture = torch.zeros(4, 4, 3, dtype=torch.uint8)
    picture[1, 2] = torch.tensor([255, 0, 51])  # row 1, column 2: red 1, green 0, blue 0.2
    images = as_images(picture.flatten().expand(5, 2, -1))
    assert images.shape == (5, 2, 3, 4, 4)
    red, green, blue = images[4, 1, :, 1, 2].tolist()
    assert red == pytest.approx((1 - 0.485) / 0.229) and green == pytest.approx(-0.456 / 0.224)
    assert blue == pytest.approx((0.2 - 0.406) / 0.225)
    assert torch.equal(images, as_images(picture.flatten().float().expand(5, 2, -1)))


@pytest.mark.slow
def test_pictures_are_normalised_as_the_published_weights_ask():
    from torchvision.models import get_model_weights

    normalise = get_model_weights("resnet50")["IMAGENET1K_V1"].transforms()
    assert (normalise.mean, normalise.std) == (list(MEAN), list(DEVIATION))


@pytest.mark.slow
def test_weights_in_the_hub_are_read_with_the_digest_of_their_file(hub, no_network, monkeypatch):
    weights = whole_network(SMALL).state_dict()
    path = publish(SMALL, weights, hub, monkeypatch)
    found, sha256 = imagenet_weights(SMALL)
    assert sha256 == weights_sha256(SMALL) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.keys() == weights.keys() and all(torch.equal(found[key], weights[key]) for key in weights)
    assert not no_network


def test_a_file_in_the_hub_that_is_not_what_its_name_says_is_refused(hub, monkeypatch):
    path = publish(SMALL, {}, hub, monkeypatch)
    path.write_bytes(b"something else")
    found = hashlib.sha256(b"something else").hexdigest()
    for ask in (imagenet_weights, weights_sha256):
        with pytest.raises(
            WeightsError, match=f"{path.name} in {hub} .*begins with {path.stem[-8:]}, found {found}; remove"
        ):
            ask(SMALL)


def test_a_file_that_was_changed_since_it_was_checked_is_checked_again(hub, monkeypatch):
    path = publish(SMALL, {}, hub, monkeypatch)
    assert weights_sha256(SMALL)
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(WeightsError, match="not what was published"):
        weights_sha256(SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", BACKBONES)
def test_without_weights_and_network_it_is_told_which_file_goes_where(hub, no_network, name):
    from torchvision.models import get_model_weights

    address = get_model_weights(name)["IMAGENET1K_V1"].url
    file = address.rsplit("/", 1)[1]
    with pytest.raises(WeightsError) as caught:
        imagenet_weights(name)
    for part in (f"put {file}", file[-12:-4], address, f"into {hub}", "rows without pretrained weights need no file"):
        assert part in str(caught.value)
    assert no_network == [20.0] and socket.getdefaulttimeout() is None


def test_what_is_not_here_is_fetched_once_and_kept(hub, tmp_path, monkeypatch):
    path = publish(SMALL, {"weight": torch.ones(2)}, tmp_path, monkeypatch)
    assert imagenet_weights(SMALL)[0]["weight"].tolist() == [1.0, 1.0]
    path.unlink()
    assert imagenet_weights(SMALL)[0]["weight"].tolist() == [1.0, 1.0]
    assert [kept.name for kept in hub.iterdir()] == [path.name]


def test_what_was_fetched_wrong_is_not_kept(hub, tmp_path, monkeypatch):
    path = publish(SMALL, {"weight": torch.ones(2)}, tmp_path, monkeypatch)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="invalid hash value"):
        imagenet_weights(SMALL)
    assert not list(hub.iterdir())


def test_a_file_that_would_run_code_is_not_run(hub, monkeypatch):
    publish(SMALL, nn.Linear(1, 1), hub, monkeypatch)
    with pytest.raises(WeightsError, match=r"holds no weights .UnpicklingError.; remove it"):
        imagenet_weights(SMALL)


@pytest.mark.slow
def test_densenets_old_names_and_old_format_are_read(hub, monkeypatch):
    name = "densenet121"
    weights = whole_network(name).state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12]\.)", r"\1.\2", key): value
        for key, value in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    publish(name, old, hub, monkeypatch, _use_new_zipfile_serialization=False)
    found = backbone(name, imagenet_weights(name)[0]).state_dict()
    assert found.keys() == weights.keys() - {"classifier.weight", "classifier.bias"}
    assert all(torch.equal(found[key], weights[key]) for key in found)

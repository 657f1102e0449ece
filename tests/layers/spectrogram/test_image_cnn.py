import pytest
import torch
from torch import nn

from affectory.layers.spectrogram import spectrogram_encoder
from affectory.layers.spectrogram.image_cnn import ImageCNN
from tests.fixtures.weights import whole_network

LAST = {"alexnet": "classifier.6", "vgg16": "classifier.6", "resnet50": "fc"}


@pytest.mark.slow
@pytest.mark.parametrize("architecture", LAST)
def test_with_its_weights_the_encoder_is_torchvisions_network_before_the_last_layer(architecture: str):
    torch.manual_seed(1)
    whole = whole_network(architecture)
    encoder = spectrogram_encoder(architecture, in_features=90, crop="start").eval()
    encoder.load_imagenet(whole.state_dict())
    whole.set_submodule(LAST[architecture], nn.Identity())
    frames = torch.randn(1, 100, 90)
    with torch.no_grad():
        expected = whole.eval()(torch.stack([frames[:, :94]] * 3, dim=1))
        encoded = encoder(frames, torch.ones(1, 100, dtype=torch.bool))
    # The three colours are one picture in memory here and three there: a convolution may sum in another order.
    torch.testing.assert_close(encoded, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert expected.any()


@pytest.fixture(scope="module")
def resnet() -> ImageCNN:
    return ImageCNN("resnet50", dropout=0.0)


@pytest.mark.slow
def test_the_last_layer_and_the_counts_of_batches_need_not_be_there(resnet: ImageCNN):
    weights = whole_network("resnet50").state_dict()
    kept = {name: value for name, value in weights.items() if not name.startswith("fc.") and "num_" not in name}
    resnet.load_imagenet(kept)
    assert torch.equal(resnet.cnn.get_parameter("conv1.weight"), weights["conv1.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("change", ["missing", "unexpected", "of another shape"])
def test_wrong_weights_are_refused_by_name(resnet: ImageCNN, change: str):
    weights = dict(resnet.cnn.state_dict())
    name = "fc2.weight" if change == "unexpected" else "layer1.0.conv1.weight"
    if change == "missing":
        del weights[name]
    else:
        weights[name] = torch.zeros(2, 2)
    with pytest.raises(ValueError, match=f"(?s)torchvision's resnet50.*{name}"):
        resnet.load_imagenet(weights)


@pytest.mark.slow
def test_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match=r"(?s)torchvision's alexnet.*Missing.*features\.3\.weight.*Unexpected.*conv1"):
        ImageCNN("alexnet", dropout=0.5).load_imagenet(whole_network("resnet18").state_dict())


def test_networks_without_imagenet_weights_say_so():
    with pytest.raises(ValueError, match="Conv2d5: only alexnet, vgg16, resnet50 have ImageNet weights"):
        spectrogram_encoder("conv2d_5", in_features=90).load_imagenet({})


@pytest.mark.slow
def test_dropout_is_the_classifiers():
    rates = [layer.p for layer in ImageCNN("alexnet", dropout=0.2).modules() if isinstance(layer, nn.Dropout)]
    assert rates == [0.2, 0.2]

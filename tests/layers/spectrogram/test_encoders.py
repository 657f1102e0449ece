"""What holds of every network of spectrograms: one vector a row, which its window alone decides."""

import pytest
import torch
from torch.nn import functional as F

from affectory.layers.spectrogram import ARCHITECTURES, SpectrogramEncoder, spectrogram_encoder

WIDTHS = {"alexnet": 4096, "vgg16": 4096, "resnet50": 2048, "conv2d_5": 128, "conv_attention": 128, "conv_1d_2d": 256}
SMALL = ("conv2d_5", "conv_attention", "conv_1d_2d")


# torchvision's networks are large.
@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=() if name in SMALL else pytest.mark.slow) for name in ARCHITECTURES],
)
def made(request: pytest.FixtureRequest) -> SpectrogramEncoder:
    torch.manual_seed(0)
    return spectrogram_encoder(request.param, in_features=40)


@pytest.fixture
def encoder(made: SpectrogramEncoder) -> SpectrogramEncoder:
    return made.eval()


def rows(*lengths: int, padded_to: int, bands: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(padded_to) < torch.tensor(lengths)[:, None]
    frames = torch.randn(len(lengths), padded_to, bands, generator=torch.Generator().manual_seed(1))
    return frames * mask[..., None], mask


@pytest.mark.parametrize(("bands", "lengths"), [(40, (120, 30)), (90, (120, 30)), (1025, (94,))])
def test_every_network_reads_every_spectrogram(
    made: SpectrogramEncoder, request: pytest.FixtureRequest, bands: int, lengths: tuple[int, ...]
):
    architecture, encoder = request.node.callspec.params["made"], made.eval()
    if architecture in SMALL:  # torchvision's networks do not know how many bands there are
        encoder = spectrogram_encoder(architecture, in_features=bands).eval()
    with torch.no_grad():
        encoded = encoder(*rows(*lengths, padded_to=max(lengths), bands=bands))
    assert encoded.shape == (len(lengths), WIDTHS[architecture]) == (len(lengths), encoder.out_features)
    assert encoded.isfinite().all()


def test_longer_padding_changes_nothing(encoder: SpectrogramEncoder):
    frames, mask = rows(2, 120, 33, padded_to=120)
    longer = F.pad(frames, (0, 0, 0, 30)), F.pad(mask, (0, 30))
    with torch.no_grad():
        assert torch.allclose(encoder(frames, mask), encoder(*longer), atol=1e-6)


def test_values_in_the_padding_cannot_matter(encoder: SpectrogramEncoder):
    frames, mask = rows(2, 33, padded_to=50)
    noise = frames.masked_fill(~mask[..., None], torch.nan)
    with torch.no_grad():
        assert torch.allclose(encoder(frames, mask), encoder(noise, mask), atol=1e-6)


def test_a_row_without_frames_is_zeros_and_changes_no_other(encoder: SpectrogramEncoder):
    frames, mask = rows(30, 0, 45, padded_to=45)
    with torch.no_grad():
        encoded, alone = encoder(frames, mask), encoder(frames[[0, 2]], mask[[0, 2]])
    assert not encoded[1].any()
    assert torch.equal(encoded[1:2], encoder.missing())
    assert torch.allclose(encoded[[0, 2]], alone, atol=1e-5)


def test_rows_without_frames_alone_are_zeros(made: SpectrogramEncoder):
    for encoder in (made.train(), made.eval()):
        assert not encoder(*rows(0, 0, padded_to=1)).any()
        assert encoder(torch.zeros(0, 1, 40), torch.zeros(0, 1, dtype=torch.bool)).shape == (0, encoder.out_features)


def test_every_parameter_has_a_gradient_from_one_row_beside_a_missing_one(made: SpectrogramEncoder):
    torch.manual_seed(0)
    encoded = made.train()(*rows(120, 0, padded_to=120))
    assert not encoded[1].any()
    (encoded * torch.randn_like(encoded)).sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and 0 < parameter.grad.norm() < torch.inf, name
    made.zero_grad(set_to_none=True)


@pytest.mark.parametrize("architecture", SMALL)
def test_rows_without_frames_are_not_in_the_statistics_of_training(architecture: str):
    frames, mask = rows(40, 0, 0, 25, padded_to=40)
    statistics = []
    for kept in ([0, 1, 2, 3], [0, 3]):
        torch.manual_seed(0)
        encoder = spectrogram_encoder(architecture, in_features=40, window_frames=40, crop="start").train()
        encoder(frames[kept], mask[kept])
        statistics.append([value for name, value in encoder.named_buffers() if "running" in name])
    assert statistics[0] and all(torch.equal(*pair) for pair in zip(*statistics, strict=True))


@pytest.mark.parametrize("architecture", ("conv2d_5", "resnet50"))
def test_crops_differ_in_training_and_are_the_centre_otherwise(architecture: str):
    frames, mask = rows(400, padded_to=400)
    encoder = spectrogram_encoder(architecture, in_features=40, window_frames=40)
    with torch.no_grad():
        assert not torch.equal(encoder.train()(frames, mask), encoder(frames, mask))
        whole, centre = encoder.eval()(frames, mask), encoder(frames[:, 180:220], mask[:, 180:220])
    assert torch.equal(whole, centre)


@pytest.mark.parametrize("architecture", (*SMALL, "resnet50"))
@pytest.mark.parametrize("bands", [1, 90])
def test_a_window_of_any_size_trains_on_one_row(architecture: str, bands: int):
    encoder = spectrogram_encoder(architecture, in_features=bands, window_frames=3, channels=2).train()
    assert encoder(*rows(5, padded_to=5, bands=bands)).isfinite().all()


@pytest.mark.parametrize("architecture", SMALL)
def test_the_networks_of_our_own_are_small_and_scale_with_their_channels(architecture: str):
    for bands in (90, 1025):
        whole, half = (spectrogram_encoder(architecture, in_features=bands, channels=c) for c in (16, 8))
        assert sum(parameter.numel() for parameter in whole.parameters()) < 1_000_000
        assert half.out_features * 2 == whole.out_features


def test_an_unknown_architecture_is_refused_with_those_known():
    with pytest.raises(ValueError, match="'vgg19': expected one of alexnet, vgg16, resnet50, conv2d_5, conv_attention"):
        spectrogram_encoder("vgg19", in_features=90)


def test_an_unknown_crop_is_refused_with_those_known():
    with pytest.raises(ValueError, match="'middle': expected one of start, centre, random"):
        spectrogram_encoder("conv2d_5", in_features=90, crop="middle")  # pyright: ignore[reportArgumentType]

"""Faces in time: padding counts for nothing, a frozen network stays as it is, a fine-tuned one learns."""

import pytest
import torch
from torch import Tensor, nn

from affectory.layers.imagenet import BACKBONES, as_images, backbone
from affectory.layers.pictures_in_time import KERNELS, TEMPORAL, PicturesInTime

SIDE = 6  # of a picture, in pixels


class Tiny(nn.Module):
    """A backbone with what ImageNet's have: a convolution and normalisation. [N, 3, S, S] -> [N, 4]."""

    out_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


@pytest.fixture(params=TEMPORAL)
def encoder(request: pytest.FixtureRequest) -> PicturesInTime:
    torch.manual_seed(0)
    return PicturesInTime(in_features=3, temporal=request.param, width=5)


def of_pictures(temporal: str, **how: bool) -> PicturesInTime:
    torch.manual_seed(0)
    return PicturesInTime(in_features=SIDE * SIDE * 3, temporal=temporal, width=5, backbone=Tiny(), **how)


def rows(*lengths: int, padded_to: int, width: int = 3, padding: float = 0.0) -> tuple[Tensor, Tensor]:
    mask = torch.arange(padded_to) < torch.tensor(lengths)[:, None]
    frames = torch.randn(len(lengths), max(lengths), width, generator=torch.Generator().manual_seed(1))
    padded = torch.full((len(lengths), padded_to, width), padding)
    padded[:, : max(lengths)] = frames
    return padded.masked_fill(~mask[..., None], padding), mask


def faces(*lengths: int, padded_to: int) -> tuple[Tensor, Tensor]:
    frames, mask = rows(*lengths, padded_to=padded_to, width=SIDE * SIDE * 3)
    return (frames * 40 + 128).clamp(0, 255) * mask[..., None], mask


@pytest.mark.parametrize("training", [False, True])
def test_padding_its_values_and_the_other_rows_change_nothing(encoder: PicturesInTime, training: bool):
    encoder.train(training)
    encoded = encoder(*rows(2, 7, 1, padded_to=7))
    assert encoded.shape == (3, encoder.out_features) == (3, 5)
    assert torch.allclose(encoded, encoder(*rows(2, 7, 1, padded_to=20, padding=torch.nan)), atol=1e-6)


@pytest.mark.parametrize("length", range(1, 8))
def test_a_row_alone_equals_itself_among_longer_rows_and_in_another_place(encoder: PicturesInTime, length: int):
    encoder.eval()
    frames, mask = rows(length, 9, padded_to=9)
    alone = encoder(frames[:1, :length], mask[:1, :length])
    assert torch.allclose(alone, encoder(frames, mask)[:1], atol=1e-6)
    assert torch.allclose(alone, encoder(frames.flip(0), mask.flip(0))[1:], atol=1e-6)


def test_a_row_without_frames_is_zeros_and_changes_no_other(encoder: PicturesInTime):
    encoder.eval()
    frames, mask = rows(4, 0, 2, padded_to=4, padding=torch.nan)
    encoded = encoder(frames, mask)
    assert torch.equal(encoded[1:2], torch.zeros(1, 5)) and torch.equal(encoder.missing(), torch.zeros(1, 5))
    assert torch.allclose(encoded[[0, 2]], encoder(frames[[0, 2]], mask[[0, 2]]), atol=1e-6)
    nothing = torch.zeros(2, 4, dtype=torch.bool)
    assert torch.equal(encoder(frames[:2], nothing), torch.zeros(2, 5))
    assert encoder(frames[:0], mask[:0]).shape == (0, 5)


def test_every_parameter_has_a_gradient(encoder: PicturesInTime):
    encoder(*rows(2, 7, 1, padded_to=7)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.any() for p in encoder.parameters())


@pytest.mark.parametrize(("temporal", "kind"), [("rnn", nn.RNN), ("gru", nn.GRU), ("lstm", nn.LSTM)])
def test_a_recurrent_layer_gives_its_state_after_the_last_frame(temporal: str, kind: type[nn.Module]):
    encoder = PicturesInTime(in_features=3, temporal=temporal, width=5)
    torchs = kind(3, 5, batch_first=True)  # pyright: ignore[reportCallIssue]
    torchs.load_state_dict({key.rsplit(".", 1)[-1]: value for key, value in encoder.state_dict().items()})
    frames, mask = rows(2, 7, 1, padded_to=7, padding=torch.nan)
    encoded = encoder(frames, mask)
    for row, length in enumerate((2, 7, 1)):
        states, _ = torchs(frames[row : row + 1, :length])
        assert torch.allclose(encoded[row], states[0, -1], atol=1e-6)


def test_convolutions_of_one_row_by_hand():
    # Kernels of ones over one feature; 3 and 4 frames hold no window of 5 frames, which is filled up with zeros.
    encoder = PicturesInTime(in_features=1, temporal="conv1d_4", width=1).eval()
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
    frames = torch.tensor([[1.0, 2.0, -1.0, 0.0], [5.0, 1.0, 1.0, 1.0]])[..., None]
    mask = torch.tensor([[True, True, True, False], [True] * 4])
    sums = torch.tensor([3.0 + 2 + 2 + 2, 6.0 + 7 + 8 + 8])  # kernels of 2, 3, 4 and 5 frames, 128 filters of each
    assert torch.allclose(encoder(frames, mask)[:, 0], 128 * sums / (1 + 1e-5) ** 0.5)


def test_the_statistics_of_a_batch_are_of_its_windows_alone():
    encoder = PicturesInTime(in_features=3, temporal="conv1d_4", width=5)
    frames, mask = rows(6, 7, padded_to=12)
    encoder(frames, mask)
    for size, convolution, norm in zip(KERNELS, encoder.temporal.convolutions, encoder.temporal.norms, strict=True):
        windows = torch.cat([convolution(frames[row : row + 1, :length].mT)[0].T for row, length in enumerate((6, 7))])
        assert len(windows) == 6 + 7 - 2 * (size - 1)
        assert torch.allclose(norm.running_mean, 0.1 * windows.mean(0), atol=1e-6)
        assert torch.allclose(norm.running_var, 0.9 + 0.1 * windows.var(0), atol=1e-6)


def test_a_single_frame_alone_can_be_trained_on(encoder: PicturesInTime):
    encoded = encoder(*rows(1, padded_to=1))
    encoded.sum().backward()
    assert encoded.isfinite().all()


def test_an_unknown_way_through_time_is_told_the_known_ones():
    with pytest.raises(ValueError, match="'transformer': expected one of rnn, gru, lstm, conv1d_4"):
        PicturesInTime(in_features=3, temporal="transformer")


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_pictures_go_through_the_network_one_by_one_and_then_through_time(temporal: str):
    encoder = of_pictures(temporal).eval()
    frames, mask = faces(2, 7, 1, padded_to=7)
    assert encoder.backbone is not None
    vectors = torch.zeros(3, 7, 4)
    for row, length in enumerate((2, 7, 1)):
        for step in range(length):
            vectors[row, step] = encoder.backbone(as_images(frames[row, step])[None])[0]
    over_vectors = PicturesInTime(in_features=4, temporal=temporal, width=5).eval()
    over_vectors.temporal.load_state_dict(encoder.temporal.state_dict())
    assert torch.allclose(encoder(frames, mask), over_vectors(vectors, mask), atol=1e-6)


def trained(encoder: PicturesInTime) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The backbone's state before and after a step of training."""
    assert encoder.backbone is not None
    encoder.train()
    before = {key: value.clone() for key, value in encoder.backbone.state_dict().items()}
    learned = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    encoder(*faces(2, 7, 1, padded_to=7)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in learned)
    torch.optim.SGD(learned, lr=1.0).step()
    return before, encoder.backbone.state_dict()


def test_a_frozen_network_stays_as_it_is_and_in_evaluation_mode():
    encoder = of_pictures("gru", freeze=True)
    before, after = trained(encoder)
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert encoder.training and encoder.temporal.training and encoder.backbone is not None
    assert not any(module.training for module in encoder.backbone.modules())
    assert all(parameter.grad is None for parameter in encoder.backbone.parameters())


def test_a_fine_tuned_network_learns_with_its_statistics():
    encoder = of_pictures("gru")
    before, after = trained(encoder)
    assert encoder.backbone is not None and encoder.backbone.training
    assert all(not torch.equal(before[key], after[key]) for key in before if key != "layers.0.bias")


@pytest.mark.slow
def test_a_network_of_imagenet_and_what_it_gives_fit_together():
    network = backbone("mobilenet_v3_small", None)
    encoder = PicturesInTime(in_features=112 * 112 * 3, temporal="gru", width=5, backbone=network, freeze=True)
    assert encoder.temporal.recurrent.input_size == BACKBONES["mobilenet_v3_small"].width
    encoded = encoder(torch.rand(1, 2, 112 * 112 * 3) * 255, torch.tensor([[True, False]]))
    assert encoded.shape == (1, 5) and encoded.isfinite().all()

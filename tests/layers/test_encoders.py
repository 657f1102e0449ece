"""What holds of every encoder: frames [B, T, D] and a mask in, one vector a row out, padding counts for nothing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from affectory.layers.lstm import MaxPooledLSTM
from affectory.layers.textcnn import TextCNN, strongest_window
from affectory.layers.vector import VectorEncoder

ENCODERS = {
    "lstm": lambda: MaxPooledLSTM(in_features=3, width=4),
    "textcnn": lambda: TextCNN(in_features=3, width=4, channels=5, kernel_sizes=(3, 4, 5), dropout=0.5),
    "vector": lambda: VectorEncoder(in_features=3, width=4, dropout=0.5),
}


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return ENCODERS[request.param]().eval()


def rows(*lengths: int, padded_to: int) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(padded_to) < torch.tensor(lengths)[:, None]
    frames = torch.randn(len(lengths), padded_to, 3, generator=torch.Generator().manual_seed(1))
    return frames * mask[..., None], mask


def test_longer_padding_changes_nothing(encoder: nn.Module):
    frames, mask = rows(2, 7, 1, padded_to=7)
    longer = torch.zeros(3, 20, 3)
    longer[:, :7] = frames
    longer_mask = torch.zeros(3, 20, dtype=torch.bool)
    longer_mask[:, :7] = mask
    assert torch.allclose(encoder(frames, mask), encoder(longer, longer_mask), atol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
def test_a_row_alone_equals_itself_among_longer_rows(encoder: nn.Module, length: int):
    frames, mask = rows(length, 9, padded_to=9)
    alone = encoder(frames[:1, :length], mask[:1, :length])
    assert torch.allclose(alone, encoder(frames, mask)[:1], atol=1e-6)


def test_values_in_the_padding_cannot_matter(encoder: nn.Module):
    frames, mask = rows(2, 5, padded_to=5)
    noise = frames + 100.0 * ~mask[..., None]
    assert torch.allclose(encoder(frames, mask), encoder(noise, mask), atol=1e-6)


def test_a_permuted_batch_permutes_the_output(encoder: nn.Module):
    frames, mask = rows(2, 5, 3, padded_to=5)
    order = torch.tensor([2, 0, 1])
    assert torch.allclose(encoder(frames, mask)[order], encoder(frames[order], mask[order]), atol=1e-6)


def test_a_row_without_frames_is_zeros_and_changes_no_other(encoder: nn.Module):
    frames, mask = rows(4, 0, 2, padded_to=4)
    encoded = encoder(frames, mask)
    assert encoded[1].tolist() == [0.0] * 4
    assert torch.allclose(encoded[[0, 2]], encoder(frames[[0, 2]], mask[[0, 2]]), atol=1e-6)


def test_rows_of_every_length_are_each_encoded_as_alone(encoder: nn.Module):
    lengths = (1, 40, 3, 0, 17, 2, 26, 39, 5)
    frames, mask = rows(*lengths, padded_to=40)
    alone = [encoder(frames[row : row + 1], mask[row : row + 1]) for row in range(len(lengths))]
    assert torch.allclose(torch.cat(alone), encoder(frames, mask), atol=1e-6)


def test_an_empty_batch_gives_no_rows(encoder: nn.Module):
    assert encoder(torch.zeros(0, 4, 3), torch.zeros(0, 4, dtype=torch.bool)).shape == (0, 4)


def test_textcnn_of_one_window_by_hand():
    # One channel of ones over three frames of one feature: the window's sum, then the identity.
    layer = TextCNN(in_features=1, width=1, channels=1, kernel_sizes=(3,), dropout=0.0)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0 if parameter.ndim > 1 else 0.0)
    frames = torch.tensor([[[1.0], [2.0], [3.0], [4.0]], [[5.0], [0.0], [0.0], [0.0]]])
    mask = torch.tensor([[True] * 4, [True, False, False, False]])
    assert layer(frames, mask).tolist() == [[9.0], [5.0]]  # max(1+2+3, 2+3+4); 5 filled up with zeros


def test_what_is_missing_is_encoded_as_one_zero_frame(encoder: nn.Module):
    zero = encoder(torch.zeros(1, 1, 3), torch.ones(1, 1, dtype=torch.bool))
    assert torch.allclose(encoder.missing(), zero, atol=1e-6)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("lengths", [(7, 2, 5), (1, 3), ()])
def test_the_strongest_window_equals_a_convolution_and_its_maximum_with_all_gradients(lengths: tuple[int, ...]):
    random = torch.Generator().manual_seed(0)
    filled = [max(length, 3) for length in lengths]  # as many frames as the kernel reads
    given = [torch.randn(shape, dtype=torch.float64, generator=random) for shape in ((sum(filled), 4), (6, 4, 3), (6,))]
    ours, theirs = ([value.clone().requires_grad_() for value in given] for _ in range(2))
    starts, windows = torch.tensor([sum(filled[:row]) for row in range(len(filled))]), torch.tensor(filled) - 2
    got = strongest_window(ours[0], starts.long(), windows.long(), *ours[1:])
    rows = theirs[0].split(filled) if filled else ()
    parts = [F.conv1d(row.T[None], *theirs[1:]).amax(2) for row in rows]
    want = torch.cat(parts) if parts else 0 * (theirs[1].sum() + theirs[2].sum() + theirs[0].sum()).expand(0, 6)
    assert torch.allclose(got, want)
    weights = torch.randn(got.shape, dtype=torch.float64, generator=random)
    for value in (got, want):
        (value * weights).sum().backward()
    assert all(torch.allclose(mine.grad, its.grad) for mine, its in zip(ours, theirs, strict=True))

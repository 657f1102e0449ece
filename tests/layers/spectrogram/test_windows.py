import pytest
import torch

from affectory.layers.spectrogram.windows import Crop, picture, window

RAMP = torch.arange(1.0, 8.0)[None, :, None]  # one row of 1 .. 7
WHOLE = torch.ones(1, 7, dtype=torch.bool)


@pytest.mark.parametrize(
    ("crop", "steps", "expected"),
    [
        ("start", 3, [1, 2, 3]),
        ("centre", 3, [3, 4, 5]),
        ("centre", 4, [2, 3, 4, 5]),  # one more is left out after it than before
        ("random", 3, [3, 4, 5]),
        ("centre", 7, [1, 2, 3, 4, 5, 6, 7]),
    ],
)
def test_the_crops_of_a_ramp_by_hand(crop: Crop, steps: int, expected: list[float]):
    cropped, inside = window(RAMP, WHOLE, steps=steps, crop=crop, training=False)
    assert cropped[0, :, 0].tolist() == expected
    assert inside.tolist() == [[True] * steps]


def test_only_random_crops_know_training():
    for crop in ("start", "centre"):
        trained, _ = window(RAMP, WHOLE, steps=3, crop=crop, training=True)
        assert torch.equal(trained, window(RAMP, WHOLE, steps=3, crop=crop, training=False)[0])


def test_random_crops_in_training_start_anywhere_and_stay_whole():
    torch.manual_seed(0)
    rows = RAMP.expand(500, -1, -1)
    cropped, inside = window(rows, WHOLE.expand(500, -1), steps=3, crop="random", training=True)
    first = cropped[:, 0, 0]
    assert first.unique().tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert torch.equal(cropped[..., 0], first[:, None] + torch.arange(3.0))
    assert inside.all()


def test_random_crops_follow_the_seed_and_differ_between_draws():
    rows, mask = torch.arange(1000.0)[None, :, None], torch.ones(1, 1000, dtype=torch.bool)
    torch.manual_seed(3)
    first, second = (window(rows, mask, steps=5, crop="random", training=True)[0] for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(first, window(rows, mask, steps=5, crop="random", training=True)[0])
    assert not torch.equal(first, second)


@pytest.mark.parametrize("crop", ["start", "centre", "random"])
def test_a_shorter_row_has_zeros_at_its_end_whatever_its_padding_holds(crop: Crop):
    frames = torch.tensor([[[1.0], [2.0], [torch.nan], [9.0]], [[torch.nan]] * 4])
    mask = torch.tensor([[True, True, False, False], [False] * 4])
    cropped, inside = window(frames, mask, steps=6, crop=crop, training=True)
    assert cropped[..., 0].tolist() == [[1, 2, 0, 0, 0, 0], [0] * 6]
    assert inside.tolist() == [[True, True, False, False, False, False], [False] * 6]


@pytest.mark.parametrize("crop", ["start", "centre", "random"])
def test_longer_padding_moves_no_window(crop: Crop):
    lengths = torch.tensor([7, 2, 0, 5])
    mask = torch.arange(7) < lengths[:, None]
    frames = torch.randn(4, 7, 3) * mask[..., None]
    longer = torch.nn.functional.pad(frames, (0, 0, 0, 20)), torch.nn.functional.pad(mask, (0, 20))
    for training in (False, True):
        torch.manual_seed(1)
        near = window(frames, mask, steps=4, crop=crop, training=training)
        torch.manual_seed(1)
        far = window(*longer, steps=4, crop=crop, training=training)
        assert all(torch.equal(a, b) for a, b in zip(near, far, strict=True))


def test_a_picture_is_filled_up_below_and_to_the_right():
    x = torch.tensor([[[1.0, 2.0, 3.0]]])  # one step of three bands
    assert picture(x, smallest=2).tolist() == [[[[1, 2, 3], [0, 0, 0]]]]
    assert picture(x, smallest=1).tolist() == [[[[1, 2, 3]]]]

import torch

from affectory.layers.dialogues import lengths_of, order_of_appearance, pad, unpack, valid_steps

MASK = torch.tensor([[True, True, True, False], [True, True, False, False]])


def test_speakers_are_numbered_as_they_first_speak():
    speakers = torch.tensor([[7, 3, 7, 99], [5, 5, 7, 7]])
    assert order_of_appearance(speakers, MASK).tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]


def test_a_new_speaker_changes_no_number_before():
    speakers = torch.tensor([[4, 9, 4, 2, 9, 1]])
    mask = torch.ones(1, 6, dtype=torch.bool)
    assert order_of_appearance(speakers, mask).tolist() == [[0, 1, 0, 2, 1, 3]]
    assert order_of_appearance(speakers[:, :3], mask[:, :3]).tolist() == [[0, 1, 0]]


def test_packed_rows_go_back_where_they_came_from():
    x = torch.randn(2, 4, 3) * MASK[..., None]
    assert torch.equal(unpack(x[MASK], MASK), x) and lengths_of(MASK) == [3, 2]
    assert torch.equal(pad(x[MASK], [3, 2]), x[:, :3])
    assert torch.equal(valid_steps([3, 2], MASK.device), MASK[:, :3])

import numpy as np
import pytest
import torch

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, Sequences
from affectory.data.inputs import ModalityInput, fit_inputs
from affectory.vocabulary import Condition, Modality
from tests.fixtures.datasets import packed, small_dataset

A, V = Modality.ACOUSTIC, Modality.VISUAL
PLAIN = ModalityInput("set", "1", 1, False, np.zeros(1, np.float32), np.ones(1, np.float32), limit=9.0)


def one_modality(rows: list, splits: list[str], labels: list[int] | None = None) -> Dataset:
    n = len(rows)
    sequences = {A: Sequences.from_rows("set", rows, 2)}
    return Dataset(
        [str(i) for i in range(n)], np.array(labels or [0] * n), ("x",), sequences, [""] * n, [""] * n, splits
    )


def test_rows_are_read_back_and_a_missing_one_is_empty():
    sequences = Sequences.from_rows("set", [np.ones((2, 3)), None, np.zeros((1, 3))], 3)
    assert sequences.lengths.tolist() == [2, 0, 1] and sequences.width == 3
    assert sequences.row(0).tolist() == [[1, 1, 1], [1, 1, 1]] and sequences.row(1).shape == (0, 3)


def test_lengths_that_do_not_fit_the_frames_are_refused():
    with pytest.raises(ValueError, match=r"feature set x: the lengths sum to 3.*got \[2, 1\]"):
        Sequences("x", np.zeros((2, 1), np.float32), np.array([3]))


def test_a_column_of_another_length_is_refused():
    with pytest.raises(ValueError, match="splits: expected 2 rows, as utterance_ids, got 1"):
        one_modality([np.ones((1, 2))] * 2, ["train"])


def test_unlabelled_rows_and_rows_without_any_modality_are_not_learned_from():
    dataset = one_modality(
        [np.ones((1, 2)), np.ones((1, 2)), None, np.ones((1, 2))], ["train"] * 3 + ["val"], [0, -1, 0, 0]
    )
    assert dataset.rows("train").tolist() == [0] and dataset.rows("val").tolist() == [3]


def test_normalisation_is_fitted_on_training_rows_alone_and_a_constant_feature_keeps_its_scale():
    dataset = one_modality([np.array([[0.0, 5.0], [2.0, 5.0]]), np.array([[900.0, 900.0]])], ["train", "test"])
    fitted = fit_inputs(dataset, dataset.rows("train"))[A]
    assert fitted.mean.tolist() == [1.0, 5.0] and fitted.std.tolist() == [1.0, 1.0]


def test_a_modality_that_no_training_row_has_is_left_out():
    dataset = small_dataset(8, missing={row: [V] for row in range(4)})
    assert V in dataset.modalities and V not in fit_inputs(dataset, dataset.rows("train"))


def test_features_of_one_frame_a_row_are_called_vectors():
    assert fit_inputs(small_dataset(8, vector=True), np.arange(4))[A].vector
    assert not fit_inputs(small_dataset(8), np.arange(4))[A].vector


def test_a_batch_is_padded_with_zeros_and_masked():
    sequences = Sequences.from_rows("set", [np.array([[1.0], [2.0]]), None, np.array([[3.0]])], 1)
    data = PackedFeatures({A: sequences}, np.array([0, 1, 0]), {A: PLAIN})
    batch = data.batch(np.array([2, 0, 1]))
    assert batch.frames[A][..., 0].tolist() == [[3, 0], [1, 2], [0, 0]]
    assert batch.mask[A].tolist() == [[True, False], [True, True], [False, False]]
    assert batch.present[:, 0].tolist() == [True, True, False] and batch.labels.tolist() == [0, 0, 1]


def test_a_batch_of_rows_that_all_miss_a_modality_has_one_masked_step():
    data = PackedFeatures({A: Sequences.from_rows("set", [None, None], 1)}, np.array([0, 1]), {A: PLAIN})
    assert data.batch(np.array([0, 1])).frames[A].shape == (2, 1, 1)


def test_values_far_from_the_mean_are_cut():
    fitted = ModalityInput("set", "1", 1, False, np.full(1, 3.0, np.float32), np.full(1, 2.0, np.float32), limit=4.0)
    rows = Sequences.from_rows("set", [np.array([[5.0], [3e38], [-1e9]])], 1)
    assert PackedFeatures({A: rows}, np.array([0]), {A: fitted}).batch(np.array([0])).frames[A].flatten().tolist() == [
        1.0,
        4.0,
        -4.0,
    ]


def test_frames_beyond_the_limit_are_not_read():
    short = ModalityInput("set", "1", 1, False, np.zeros(1, np.float32), np.ones(1, np.float32), max_frames=2)
    rows = Sequences.from_rows("set", [np.array([[1.0], [2.0], [3.0]]), np.array([[4.0]])], 1)
    batch = PackedFeatures({A: rows}, np.array([0, 0]), {A: short}).batch(np.array([0, 1]))
    assert batch.frames[A][..., 0].tolist() == [[1, 2], [4, 0]]


def test_another_width_is_refused_by_name():
    with pytest.raises(ValueError, match="feature set set: expected 1 features a frame, got 3"):
        PackedFeatures({A: Sequences.from_rows("set", [np.ones((1, 3))], 3)}, np.array([0]), {A: PLAIN})


def test_a_condition_and_natural_missingness_both_count():
    dataset = small_dataset(8, missing={0: [A]})
    batch = packed(dataset).batch(np.array([0, 1])).under(Condition([A, V]))
    assert batch.available.tolist() == [[False, True, False], [True, True, False]]
    assert torch.equal(batch.present, torch.tensor([[False, True, True], [True, True, True]]))


def test_the_rows_of_a_dialogue_are_found_in_order_with_those_that_were_not_asked_for():
    sequences = Sequences.from_rows("set", [np.ones((1, 1))] * 5, 1)
    told = {"dialogues": ["b", "a", "b", "", ""], "speakers": ["x", "", "y", "x", ""]}
    data = PackedFeatures({A: sequences}, np.zeros(5, np.int64), {A: PLAIN}, **told)
    assert [rows.tolist() for rows in data.dialogues_of(np.array([4, 2, 1]))] == [[0, 2], [1], [4]]
    assert data.dialogues_of(np.array([], np.int64)) == []
    batch = data.batch(np.arange(5))
    assert batch.dialogue[0] == batch.dialogue[2] and len(set(batch.dialogue.tolist())) == 4
    assert batch.speaker[0] == batch.speaker[3] and batch.speaker[1] == batch.speaker[4]

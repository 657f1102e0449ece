from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectory.data.dataset import (
    load_dataset,
    save_dataset,
    with_shuffled_company,
    with_shuffled_labels,
    with_shuffled_order,
)
from affectory.vocabulary import Condition, Modality
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
DATASET = small_dataset(12, missing={0: [A], 3: [V, T], 5: [A, V, T]})


def test_a_dataset_is_read_back_as_it_was_saved(tmp_path: Path):
    saved = replace(DATASET, labels=np.where(np.arange(12) == 2, -1, DATASET.labels))
    save_dataset(saved, tmp_path / "deep" / "dataset")
    loaded = load_dataset(tmp_path / "deep" / "dataset")
    for name in ("utterance_ids", "classes", "speakers", "dialogues", "splits"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert np.array_equal(loaded.labels, saved.labels) and list(loaded.sequences) == list(saved.sequences)
    for modality, sequences in saved.sequences.items():
        read = loaded.sequences[modality]
        assert (read.feature_set, read.version) == (sequences.feature_set, sequences.version)
        assert np.array_equal(read.frames, sequences.frames) and np.array_equal(read.lengths, sequences.lengths)
        assert (read.frames.dtype, read.lengths.dtype) == (np.float32, np.int64)


def test_loaded_frames_stay_on_disk(tmp_path: Path):
    save_dataset(DATASET, tmp_path)
    assert all(isinstance(sequences.frames, np.memmap) for sequences in load_dataset(tmp_path).sequences.values())


def test_a_modality_without_a_single_frame_survives(tmp_path: Path):
    save_dataset(small_dataset(8, missing={row: [V] for row in range(8)}), tmp_path)
    loaded = load_dataset(tmp_path)
    assert loaded.sequences[V].frames.shape == (0, 4) and loaded.modalities == (A, T)


def test_only_keeps_the_rows_and_some_of_the_modalities():
    alone = DATASET.only(Condition([A, T]))
    assert alone.modalities == (A, T) and alone.utterance_ids == DATASET.utterance_ids
    assert alone.sequences[T] is DATASET.sequences[T] and DATASET.modalities == (A, V, T)


def test_rows_that_are_left_without_any_modality_are_not_scored():
    splits = ["test"] * 12
    assert replace(DATASET, splits=splits).rows("test").tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert 0 not in replace(DATASET, splits=splits).only([A]).rows("test")


def test_present_says_what_each_row_has():
    assert DATASET.present[[0, 1, 3, 5]].tolist() == [
        [False, True, True],
        [True, True, True],
        [True, False, False],
        [False, False, False],
    ]
    assert DATASET.only([V]).present.shape == (12, 1) and DATASET.only([]).present.shape == (12, 0)


def test_labels_outside_the_classes_are_refused():
    for label in (2, -2):
        with pytest.raises(ValueError, match="labels must lie between -1 and 1"):
            replace(DATASET, labels=np.full(12, label))


def test_a_shuffled_order_stays_within_each_dialogue_and_moves_all_of_a_row():
    dataset = small_dataset(48)
    shuffled = with_shuffled_order(dataset, seed=1)
    assert shuffled.dialogues == dataset.dialogues  # so that no row has left its dialogue
    assert shuffled.utterance_ids != dataset.utterance_ids
    assert sorted(shuffled.utterance_ids) == sorted(dataset.utterance_ids)
    place = {name: row for row, name in enumerate(dataset.utterance_ids)}
    for row, name in enumerate(shuffled.utterance_ids):
        before = place[name]
        assert shuffled.labels[row] == dataset.labels[before] and shuffled.splits[row] == dataset.splits[before]
        assert shuffled.speakers[row] == dataset.speakers[before]
        for modality, sequences in dataset.sequences.items():
            np.testing.assert_array_equal(shuffled.sequences[modality].row(row), sequences.row(before))


def test_strangers_come_from_other_dialogues_of_the_same_part():
    dataset = small_dataset(48)
    dealt = with_shuffled_company(dataset, seed=1)
    assert (dealt.dialogues, dealt.speakers, dealt.splits) == (dataset.dialogues, dataset.speakers, dataset.splits)
    place = {name: row for row, name in enumerate(dataset.utterance_ids)}
    before = np.array([place[name] for name in dealt.utterance_ids])
    assert (dealt.labels == dataset.labels[before]).all() and len(set(before)) == 48
    assert [dataset.splits[row] for row in before] == dataset.splits
    assert sum(dataset.dialogues[row] != name for row, name in zip(before, dealt.dialogues, strict=True)) > 24
    acoustic = dealt.sequences[A]
    np.testing.assert_array_equal(acoustic.row(5), dataset.sequences[A].row(before[5]))


def test_an_utterance_without_a_dialogue_keeps_its_place():
    dataset = replace(small_dataset(), dialogues=[""] * 24)
    assert with_shuffled_order(dataset, seed=1).utterance_ids == dataset.utterance_ids


def test_only_the_labels_of_training_rows_are_shuffled_and_as_many_of_each_are_left():
    dataset = small_dataset(48)
    shuffled = with_shuffled_labels(dataset, seed=0)
    train = dataset.rows("train")
    others = np.setdiff1d(np.arange(48), train)
    assert (shuffled.labels[others] == dataset.labels[others]).all()
    assert (shuffled.labels[train] != dataset.labels[train]).any()
    assert (np.bincount(shuffled.labels[train]) == np.bincount(dataset.labels[train])).all()

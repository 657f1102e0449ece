"""Pooling, normalisation and whitening, by hand and by numpy's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from affectory.data.batches import PackedFeatures
from affectory.data.dataset import Dataset, Sequences
from affectory.data.inputs import (
    MAX_FRAMES,
    Preparation,
    first_frames,
    fit_inputs,
    normalised_by_speaker,
    prepared,
    statistics,
    within_class_whitening,
)
from affectory.learning.deployed import load_deployed, save_deployed
from affectory.learning.evaluation import logits_under
from affectory.models import mmin
from affectory.vocabulary import Modality
from tests.fixtures.datasets import small_dataset

A, V, T = Modality
WHITE = Preparation(statistics=True, whitening_rank=100, shrinkage=0.3)


def within(frames: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Covariance of the rows about their class's mean."""
    means = np.stack([frames[labels == label].mean(0) for label in np.unique(labels)])
    centred = frames - means[np.unique(labels, return_inverse=True)[1]]
    return centred.T @ centred / len(frames)


def two_classes(n_rows: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.arange(n_rows) % 2
    mixing = generator.normal(size=(width, width))
    return generator.normal(size=(n_rows, width)) @ mixing + labels[:, None] * np.arange(width), labels


def test_statistics_are_mean_and_population_deviation_over_a_rows_frames_and_a_missing_row_stays_missing():
    rows = [None, np.array([[1.0, 4.0], [3.0, 4.0]]), None, np.array([[5.0, 6.0]]), None]
    pooled = statistics(Sequences.from_rows("set", rows, 2, "7"))
    assert pooled.lengths.tolist() == [0, 1, 0, 1, 0] and pooled.lengths.dtype == np.int64
    assert pooled.frames.tolist() == [[2, 4, 1, 0], [5, 6, 0, 0]] and pooled.frames.dtype == np.float32
    assert (pooled.feature_set, pooled.version) == ("set", "7")


def test_statistics_equal_numpys_mean_and_deviation():
    sequences = small_dataset(24, missing={0: [A], 11: [A], 23: [A]}).sequences[A]
    pooled = statistics(sequences)
    for row in range(24):
        frames = sequences.row(row)
        expected = np.concatenate([frames.mean(0), frames.std(0)])[None] if len(frames) else np.zeros((0, 10))
        np.testing.assert_allclose(pooled.row(row), expected, rtol=1e-5, atol=1e-6)  # numpy sums in float32


def test_statistics_of_rows_that_all_miss_are_empty():
    pooled = statistics(Sequences.from_rows("set", [None, None], 3, "7"))
    assert pooled.frames.shape == (0, 6) and pooled.lengths.tolist() == [0, 0]
    assert (pooled.feature_set, pooled.version) == ("set", "7")


def test_statistics_of_huge_frames_keep_their_deviation():
    frames = np.array([[1e4 + 0.5], [1e4 - 0.5]], np.float32)
    assert statistics(Sequences.from_rows("set", [frames], 1)).frames[0].tolist() == pytest.approx([1e4, 0.5])


def test_training_rows_are_left_with_mean_zero_and_deviation_one():
    dataset = small_dataset(24, missing={1: [V]})
    train = dataset.rows("train")
    for preparation in (Preparation(), Preparation(statistics=True)):
        inputs = fit_inputs(dataset, train, preparation)
        for modality, fitted in inputs.items():
            ready = prepared(dataset.sequences[modality], replace(fitted, limit=1e9))
            frames = np.concatenate([ready.row(row) for row in train])
            np.testing.assert_allclose(frames.mean(0), 0, atol=1e-5)
            np.testing.assert_allclose(frames.std(0), 1, atol=1e-5)


def test_vectors_are_not_pooled_and_a_model_of_either_sees_a_single_frame():
    vectors, sequences = small_dataset(8, vector=True), small_dataset(8)
    of_vectors = fit_inputs(vectors, np.arange(4), Preparation(statistics=True))[A]
    of_sequences = fit_inputs(sequences, np.arange(4), Preparation(statistics=True))[A]
    assert (of_vectors.statistics, of_vectors.model_width, of_vectors.single_frame) == (False, 5, True)
    assert (of_sequences.statistics, of_sequences.model_width, of_sequences.single_frame) == (True, 10, True)
    assert not fit_inputs(sequences, np.arange(4))[A].single_frame


@pytest.mark.parametrize(("n_rows", "width"), [(40, 6), (20, 30)])
@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_whitening_makes_the_shrunk_covariance_within_the_classes_a_multiple_of_the_identity(
    n_rows: int, width: int, shrinkage: float
):
    frames, labels = two_classes(n_rows, width)
    rank = 5
    projection = within_class_whitening(frames, labels, Preparation(whitening_rank=rank, shrinkage=shrinkage))
    assert projection.shape == (width, rank) and projection.dtype == np.float32
    directions = np.linalg.svd(frames - frames.mean(0), full_matrices=False)[2][:rank].T  # the leading components
    projection = projection.astype(np.float64)
    np.testing.assert_allclose(directions @ (directions.T @ projection), projection, atol=1e-5)
    covariance = within(frames @ directions, labels)
    shrunk = (1 - shrinkage) * covariance + shrinkage * np.eye(rank) * np.trace(covariance) / rank
    inside = directions.T @ projection  # [P, P]: the projection among the components
    whitened = inside.T @ shrunk @ inside
    np.testing.assert_allclose(whitened / whitened[0, 0], np.eye(rank), atol=1e-4)


def test_whitened_training_rows_deviate_by_one_in_the_mean():
    frames, labels = two_classes(40, 6)
    projection = within_class_whitening(frames, labels, Preparation(whitening_rank=4, shrinkage=0.2))
    assert (frames @ projection).std(0).mean() == pytest.approx(1.0, rel=1e-5)


def test_components_of_wide_and_of_tall_matrices_are_the_same():
    frames, labels = two_classes(30, 8)
    tall = within_class_whitening(frames, labels, Preparation(whitening_rank=8))
    padded = np.concatenate([frames, np.zeros((30, 40))], axis=1)  # now wide, and nothing was added
    wide = within_class_whitening(padded, labels, Preparation(whitening_rank=8))
    assert not np.abs(wide[8:]).max() > 1e-6
    np.testing.assert_allclose(tall @ tall.T, wide[:8] @ wide[:8].T, atol=1e-5)  # but for signs and order


@pytest.mark.parametrize(("n_rows", "width", "asked", "expected"), [(40, 6, 3, 3), (40, 6, 100, 6), (10, 30, 100, 9)])
def test_the_rank_is_at_most_what_is_asked_for_and_what_the_rows_span(
    n_rows: int, width: int, asked: int, expected: int
):
    frames, labels = two_classes(n_rows, width)
    assert within_class_whitening(frames, labels, Preparation(whitening_rank=asked)).shape == (width, expected)


def test_whitened_inputs_are_fitted_on_the_training_rows_and_their_labels_alone():
    dataset = small_dataset(24)
    train = dataset.rows("train")
    others = np.setdiff1d(np.arange(24), train)
    changed = replace(dataset, labels=dataset.labels.copy())
    changed.labels[others] = 1 - changed.labels[others]
    noise = np.random.default_rng(5)
    loud = {
        m: Sequences.from_rows(
            s.feature_set,
            [noise.normal(size=s.row(row).shape) * 1e3 if row in others else s.row(row) for row in range(24)],
            s.width,
            s.version,
        )
        for m, s in dataset.sequences.items()
    }
    first, second = (fit_inputs(some, train, WHITE) for some in (dataset, replace(changed, sequences=loud)))
    for modality, fitted in first.items():
        for name in ("mean", "std", "projection"):
            assert np.array_equal(getattr(fitted, name), getattr(second[modality], name))


def test_the_order_of_the_training_rows_cannot_matter():
    dataset = small_dataset(24)
    train = dataset.rows("train")
    first, second = fit_inputs(dataset, train, WHITE)[A], fit_inputs(dataset, train[::-1].copy(), WHITE)[A]
    assert first.projection is not None and second.projection is not None
    assert np.array_equal(first.mean, second.mean) and np.array_equal(first.projection, second.projection)


def test_a_whitened_frame_is_cut_where_it_lies_far_out():
    dataset = small_dataset(24)
    fitted = fit_inputs(dataset, dataset.rows("train"), WHITE)[A]
    assert fitted.projection is not None and fitted.model_width == fitted.projection.shape[1]
    far = Sequences.from_rows("set", [np.full((3, 5), 1e9), np.full((2, 5), -1e9)], 5)
    ready = prepared(far, fitted)
    assert ready.frames.shape == (2, fitted.model_width) and np.abs(ready.frames).max() <= fitted.limit


def test_each_speaker_is_left_with_mean_zero_and_deviation_one():
    dataset = normalised_by_speaker(small_dataset(24, missing={1: [A]}))
    speakers = np.array(dataset.speakers)
    for sequences in dataset.sequences.values():
        for speaker in np.unique(speakers):
            frames = np.concatenate([sequences.row(row) for row in np.flatnonzero(speakers == speaker)])
            np.testing.assert_allclose(frames.mean(0), 0, atol=1e-5)
            np.testing.assert_allclose(frames.std(0), 1, atol=1e-5)
    assert dataset.sequences[A].lengths[1] == 0


def test_a_speakers_own_offset_and_loudness_are_gone():
    dataset = small_dataset(24)
    rows = np.repeat(np.array(dataset.speakers) == "s2", dataset.sequences[A].lengths)
    moved = dataset.sequences[A].frames.copy()
    moved[rows] = 3.0 * moved[rows] - 40.0
    other = replace(dataset, sequences={**dataset.sequences, A: replace(dataset.sequences[A], frames=moved)})
    first, second = normalised_by_speaker(dataset), normalised_by_speaker(other)
    np.testing.assert_allclose(first.sequences[A].frames, second.sequences[A].frames, atol=1e-4)


def test_normalising_by_speaker_reads_features_and_no_labels_or_splits():
    dataset = small_dataset(24)
    blind = replace(dataset, labels=np.full(24, -1), splits=["test"] * 24)
    first, second = normalised_by_speaker(dataset), normalised_by_speaker(blind)
    assert all(np.array_equal(first.sequences[m].frames, second.sequences[m].frames) for m in Modality)
    assert np.array_equal(first.labels, dataset.labels) and first.splits == dataset.splits


def test_rows_without_a_speaker_count_as_one_and_a_constant_feature_becomes_zero():
    rows = [np.array([[1.0, 5.0]]), np.array([[3.0, 5.0]]), None]
    dataset = Dataset(["a", "b", "c"], np.zeros(3, int), ("x",), {A: Sequences.from_rows("set", rows, 2)}, [""] * 3,
                      [""] * 3, ["train"] * 3)  # fmt: skip
    for speakers in (["", "", "ann"], [None, None, "ann"]):
        normalised = normalised_by_speaker(replace(dataset, speakers=speakers))
        assert normalised.sequences[A].frames.tolist() == [[-1, 0], [1, 0]]


def test_at_most_so_many_frames_of_each_row_are_read():
    rows = [np.arange(3.0)[:, None], None, np.arange(10.0, 11.0)[:, None], np.arange(20.0, 25.0)[:, None]]
    sequences = Sequences.from_rows("set", rows, 1)
    cut = first_frames(sequences, 2)
    assert [cut.row(row)[:, 0].tolist() for row in range(4)] == [[0, 1], [], [10], [20, 21]]
    assert first_frames(sequences, 5) is sequences


@pytest.mark.parametrize("name", ["full_baseline", "best"])
def test_a_deployed_model_reads_as_much_of_an_endless_row_as_its_training_did(tmp_path: Path, name: str):
    dataset = small_dataset(8)
    endless = np.random.default_rng(1).normal(3.0, 2.0, (3 * MAX_FRAMES, 5)).astype(np.float32)
    endless[MAX_FRAMES:] += 50.0
    rows = [endless if row in (0, 6) else dataset.sequences[A].row(row) for row in range(8)]
    dataset = replace(dataset, sequences={**dataset.sequences, A: Sequences.from_rows("set_a", rows, 5, "1")})
    config = mmin.FAMILY.experiments("debug")[name]
    inputs = fit_inputs(dataset, dataset.rows("train"), config.preparation)
    capped = {**dataset.sequences, A: first_frames(dataset.sequences[A], MAX_FRAMES)}
    fitted = fit_inputs(replace(dataset, sequences=capped), dataset.rows("train"), config.preparation)
    assert np.array_equal(inputs[A].mean, fitted[A].mean) and inputs[A].max_frames == MAX_FRAMES
    model = mmin.build(config, inputs, dataset.classes, seed=0)
    data = PackedFeatures.from_dataset(dataset, inputs)
    seen = logits_under(model, data, np.arange(8), None)[0]
    save_deployed(tmp_path, "mmin", config, model, dataset.classes, inputs)
    features = {m: [s.row(row) for row in range(8)] for m, s in dataset.sequences.items()}
    predicted = load_deployed(tmp_path).predict(features).probabilities
    expected = np.exp(seen) / np.exp(seen).sum(1, keepdims=True)
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


def test_a_modality_that_never_varies_is_left_unwhitened():
    dataset = small_dataset(12)
    textual = dataset.sequences[Modality.TEXTUAL]
    dataset.sequences[Modality.TEXTUAL] = replace(textual, frames=np.ones_like(textual.frames))
    fitted = fit_inputs(dataset, dataset.rows("train"), Preparation(statistics=True, whitening_rank=5))
    assert fitted[Modality.TEXTUAL].projection is None and fitted[Modality.ACOUSTIC].projection is not None
    assert not prepared(dataset.sequences[Modality.TEXTUAL], fitted[Modality.TEXTUAL]).frames.any()


def test_speaker_wise_normalisation_of_nobodys_rows_is_refused():
    with pytest.raises(ValueError, match="no row names its speaker"):
        normalised_by_speaker(replace(small_dataset(4), speakers=[""] * 4))

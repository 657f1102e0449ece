"""What is said of a corpus before anything is trained on it."""

from dataclasses import replace

import numpy as np

from affectory.vocabulary import DIMENSIONS
from ops.training import beyond_scale, unfit
from tests.fixtures.datasets import small_dataset

RATED = small_dataset(32, dimensions=DIMENSIONS)


def rated(change) -> object:
    labels = RATED.labels.copy()
    change(labels)
    return replace(RATED, labels=labels, dialogues=[""] * 32)


def test_a_dimension_that_never_varies_in_training_is_named():
    def constant(labels: np.ndarray) -> None:
        labels[RATED.rows("train"), 1] = 0.5

    why = unfit(rated(constant), "valence_arousal")  # pyright: ignore[reportArgumentType]
    assert why == "its training part has 1 value of arousal, at least 2 are needed"


def test_a_corpus_that_nobody_rated_says_so():
    assert unfit(None, "valence_arousal") == "no utterance has valence or arousal and a split"
    assert unfit(None, "mmin") == "no utterance has a label and a split"


def test_labels_beyond_the_scale_are_counted_and_the_first_is_named():
    def slip(labels: np.ndarray) -> None:
        labels[:, 1] = np.clip(labels[:, 1], 0, 1)
        labels[RATED.rows("train")[2], 1] = 7.0

    [said] = beyond_scale(rated(slip))  # pyright: ignore[reportArgumentType]
    first = RATED.utterance_ids[RATED.rows("train")[2]]
    assert said.startswith(f"1 of {len(RATED.rows('train'))} training labels of arousal lie beyond 0..1")
    assert f"of utterance {first}: its scale is 0..7" in said and "correct it in utterances.csv" in said


def test_classes_have_no_scale():
    assert beyond_scale(small_dataset(8)) == []


def test_labels_within_the_scale_are_passed_over():
    def fitting(labels: np.ndarray) -> None:
        labels[:, 1] = np.clip(labels[:, 1], 0, 1)

    assert beyond_scale(rated(fitting)) == []  # pyright: ignore[reportArgumentType]

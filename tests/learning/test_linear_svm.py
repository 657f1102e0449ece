from dataclasses import replace

import numpy as np
import pytest

from affectory.data.dataset import Sequences
from affectory.learning.linear_svm import _machine, _normalisation, evaluate_linear_svm, functionals
from affectory.vocabulary import Modality
from tests.fixtures.datasets import small_dataset


def test_functionals_are_mean_and_deviation_over_time():
    sequences = Sequences.from_rows("set", [np.array([[1.0, 4.0], [3.0, 4.0]]), np.array([[5.0, 6.0]]), None], 2)
    assert functionals(sequences)[:2].tolist() == [[2, 4, 1, 0], [5, 6, 0, 0]]
    assert np.isnan(functionals(sequences)[2]).all()


def test_functionals_of_vectors_are_the_vectors():
    sequences = Sequences.from_rows("set", [np.array([[1.0, 4.0]]), None], 2)
    assert functionals(sequences)[0].tolist() == [1, 4] and np.isnan(functionals(sequences)[1]).all()


def test_a_machine_a_condition_is_selected_on_val_and_tells_far_classes_apart():
    dataset = small_dataset(48, missing={row: [Modality.VISUAL] for row in (6, 7, 14)})
    table, _ = evaluate_linear_svm(dataset, *(dataset.rows(split) for split in ("train", "val", "test")))
    ua = table[table["metric"] == "ua"].set_index("condition")["value"]
    assert list(ua.index) == ["{a}", "{v}", "{t}", "{a,v}", "{a,t}", "{v,t}", "{a,v,t}"]
    assert ua["{a,v,t}"] == pytest.approx(1.0) and (ua > 0.7).all()


def test_a_condition_that_leaves_a_part_without_rows_has_no_metrics():
    dataset = small_dataset(24)
    dataset = replace(dataset, sequences={m: dataset.sequences[m] for m in (Modality.ACOUSTIC, Modality.VISUAL)})
    no_face = replace(dataset, sequences=small_dataset(24, missing={r: [Modality.VISUAL] for r in range(24)}).sequences)
    table, _ = evaluate_linear_svm(no_face, np.arange(8), np.arange(8, 12), np.arange(12, 24))
    assert set(table["condition"]) == {"{a}", "{t}", "{a,t}"}


def test_more_features_than_rows_are_read_in_the_rows_own_space_to_the_same_predictions():
    generator = np.random.default_rng(0)
    features = generator.normal(size=(30, 200))
    labels = np.arange(30) % 3
    turned = _normalisation(features)
    plain = _normalisation(features).steps[0][1]
    assert turned.transform(features).shape[1] <= 30
    ours = _machine(0.01).fit(turned.transform(features), labels).decision_function(turned.transform(features[:5] + 1))
    theirs = _machine(0.01).fit(plain.transform(features), labels).decision_function(plain.transform(features[:5] + 1))
    np.testing.assert_allclose(ours, theirs, atol=1e-3)

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from affectory.results import metrics

TRUTH, PREDICTED = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])


def test_metrics_of_four_rows_by_hand():
    # Class 0: recall 2/3, precision 1, F1 4/5; class 1: recall 1, precision 1/2, F1 2/3.
    assert metrics.wa(TRUTH, PREDICTED) == 0.75
    assert metrics.ua(TRUTH, PREDICTED) == pytest.approx((2 / 3 + 1) / 2, abs=1e-12)
    assert metrics.macro_f1(TRUTH, PREDICTED) == pytest.approx((4 / 5 + 2 / 3) / 2, abs=1e-12)
    assert metrics.weighted_f1(TRUTH, PREDICTED) == pytest.approx((3 * 4 / 5 + 2 / 3) / 4, abs=1e-12)
    assert metrics.confusion(TRUTH, PREDICTED, 3).tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_metrics_equal_scikit_learn(seed: int):
    generator = np.random.default_rng(seed)
    truth, predicted = (
        generator.integers(0, 5, 40),
        generator.integers(0, 7, 40),
    )  # two classes never occur in the truth
    assert metrics.wa(truth, predicted) == pytest.approx(accuracy_score(truth, predicted), abs=1e-12)
    assert metrics.ua(truth, predicted) == pytest.approx(balanced_accuracy_score(truth, predicted), abs=1e-12)
    for average, metric in (("macro", metrics.macro_f1), ("weighted", metrics.weighted_f1)):
        expected = f1_score(truth, predicted, average=average)
        assert metric(truth, predicted) == pytest.approx(expected, abs=1e-12)
    expected = confusion_matrix(truth, predicted, labels=range(7))
    assert (metrics.confusion(truth, predicted, 7) == expected).all()


def test_metrics_of_many_counts_equal_those_of_the_rows_and_no_rows_have_none():
    generator = np.random.default_rng(0)
    truth, predicted = generator.integers(0, 3, (2, 6, 20))
    counts = np.stack([metrics.confusion(*pair, 4) for pair in zip(truth, predicted, strict=True)]).reshape(2, 3, 4, 4)
    for name, metric in metrics.CLASSIFICATION.items():
        expected = [metric(*pair) for pair in zip(truth, predicted, strict=True)]
        assert metrics.of_counts(name, counts).ravel() == pytest.approx(expected, abs=1e-12)
        assert np.isnan(metrics.of_counts(name, np.zeros((3, 3))))


def test_an_unknown_metric_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match="metric 'f2': expected one of wa, ua, weighted_f1, macro_f1"):
        metrics.of_counts("f2", np.eye(2))


def test_ece_of_three_rows_by_hand():
    # Two rows at 0.9, one right: |1/2 - 0.9| = 0.4; one right row at 0.6: |1 - 0.6| = 0.4 in its own bin.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    assert metrics.ece(np.array([0, 1, 1]), probabilities, bins=10) == pytest.approx(0.4)
    # In one bin of all: accuracy 2/3, confidence 0.8.
    assert metrics.ece(np.array([0, 1, 1]), probabilities, bins=1) == pytest.approx(0.8 - 2 / 3)


def test_bins_include_their_upper_edge_and_an_empty_one_has_no_accuracy():
    rows, confidence, accuracy = metrics.reliability_bins(np.array([0, 0]), np.array([[0.5, 0.5], [1.0, 0.0]]), bins=4)
    assert rows.tolist() == [0, 1, 0, 1]
    assert confidence[[1, 3]].tolist() == [0.5, 1.0]
    assert accuracy[[1, 3]].tolist() == [1.0, 1.0]
    assert np.isnan(accuracy[[0, 2]]).all()


def test_right_and_certain_has_no_calibration_error_and_no_rows_are_refused():
    assert metrics.ece(np.array([0, 1]), np.eye(2)) == 0.0
    with pytest.raises(ValueError, match=r"expected n > 0 labels and probabilities \[n, C\], got \(0,\), \(0, 2\)"):
        metrics.ece(np.zeros(0, int), np.zeros((0, 2)))


def test_ccc_is_the_correlation_scaled_by_bias_and_spread():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=50)
    predicted = 0.5 * truth + generator.normal(size=50) + 0.3
    rho, s_y, s_p = stats.pearsonr(truth, predicted).statistic, truth.std(), predicted.std()
    expected = 2 * rho * s_y * s_p / (s_y**2 + s_p**2 + (truth.mean() - predicted.mean()) ** 2)
    assert metrics.ccc(truth, predicted) == pytest.approx(expected, abs=1e-12)


def test_ccc_of_a_perfect_prediction_is_one_and_of_a_constant_prediction_zero():
    assert metrics.ccc(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 4.0])) == pytest.approx(1.0)
    assert metrics.ccc(np.array([1.0, 2.0]), np.array([3.0, 3.0])) == 0.0
    assert metrics.ccc(np.array([3.0, 3.0]), np.array([3.0, 3.0])) == 0.0


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="expected at least one label and as many predictions, got 0 and 0"):
        metrics.ua(np.array([], int), np.array([], int))

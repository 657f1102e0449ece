import numpy as np

from affectory.learning.rescaling import fit_rescaling, fit_window, smoothed

VIDEO = ["a", "a", "a", "b", "b", ""]


def test_rescaled_predictions_have_the_mean_and_deviation_of_the_labels():
    truth = np.array([[0.2, -1.0], [0.6, 1.0], [np.nan, 0.0]])
    predicted = np.array([[0.30, 0.1], [0.32, 0.2], [9.0, 0.3]])
    scale, shift = fit_rescaling(predicted, truth)
    changed = predicted * scale + shift
    np.testing.assert_allclose(changed[:2, 0], [0.2, 0.6])  # two known rows: a mean of 0.4, a deviation of 0.2
    np.testing.assert_allclose([changed[:, 1].mean(), changed[:, 1].std()], [0.0, np.std([-1.0, 1.0, 0.0])], atol=1e-12)


def test_constant_predictions_are_only_shifted():
    scale, shift = fit_rescaling(np.full((3, 1), 0.5), np.array([[0.0], [0.3], [0.6]]))
    assert (scale[0], shift[0]) == (1.0, 0.3 - 0.5)


def test_smoothing_means_over_neighbours_of_the_same_dialogue_alone():
    predicted = np.array([[3.0], [6.0], [0.0], [10.0], [20.0], [7.0]])
    found = smoothed(predicted, VIDEO, np.array([3]))
    np.testing.assert_allclose(found[:, 0], [4.5, 3.0, 3.0, 15.0, 15.0, 7.0])


def test_a_window_of_one_changes_nothing_and_each_dimension_has_its_own():
    predicted = np.random.default_rng(0).normal(size=(6, 2))
    found = smoothed(predicted, VIDEO, np.array([1, 3]))
    np.testing.assert_allclose(found[:, 0], predicted[:, 0])
    assert not np.allclose(found[:, 1], predicted[:, 1])


def test_the_window_is_chosen_by_the_ccc_it_gives():
    """A slow wave under noise is met best by smoothing; a fast one is not."""
    generator, dialogues = np.random.default_rng(0), ["v"] * 40
    slow = np.sin(np.arange(40) / 6)
    fast = np.tile([1.0, -1.0], 20)
    truth = np.stack([slow, fast], axis=1)
    predicted = truth + generator.normal(0, 0.8, truth.shape)
    windows = fit_window(predicted, truth, dialogues)
    assert windows[0] > 1 and windows[1] == 1

"""Umeyama's closed form against known similarities."""

import numpy as np
import pytest

from affectory.features.alignment import umeyama

TRIANGLE = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]])


def test_a_quarter_turn_doubled_and_shifted_is_found_again():
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    target = 2.0 * TRIANGLE @ quarter.T + [3.0, -1.0]
    scale, rotation, shift = umeyama(TRIANGLE[None], target)
    assert scale == pytest.approx([2.0])
    np.testing.assert_allclose(rotation[0], quarter, atol=1e-12)
    np.testing.assert_allclose(shift[0], [3.0, -1.0], atol=1e-12)
    np.testing.assert_allclose(scale[0] * TRIANGLE @ rotation[0].T + shift[0], target, atol=1e-12)


def test_each_of_many_sets_gets_its_own_answer():
    sources = np.stack([TRIANGLE, 4.0 * TRIANGLE + 7.0])
    scale, _, shift = umeyama(sources, TRIANGLE)
    np.testing.assert_allclose(scale, [1.0, 0.25])
    np.testing.assert_allclose(shift, [[0.0, 0.0], [-1.75, -1.75]], atol=1e-12)


def test_a_mirror_image_is_turned_but_never_mirrored():
    _, rotation, _ = umeyama((TRIANGLE * [-1.0, 1.0])[None], TRIANGLE)
    assert np.linalg.det(rotation[0]) == pytest.approx(1.0)


def test_the_papers_own_example():
    # Umeyama 1991, section IV: a mirrored triangle; R = [[.832, .555], [-.555, .832]], c = .721, t = [-.8, .4].
    source = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    target = np.array([[0.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    scale, rotation, shift = umeyama(source[None], target)
    np.testing.assert_allclose(rotation[0], [[0.832, 0.555], [-0.555, 0.832]], atol=1e-3)
    assert scale[0] == pytest.approx(0.721, abs=1e-3)
    np.testing.assert_allclose(shift[0], [-0.8, 0.4], atol=1e-3)

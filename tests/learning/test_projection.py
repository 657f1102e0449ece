"""Distances have their known values; the plane is the same for the same seed and keeps groups together."""

import math

import numpy as np
import pytest

from affectory.learning.projection import distances, project

GENERATOR = np.random.default_rng(0)
TRUE = GENERATOR.normal(size=(60, 8)) + 10 * np.eye(8)[np.arange(60) % 3]


def test_an_exact_imagination_has_no_distance():
    found = distances(TRUE, TRUE)
    assert found["relative_error"] == 0
    assert found["cosine"] == pytest.approx(1)
    assert found["energy"] == pytest.approx(0, abs=1e-3)


def test_imagining_the_mean_has_a_relative_error_of_one():
    found = distances(TRUE, np.broadcast_to(TRUE.mean(0), TRUE.shape))
    assert found["relative_error"] == pytest.approx(1)
    assert found["energy"] > 0.1  # a point is not the distribution


def test_the_numbers_of_two_rows_by_hand():
    found = distances(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert found["relative_error"] == pytest.approx(2 / 1)
    assert found["cosine"] == pytest.approx(1 / 2)
    # E|X-Y| = (0 + 0 + 2 sqrt 2) / 4, E|X-X'| = 2 sqrt 2 / 4, E|Y-Y'| = 0
    assert found["energy"] == pytest.approx(math.sqrt(1 / 2))


def test_two_points_apart_have_the_greatest_energy_and_shuffled_rows_have_none():
    apart = distances(np.zeros((5, 3)), np.ones((5, 3)))
    assert apart["energy"] == pytest.approx(1)
    assert math.isnan(apart["relative_error"])  # the true ones do not vary
    assert apart["cosine"] == 0
    shuffled = distances(TRUE, TRUE[GENERATOR.permutation(60)])
    assert shuffled["energy"] == pytest.approx(0, abs=1e-3)
    assert shuffled["relative_error"] > 0.5


@pytest.mark.slow
def test_the_same_seed_gives_the_same_plane():
    noisy = TRUE + GENERATOR.normal(0, 0.1, TRUE.shape)
    first, second = project(TRUE, noisy, seed=3), project(TRUE, noisy, seed=3)
    assert first.shape == (2, 60, 2)
    assert first.tobytes() == second.tobytes()


def test_an_imagined_point_lies_nearer_to_its_group_than_to_another():
    plane = project(TRUE, TRUE + GENERATOR.normal(0, 0.1, TRUE.shape), seed=0)
    groups = np.arange(60) % 3
    centres = np.stack([plane[0][groups == group].mean(0) for group in range(3)])
    nearest = np.linalg.norm(plane[1][:, None] - centres, axis=-1).argmin(1)
    assert (nearest == groups).all()


@pytest.mark.parametrize("rows", [2, 3, 11])
def test_few_rows_are_laid_out_too(rows):
    assert np.isfinite(project(TRUE[:rows], TRUE[:rows] + 1, seed=0)).all()


def test_points_in_one_place_stay_there():
    assert not project(np.ones((5, 3)), np.ones((5, 3)), seed=0).any()


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match=r"of one shape \[n, D\], got \(60, 8\) and \(59, 8\)"):
        distances(TRUE, TRUE[1:])
    with pytest.raises(ValueError, match="at least 2 rows of 2 dimensions"):
        project(TRUE[:1], TRUE[:1], seed=0)
    with pytest.raises(ValueError, match="expected finite representations"):
        distances(TRUE * np.nan, TRUE)

"""What a face does does not depend on where it is, how large it is, or which way the head is turned."""

import numpy as np
import pytest

from affectory.features.face_geometry import CANONICAL, COLUMNS, MEASURES, POINTS, RIGID, describe_faces

NAMES = list(COLUMNS)


def face(**moved: tuple[float, float, float]) -> np.ndarray:
    """A mesh whose five rigid points are the canonical ones; p13=(x, y, z) puts point 13 somewhere (centimetres)."""
    mesh = np.random.default_rng(0).normal(size=(1, POINTS, 3))
    mesh[0, list(RIGID)] = CANONICAL
    for name, place in moved.items():
        mesh[0, int(name[1:])] = place
    return mesh


def value(mesh: np.ndarray, column: str) -> float:
    return float(describe_faces(mesh)[0, NAMES.index(column)])


def turned(yaw: float) -> np.ndarray:
    return np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])


def test_every_column_is_documented_and_counted():
    assert len(NAMES) == len(set(NAMES)) == 115 and describe_faces(face()).shape == (1, 115)
    assert all(COLUMNS.values()) and not any(name.upper().startswith("AU") for name in NAMES)
    assert NAMES[: len(MEASURES)] == list(MEASURES)


def test_lengths_are_in_distances_between_the_outer_eye_corners():
    eyes = 2 * 4.445859
    open_mouth = face(p13=(0, -4, 5), p14=(0, -4 - eyes / 4, 5), p61=(-eyes / 8, -4, 4), p291=(eyes / 8, -4, 4))
    assert value(open_mouth, "geom_mouth_open") == pytest.approx(0.25)
    assert value(open_mouth, "geom_mouth_width") == pytest.approx(0.25)


def test_a_smile_lifts_the_corners_above_the_middle_of_the_lips():
    lips = {"p0": (0, -4, 5), "p17": (0, -6, 5)}
    smile = face(**lips, p61=(-2, -4.5, 4), p291=(2, -4.5, 4))
    frown = face(**lips, p61=(-2, -5.5, 4), p291=(2, -5.5, 4))
    assert value(smile, "geom_corner_lift") == pytest.approx(0.5 / (2 * 4.445859))
    assert value(frown, "geom_corner_lift") == pytest.approx(-0.5 / (2 * 4.445859))


def test_size_place_and_turn_of_the_head_leave_the_expression_alone():
    mesh = face()
    moved = 37.0 * mesh @ turned(0.4).T + [640.0, -360.0, 12.0]
    still, other = describe_faces(mesh)[0], describe_faces(moved)[0]
    np.testing.assert_allclose(other[3:], still[3:], atol=1e-5)
    np.testing.assert_allclose(other[:3], [0.0, 0.4, 0.0], atol=1e-6)


def test_pose_has_a_sign_for_each_axis():
    nod = np.array([[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]])
    tilt = np.array([[np.cos(0.1), -np.sin(0.1), 0], [np.sin(0.1), np.cos(0.1), 0], [0, 0, 1]])
    assert value(face() @ nod.T, "pose_pitch") == pytest.approx(0.2)
    assert value(face() @ tilt.T, "pose_roll") == pytest.approx(0.1)

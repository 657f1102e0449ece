"""What a face does, read from the 478 points of a face mesh: head pose, measures of expression, aligned points.

Shapes: T frames. Axes: x to the right of the image, y up, z towards the camera. Every length is in units of the
distance between the outer eye corners, measured on the face turned to the front, so that neither the size of the
face in the picture nor the head's pose is left in it. `left` and `right` are the speaker's own.

The measures are geometry, not action units: the mouth and eye ones follow OpenFace's AU25, AU12 and AU45, the brow
ones do not, so none bears an AU's name.
"""

from __future__ import annotations

import numpy as np

from affectory.features.alignment import umeyama

POINTS = 478

# Five points that expression hardly moves, and where they lie on MediaPipe's canonical face (centimetres; Apache-2.0).
RIGID = (33, 133, 362, 263, 1)  # right eye outer and inner corner, left eye inner and outer corner, tip of the nose
CANONICAL = np.array(
    [
        [-4.445859, 2.663991, 3.173422],
        [-1.856432, 2.585245, 3.757904],
        [1.856432, 2.585245, 3.757904],
        [4.445859, 2.663991, 3.173422],
        [0.0, -1.126865, 7.475604],
    ]
)
RIGHT_OUTER, RIGHT_INNER, LEFT_INNER, LEFT_OUTER, NOSE_TIP = RIGID
RIGHT_IRIS, LEFT_IRIS = 468, 473
LIP_TOP, LIP_BOTTOM, MOUTH_TOP, MOUTH_BOTTOM = 0, 17, 13, 14  # outer edge of both lips, then their inner edge
RIGHT_MOUTH, LEFT_MOUTH = 61, 291
NOSE_BASE, RIGHT_WING, LEFT_WING, CHIN = 2, 129, 358, 152
RIGHT_BROW = {"inner": (55, 107), "middle": (52, 105), "outer": (46, 70)}  # lower and upper edge
LEFT_BROW = {"inner": (285, 336), "middle": (282, 334), "outer": (276, 300)}
RIGHT_CHEEK, LEFT_CHEEK = 50, 280
RIGHT_LOWER_LID, LEFT_LOWER_LID = 145, 374

# The points whose places are columns too: brows, eyes, nose, lips, chin.
PLACES: tuple[int, ...] = (
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    1, 2, 98, 327,
    61, 39, 0, 269, 291, 405, 17, 181, 78, 81, 13, 311, 308, 402, 14, 178,
    152,
)  # fmt: skip

MEASURES: dict[str, str] = {
    "pose_pitch": "head's turn about x in radians; above 0 it looks down",
    "pose_yaw": "head's turn about y in radians; above 0 it looks to the right of the image",
    "pose_roll": "head's turn about z in radians; above 0 it tilts counter-clockwise in the image",
    "geom_mouth_open": "gap between the inner edges of the lips",
    "geom_mouth_width": "distance between the corners of the mouth (smile width)",
    "geom_corner_lift": "height of the mouth's corners above the middle of the lips (a smile is above, a frown below)",
    "geom_corner_skew": "left corner's height less the right one's",
    "geom_corner_depth": "how far the corners lie behind the middle of the lips",
    "geom_lip_upper": "thickness of the upper lip",
    "geom_lip_lower": "thickness of the lower lip",
    "geom_lip_raise": "distance from the nose's base to the upper lip's edge",
    "geom_chin_raise": "distance from the lower lip's edge to the chin",
    "geom_jaw_drop": "distance from the nose's base to the chin",
    "geom_nose_wrinkle": "distance from the inner eye corners to the wings of the nose",
    "geom_nose_width": "distance between the wings of the nose",
    "geom_eye_right": "opening of the right eye over its width",
    "geom_eye_left": "opening of the left eye over its width",
    "geom_cheek_right": "distance from the right lower lid to the cheek",
    "geom_cheek_left": "distance from the left lower lid to the cheek",
    "geom_brow_inner_right": "height of the right brow's inner end above the eye corners",
    "geom_brow_inner_left": "height of the left brow's inner end above the eye corners",
    "geom_brow_middle_right": "height of the right brow's middle above the eye corners",
    "geom_brow_middle_left": "height of the left brow's middle above the eye corners",
    "geom_brow_outer_right": "height of the right brow's outer end above the eye corners",
    "geom_brow_outer_left": "height of the left brow's outer end above the eye corners",
    "geom_brow_slope": "inner less outer height of the brows (grief raises it, anger lowers it)",
    "geom_brow_gap": "distance between the brows' inner ends",
    "geom_gaze_x": "irises' shift from the middle of the eyes, to the right of the image, over the eyes' width",
    "geom_gaze_y": "irises' shift from the middle of the eyes, upwards, over the eyes' width",
}

COLUMNS: dict[str, str] = MEASURES | {
    f"{axis}_{point}": f"mesh point {point}, {axis} from the middle of the eye corners"
    for point in PLACES
    for axis in ("x", "y")
}


def describe_faces(mesh: np.ndarray) -> np.ndarray:
    """Mesh points [T, 478, 3] in pixels, with the axes above -> float32 [T, len(COLUMNS)]."""
    face, head = turn_to_front(mesh)
    values = np.column_stack([*_pose(head), *_measures(face)])
    places = face[:, PLACES, :2].reshape(len(face), -1)
    return np.concatenate([values, places], axis=1).astype(np.float32)


def turn_to_front(mesh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces [T, 478, 3] without pose and size, centred between the eye corners, and the heads' rotations [T, 3, 3]."""
    _, rotation, _ = umeyama(mesh[:, RIGID], CANONICAL)
    face = np.einsum("tij,tpj->tpi", rotation, mesh)
    face = face - face[:, RIGID[:4]].mean(axis=1, keepdims=True)
    face = face / _distance(face, RIGHT_OUTER, LEFT_OUTER)[:, None, None]
    return face, rotation.transpose(0, 2, 1)


def _pose(head: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pitch, yaw, roll [T] of rotations that turn about x first, then y, then z."""
    pitch = np.arctan2(head[:, 2, 1], head[:, 2, 2])
    yaw = np.arcsin(np.clip(-head[:, 2, 0], -1.0, 1.0))
    return pitch, yaw, np.arctan2(head[:, 1, 0], head[:, 0, 0])


def _measures(face: np.ndarray) -> list[np.ndarray]:
    """The `geom_*` columns [T] in the order of MEASURES."""
    lips = face[:, [LIP_TOP, LIP_BOTTOM]].mean(axis=1)  # [T, 3]
    right, left = face[:, RIGHT_MOUTH], face[:, LEFT_MOUTH]
    corners = (right + left) / 2
    brows = [_height(face, brow[part]) for part in ("inner", "middle", "outer") for brow in (RIGHT_BROW, LEFT_BROW)]
    gaze = _gaze(face)
    return [
        _distance(face, MOUTH_TOP, MOUTH_BOTTOM),
        _distance(face, RIGHT_MOUTH, LEFT_MOUTH),
        corners[:, 1] - lips[:, 1],
        left[:, 1] - right[:, 1],
        lips[:, 2] - corners[:, 2],
        _distance(face, LIP_TOP, MOUTH_TOP),
        _distance(face, MOUTH_BOTTOM, LIP_BOTTOM),
        _distance(face, NOSE_BASE, LIP_TOP),
        _distance(face, LIP_BOTTOM, CHIN),
        _distance(face, NOSE_BASE, CHIN),
        (_distance(face, RIGHT_INNER, RIGHT_WING) + _distance(face, LEFT_INNER, LEFT_WING)) / 2,
        _distance(face, RIGHT_WING, LEFT_WING),
        (_distance(face, 160, 144) + _distance(face, 158, 153)) / (2 * _distance(face, RIGHT_OUTER, RIGHT_INNER)),
        (_distance(face, 385, 380) + _distance(face, 387, 373)) / (2 * _distance(face, LEFT_OUTER, LEFT_INNER)),
        _distance(face, RIGHT_LOWER_LID, RIGHT_CHEEK),
        _distance(face, LEFT_LOWER_LID, LEFT_CHEEK),
        *brows,
        (brows[0] + brows[1] - brows[4] - brows[5]) / 2,
        _distance(face, RIGHT_BROW["inner"][0], LEFT_BROW["inner"][0]),
        gaze[:, 0],
        gaze[:, 1],
    ]


def _distance(face: np.ndarray, first: int, second: int) -> np.ndarray:
    return np.linalg.norm(face[:, first] - face[:, second], axis=1)


def _height(face: np.ndarray, points: tuple[int, int]) -> np.ndarray:
    """Above the eye corners, whose mean is the origin."""
    return face[:, points, 1].mean(axis=1)


def _gaze(face: np.ndarray) -> np.ndarray:
    """Both irises' shift [T, 2] from the middle of their eye's corners, over the eyes' width, averaged."""
    shifts = []
    for iris, outer, inner in ((RIGHT_IRIS, RIGHT_OUTER, RIGHT_INNER), (LEFT_IRIS, LEFT_OUTER, LEFT_INNER)):
        middle = (face[:, outer] + face[:, inner]) / 2
        shifts.append((face[:, iris] - middle)[:, :2] / _distance(face, outer, inner)[:, None])
    return (shifts[0] + shifts[1]) / 2

"""`faces`: up to 16 pictures of the speaker's face an utterance, aligned, 112 by 112 pixels in colour.

An utterance is divided into 16 equal bins. A bin's picture is the frame with a face that is nearest to its centre and
no farther from it than half a bin, or than a step of the sampling where bins are shorter: short utterances repeat
pictures. A bin without a face is no row: what is absent is missing, and the rows' order is that of time.

The face is turned, scaled and shifted so that eyes, tip of the nose and corners of the mouth lie nearest to FIVE, which
puts the eyes where OpenFace's and most face networks' crops have them. What lies beyond the picture is black.

A row's values are whole numbers 0..255, `pictures` gives them as images. An utterance takes 0.6 MB where numbers are
stored compressed, 2.4 MB in memory: meant for networks that turn pictures into features once.

Source of FIVE: the 112 by 112 crops of J. Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face
Recognition", CVPR 2019; the closed form of the alignment is in alignment.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from affectory.features.alignment import umeyama
from affectory.features.face_geometry import (
    LEFT_INNER,
    LEFT_MOUTH,
    LEFT_OUTER,
    NOSE_TIP,
    RIGHT_INNER,
    RIGHT_MOUTH,
    RIGHT_OUTER,
)
from affectory.features.face_tracking import LEAST_COVERAGE, RATE_HZ, rows_from_faces
from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.vocabulary import Modality

Picture = TypeVar("Picture")

BINS = 16
SIZE = 112  # pixels, both ways
# Right eye (left in the picture), left eye, tip of the nose, right and left corner of the mouth, in pixels.
FIVE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


@dataclass(frozen=True)
class Faces:
    """One row a bin with a face: the picture's 112 rows of 112 pixels of red, green and blue."""

    name: str = "faces"
    means: str = "pictures of the aligned face, 16 an utterance"
    modality: Modality = Modality.VISUAL
    width: int = SIZE * SIZE * 3
    rate_hz: float | None = None  # 16 an utterance, however long

    @property
    def version(self) -> str:
        return f"1, {installed('mediapipe')}"

    @property
    def options(self) -> Mapping[str, object]:
        return {"bins": BINS, "size": SIZE, "rate_hz": RATE_HZ, "least_coverage": LEAST_COVERAGE}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_faces(segments, self.width, lambda segment: _Crops(segment.start_s, _end_s(segment)))


def pictures(frames: np.ndarray) -> np.ndarray:
    """Rows [T, width] as they are stored -> uint8 [T, 112, 112, 3], RGB."""
    return frames.astype(np.uint8).reshape(-1, SIZE, SIZE, 3)


def as_frames(rgb: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures uint8 [112, 112, 3], T of them -> rows float32 [T, width]; undone by `pictures`."""
    return np.stack([picture.ravel() for picture in rgb]).astype(np.float32)


def crop_face(rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
    """The face in a picture uint8 [H, W, 3] -> uint8 [112, 112, 3]; points [5, 2] in pixels (x right, y down)."""
    import cv2

    scale, rotation, shift = (part[0] for part in umeyama(points[None], FIVE))
    if (factor := int(1 / scale)) > 1:  # averaged first: sampling every third pixel would make noise of hair and skin
        height, width = rgb.shape[0] // factor, rgb.shape[1] // factor
        rgb = cv2.resize(rgb[: height * factor, : width * factor], (width, height), interpolation=cv2.INTER_AREA)
        shift = shift + scale * rotation @ np.full(2, (factor - 1) / 2)  # a small pixel's middle lies amid large ones
        scale = scale * factor
    return cv2.warpAffine(rgb, np.column_stack([scale * rotation, shift]), (SIZE, SIZE))


def five_points(mesh: np.ndarray) -> np.ndarray:
    """The points [5, 2] (x right, y down) of a mesh [478, 3] whose y goes up, in the order of FIVE.

    An eye is the middle of its corners, which do not move with the gaze.
    """
    right_eye, left_eye = mesh[[RIGHT_OUTER, RIGHT_INNER]].mean(axis=0), mesh[[LEFT_OUTER, LEFT_INNER]].mean(axis=0)
    five = np.stack([right_eye, left_eye, mesh[NOSE_TIP], mesh[RIGHT_MOUTH], mesh[LEFT_MOUTH]])
    return five[:, :2] * [1.0, -1.0]


class Bins(Generic[Picture]):
    """The bins of an utterance and what each shows: of all that was offered, what is nearest to its centre in time."""

    def __init__(self, start_s: float, end_s: float) -> None:
        step_s = (end_s - start_s) / BINS
        self.centres_s = start_s + (np.arange(BINS) + 0.5) * step_s
        self.nearest_s = np.full(BINS, max(step_s / 2, 1 / RATE_HZ) + 1e-6)  # what comes nearer than that is taken
        self.nearest: dict[int, Picture] = {}

    def offer(self, time_s: float, make: Callable[[], Picture]) -> None:
        """What `make` gives goes to the bins that it is the nearest of; it is not made where there are none."""
        away_s = np.abs(self.centres_s - time_s)
        nearer = away_s < self.nearest_s
        if nearer.any():
            self.nearest |= dict.fromkeys(np.flatnonzero(nearer).tolist(), make())
            self.nearest_s[nearer] = away_s[nearer]

    def in_order(self) -> list[Picture]:
        """What the bins show, in order of time; at most 16, for a bin without a face shows nothing."""
        return [self.nearest[number] for number in sorted(self.nearest)]


class _Crops:
    """The pictures of an utterance's bins, cropped as the faces come in."""

    def __init__(self, start_s: float, end_s: float) -> None:
        self.bins = Bins[np.ndarray](start_s, end_s)

    def keep(self, time_s: float, rgb: np.ndarray, mesh: np.ndarray) -> None:
        self.bins.offer(time_s, lambda: crop_face(rgb, five_points(mesh)))

    def frames(self) -> np.ndarray:
        return as_frames(self.bins.in_order())


def _end_s(segment: Segment) -> float:
    """The utterance's end, that of the file where it has none of its own."""
    from affectory.media import open_media

    if segment.end_s is not None:
        return segment.end_s
    assert segment.media is not None
    with open_media(segment.media) as container:
        return max((container.duration or 0) / 1e6, segment.start_s + 1 / RATE_HZ)

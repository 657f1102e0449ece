"""Faces followed through utterances: one pass over a film, one tracker an utterance.

One face a frame: the one that the detector is surest of when an utterance begins or the face was lost, then the one
that is tracked. The tracker forgets at the start of each utterance, so that an utterance gives the same frames alone,
in a group, in any order and in any worker.

Source of the mesh: Kartynnik et al., 'Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs', 2019, and
Grishchenko et al., 'Attention Mesh', 2020.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from affectory.features.face_geometry import POINTS
from affectory.features.feature_set import (
    LEAST_DECODED,
    REMEDY,
    FeatureRow,
    FeatureSetError,
    Segment,
    decoded_share,
    missing_row,
)

if TYPE_CHECKING:
    from mediapipe.python.solutions.face_mesh import FaceMesh as Engine

RATE_HZ = 10.0
# A face in fewer of the sampled frames is a passer-by or a false alarm, not the speaker.
LEAST_COVERAGE = 0.2


class Keeper(Protocol):
    """What a feature set keeps of an utterance's faces."""

    def keep(self, time_s: float, rgb: np.ndarray, mesh: np.ndarray) -> None:
        """A face: its points [478, 3] in pixels of the picture rgb [H, W, 3] (x right, y up, z to the camera)."""
        ...

    def frames(self) -> np.ndarray:
        """float32 [T, D]; asked for once a face was kept."""
        ...


def rows_from_faces(
    segments: Sequence[Segment], width: int, new_keeper: Callable[[Segment], Keeper]
) -> Iterator[FeatureRow]:
    """One row a segment of one media file, looked at ten times a second.

    Missing, with its reason, is what has no film, no face, or a face in too few frames. Raises MediaError where the
    file cannot be decoded, FeatureSetError without the engine.
    """
    filmed = []
    for segment in segments:
        if segment.media is None:
            yield missing_row(segment.utterance_id, width, "no_media", "the utterance names no media file")
        elif not segment.has_video:
            yield missing_row(segment.utterance_id, width, "no_video_track", f"{segment.media.name} has no video track")
        else:
            filmed.append(segment)
    yield from _rows(filmed, width, new_keeper)


@dataclass
class _Watch:
    """One utterance while its frames come in."""

    segment: Segment
    tracker: _Tracker
    keeper: Keeper
    sampled: int = 0
    faces: int = 0

    def look(self, time_s: float, rgb: np.ndarray) -> None:
        self.sampled += 1
        if (mesh := self.tracker.find(rgb)) is not None:
            self.faces += 1
            self.keeper.keep(time_s, rgb, mesh)

    def is_over(self, time_s: float) -> bool:
        return self.segment.end_s is not None and self.segment.end_s <= time_s

    def row(self, width: int) -> FeatureRow:
        utterance_id, coverage = self.segment.utterance_id, self.faces / self.sampled
        count = f"{self.faces} faces in {self.sampled} frames"
        # One step of grace: the last sampling point lies up to a step before the end.
        if (share := decoded_share(self.segment, (self.sampled + 1) / RATE_HZ)) < LEAST_DECODED:
            detail = f"the pictures end after {share:.0%} of the utterance; copy the file again or correct its times"
            return missing_row(utterance_id, width, "pictures_cut_short", detail, refused=True)
        if not self.faces:
            return missing_row(utterance_id, width, "no_face", count)
        if coverage < LEAST_COVERAGE:
            detail = f"{count}; at least {LEAST_COVERAGE:.0%} are needed"
            return missing_row(utterance_id, width, "too_few_faces", detail, coverage)
        return FeatureRow(utterance_id, self.keeper.frames(), coverage=coverage)


def _rows(segments: Sequence[Segment], width: int, new_keeper: Callable[[Segment], Keeper]) -> Iterator[FeatureRow]:
    """One pass over the file; an utterance's row comes when another's first frame lies beyond its end."""
    from affectory.media import read_frame_spans

    if not segments:
        return
    path = segments[0].media
    assert path is not None
    ordered = sorted(segments, key=lambda segment: segment.start_s)
    open_now: dict[int, _Watch] = {}
    started: set[int] = set()
    idle = _idle_trackers()
    for index, time_s, rgb in read_frame_spans(path, [(s.start_s, s.end_s) for s in ordered], RATE_HZ):
        if index not in started:
            for ended in [number for number, watch in open_now.items() if watch.is_over(time_s)]:
                watch = open_now.pop(ended)
                idle.append(watch.tracker)
                yield watch.row(width)
            tracker = idle.pop() if idle else _Tracker()
            tracker.forget()
            open_now[index] = _Watch(ordered[index], tracker, new_keeper(ordered[index]))
            started.add(index)
        open_now[index].look(time_s, rgb)
    for watch in open_now.values():
        idle.append(watch.tracker)
        yield watch.row(width)
    for segment in (segment for index, segment in enumerate(ordered) if index not in started):
        detail = "the video track has no frame within the utterance; copy the file again or correct its times"
        yield missing_row(segment.utterance_id, width, "no_frames", detail, refused=True)


class _Tracker:
    """A face mesh engine that follows one face through one utterance."""

    _BLANK = np.zeros((64, 64, 3), np.uint8)

    def __init__(self) -> None:
        self._engine: Engine | None = None

    def forget(self) -> None:
        """Lose the tracked face by showing a blank picture: 2 ms, where a reset of the graph costs 20."""
        if self._engine is not None:
            with _quiet():
                result = self._engine.process(self._BLANK)
                if result.multi_face_landmarks:  # pyright: ignore[reportAttributeAccessIssue]
                    self._engine.reset()

    def find(self, rgb: np.ndarray) -> np.ndarray | None:
        """The face's points [478, 3] in pixels (x right, y up, z to the camera), or None."""
        with _quiet():
            if self._engine is None:
                self._engine = _engine_class()(max_num_faces=1, refine_landmarks=True)
            faces = self._engine.process(rgb).multi_face_landmarks  # pyright: ignore[reportAttributeAccessIssue]
        if not faces:
            return None
        height, width = rgb.shape[:2]
        values = (value for point in faces[0].landmark for value in (point.x, point.y, point.z))
        points = np.fromiter(values, np.float64, POINTS * 3).reshape(POINTS, 3)
        return points * [width, -height, -width]  # z is in units of the picture's width


@cache
def _idle_trackers() -> list[_Tracker]:
    """This process's trackers that no utterance uses: starting one costs as much as ten frames."""
    return []


@cache
def _engine_class() -> type[Engine]:
    try:
        import cv2

        with _without_pyplot():
            from mediapipe.python.solutions.face_mesh import FaceMesh as Engine
    except ImportError as error:
        raise FeatureSetError(f"mediapipe cannot be loaded ({error}): {REMEDY}") from error
    cv2.setNumThreads(1)
    return Engine


@contextmanager
def _without_pyplot() -> Iterator[None]:
    """Keep mediapipe from importing pyplot, two thirds of its import's cost, for plots that we never make."""
    if "matplotlib" in sys.modules:
        yield
        return
    stand_ins = {name: ModuleType(name) for name in ("matplotlib", "matplotlib.pyplot")}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name in stand_ins:
            del sys.modules[name]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the C++ engine writes to descriptor 2 (a warning for each model it opens) out of the log."""
    stderr = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)

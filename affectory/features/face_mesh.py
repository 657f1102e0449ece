"""`face_mesh`: expression and head pose from MediaPipe's face mesh, ten frames a second; the default visual set.

The faces are found and followed in face_tracking.py, the columns are in face_geometry.py. A frame without a face is no
row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from affectory.features.face_geometry import COLUMNS, describe_faces
from affectory.features.face_tracking import LEAST_COVERAGE, RATE_HZ, rows_from_faces
from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.vocabulary import Modality


@dataclass(frozen=True)
class FaceMesh:
    """One row a sampled frame with a face: head pose, `geom_*` measures and aligned points (COLUMNS)."""

    name: str = "face_mesh"
    means: str = "head pose, `geom_*` measures and aligned landmarks of MediaPipe's face mesh"
    modality: Modality = Modality.VISUAL
    width: int = len(COLUMNS)
    rate_hz: float | None = RATE_HZ

    @property
    def version(self) -> str:
        return f"1, {installed('mediapipe')}"

    @property
    def options(self) -> Mapping[str, object]:
        return {"rate_hz": RATE_HZ, "least_coverage": LEAST_COVERAGE}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_faces(segments, self.width, lambda _: _Meshes())


@dataclass
class _Meshes:
    """All meshes of an utterance."""

    meshes: list[np.ndarray] = field(default_factory=list)

    def keep(self, time_s: float, rgb: np.ndarray, mesh: np.ndarray) -> None:
        self.meshes.append(mesh)

    def frames(self) -> np.ndarray:
        return describe_faces(np.stack(self.meshes))

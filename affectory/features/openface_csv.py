"""`openface`: action units, head rotation and gaze from the CSV that OpenFace wrote for a media file.

Source: Baltrusaitis et al., 'OpenFace 2.0: Facial Behavior Analysis Toolkit', FG 2018; its licence is non-commercial,
so it is never part of Affectory. The file is `<corpus>/openface/<media stem>.csv`, one row a video frame. Frames where
OpenFace lost the face carry stale numbers that look like data: rows count only with success 1 and enough confidence.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from affectory.features.feature_set import FeatureRow, Segment, media_source, missing_row
from affectory.vocabulary import Modality

LEAST_CONFIDENCE = 0.8
LEAST_COVERAGE = 0.2  # as for face_mesh
INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)  # 0..5
PRESENCES = (*INTENSITIES[:-1], 28, 45)  # 0 or 1; unit 28 has no intensity
COLUMNS: tuple[str, ...] = (
    *(f"AU{unit:02d}_r" for unit in INTENSITIES),
    *(f"AU{unit:02d}_c" for unit in PRESENCES),
    *("pose_Rx", "pose_Ry", "pose_Rz"),  # radians
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),  # unit vectors, left eye in the image first
)
_GATES = ("timestamp", "confidence", "success")


class OpenfaceCsvError(ValueError):
    """A CSV that OpenFace did not write, or not to its end."""


@dataclass(frozen=True)
class OpenfaceCsv:
    """44 values a usable video frame: 17 intensities, 18 presences, head rotation, gaze (COLUMNS).

    The CSVs lie in `openface/` in the corpus folder, or else in `folder`, where our own runs of OpenFace leave them.
    """

    with_crops: ClassVar[bool] = False  # whether a run of OpenFace is to write crops beside the table
    folder: Path | None = None
    name: str = "openface"
    means: str = "action units, head rotation and gaze, of existing CSVs or your own `FeatureExtraction`"
    modality: Modality = Modality.VISUAL
    width: int = len(COLUMNS)
    rate_hz: float | None = None  # the video's own

    @property
    def version(self) -> str:
        return "1"

    @property
    def options(self) -> Mapping[str, object]:
        return {"least_confidence": LEAST_CONFIDENCE, "least_coverage": LEAST_COVERAGE}

    def source(self, segment: Segment) -> tuple[object, ...]:
        path = self.csv_of(segment)
        return (*media_source(segment), _sha256(path, *_stamp(path)) if path else None)

    def needs_a_run(self, segment: Segment) -> bool:
        """Whether OpenFace has to be run on the segment's media file before there is anything to read."""
        return self.csv_of(segment) is None

    def csv_of(self, segment: Segment) -> Path | None:
        """The CSV of the segment's media file, if there is one.

        Of media/b/x.mp4 it is openface/b/x.csv where there is a folder openface/b, else openface/x.csv.
        """
        if segment.media is None:
            return None
        root, name = segment.corpus_folder, inner_name(segment)
        folders = [folder for folder in (root and root / "openface", self.folder) if folder]
        inner = [folder / name if (folder / name).parent.is_dir() else folder / name.name for folder in folders]
        return next((path for path in inner if path.is_file()), None)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        for segment in segments:
            yield self._row(segment)

    def _row(self, segment: Segment) -> FeatureRow:
        path = self.csv_of(segment)
        if path is None:
            name = segment.media.stem if segment.media else "?"
            return missing_row(segment.utterance_id, self.width, "no_openface_csv", f"there is no openface/{name}.csv")
        try:
            gates, values = read_openface_csv(path)
        except OpenfaceCsvError as error:
            return missing_row(segment.utterance_id, self.width, "bad_openface_csv", str(error), refused=True)
        timestamp, confidence, success = gates.T
        end_s = np.inf if segment.end_s is None else segment.end_s
        within = (timestamp >= segment.start_s) & (timestamp < end_s)
        usable = within & (success == 1) & (confidence >= LEAST_CONFIDENCE)
        return _row(segment.utterance_id, values[usable], int(within.sum()), path.name)


def inner_name(segment: Segment) -> Path:
    """Where the CSV of media/b/x.mp4 belongs in a folder of CSVs: b/x.csv."""
    path = Path(segment.media_in_corpus or "")
    return (path.relative_to("media") if path.parts[:1] == ("media",) else Path(path.name)).with_suffix(".csv")


def _row(utterance_id: str, frames: np.ndarray, n_rows: int, name: str) -> FeatureRow:
    width = len(COLUMNS)
    if not n_rows:
        return missing_row(utterance_id, width, "no_frames", f"{name} has no row within the utterance")
    count = f"{len(frames)} faces in {n_rows} frames"
    coverage = len(frames) / n_rows
    if not len(frames):
        return missing_row(utterance_id, width, "no_face", count)
    if coverage < LEAST_COVERAGE:
        return missing_row(
            utterance_id, width, "too_few_faces", f"{count}; at least {LEAST_COVERAGE:.0%} are needed", coverage
        )
    if not np.isfinite(frames).all():
        detail = f"{name} has NaN or infinity in frames that it calls successful"
        return missing_row(utterance_id, width, "non_finite_features", detail, refused=True)
    return FeatureRow(utterance_id, frames.astype(np.float32), coverage=coverage)


def read_openface_csv(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(timestamp, confidence, success) [F, 3] and COLUMNS [F, 44] of every row, the failed ones included.

    Where several faces were tracked (a `face_id` column), the one with the most successful rows. Raises
    OpenfaceCsvError naming the file and what is wrong with it.
    """
    return _read(path, *_stamp(path))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _read(path: Path, _mtime_ns: int, _size: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            header = [name.strip() for name in next(csv.reader(file), [])]
            columns = [*_GATES, *COLUMNS, *(["face_id"] if "face_id" in header else [])]
            if absent := [name for name in columns if name not in header]:
                raise OpenfaceCsvError(
                    f"{path.name} lacks {len(absent)} columns of OpenFace ({', '.join(absent[:3])}...); "
                    "write it with FeatureExtraction -pose -gaze -aus"
                )
            positions = [header.index(name) for name in columns]
            table = np.loadtxt(file, delimiter=",", usecols=positions, ndmin=2)
    except (ValueError, UnicodeDecodeError) as error:
        if isinstance(error, OpenfaceCsvError):
            raise
        raise OpenfaceCsvError(f"{path.name} is not a complete OpenFace CSV ({error}); write it again") from error
    if "face_id" in columns and len(table):
        success, face = table[:, 2], table[:, -1]
        faces = np.unique(face)
        table = table[face == max(faces, key=lambda number: success[face == number].sum())]
    return table[:, : len(_GATES)], table[:, len(_GATES) : len(_GATES) + len(COLUMNS)]


@lru_cache(maxsize=1024)
def _sha256(path: Path, _mtime_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

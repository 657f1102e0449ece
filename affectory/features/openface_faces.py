"""`openface_faces`: the pictures of `faces`, of the aligned crops that OpenFace wrote for a media file.

    <corpus>/openface/<media stem>.csv                                  frame, timestamp, confidence, success, (face_id)
    <corpus>/openface/<media stem>_aligned/frame_det_00_000001.png      or .bmp: number of the face, frame of the table

as `FeatureExtraction -f <media> -of <media stem> -simalign -format_aligned png` writes them. It writes crops of frames
where the face was lost, too: as for `openface`, a frame counts with success 1 and enough confidence. The 16 bins are
those of `faces`, a crop of another size than 112 by 112 is resized to it.

Source: Baltrusaitis et al., 'OpenFace 2.0: Facial Behavior Analysis Toolkit', FG 2018.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from affectory.features.faces import BINS, SIZE, Bins, as_frames
from affectory.features.feature_set import FeatureRow, Segment, missing_row
from affectory.features.openface_csv import LEAST_CONFIDENCE, LEAST_COVERAGE, OpenfaceCsv, OpenfaceCsvError
from affectory.vocabulary import Modality

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("frame", "timestamp", "confidence", "success")
FORMATS = ("png", "bmp")
MOST_PIXELS = 4096  # of a picture, each way
MOST_BYTES = 4 * MOST_PIXELS**2


class OpenfacePictureError(ValueError):
    """A crop that is no whole picture, or none of a face."""


@dataclass(frozen=True)
class OpenfaceFaces:
    """One row a bin with a face, as `faces` has them; only what OpenFace left is read, no film.

    Beside the corpus, or else in `folder`, as of OpenfaceCsv.
    """

    with_crops: ClassVar[bool] = True
    folder: Path | None = None
    name: str = "openface_faces"
    means: str = "the same pictures as `faces`, cropped by OpenFace"
    modality: Modality = Modality.VISUAL
    width: int = SIZE * SIZE * 3
    rate_hz: float | None = None  # 16 an utterance, however long

    @property
    def version(self) -> str:
        return "1"

    @property
    def options(self) -> Mapping[str, object]:
        return {"bins": BINS, "size": SIZE, "least_confidence": LEAST_CONFIDENCE, "least_coverage": LEAST_COVERAGE}

    @property
    def tables(self) -> OpenfaceCsv:
        return OpenfaceCsv(self.folder)

    def needs_a_run(self, segment: Segment) -> bool:
        """As of OpenfaceCsv, and where a run of our own made the table alone; the corpus's own tables are left so."""
        csv = self.tables.csv_of(segment)
        return csv is None or (self.folder in csv.parents and not crops_of(csv).is_dir())

    def source(self, segment: Segment) -> tuple[object, ...]:
        """The content of the pictures that are taken: the size of a .bmp tells nothing of what it shows."""
        try:
            crops = _crops(segment, self.tables)
        except OpenfaceCsvError:  # the table, whose digest is here, is to blame
            crops = None
        pictures = [crops.n_pictured, *map(_digest, crops.pictures)] if crops else None
        return (*self.tables.source(segment), pictures)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        for segment in segments:
            yield self._row(segment)

    def _row(self, segment: Segment) -> FeatureRow:
        try:
            crops = _crops(segment, self.tables)
            reason, detail = _lack(crops, segment)
            if crops is None or reason:
                return missing_row(segment.utterance_id, self.width, reason, detail, crops.coverage if crops else 0.0)
            frames = as_frames([read_picture(path) for path in crops.pictures])
        except OpenfaceCsvError as error:
            return missing_row(segment.utterance_id, self.width, "bad_openface_csv", str(error), refused=True)
        except OpenfacePictureError as error:
            return missing_row(segment.utterance_id, self.width, "bad_openface_face", str(error), refused=True)
        return FeatureRow(segment.utterance_id, frames, coverage=crops.coverage)


OpenfaceSet = OpenfaceCsv | OpenfaceFaces  # those that OpenFace may have to be run for first


@dataclass(frozen=True)
class _Crops:
    """What OpenFace left of an utterance."""

    n_rows: int  # of the table
    n_sure: int  # of them, those with a face
    n_pictured: int  # of them, those with a picture
    pictures: list[Path]  # a picture a bin, in order of time

    @property
    def coverage(self) -> float:
        return self.n_pictured / self.n_rows if self.n_rows else 0.0


def crops_of(csv: Path) -> Path:
    """The folder of the crops that belong to a table."""
    return csv.with_name(f"{csv.stem}_aligned")


def _crops(segment: Segment, tables: OpenfaceCsv) -> _Crops | None:
    """None where there is no table or no folder of crops; raises OpenfaceCsvError for a bad table."""
    csv = tables.csv_of(segment)
    if csv is None or not (folder := crops_of(csv)).is_dir():
        return None
    status = csv.stat()
    table = _read(csv, status.st_mtime_ns, status.st_size)
    end_s = _end_of(table) if segment.end_s is None else segment.end_s
    within = table[(table["timestamp"] >= segment.start_s) & (table["timestamp"] < end_s)]
    sure = within[(within["success"] == 1) & (within["confidence"] >= LEAST_CONFIDENCE)]
    bins, n_pictured = Bins[Path](segment.start_s, end_s), 0
    for time_s, face, frame in zip(sure["timestamp"], sure["face_id"], sure["frame"], strict=True):
        if path := _picture(folder, int(face), int(frame)):
            n_pictured += 1
            bins.offer(time_s, lambda path=path: path)
    return _Crops(len(within), len(sure), n_pictured, bins.in_order())


def _lack(crops: _Crops | None, segment: Segment) -> tuple[str, str]:
    """Why an utterance has no pictures, a word and a sentence; empty where it has enough."""
    name = segment.media.stem if segment.media else "?"
    if crops is None:
        return "no_openface_faces", f"there are not both openface/{name}.csv and openface/{name}_aligned"
    if not crops.n_rows:
        return "no_frames", f"{name}.csv has no row within the utterance"
    if not crops.n_sure:
        return "no_face", f"0 faces in {crops.n_rows} frames"
    if not crops.n_pictured:
        return "no_openface_faces", f"{name}_aligned has no picture of {crops.n_sure} frames with a face"
    if crops.coverage < LEAST_COVERAGE:
        count = f"pictures of {crops.n_pictured} faces in {crops.n_rows} frames"
        return "too_few_faces", f"{count}; at least {LEAST_COVERAGE:.0%} are needed"
    return "", ""


def _end_of(table: pd.DataFrame) -> float:
    """The end of the last frame, which lasts as long as the others."""
    times_s = table["timestamp"].to_numpy()
    return float(times_s[-1] + (np.median(np.diff(times_s)) if len(times_s) > 1 else 1.0)) if len(times_s) else 0.0


def _picture(folder: Path, face: int, frame: int) -> Path | None:
    paths = (folder / f"frame_det_{face:02d}_{frame:06d}.{suffix}" for suffix in FORMATS)
    return next((path for path in paths if path.is_file()), None)


@lru_cache(maxsize=4)
def _read(path: Path, _mtime_ns: int, _size: int) -> pd.DataFrame:
    """COLUMNS and face_id (0 where OpenFace looked for one face alone) of the face with the most successful rows."""
    import pandas as pd

    columns = (*COLUMNS, "face_id")
    try:
        table = pd.read_csv(path, usecols=lambda name: name.strip() in columns, dtype=np.float64, skipinitialspace=True)
    except ValueError as error:  # pandas' own are of this kind
        raise OpenfaceCsvError(f"{path.name} is not a complete OpenFace CSV ({error}); write it again") from error
    table.columns = table.columns.str.strip()
    if absent := [name for name in COLUMNS if name not in table]:
        raise OpenfaceCsvError(f"{path.name} lacks OpenFace's columns {', '.join(absent)}; write it again")
    if table[["frame", "timestamp", "success"]].isna().to_numpy().any():
        raise OpenfaceCsvError(f"{path.name} is not a complete OpenFace CSV (a row is cut short); write it again")
    table = table.reindex(columns=columns).fillna({"face_id": 0})
    _, number = np.unique(table["face_id"].to_numpy(), return_inverse=True)
    successes = np.bincount(number, weights=table["success"].to_numpy(), minlength=1)
    return table.loc[number == successes.argmax()]


def read_picture(path: Path) -> np.ndarray:
    """A crop as uint8 [112, 112, 3], RGB. Raises OpenfacePictureError, naming the file, before decoding a huge one."""
    import cv2

    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
        width, height = _pixels(data)
        whole = 0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if whole else None
    except (OSError, struct.error, cv2.error):
        bgr = None
    if bgr is None:
        raise OpenfacePictureError(
            f"{path.parent.name}/{path.name} is no whole picture, a .png or .bmp of at most {MOST_PIXELS} pixels a "
            "side; let OpenFace write it again"
        )
    resized = bgr if bgr.shape[:2] == (SIZE, SIZE) else cv2.resize(bgr, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(resized[..., ::-1])


def _pixels(data: bytes) -> tuple[int, int]:
    """Width and height as the head of a file says; (0, 0) for one of another format, which no decoder shall see."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack_from(">II", data, 16)
    if data.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height)  # negative where the first row is the upper one
    return 0, 0


def _digest(path: Path) -> str:
    """Hex sha256 of a picture; a word for what read_picture refuses unread."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return "too large"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return "unreadable"

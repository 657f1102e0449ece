"""OpenFace's crops as pictures of faces: those of frames with a face, in sixteen bins, none that is broken."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from affectory.features import FEATURE_SETS, FeatureRow, Segment, fingerprint
from affectory.features.faces import SIZE, pictures
from affectory.features.openface_faces import OpenfacePictureError, read_picture

FACES = FEATURE_SETS["openface_faces"]
Gate = tuple[float, float, int]  # timestamp, confidence, success


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.toml").write_text('name = "c"')
    (tmp_path / "openface").mkdir()
    return tmp_path


def table(corpus: Path, gates: Sequence[Gate]) -> Path:
    """The table of a.mp4, frames counted from 1; spaces in the header as OpenFace writes them."""
    lines = ["frame, timestamp, confidence, success, gaze_0_x"]
    lines += [f"{number}, {time}, {sure}, {success}, 0.1" for number, (time, sure, success) in enumerate(gates, 1)]
    path = corpus / "openface" / "a.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def crop(corpus: Path, frame: int, *, face: int = 0, suffix: str = "png", size: int = SIZE, red: int = -1) -> Path:
    """A crop whose red is the frame's number, green 7, blue 9."""
    path = corpus / "openface" / "a_aligned" / f"frame_det_{face:02d}_{frame:06d}.{suffix}"
    path.parent.mkdir(exist_ok=True)
    colour = (9, 7, frame if red < 0 else red)  # OpenCV's order
    assert cv2.imwrite(str(path), np.full((size, size, 3), colour, np.uint8))
    return path


def utterance(corpus: Path, start_s: float = 0.0, end_s: float | None = None) -> Segment:
    return Segment(
        utterance_id="u", media=corpus / "media" / "a.mp4", media_sha256="x", start_s=start_s, end_s=end_s
    )  # fmt: skip


def row_of(corpus: Path, start_s: float = 0.0, end_s: float | None = None) -> FeatureRow:
    return next(iter(FACES.extract([utterance(corpus, start_s, end_s)])))


def shown(row: FeatureRow) -> list[int]:
    """The frame that each picture is of."""
    return pictures(row.frames)[:, 50, 50, 0].tolist()


def test_each_bin_shows_the_frame_nearest_to_its_centre_in_colour(corpus):
    # 32 frames, ten a second: bins of 0.2 s with centres 0.1, 0.3, .., which are frames 2, 4, ..
    table(corpus, [(number / 10, 0.98, 1) for number in range(32)])
    for frame in range(1, 33):
        crop(corpus, frame)
    row = row_of(corpus, 0.0, 3.2)
    assert row.valid and row.frames.shape == (16, SIZE * SIZE * 3) and row.frames.dtype == np.float32
    assert shown(row) == list(range(2, 33, 2)) and row.coverage == 1.0
    assert pictures(row.frames)[3, 20, 30].tolist() == [8, 7, 9]
    assert shown(row_of(corpus, 1.55, 3.15)) == list(range(17, 33))
    assert np.array_equal(row_of(corpus).frames, row.frames)


def test_frames_that_openface_failed_on_are_not_shown_although_their_crops_are_there(corpus):
    gates = [(number / 10 + 0.01, 0.98, 1) for number in range(32)]
    gates[1], gates[3] = (0.11, 0.02, 0), (0.31, 0.79, 1)
    gates[16:] = [(number / 10 + 0.01, 0.98, 0) for number in range(16, 32)]
    table(corpus, gates)
    for frame in range(1, 33):
        crop(corpus, frame)
    row = row_of(corpus, 0.0, 3.2)
    assert shown(row) == [1, 3, 6, 8, 10, 12, 14, 16]  # beside the failed 2 and 4
    assert row.coverage == pytest.approx(14 / 32)


def test_crops_of_another_size_are_resized(corpus):
    for suffix in ("bmp", "png"):
        table(corpus, [(0.0, 0.98, 1), (0.1, 0.98, 1)])
        crop(corpus, 1, suffix=suffix, size=224)
        crop(corpus, 2, suffix=suffix, size=80)
        assert sorted(set(shown(row_of(corpus, 0.0, 0.2)))) == [1, 2]


def test_halving_a_crop_averages_its_pixels(tmp_path):
    picture = np.zeros((224, 224, 3), np.uint8)
    picture[::2] = 100  # rows of 100 and of 0
    cv2.imwrite(str(tmp_path / "x.png"), picture)
    assert (read_picture(tmp_path / "x.png") == 50).all()


def test_of_several_faces_the_one_with_the_most_good_rows_is_shown(corpus):
    lines = ["frame, face_id, timestamp, confidence, success"]
    lines += ["1, 0, 0.0, 0.9, 1", "1, 1, 0.0, 0.9, 1", "2, 0, 0.1, 0.9, 0", "2, 1, 0.1, 0.9, 1"]
    (corpus / "openface" / "a.csv").write_text("\n".join(lines))
    for frame in (1, 2):
        crop(corpus, frame, face=0, red=200)
        crop(corpus, frame, face=1)
    row = row_of(corpus, 0.0, 0.2)
    assert sorted(set(shown(row))) == [1, 2] and row.coverage == 1.0


def test_what_is_not_there_is_missing_with_its_reason(corpus):
    assert row_of(corpus).reason == "no_openface_faces"
    table(corpus, [(0.0, 0.98, 1), *((number / 10, 0.98, 0) for number in range(1, 10))])
    assert row_of(corpus).reason == "no_openface_faces"  # no folder of crops
    path = crop(corpus, 1)
    counted = "pictures of 1 faces in 10 frames; at least 20% are needed"
    assert (row_of(corpus).reason, row_of(corpus).detail) == ("too_few_faces", counted)
    assert (row_of(corpus, 0.2, 1.0).reason, row_of(corpus, 0.2, 1.0).detail) == ("no_face", "0 faces in 8 frames")
    assert row_of(corpus, 5.0, 6.0).reason == "no_frames"
    path.unlink()
    row = row_of(corpus)
    assert (row.reason, row.detail) == ("no_openface_faces", "a_aligned has no picture of 1 frames with a face")
    assert not row.refused and row.frames.shape == (0, SIZE * SIZE * 3)
    assert next(iter(FACES.extract([Segment(utterance_id="u")]))).reason == "no_openface_faces"


def png_head(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def test_a_broken_picture_is_refused_by_name(corpus):
    for content in [
        b"",
        b"BM",
        b"no picture",
        b"GIF89a" + bytes(100),
        png_head(30_000, 30_000) + bytes(100),
        png_head(0, 5),
        None,
    ]:
        table(corpus, [(0.0, 0.98, 1)])
        path = crop(corpus, 1)
        path.write_bytes(path.read_bytes()[:-20] if content is None else content)
        row = row_of(corpus)
        assert (row.valid, row.reason, row.refused) == (False, "bad_openface_face", True)
        assert "a_aligned/frame_det_00_000001.png" in row.detail
        assert fingerprint(FACES, utterance(corpus))


def test_a_huge_picture_is_refused_before_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    (tmp_path / "x.png").write_bytes(png_head(4097, 10) + bytes(1000))
    (tmp_path / "x.bmp").write_bytes(b"BM" + bytes(16) + struct.pack("<ii", 10, -5000) + bytes(100))
    with (tmp_path / "long.png").open("wb") as file:
        file.write(png_head(10, 10))
        file.truncate(5 * 4096**2)  # a hole
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(OpenfacePictureError, match=path.name):
            read_picture(path)


def test_a_table_cut_short_or_of_another_kind_is_refused_by_name(corpus):
    for text, message in [
        ("", "not a complete"),
        ("frame, timestamp, success\n1, 0.0, 1\n", "lacks OpenFace's columns confidence"),
        ("frame, timestamp, confidence, success\n1, 0.0, 0.98, 1\n2, 0.1, 0.9", "cut short"),
        ("frame, timestamp, confidence, success\n1, zero, 0.98, 1\n", "not a complete"),
    ]:
        crop(corpus, 1)
        (corpus / "openface" / "a.csv").write_text(text)
        row = row_of(corpus)
        assert (
            (row.reason, row.refused) == ("bad_openface_csv", True) and message in row.detail and "a.csv" in row.detail
        )
        assert fingerprint(FACES, utterance(corpus))


def test_the_fingerprint_follows_the_table_and_what_the_pictures_show(corpus):
    fingerprints = [fingerprint(FACES, utterance(corpus, 0.0, 0.2))]
    table(corpus, [(0.0, 0.98, 1), (0.1, 0.98, 1), (0.2, 0.98, 1)])
    fingerprints.append(fingerprint(FACES, utterance(corpus, 0.0, 0.2)))
    for frame in (1, 2):
        crop(corpus, frame, suffix="bmp")
        fingerprints.append(fingerprint(FACES, utterance(corpus, 0.0, 0.2)))
    crop(corpus, 2, suffix="bmp", red=3)  # of the same size
    fingerprints.append(fingerprint(FACES, utterance(corpus, 0.0, 0.2)))
    table(corpus, [(0.0, 0.98, 1), (0.1, 0.97, 1), (0.2, 0.98, 1)])
    fingerprints.append(fingerprint(FACES, utterance(corpus, 0.0, 0.2)))
    assert len(set(fingerprints)) == 6
    crop(corpus, 3, suffix="bmp")  # another utterance's
    assert fingerprint(FACES, utterance(corpus, 0.0, 0.2)) == fingerprints[-1]

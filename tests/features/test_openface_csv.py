"""OpenFace's tables: spaces in the header, stale rows after the face is lost, files cut short."""

from pathlib import Path

import numpy as np
import pytest

from affectory.features import Segment, fingerprint
from affectory.features.openface_csv import COLUMNS, OpenfaceCsv, OpenfaceCsvError, read_openface_csv

HEADER = ["frame", "timestamp", "confidence", "success", *COLUMNS]


def table(path: Path, *gates: tuple[float, float, int], value: float = 0.5) -> Path:
    """A CSV with these (timestamp, confidence, success) rows; AU01_r is the row's number, the rest `value`."""
    lines = [", ".join(HEADER)]
    for number, gate in enumerate(gates):
        lines.append(", ".join(map(str, [number + 1, *gate, number, *[value] * (len(COLUMNS) - 1)])))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.toml").write_text('name = "c"')
    return tmp_path


def row_of(corpus: Path, start_s: float = 0.0, end_s: float | None = None, stem: str = "a"):
    media = corpus / "media" / "day 1" / f"{stem}.mp4"
    segment = Segment(utterance_id="u", media=media, media_sha256="x", start_s=start_s, end_s=end_s)
    return next(iter(OpenfaceCsv().extract([segment])))


def test_rows_within_the_utterance_count_when_openface_is_sure_of_them(corpus):
    gates = [(0.0, 0.98, 1), (0.5, 0.98, 1), (1.0, 0.79, 1), (1.5, 0.98, 0), (2.0, 0.98, 1), (2.5, 0.98, 1)]
    table(corpus / "openface" / "a.csv", *gates)
    row = row_of(corpus, 0.5, 2.5)
    assert row.frames[:, 0].tolist() == [1.0, 4.0] and row.frames.shape == (2, 44)
    assert row.coverage == pytest.approx(2 / 4)


def test_a_face_that_is_never_found_is_missing_although_the_numbers_are_there(corpus):
    table(corpus / "openface" / "a.csv", (0.0, 0.0, 0), (0.1, 0.02, 0))
    row = row_of(corpus)
    assert (row.valid, row.reason, row.detail, len(row.frames)) == (False, "no_face", "0 faces in 2 frames", 0)


def test_no_table_or_no_row_in_time_is_missing(corpus):
    table(corpus / "openface" / "a.csv", (0.0, 0.98, 1))
    assert row_of(corpus, stem="b").reason == "no_openface_csv"
    assert row_of(corpus, 5.0, 6.0).reason == "no_frames"


def test_a_table_cut_short_or_of_another_kind_is_refused_by_name(corpus):
    for text, message in [
        ("frame, timestamp, confidence, success\n1, 0.0, 0.98, 1\n", "lacks 44 columns"),
        ("", "lacks 47 columns"),
        (", ".join(HEADER) + "\n1, 0.0, 0.9", "not a complete OpenFace CSV"),
    ]:
        path = corpus / "openface" / "a.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        row = row_of(corpus)
        assert (
            (row.reason, row.refused) == ("bad_openface_csv", True) and message in row.detail and "a.csv" in row.detail
        )


def test_nan_in_a_successful_row_is_refused(corpus):
    table(corpus / "openface" / "a.csv", (0.0, 0.98, 1), value=float("nan"))
    assert (row_of(corpus).reason, row_of(corpus).refused) == ("non_finite_features", True)


def test_a_new_table_changes_the_fingerprint(corpus):
    segment = Segment(utterance_id="u", media=corpus / "media" / "a.mp4", media_sha256="x")
    fingerprints = [fingerprint(OpenfaceCsv(), segment)]
    for confidence in (0.9, 0.95):
        table(corpus / "openface" / "a.csv", (0.0, confidence, 1), (0.1, confidence, 1))
        fingerprints.append(fingerprint(OpenfaceCsv(), segment))
    assert len(set(fingerprints)) == 3


def test_of_several_faces_the_one_with_the_most_good_rows_counts(tmp_path):
    path = table(tmp_path / "two.csv", (0.0, 0.9, 1), (0.0, 0.9, 0), (0.1, 0.9, 1))
    lines = path.read_text().splitlines()
    faces = ["face_id", "0", "1", "0"]
    path.write_text("\n".join(f"{line}, {face}" for line, face in zip(lines, faces, strict=True)))
    assert read_openface_csv(path)[1][:, 0].tolist() == [0.0, 2.0]


def test_a_reader_is_told_which_file_is_broken(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OpenfaceCsvError, match=r"x\.csv"):
        read_openface_csv(tmp_path / "x.csv")


@pytest.mark.real
def test_the_failed_rows_of_a_real_table_are_not_taken_for_data(real_corpora):
    path = real_corpora / "clips" / "openface" / "face_then_none.csv"
    gates, values = read_openface_csv(path)
    assert len(gates) == 169 and np.abs(values[-97:]).sum() > 0
    media = real_corpora / "clips" / "media" / "face_then_none.mov"
    row = next(iter(OpenfaceCsv().extract([Segment(utterance_id="u", media=media, media_sha256="x")])))
    assert row.frames.shape == (72, 44) and row.coverage == pytest.approx(72 / 169)


def test_films_of_one_name_in_several_folders_have_a_folder_of_tables_each(corpus):
    """As OMG-Emotion's clips, media/<video>/utterance_4.mp4."""
    table(corpus / "openface" / "a.csv", (0.0, 0.98, 1), value=0.1)
    table(corpus / "openface" / "day 1" / "a.csv", (0.0, 0.98, 1), value=0.9)
    assert row_of(corpus).frames[0, 1] == pytest.approx(0.9)

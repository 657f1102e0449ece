"""The user's OpenFace program: its table arrives whole or not at all, and its last words are passed on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from affectory.features.feature_set import Segment
from affectory.features.openface_csv import COLUMNS, OpenfaceCsv, read_openface_csv
from affectory.features.openface_faces import OpenfaceFaces
from resources.openface import OpenFace, OpenFaceError

HEADER = ", ".join(["frame", "timestamp", "confidence", "success", *COLUMNS])
ROW = ", ".join(["1", "0.0", "0.98", "1", *["0.5"] * len(COLUMNS)])


def program(folder: Path, body: str) -> str:
    """A stand-in for FeatureExtraction that finds its -out_dir and -of in $out and $name."""
    path = folder / "FeatureExtraction"
    parse = 'while [ $# -gt 0 ]; do case "$1" in -out_dir) out="$2";; -of) name="$2";; esac; shift; done\n'
    path.write_text(f"#!/bin/sh\n{parse}{body}\n")
    path.chmod(0o755)
    return str(path)


def write(folder: Path, body: str, timeout_s: float = 20.0) -> Path:
    csv = folder / "openface" / "a.csv"
    OpenFace(binary=program(folder, body), timeout_s=timeout_s).write_csv(folder / "a.mp4", csv)
    return csv


def test_the_table_is_put_in_place_and_nothing_else_is_left(tmp_path):
    csv = write(tmp_path, f'printf "%s\\n%s\\n" "{HEADER}" "{ROW}" > "$out/$name.csv"')
    assert read_openface_csv(csv)[1].shape == (1, 44)
    assert [path.name for path in csv.parent.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo could not open the video >&2; exit 3", "(?s)ended with code 3.*could not open the video"),
        ("exit 0", "wrote no table for a.mp4"),
        ('echo "frame, timestamp" > "$out/$name.csv"', "bad table for a.mp4: .* lacks"),
    ],
)
def test_a_failure_carries_the_command_and_what_it_said(tmp_path, body, said):
    with pytest.raises(OpenFaceError, match=said) as caught:
        write(tmp_path, body)
    assert "FeatureExtraction -f" in str(caught.value)
    assert list((tmp_path / "openface").iterdir()) == []


def test_a_program_that_hangs_is_ended_with_what_it_started(tmp_path):
    with pytest.raises(OpenFaceError, match=r"did not finish within 0\.5 s"):
        write(tmp_path, "sleep 60 & sleep 60", timeout_s=0.5)
    assert list((tmp_path / "openface").iterdir()) == []


def test_an_absent_program_is_known_beforehand_and_named(tmp_path):
    absent = OpenFace(binary=str(tmp_path / "nothing"))
    assert not absent.is_installed()
    with pytest.raises(OpenFaceError, match="install OpenFace"):
        absent.write_csv(tmp_path / "a.mp4", tmp_path / "a.csv")


def test_the_program_makes_only_the_tables_that_the_corpus_lacks(tmp_path):
    (tmp_path / "corpus" / "openface").mkdir(parents=True)
    (tmp_path / "corpus" / "openface" / "had.csv").write_text(f"{HEADER}\n{ROW}\n")
    videos = [tmp_path / "corpus" / "media" / name for name in ("had.mp4", "new.mp4", "new.mp4")]
    binary = program(tmp_path, f'printf "%s\\n%s\\n" "{HEADER}" "{ROW}" > "$out/$name.csv"')
    told: list[str] = []
    csvs = OpenFace(binary=binary).complete(OpenfaceCsv(), videos, tmp_path / "made", told.append)
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["new.csv"] and not told
    (row,) = csvs.extract([Segment(utterance_id="u", media=videos[1])])
    assert row.valid and row.frames.shape == (1, 44)


def test_crops_are_kept_beside_the_table_and_made_where_only_the_table_was(tmp_path):
    row = ROW.replace("0.0", "0.5", 1)
    crop = f'mkdir "$out/${{name}}_aligned"; cp "{tmp_path}/face.png" "$out/${{name}}_aligned/frame_det_00_000001.png"'
    table = f'printf "%s\\n%s\\n" "{HEADER}" "{row}" > "$out/$name.csv"'
    cv2.imwrite(str(tmp_path / "face.png"), np.full((112, 112, 3), 7, np.uint8))
    video = tmp_path / "corpus" / "media" / "day" / "a.mp4"
    video.parent.mkdir(parents=True)
    (tmp_path / "made" / "day").mkdir(parents=True)
    (tmp_path / "made" / "day" / "a.csv").write_text(f"{HEADER}\n{ROW}\n")
    told: list[str] = []
    binary = program(tmp_path, f"{crop}; {table}")
    faces = OpenFace(binary=binary).complete(OpenfaceFaces(), [video], tmp_path / "made", told.append)
    (found,) = faces.extract([Segment(utterance_id="u", media=video, end_s=1.0)])
    assert not told and found.valid and set(found.frames.ravel()) == {7.0}
    assert sorted(path.name for path in (tmp_path / "made" / "day").iterdir()) == ["a.csv", "a_aligned"]


def test_a_file_that_the_program_fails_on_is_told_and_has_no_table(tmp_path):
    told: list[str] = []
    video = tmp_path / "media" / "a.mp4"
    csvs = OpenFace(binary=program(tmp_path, "exit 3")).complete(OpenfaceCsv(), [video], tmp_path / "made", told.append)
    assert len(told) == 1 and "ended with code 3" in told[0]
    (row,) = csvs.extract([Segment(utterance_id="u", media=video)])
    assert (row.valid, row.reason) == (False, "no_openface_csv")

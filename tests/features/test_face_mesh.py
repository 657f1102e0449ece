"""Faces in a film: found where they are, missing where they are not, the same alone and in a group."""

import numpy as np
import pytest

from affectory.features import FEATURE_SETS, Segment
from affectory.features.face_geometry import COLUMNS
from tests.fixtures.films import BLANK, segment

FACE_MESH = FEATURE_SETS["face_mesh"]


def test_only_frames_with_a_face_are_rows_and_coverage_counts_them(make_film, portraits):
    path = make_film("leaves.mp4", [portraits["smile"]] * 6 + [BLANK] * 24)
    half, gone, rare = FACE_MESH.extract(
        [segment(path, 0, 1.2, "a"), segment(path, 1.2, 2.0, "b"), segment(path, 0, 3, "c")]
    )
    by_id = {row.utterance_id: row for row in (half, gone, rare)}
    assert by_id["a"].frames.shape == (6, 115) and by_id["a"].coverage == pytest.approx(0.5)
    assert (by_id["b"].valid, by_id["b"].reason, by_id["b"].detail) == (False, "no_face", "0 faces in 8 frames")
    assert by_id["c"].coverage == pytest.approx(0.2) and by_id["c"].valid
    fewer = next(iter(FACE_MESH.extract([segment(path, 0.5, 3.0)])))
    assert (fewer.reason, len(fewer.frames), fewer.coverage) == ("too_few_faces", 0, pytest.approx(1 / 25))


def test_the_measures_see_a_smile_and_an_open_mouth(make_film, portraits):
    def mean(name: str, column: str) -> float:
        row = next(iter(FACE_MESH.extract([segment(make_film(f"{name}.mp4", [portraits[name]] * 5), 0, 0.5)])))
        return float(row.frames[:, list(COLUMNS).index(column)].mean())

    assert mean("smile", "geom_corner_lift") > mean("frown", "geom_corner_lift") + 0.02
    assert mean("shout", "geom_mouth_open") > mean("smile", "geom_mouth_open") + 0.05


def test_an_utterance_gives_the_same_frames_alone_and_among_overlapping_others(make_film, portraits):
    path = make_film("talk.mp4", [portraits[name] for name in ("smile", "shout", "frown") * 7])
    spans = {"a": (0.0, 0.8), "b": (0.5, 1.5), "c": (0.6, 0.9), "d": (1.5, 2.1)}
    group = {row.utterance_id: row for row in FACE_MESH.extract([segment(path, *spans[n], n) for n in "dbac"])}
    for name, span in spans.items():
        alone = next(iter(FACE_MESH.extract([segment(path, *span)])))
        assert len(alone.frames) and np.array_equal(group[name].frames, alone.frames)


def test_an_utterance_beyond_the_film_or_without_one_is_missing(make_film, portraits, tmp_path):
    path = make_film("short.mp4", [portraits["smile"]] * 3)
    rows = list(FACE_MESH.extract([segment(path, 5.0, 6.0), Segment(utterance_id="v", media=tmp_path / "a.wav")]))
    assert {row.reason for row in rows} == {"no_frames", "no_video_track"}


def test_a_film_that_ends_before_half_the_utterance_is_refused(make_film, portraits):
    (row,) = FACE_MESH.extract([segment(make_film("cut.mp4", [portraits["smile"]] * 3), 0.0, 2.0)])
    assert (row.valid, row.reason, row.refused) == (False, "pictures_cut_short", True)


def test_the_engine_says_nothing_on_standard_error(make_film, portraits, capfd):
    list(FACE_MESH.extract([segment(make_film("quiet.mp4", [portraits["smile"]] * 2), 0, 0.2)]))
    assert capfd.readouterr().err == ""


@pytest.mark.real
def test_a_real_face_is_found_in_every_frame_and_its_leaving_is_noticed(real_corpora):
    media = real_corpora / "clips" / "media"
    speaking = next(iter(FACE_MESH.extract([segment(media / "bbaf2n.mpg", 0.0, None)])))
    assert speaking.coverage == 1.0 and speaking.frames.shape == (30, 115)
    leaving = next(iter(FACE_MESH.extract([segment(media / "face_then_none.mov", 0.0, None)])))
    assert leaving.coverage == pytest.approx(24 / 64, abs=0.05)


@pytest.mark.real
def test_mouth_and_eye_measures_follow_openface_on_a_real_face(real_corpora):
    from affectory.features.openface_csv import COLUMNS as UNITS
    from affectory.features.openface_csv import read_openface_csv

    clips = real_corpora / "clips"
    mesh = next(iter(FACE_MESH.extract([segment(clips / "media" / "lrwp9a.mpg", 0.0, None)]))).frames
    gates, units = read_openface_csv(clips / "openface" / "lrwp9a.csv")
    nearest = [int(np.abs(gates[:, 0] - i / 10).argmin()) for i in range(len(mesh))]

    def agreement(measure: str, unit: str) -> float:
        mine, theirs = mesh[:, list(COLUMNS).index(measure)], units[nearest, UNITS.index(unit)]
        return float(np.corrcoef(mine, theirs)[0, 1])

    assert agreement("geom_mouth_open", "AU25_r") > 0.9
    assert agreement("geom_eye_right", "AU45_r") < -0.9

"""Pictures of the face: sixteen bins an utterance, aligned, none where there is no face."""

import numpy as np
import pytest

from affectory.features import FEATURE_SETS, Segment
from affectory.features.faces import FIVE, SIZE, crop_face, pictures
from tests.fixtures.films import BLANK, segment

FACES = FEATURE_SETS["faces"]


def only(*segments: Segment):
    return {row.utterance_id: row for row in FACES.extract(segments)}


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two pictures' middles."""
    middles = [picture[16:-16, 16:-16].astype(float).ravel() for picture in (one, other)]
    return float(np.corrcoef(*middles)[0, 1])


def test_five_points_come_to_lie_where_they_belong():
    for scale, degrees in [(0.5, 20), (1.0, 0), (1.7, -35), (3.0, 10), (5.2, 90)]:
        turn = np.deg2rad(degrees)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        points = scale * (FIVE - 56) @ rotation.T + [400, 350]
        across, down = np.meshgrid(np.arange(800), np.arange(700))
        away = np.hypot(across[..., None] - points[:, 0], down[..., None] - points[:, 1]).min(axis=-1)
        picture = np.repeat(np.where(away < 2.5 * scale, 255, 0)[..., None], 3, axis=-1).astype(np.uint8)
        crop = crop_face(picture, points)[..., 0].astype(float)
        rows, columns = np.mgrid[:SIZE, :SIZE]
        for x, y in FIVE:
            near = crop * (np.hypot(columns - x, rows - y) < 6)
            assert (near * columns).sum() / near.sum() == pytest.approx(x, abs=0.5)
            assert (near * rows).sum() / near.sum() == pytest.approx(y, abs=0.5)


def test_what_lies_beyond_the_picture_is_black():
    crop = crop_face(np.full((112, 112, 3), 200, np.uint8), FIVE - [56, 0])
    assert (crop[:, 60:] == 200).all() and (crop[:, :50] == 0).all()


def test_a_turned_and_smaller_face_gives_nearly_the_same_picture(make_film, portraits):
    import cv2

    turned = cv2.warpAffine(portraits["smile"], cv2.getRotationMatrix2D((128, 128), 25, 0.7), (256, 256))
    crops = [
        pictures(only(segment(make_film(f"{name}.mp4", [picture] * 3), 0, 0.3))["u"].frames)[0]
        for name, picture in {"upright": portraits["smile"], "turned": turned, "other": portraits["shout"]}.items()
    ]
    assert likeness(crops[0], crops[1]) > 0.9
    assert crops[0].shape == (112, 112, 3) and crops[0].dtype == np.uint8


def test_sixteen_bins_show_what_is_nearest_to_their_centres(make_film, portraits):
    path = make_film("talk.mp4", [portraits["smile"]] * 16 + [portraits["shout"]] * 16)
    row = only(segment(path, 0.0, 3.2))["u"]
    assert row.valid and row.frames.shape == (16, SIZE * SIZE * 3) and row.frames.dtype == np.float32
    crops = pictures(row.frames)
    assert [likeness(crop, crops[0]) > likeness(crop, crops[15]) for crop in crops] == [True] * 8 + [False] * 8
    assert np.array_equal(row.frames, row.frames.round()) and 0 <= row.frames.min() < row.frames.max() <= 255


def test_a_bin_without_a_face_is_no_row(make_film, portraits):
    path = make_film("leaves.mp4", [portraits["smile"]] * 16 + [BLANK] * 16)
    rows = only(segment(path, 0.0, 3.2, "half"), segment(path, 1.8, 3.2, "gone"))
    assert rows["half"].frames.shape[0] == 8 and rows["half"].coverage == pytest.approx(0.5)
    assert (rows["gone"].valid, rows["gone"].reason, len(rows["gone"].frames)) == (False, "no_face", 0)


def test_a_short_utterance_repeats_its_pictures(make_film, portraits):
    row = only(segment(make_film("short.mp4", [portraits["smile"]] * 5), 0.0, 0.5))["u"]
    assert len(row.frames) == 16 and len(np.unique(row.frames, axis=0)) <= 5


def test_an_utterance_gives_the_same_pictures_alone_among_others_and_to_the_end_of_the_file(make_film, portraits):
    path = make_film("talk.mp4", [portraits[name] for name in ("smile", "shout") * 8])
    spans = {"a": (0.0, 0.8), "b": (0.5, 1.6)}
    group = only(*(segment(path, *span, name) for name, span in spans.items()))
    for name, span in spans.items():
        assert np.array_equal(group[name].frames, only(segment(path, *span))["u"].frames)
    assert np.array_equal(group["b"].frames, only(segment(path, 0.5, None))["u"].frames)


def test_without_a_film_it_is_missing(tmp_path):
    rows = only(Segment(utterance_id="v", media=tmp_path / "a.wav"), Segment(utterance_id="n"))
    assert (rows["v"].reason, rows["n"].reason) == ("no_video_track", "no_media")


@pytest.mark.real
def test_real_faces_look_alike_through_an_utterance_and_leave_no_picture_when_gone(real_corpora):
    media = real_corpora / "clips" / "media"
    speaking = only(segment(media / "bbaf2n.mpg", 0.0, 3.0))["u"]
    crops = pictures(speaking.frames)
    assert len(crops) == 16 and min(likeness(crop, crops[0]) for crop in crops) > 0.8
    leaving = only(segment(media / "face_then_none.mov", 0.0, 6.4))["u"]
    assert 5 <= len(leaving.frames) <= 8

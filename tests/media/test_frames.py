import re

import numpy as np
import pytest

from affectory.media import MediaError, read_frame_spans, read_frames


def grays(frames):
    """(t_s, mean level) of what read_frames gives, rounded to the encoder's error."""
    return [(round(time_s, 3), round(float(rgb.mean()))) for time_s, rgb in frames]


def ramp(count, rate_hz=10.0, start_s=0.0, step=20):
    return [(start_s + k / rate_hz, step * k % 240) for k in range(count)]


def test_frames_are_sampled_by_time_not_by_index(make_media):
    # The second half is shown at twice the rate.
    path = make_media("vfr.mkv", pictures=[(0.0, 0), (0.2, 40), (0.4, 80), (0.5, 100), (0.6, 120), (0.7, 140)])
    sampled = grays(read_frames(path, 0.0, 0.8, 5.0))
    assert [time_s for time_s, _ in sampled] == [0.0, 0.2, 0.4, 0.6]
    np.testing.assert_allclose([level for _, level in sampled], [0, 40, 80, 120], atol=3)


def test_a_span_starts_its_grid_at_its_own_start_and_stops_before_its_end(make_media):
    path = make_media("ramp.mp4", pictures=ramp(10))
    sampled = grays(read_frames(path, 0.3, 0.7, 10.0))
    assert [time_s for time_s, _ in sampled] == [0.3, 0.4, 0.5, 0.6]
    np.testing.assert_allclose([level for _, level in sampled], [60, 80, 100, 120], atol=3)


def test_a_faster_grid_repeats_frames(make_media):
    path = make_media("slow.mp4", pictures=[(0.0, 0), (0.2, 200)])
    levels = [level for _, level in grays(read_frames(path, 0.0, 0.4, 20.0))]
    np.testing.assert_allclose(levels, [0, 0, 200, 200, 200, 200, 200], atol=3)


def test_frames_that_are_stored_out_of_order_come_at_their_times(make_media):
    for name in ["b.avi", "b.mkv", "b.ts"]:
        path = make_media(name, pictures=ramp(12, rate_hz=25.0), video_options={"bf": "2", "preset": "ultrafast"})
        sampled = grays(read_frames(path, 0.0, None, 25.0))
        assert [time_s for time_s, _ in sampled] == [round(k / 25, 3) for k in range(12)]
        np.testing.assert_allclose([level for _, level in sampled], [20 * k for k in range(12)], atol=3)


def test_no_frame_is_invented_in_a_hole(make_media):
    path = make_media("hole.mkv", pictures=[(0.0, 50), (0.1, 50), (20_000.0, 50), (20_000.1, 50)])
    times = [time_s for time_s, _ in read_frames(path, 0.0, None, 10.0)]
    assert len(times) < 20
    assert not [time_s for time_s in times if 0.7 < time_s < 19_999.0]


def test_time_stamps_a_billion_seconds_apart_are_refused(make_media):
    path = make_media("bomb.mkv", pictures=[(0.0, 50), (1e9, 50)])
    with pytest.raises(MediaError, match="duration_over_limit"):
        list(read_frames(path, 0.0, None, 10.0))


def test_pictures_that_start_after_the_sound_keep_their_time(make_media):
    path = make_media("late.mkv", pictures=ramp(5, start_s=1.0), sounds=[(0.0, np.full(32000, 0.1))])
    assert [time_s for time_s, _ in grays(read_frames(path, 0.0, None, 10.0))] == [1.0, 1.1, 1.2, 1.3, 1.4]


def test_a_turned_picture_comes_upright(make_media):
    for turned in [90, 180, -90]:
        picture = np.zeros((48, 64, 3), np.uint8)
        picture[:16, :16] = 255  # white in the corner at the top left
        path = make_media("turned.mp4", pictures=[(0.0, picture), (0.04, picture)], turned=turned)
        ((_, rgb),) = read_frames(path, 0.0, 0.01, 25.0)
        np.testing.assert_allclose(rgb, np.rot90(picture, turned // 90), atol=40)


def test_spans_far_apart_give_the_same_frames_as_reading_through(make_media):
    for name, options in [("long.mp4", {}), ("long.mkv", {}), ("no_index.mkv", {"live": "1"})]:
        path = make_media(name, pictures=[(k / 5, (7 * k) % 240) for k in range(200)], options=options)
        spans = [(0.5, 1.5), (1.0, 2.0), (20.0, 21.0), (35.1, 36.0)]
        together: list[list] = [[] for _ in spans]
        for index, time_s, rgb in read_frame_spans(path, spans, 5.0):
            together[index].append((time_s, rgb))
        through = {round(time_s, 3): rgb for time_s, rgb in read_frames(path, 0.0, None, 10.0)}
        for (start_s, end_s), frames in zip(spans, together, strict=True):
            assert len(frames) == round((end_s - start_s) * 5 + 0.4)
            for (time_s, rgb), (alone_s, alone) in zip(frames, read_frames(path, start_s, end_s, 5.0), strict=True):
                assert time_s == alone_s
                np.testing.assert_array_equal(rgb, alone)
                np.testing.assert_array_equal(rgb, through[round(time_s, 3)])


def test_an_index_that_points_too_far_loses_no_frames(make_media):
    path = make_media("index.mkv", pictures=[(k / 5, (7 * k) % 240) for k in range(200)])
    cue = re.compile(rb"\xb3\x82(..)\xb7", re.DOTALL)  # matroska's CueTime in milliseconds, before its position
    content = path.read_bytes()
    times = [int.from_bytes(match[1]) for match in cue.finditer(content)]
    late, early = max(times), max(t for t in times if t < 19_000)
    lie = content.replace(b"\xb3\x82" + late.to_bytes(2) + b"\xb7", b"\xb3\x82" + (early + 1).to_bytes(2) + b"\xb7")
    honest = grays(read_frames(path, 20.0, 22.0, 5.0))
    path.write_bytes(lie)
    assert lie != content and len(honest) == 10
    assert grays(read_frames(path, 20.0, 22.0, 5.0)) == honest


def test_a_file_without_pictures_says_so(make_media):
    path = make_media("voice.wav", sounds=[(0.0, np.zeros(1600))])
    with pytest.raises(MediaError, match=r"no_video_track: voice\.wav"):
        next(read_frames(path, 0.0, None, 10.0))


def test_frames_are_read_only_as_far_as_they_are_asked_for(make_media):
    frames = read_frames(make_media("ramp.mp4", pictures=ramp(50)), 0.0, None, 10.0)
    assert next(frames)[1].shape == (48, 64, 3)
    frames.close()

import numpy as np
import pytest
import soundfile

from affectory.media import MediaError, read_audio, read_audio_spans, stream_audio

RAMP = np.linspace(-0.5, 0.5, 32000, dtype=np.float32)  # two seconds in which every sample differs


@pytest.fixture
def ramp(tmp_path):
    path = tmp_path / "ramp.wav"
    soundfile.write(path, RAMP, 16000, subtype="FLOAT")
    return path


def test_a_span_is_cut_at_its_samples(ramp):
    np.testing.assert_array_equal(read_audio(ramp, 0.25, 0.75), RAMP[4000:12000])


def test_the_whole_file_is_read_without_an_end(ramp):
    np.testing.assert_array_equal(read_audio(ramp), RAMP)


def test_a_span_past_the_end_is_shorter_and_one_behind_it_empty(ramp):
    assert len(read_audio(ramp, 1.5, 3.0)) == 8000
    assert len(read_audio(ramp, 2.5, 3.0)) == 0


def test_many_spans_in_one_pass_equal_each_read_alone(ramp):
    spans = [(0.0, 0.5), (0.1, 2.0), (0.2, 0.3), (0.2, None), (1.9, 5.0), (7.0, 8.0)]
    for (start_s, end_s), samples in zip(spans, read_audio_spans(ramp, spans), strict=True):
        np.testing.assert_array_equal(samples, read_audio(ramp, start_s, end_s))


def test_spans_out_of_order_are_an_error(ramp):
    with pytest.raises(ValueError, match="sorted by start_s"):
        next(read_audio_spans(ramp, [(1.0, 2.0), (0.0, 1.0)]))


def test_channels_are_averaged_and_stay_within_one(tmp_path):
    soundfile.write(tmp_path / "apart.wav", np.tile([0.5, -0.25], (1600, 1)), 16000)
    soundfile.write(tmp_path / "alike.wav", np.tile([0.9, 0.9], (1600, 1)), 16000)
    np.testing.assert_allclose(read_audio(tmp_path / "apart.wav"), 0.125, atol=1e-4)
    np.testing.assert_allclose(read_audio(tmp_path / "alike.wav"), 0.9, atol=1e-4)


def test_sound_is_resampled_in_place(tmp_path):
    tone = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    soundfile.write(tmp_path / "tone.wav", tone, 44100)
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    samples = read_audio(tmp_path / "tone.wav")
    assert len(samples) == 16000
    np.testing.assert_allclose(samples[100:-100], expected[100:-100], atol=2e-3)


def test_a_late_start_and_a_hole_are_silence_on_the_files_time_axis(make_media):
    loud = np.full(8000, 0.5, np.float32)
    path = make_media("holes.mkv", pictures=[(k / 25, 128) for k in range(75)], sounds=[(0.5, loud), (2.0, loud)])
    samples = read_audio(path)
    assert len(samples) == 40000
    sounding = np.flatnonzero(np.abs(samples) > 0.25)
    np.testing.assert_array_equal(sounding, [*range(8000, 16000), *range(32000, 40000)])


def test_small_steps_between_packets_do_not_add_up_to_a_shift(make_media):
    # Each packet of a second comes 20 ms late: after 20 of them the sound must still be where its time stamps say.
    click = np.zeros(16000, np.float32)
    click[0] = 0.9
    path = make_media("drift.mkv", sounds=[(1.02 * k, click) for k in range(20)])
    clicks = np.flatnonzero(read_audio(path) > 0.5) / 16000
    np.testing.assert_allclose(clicks, 1.02 * np.arange(20), atol=0.05)


def test_a_file_without_sound_says_so(make_media):
    with pytest.raises(MediaError, match=r"no_audio_track: mute\.mp4"):
        read_audio(make_media("mute.mp4", pictures=[(0.0, 10), (0.04, 10)]))


def test_chunks_follow_each_other_without_overlap(ramp):
    chunks = list(stream_audio(ramp))
    assert [first for first, _ in chunks] == list(np.cumsum([0, *(len(samples) for _, samples in chunks)])[:-1])
    np.testing.assert_array_equal(np.concatenate([samples for _, samples in chunks]), RAMP)

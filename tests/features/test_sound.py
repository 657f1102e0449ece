"""A signal without anything to analyse is missing, with its reason; never a vector of silence."""

import numpy as np
import pytest

from affectory.features import FEATURE_SETS, Segment
from affectory.features.sound import signal_fault

TONE = 0.3 * np.sin(2 * np.pi * 220 * np.arange(16_000) / 16_000)


def only(name: str, *segments: Segment):
    return list(FEATURE_SETS[name].extract(segments))


def segment(path, start_s=0.0, end_s=None, **more) -> Segment:
    return Segment(utterance_id="u", media=path, media_sha256="x", start_s=start_s, end_s=end_s, has_audio=True, **more)


def test_nothing_to_analyse_has_a_reason():
    for samples, reason in [
        (np.zeros(16_000), "silent"),
        (np.full(16_000, 5e-5), "silent"),
        (TONE[:959], "too_short"),
        (np.zeros(0), "too_short"),
        (np.where(np.arange(16_000) == 5, np.nan, TONE), "non_finite"),
    ]:
        fault = signal_fault(samples)
        assert fault is not None and fault[0] == reason


def test_sixty_milliseconds_of_a_quiet_voice_are_enough():
    assert signal_fault(TONE[:960] * 1e-3) is None


def test_a_silent_stretch_is_missing_and_its_neighbour_is_not(make_sound):
    for name in ["compare", "egemaps"]:
        path = make_sound("half.wav", np.concatenate([np.zeros(8000), TONE]))
        silent, sounding = only(name, segment(path, 0.0, 0.5), segment(path, 0.5, 1.5))
        assert (silent.valid, silent.reason, len(silent.frames), silent.refused) == (False, "silent", 0, False)
        assert sounding.valid and np.isfinite(sounding.frames).all()


def test_a_track_that_ends_before_half_the_utterance_is_refused_and_a_little_less_is_counted(make_sound):
    path = make_sound("short.wav", TONE)
    most, least = only("compare", segment(path, 0.0, 1.25), segment(path, 0.0, 4.0))
    assert most.valid and most.coverage == pytest.approx(0.8)
    assert (least.valid, least.reason, least.refused) == (False, "sound_cut_short", True)


def test_no_audio_track_and_no_media_are_missing_without_opening_anything(tmp_path):
    mute = Segment(utterance_id="mute", media=tmp_path / "absent.mp4", media_sha256="x")
    row, other = only("compare", mute, Segment(utterance_id="text", transcript="hello"))
    assert (row.reason, row.frames.shape, other.reason) == ("no_audio_track", (0, 130), "no_media")

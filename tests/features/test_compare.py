"""ComParE frames: openSMILE's own numbers, MMIN's reduction to ten a second."""

import numpy as np
from scipy.signal import resample_poly

from affectory.features import FEATURE_SETS, Segment
from affectory.features.compare import LEVELS, every_tenth
from affectory.features.opensmile_engine import COMPARE_2016, EGEMAPS_V02, analyse

SECONDS = np.arange(16_000) / 16_000
VOICE = (
    sum(np.sin(2 * np.pi * 150 * k * SECONDS) / k for k in range(1, 9)) * 0.2 * (1 + np.sin(2 * np.pi * 3 * SECONDS))
)


def frames_of(path, start_s=0.0, end_s=None, name="compare"):
    segment = Segment(utterance_id="u", media=path, media_sha256="x", start_s=start_s, end_s=end_s, has_audio=True)
    return next(iter(FEATURE_SETS[name].extract([segment]))).frames


def test_the_numbers_are_those_of_the_opensmile_package():
    import opensmile

    sets = opensmile.FeatureSet
    lld = opensmile.Smile(sets.ComParE_2016, opensmile.FeatureLevel.LowLevelDescriptors)(VOICE, 16_000)[0].T
    deltas = opensmile.Smile(sets.ComParE_2016, opensmile.FeatureLevel.LowLevelDescriptors_Deltas)(VOICE, 16_000)[0].T
    assert len(deltas) == len(lld) + 2  # what has to be aligned
    np.testing.assert_array_equal(analyse(VOICE, COMPARE_2016, LEVELS), np.hstack([lld, deltas[: len(lld)]]))
    functionals = opensmile.Smile(sets.eGeMAPSv02, opensmile.FeatureLevel.Functionals)(VOICE, 16_000)[0].T
    np.testing.assert_array_equal(analyse(VOICE, EGEMAPS_V02, "func"), functionals)


def test_a_delta_stands_beside_its_descriptor():
    frames = analyse(VOICE, COMPARE_2016, LEVELS)
    loudness = frames[:, 20]  # a band of the auditory spectrum; its delta is a regression over five frames
    slope = np.convolve(loudness, [0.2, 0.1, 0.0, -0.1, -0.2], mode="valid")
    np.testing.assert_allclose(frames[2:-2, 65 + 20], slope, atol=1e-4)


def test_every_tenth_equals_scipys_resample_poly():
    frames = np.random.default_rng(0).normal(size=(137, 3))
    np.testing.assert_allclose(every_tenth(frames), resample_poly(frames, 1, 10, axis=0), atol=1e-12)
    assert [len(every_tenth(frames[:n])) for n in (1, 10, 11)] == [1, 1, 2]


def test_a_second_of_voice_is_ten_frames_of_130_values_or_one_of_88(make_sound):
    path = make_sound("voice.wav", VOICE)
    assert frames_of(path).shape == (10, 130) and frames_of(path).dtype == np.float32
    assert frames_of(path, name="egemaps").shape == (1, 88)


def test_an_utterance_gives_the_same_frames_alone_and_in_a_group(make_sound):
    path = make_sound("long.wav", np.tile(VOICE, 4))
    spans = [(0.0, 1.2), (1.0, 2.0), (2.3, 3.9)]
    group = [
        Segment(utterance_id=str(i), media=path, media_sha256="x", start_s=s, end_s=e, has_audio=True)
        for i, (s, e) in enumerate(spans)
    ]
    rows = {row.utterance_id: row for row in FEATURE_SETS["compare"].extract(group[::-1])}
    for i, (start_s, end_s) in enumerate(spans):
        np.testing.assert_array_equal(rows[str(i)].frames, frames_of(path, start_s, end_s))


def test_samples_beyond_full_scale_are_clipped_and_do_not_wrap_around():
    loud, clipped = VOICE * 3.0, np.clip(VOICE * 3.0, -1.0, 1.0)
    np.testing.assert_array_equal(analyse(loud, COMPARE_2016, LEVELS), analyse(clipped, COMPARE_2016, LEVELS))

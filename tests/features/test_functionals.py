"""Utterance functionals: ComParE's 6,373 and eGeMAPS's 88 side by side, openSMILE's own numbers."""

import numpy as np

from affectory.features import FEATURE_SETS, Segment
from affectory.features.functionals import Functionals, _both
from affectory.vocabulary import Modality

SECONDS = np.arange(16_000) / 16_000
VOICE = (
    sum(np.sin(2 * np.pi * 150 * k * SECONDS) / k for k in range(1, 9)) * 0.2 * (1 + np.sin(2 * np.pi * 3 * SECONDS))
)


def rows_of(path, *spans: tuple[float, float | None]):
    segments = [
        Segment(utterance_id=str(i), media=path, media_sha256="x", start_s=start_s, end_s=end_s, has_audio=True)
        for i, (start_s, end_s) in enumerate(spans)
    ]
    return sorted(FEATURE_SETS["functionals"].extract(segments), key=lambda row: row.utterance_id)


def test_they_are_an_acoustic_feature_set_of_6461_values():
    functionals = FEATURE_SETS["functionals"]
    assert isinstance(functionals, Functionals) and functionals.modality is Modality.ACOUSTIC
    assert (functionals.width, functionals.rate_hz) == (6373 + 88, None) and "opensmile" in functionals.version


def test_the_numbers_are_those_of_the_opensmile_package():
    import opensmile

    sets, level = opensmile.FeatureSet, opensmile.FeatureLevel.Functionals
    parts = [opensmile.Smile(of, level)(VOICE, 16_000)[0].T for of in (sets.ComParE_2016, sets.eGeMAPSv02)]
    assert [part.shape for part in parts] == [(1, 6373), (1, 88)]
    np.testing.assert_array_equal(_both(VOICE), np.hstack(parts))


def test_an_utterance_is_one_finite_frame_and_its_neighbours_do_not_matter(make_sound):
    path = make_sound("long.wav", np.tile(VOICE, 2))
    first, second = rows_of(path, (0.0, 0.9), (1.0, 2.0))
    assert first.valid and first.frames.shape == (1, 6461) and first.frames.dtype == np.float32
    assert np.isfinite(first.frames).all() and not np.array_equal(first.frames, second.frames)
    np.testing.assert_array_equal(second.frames, rows_of(path, (1.0, 2.0))[0].frames)


def test_a_clip_without_anything_to_analyse_is_missing_with_its_reason(make_sound):
    for samples, reason in [(np.zeros(16_000), "silent"), (VOICE[:800], "too_short")]:
        (row,) = rows_of(make_sound("clip.wav", samples), (0.0, None))
        assert (row.valid, row.reason, row.frames.shape) == (False, reason, (0, 6461)) and row.detail


def test_sixty_milliseconds_are_enough(make_sound):
    (row,) = rows_of(make_sound("clip.wav", VOICE[:960]), (0.0, None))
    assert row.valid and row.frames.shape == (1, 6461)

"""Spectra, mel bands and cepstra are librosa's numbers, without librosa.

spectra_librosa.npz holds, for SIGNAL and float64, every 16th bin of abs(librosa.stft(y, n_fft=2048, hop_length=512)),
librosa.feature.melspectrogram(y=y, sr=16000, n_fft=2048, hop_length=512, n_mels=90), librosa.power_to_db of that, and
librosa.feature.mfcc(S=that, n_mfcc=40), all [frames, values] and rounded to float32; `release` is librosa's.
"""

from pathlib import Path

import numpy as np
import pytest

from affectory.features import FEATURE_SETS, Segment, spectra
from affectory.features.spectra import cepstra, decibels, magnitudes, mel_bands, mel_powers

STORED = np.load(Path(__file__).parents[1] / "files" / "spectra_librosa.npz")
N = np.arange(11_000)  # 0.69 s
SIGNAL = np.where(
    N < 7_000,
    0.4 * np.sin(2 * np.pi * 180 * N / 16_000) * (1 + np.sin(2 * np.pi * 4 * N / 16_000))
    + 0.2 * np.sin(2 * np.pi * 0.02 * N * N / 16_000)
    + 0.05 * np.sin(7.0 * N * N),
    1e-6 * np.sin(3.0 * N * N),
)
NAMES = ("spectrogram", "mel", "logmel", "mfcc")


def test_magnitudes_are_those_of_librosa():
    np.testing.assert_allclose(magnitudes(SIGNAL)[:, ::16], STORED["spectrogram"], rtol=1e-5)


def test_mel_powers_are_those_of_librosa():
    np.testing.assert_allclose(mel_powers(SIGNAL), STORED["mel"], rtol=1e-5)


def test_levels_are_those_of_librosa_and_end_80_decibels_below_the_loudest():
    levels = decibels(mel_powers(SIGNAL))
    np.testing.assert_allclose(levels, STORED["logmel"], rtol=1e-5, atol=1e-4)  # some levels are near 0 decibels
    assert levels.min() == levels.max() - 80.0


def test_coefficients_are_those_of_librosa():
    np.testing.assert_allclose(cepstra(decibels(mel_powers(SIGNAL))), STORED["mfcc"], rtol=1e-5, atol=1e-5)
    assert str(STORED["release"]) == "0.11.0"


def test_single_precision_samples_give_the_same_numbers():
    np.testing.assert_allclose(mel_powers(SIGNAL[:7000].astype(np.float32)), mel_powers(SIGNAL[:7000]), rtol=1e-4)


def test_three_seconds_are_94_frames_and_a_sixteenth_of_a_second_is_two():
    assert [len(magnitudes(np.zeros(n))) for n in (48_000, 1_000, 511)] == [94, 2, 1]


def test_long_sound_in_blocks_gives_what_one_block_gives(monkeypatch):
    whole = mel_powers(SIGNAL)
    monkeypatch.setattr(spectra, "BLOCK_FRAMES", 4)
    np.testing.assert_allclose(mel_powers(SIGNAL), whole, rtol=1e-12)


def test_a_tone_stands_in_its_bin_and_in_its_band():
    tone = np.sin(2 * np.pi * 1000 * np.arange(16_000) / 16_000)
    middle = magnitudes(tone)[10]
    assert middle.argmax() == 128 and middle.max() == pytest.approx(512, rel=1e-3)  # half the window's sum of 1,024
    assert mel_bands()[128].argmax() == mel_powers(tone)[10].argmax()


def test_silence_has_a_level_and_no_infinity():
    assert (decibels(np.zeros((2, 3))) == -100.0).all()


def test_each_band_has_unit_area_over_hertz():
    wide = mel_bands()[:, 40:]  # narrow bands hold too few bins for the sum to be the area
    np.testing.assert_allclose(wide.sum(0) * 16_000 / 2048, 1.0, atol=0.05)


def test_an_utterance_of_a_file_has_its_frames_and_gives_the_same_alone_and_in_a_group(make_sound):
    for name, width in zip(NAMES, (1025, 90, 90, 40), strict=True):
        path = make_sound("long.wav", np.tile(SIGNAL[:7000], 5))
        spans = [(0.0, 1.0), (0.5, 1.5)]
        group = [
            Segment(utterance_id=str(i), media=path, media_sha256="x", start_s=s, end_s=e, has_audio=True)
            for i, (s, e) in enumerate(spans)
        ]
        feature_set = FEATURE_SETS[name]
        rows = {row.utterance_id: row for row in feature_set.extract(group)}
        for segment in group:
            alone = next(iter(feature_set.extract([segment])))
            assert alone.valid and alone.frames.shape == (32, width) and alone.frames.dtype == np.float32
            np.testing.assert_array_equal(rows[segment.utterance_id].frames, alone.frames)
        assert feature_set.width == width and feature_set.rate_hz == 31.25


def test_a_silent_utterance_is_missing(make_sound):
    for name in NAMES:
        path = make_sound("silent.wav", np.zeros(16_000))
        row = next(
            iter(FEATURE_SETS[name].extract([Segment(utterance_id="u", media=path, media_sha256="x", has_audio=True)]))
        )
        assert (row.valid, row.reason, row.frames.shape) == (False, "silent", (0, FEATURE_SETS[name].width))


def test_the_four_sets_are_told_apart_by_name_and_options():
    options = [dict(FEATURE_SETS[name].options) for name in NAMES]
    assert options[3] == options[2] | {"coefficients": 40} and options[2] == options[1] | {"range_db": 80.0}
    assert all(FEATURE_SETS[name].version.startswith("1, torch ") for name in NAMES)

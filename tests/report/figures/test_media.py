"""What models are given is drawn with its units, of odd data too."""

import numpy as np

from affectory.report.figures.media import face_strip, sound_panels
from tests.fixtures.pages import texts

SOUNDS = {"mfcc": 40, "logmel": 90, "spectrogram": 1025, "mel": 90}


def test_sounds_have_a_panel_each_with_seconds_and_what_is_on_the_other_axis():
    generator = np.random.default_rng(0)
    words = texts(sound_panels({name: generator.random((94, wide)) for name, wide in SOUNDS.items()}))
    assert {"Spectrogram, dB", "Mel spectrogram, dB", "Log-mel spectrogram, dB", "MFCC"} <= set(words)
    assert {"Time, s", "Hz", "Mel band", "Coefficient", "8000"} <= set(words)
    assert "3.0" in words and "3.5" not in words  # 94 frames at 31.25 a second


def test_silence_unknown_values_and_more_sets_than_are_known_are_drawn():
    many = {name: np.ones((3, 2)) for name in "abcde"}
    for sounds in ({"mel": np.zeros((5, 90))}, {"mfcc": np.full((1, 40), np.nan)}, many):
        assert len(sound_panels(sounds, form="png")) > 2000


def test_each_face_has_its_number():
    for faces in (1, 8, 16):
        words = texts(face_strip(np.zeros((faces, 112, 112, 3), np.uint8)))
        assert words == [str(place) for place in range(1, faces + 1)]

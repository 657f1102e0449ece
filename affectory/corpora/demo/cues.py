"""What an emotion does to a voice and to a face, in each of two cultures, and how much noise lies over it.

In the units of `VoiceCue` and `FaceCue`. These numbers are the planted answer: docs/demo-corpus.md explains them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EMOTIONS = ("angry", "happy", "neutral", "sad")


@dataclass(frozen=True, kw_only=True)
class VoiceCue:
    """Offsets from a middling voice: one unit is 10 points of pitch, 20 of range, 20 words a minute, 4 dB."""

    pitch: float
    pitch_range: float
    rate: float
    loudness: float
    brightness: float


@dataclass(frozen=True, kw_only=True)
class FaceCue:
    """The expression held through an utterance, counted as in `face.Expression`; the openings are offsets."""

    corner_lift: float
    brow_slope: float
    brow_lift: float
    eye_opening: float
    mouth_opening: float


@dataclass(frozen=True, kw_only=True)
class Culture:
    """A style of expression with its accent. Both are invented: no people speaks or looks so."""

    name: str
    accent: str  # espeak-ng voice
    voice_gain: float
    face_gain: float
    voice_habit: tuple[float, ...]  # offsets of every voice of this culture, in VoiceCue's order
    angry_voice: tuple[float, ...]  # added to an angry voice
    angry_face: tuple[float, ...]


# pitch, pitch_range, rate, loudness, brightness
VOICES: dict[str, tuple[float, ...]] = {
    "angry": (0.3, 0.5, 0.7, 1.2, 1.1),
    "happy": (0.9, 1.2, 0.4, 0.4, 0.2),
    "neutral": (0.0, -0.2, 0.0, 0.0, 0.0),
    "sad": (-0.6, -0.9, -1.1, -0.9, -0.8),
}
# corner_lift, brow_slope, brow_lift, eye_opening, mouth_opening
FACES: dict[str, tuple[float, ...]] = {
    "angry": (-0.35, -0.75, -0.35, 0.10, 0.10),
    "happy": (0.75, 0.05, 0.30, -0.05, 0.15),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0),
    "sad": (-0.60, 0.65, 0.0, -0.25, -0.10),
}
CULTURES = (
    # Still faces and telling voices; anger is cold: low, slow and tight.
    Culture(
        name="north",
        accent="en-gb-scotland",
        voice_gain=1.3,
        face_gain=0.8,
        voice_habit=(-0.2, -0.3, -0.2, -0.2, 0.0),
        angry_voice=(-0.5, -0.3, -0.3, 0.0, 0.3),
        angry_face=(0.0, -0.1, -0.1, -0.15, -0.10),
    ),
    # Lively faces and even voices; anger is hot: high, fast and wide open.
    Culture(
        name="south",
        accent="en-us",
        voice_gain=1.15,
        face_gain=1.1,
        voice_habit=(0.2, 0.3, 0.2, 0.2, 0.0),
        angry_voice=(0.4, 0.3, 0.3, 0.2, 0.0),
        angry_face=(0.0, 0.0, 0.0, 0.20, 0.15),
    ),
)

VOICE_NOISE = np.array([0.4, 0.4, 0.4, 0.4, 0.4])  # standard deviations, drawn anew for every utterance
FACE_NOISE = np.array([0.30, 0.30, 0.25, 0.12, 0.06])
HABIT_SHARE = 0.5  # a speaker's constant habit, as a share of those deviations

# How often a cue shows the intended emotion; otherwise it shows one of the other three.
AGREEMENT = {"acoustic": 0.90, "visual": 0.85}
WORDS = {"intended": 0.70, "plain": 0.24, "other": 0.06}

# valence, arousal in -1..1 at full intensity
AFFECT: dict[str, tuple[float, float]] = {
    "angry": (-0.65, 0.70), "happy": (0.75, 0.50), "neutral": (0.0, -0.10), "sad": (-0.60, -0.55),
}  # fmt: skip
AFFECT_NOISE = 0.12


Habit = tuple[float, ...]  # a speaker's constant part, in standard deviations


def voice_cue(emotion: str, culture: Culture, intensity: float, habit: Habit, rng: np.random.Generator) -> VoiceCue:
    """How a speaker's voice shows `emotion` in one utterance: the culture's way, the speaker's habit, and noise."""
    anger = np.array(culture.angry_voice) if emotion == "angry" else 0.0
    signal = intensity * culture.voice_gain * (np.array(VOICES[emotion]) + anger)
    noise = np.array(habit) * HABIT_SHARE * VOICE_NOISE + rng.normal(size=5) * VOICE_NOISE
    parts = signal + noise + np.array(culture.voice_habit)
    return VoiceCue(**dict(zip(VoiceCue.__dataclass_fields__, map(float, parts), strict=True)))


def face_cue(emotion: str, culture: Culture, intensity: float, habit: Habit, rng: np.random.Generator) -> FaceCue:
    """How a speaker's face shows `emotion` in one utterance: the culture's way, the speaker's habit, and noise."""
    anger = np.array(culture.angry_face) if emotion == "angry" else 0.0
    signal = intensity * culture.face_gain * (np.array(FACES[emotion]) + anger)
    noise = np.array(habit) * HABIT_SHARE * FACE_NOISE + rng.normal(size=5) * FACE_NOISE
    return FaceCue(**dict(zip(FaceCue.__dataclass_fields__, map(float, signal + noise), strict=True)))

"""A turn played out: from what a face should show to its expression at each instant."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from affectory.corpora.demo.face import Expression
from affectory.corpora.demo.script import Turn

ONSET_S = 0.35  # the expression comes up this long before the first word and fades as long after the last
_BLINK_EVERY_S = 3.0
_CARRIED = 0.45  # of the expression, between onset and fade
_JAW = 0.55  # mouth opening of the loudest instant


def play(
    turn: Turn, times_s: NDArray[np.floating], start_s: float, end_s: float, loudness: NDArray[np.floating]
) -> Iterator[Expression]:
    """The speaker's expression at `times_s` [T]; `loudness` [T] in 0..1 opens the mouth."""
    rng = np.random.default_rng(turn.seed)
    strengths = _CARRIED + (1 - _CARRIED) * _ramp(times_s, start_s - ONSET_S, end_s + ONSET_S)
    wobble = 1 + 0.12 * np.stack([_drift(rng, times_s) for _ in range(3)])
    turns, nods, leans, across, down = (_drift(rng, times_s) for _ in range(5))
    blink = _blinks(rng, times_s)
    articulation = rng.uniform(0.7, 1.1, size=len(times_s))
    face = turn.face
    for index in range(len(times_s)):
        strength = strengths[index]
        speaking = _JAW * loudness[index] * articulation[index]
        mouth = speaking * (1 + 1.5 * face.mouth_opening) + 0.5 * face.mouth_opening * strength
        yield Expression(
            corner_lift=_within(face.corner_lift * strength * wobble[0, index], 1.1),
            brow_slope=_within(face.brow_slope * strength * wobble[1, index], 1.1),
            brow_lift=_within(face.brow_lift * strength * wobble[2, index], 1.0),
            eye_opening=float(np.clip(1 + face.eye_opening * strength, 0.45, 1.5) * blink[index]),
            mouth_opening=float(np.clip(mouth, 0, 1)),
            turn=float(0.5 * turns[index]),
            nod=float(0.4 * nods[index] + 0.15 * loudness[index]),
            lean_deg=float(3.0 * leans[index]),
            shift_px=(float(3 * across[index]), float(2 * down[index])),
        )


def _within(value: float, limit: float) -> float:
    return float(np.clip(value, -limit, limit))


def _ramp(times_s: NDArray[np.floating], from_s: float, to_s: float) -> NDArray[np.floating]:
    """0 outside, 1 inside, straight over ONSET_S at both ends."""
    return np.clip(np.minimum(times_s - from_s, to_s - times_s) / ONSET_S, 0, 1)


def _drift(rng: np.random.Generator, times_s: NDArray[np.floating]) -> NDArray[np.floating]:
    """A slow random swaying within -1..1."""
    rates_hz, phases = rng.uniform(0.15, 0.6, size=2), rng.uniform(0, 2 * np.pi, size=2)
    return np.sin(2 * np.pi * rates_hz[:, None] * times_s + phases[:, None]).mean(axis=0)


def _blinks(rng: np.random.Generator, times_s: NDArray[np.floating]) -> NDArray[np.floating]:
    """A factor on the eyes' opening: 1, and near 0 for the one frame of a blink."""
    opening = np.ones(len(times_s))
    at_s = times_s[0] + rng.uniform(0.2, _BLINK_EVERY_S)
    while at_s < times_s[-1]:
        opening[np.searchsorted(times_s, at_s)] = 0.08
        at_s += rng.uniform(0.6, 1.4) * _BLINK_EVERY_S
    return opening

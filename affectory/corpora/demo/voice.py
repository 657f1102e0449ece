"""Synthesised speech of one dialogue, from the child process that holds espeak-ng."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affectory.corpora.demo.process import DemoError, run

RATE_HZ = 22050  # espeak-ng's own
_TIMEOUT_S = 60.0  # ten sentences take 0.1 s
_SPEECH_RMS = 0.07  # -23 dB of full scale
_SILENCE = 0.02  # of the peak: what lies below at either end is not speech


@dataclass(frozen=True, kw_only=True)
class Line:
    """One sentence and how it is said."""

    text: str
    voice: str  # espeak-ng's name with variant: en-us+m3
    rate_wpm: int
    pitch: int  # 0..99
    pitch_range: int  # 0..99
    gain_db: float  # against _SPEECH_RMS
    brightness: float  # -0.9 dull .. 0.9 tense: the balance of high against low frequencies
    seed: int


def speak(lines: Sequence[Line], *, item: str) -> list[NDArray[np.float32]]:
    """Each line's samples at RATE_HZ, -1..1, without silence at the ends. Raises DemoError naming `item`."""
    keys = ("text", "voice", "rate_wpm", "pitch", "pitch_range", "seed")
    request = json.dumps([{key: getattr(line, key) for key in keys} for line in lines])
    program = Path(__file__).with_name("espeak.py")
    # -P: the program's own folder stays off its import path
    answer = run([sys.executable, "-P", str(program)], request.encode(), item=item, timeout_s=_TIMEOUT_S)
    first_line, _, pcm = answer.partition(b"\n")
    header = json.loads(first_line)
    if header["rate_hz"] != RATE_HZ:
        raise DemoError(f"{item}: expected espeak-ng to speak at {RATE_HZ} Hz, got {header['rate_hz']} Hz")
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) * np.float32(1 / 32768)
    spoken = np.split(samples, np.cumsum(header["samples"])[:-1])
    return [_shape(part, line, item) for part, line in zip(spoken, lines, strict=True)]


def _shape(samples: NDArray[np.float32], line: Line, item: str) -> NDArray[np.float32]:
    audible = np.flatnonzero(np.abs(samples) > _SILENCE * np.abs(samples).max(initial=0))
    if audible.size == 0:
        raise DemoError(f"{item}: espeak-ng said nothing for {line.text!r} with voice {line.voice}")
    speech = samples[audible[0] : audible[-1] + 1]
    tilted = speech.copy()
    tilted[1:] -= np.float32(line.brightness) * speech[:-1]
    level = _SPEECH_RMS * 10 ** (line.gain_db / 20) / np.sqrt(np.mean(tilted**2))
    return np.clip(tilted * np.float32(level), -0.98, 0.98)

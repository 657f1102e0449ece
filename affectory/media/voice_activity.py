"""Turns of speech in a media file, by silero's voice-activity model (its weights are in its wheel)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from affectory.media import MediaError, stream_audio

RATE_HZ = 16000
WINDOW = 512  # samples that the model takes in one step
LONGEST_S = 30.0
# The model hears a pause about 0.1 s shorter than it is. On recordings of RAVDESS and EmoDB joined with pauses of 0.3 s
# this value splits 20 of 20 turns, a setting of 0.2 s 12 of them, and pauses of 0.15 s stay inside a turn.
SHORTEST_PAUSE_S = 0.15

Turn = tuple[float, float]  # start_s, end_s


def segment_by_voice(path: Path, duration_s: float) -> list[Turn]:
    """(start_s, end_s) of each turn of speech, in order, none longer than LONGEST_S.

    A file without an audio track, or without a voice, comes whole, in pieces of at most LONGEST_S. Raises MediaError
    for a file that cannot be read.
    """
    try:
        turns = voice_turns(_without_holes(stream_audio(path, RATE_HZ)))
    except MediaError as error:
        if error.reason != "no_audio_track":
            raise
        turns = []
    return [
        piece for start_s, end_s in turns or [(0.0, duration_s)] for piece in _pieces(start_s, min(end_s, duration_s))
    ]


def voice_turns(chunks: Iterable[np.ndarray]) -> list[Turn]:
    """(start_s, end_s) of each turn in mono sound at 16 kHz, float32, that comes in chunks of any length."""
    import torch

    probabilities: list[float] = []
    samples = 0
    with _one_thread(), torch.inference_mode():
        model, timestamps = _model()
        model.reset_states()
        for window in _windows(chunks):
            samples += len(window)
            padded = np.pad(window, (0, WINDOW - len(window)))
            probabilities.append(model(torch.from_numpy(padded), RATE_HZ).item())
    turns = timestamps(
        probabilities,
        sampling_rate=RATE_HZ,
        min_silence_duration_ms=round(1000 * SHORTEST_PAUSE_S),
        max_speech_duration_s=LONGEST_S,
        audio_length_samples=samples,
    )
    return [(turn["start"] / RATE_HZ, turn["end"] / RATE_HZ) for turn in turns]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps of 0.1 ms lose a thousandfold to threads that wait for each other on a busy machine.

    The caller's number comes back afterwards; importing silero_vad alone would set one for the whole process.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@cache
def _model() -> tuple[Any, Any]:
    """silero's network and its reading of the probabilities, loaded once a process."""
    from silero_vad import get_speech_timestamps_from_probs, load_silero_vad

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit.load is deprecated; the wheel has no other form for torch
        return load_silero_vad(), get_speech_timestamps_from_probs


def _without_holes(chunks: Iterable[tuple[int, np.ndarray]]) -> Iterator[np.ndarray]:
    position = 0
    for first, samples in chunks:
        while position < first:  # a second at a time: a hole may last hours
            silence = np.zeros(min(RATE_HZ, first - position), np.float32)
            yield silence
            position += len(silence)
        yield samples
        position += len(samples)


def _windows(chunks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The same samples in windows of WINDOW, the last one perhaps shorter."""
    rest = np.zeros(0, np.float32)
    for chunk in chunks:
        rest = np.concatenate([rest, chunk])
        whole = len(rest) // WINDOW * WINDOW
        yield from rest[:whole].reshape(-1, WINDOW)
        rest = rest[whole:]
    if len(rest):
        yield rest


def _pieces(start_s: float, end_s: float) -> list[Turn]:
    """The span in equal pieces of at most LONGEST_S."""
    count = max(1, math.ceil((end_s - start_s) / LONGEST_S - 1e-9))
    bounds = [start_s + (end_s - start_s) * k / count for k in range(count)] + [end_s]
    return list(pairwise(bounds))

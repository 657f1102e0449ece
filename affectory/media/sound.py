"""Sound as mono float32 on the file's time axis: one span, many spans in one pass, or the whole file in chunks."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectory.media.opening import (
    MediaError,
    Span,
    audio_stream,
    check_sorted,
    check_time,
    decode,
    open_media,
    origin_s,
)

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

GAP_S = 0.05  # time stamps may jitter by a packet's rounding; a later jump is a hole in the sound


def read_audio(path: Path, start_s: float = 0.0, end_s: float | None = None, rate_hz: int = 16000) -> np.ndarray:
    """Mono sound of [start_s, end_s) -> float32 [S] in -1..1.

    Sample i is at start_s + i / rate_hz: holes and a late start are zeros, channels are averaged. It ends where the
    track ends, so S is smaller than the span for a track that ends early and 0 for a span without sound.
    Raises MediaError, e.g. no_audio_track.
    """
    return next(read_audio_spans(path, [(start_s, end_s)], rate_hz))


def read_audio_spans(path: Path, spans: Sequence[Span], rate_hz: int = 16000) -> Iterator[np.ndarray]:
    """read_audio of each span in turn, decoding the file once. Spans are sorted by start_s and may overlap."""
    check_sorted(path, spans)
    starts = [round(start_s * rate_hz) for start_s, _ in spans]
    ends = [math.inf if end_s is None else round(end_s * rate_hz) for _, end_s in spans]
    window = _Window()
    place = 0  # of the span that is next
    for first, samples in stream_audio(path, rate_hz):
        window.append(first, samples)
        while place < len(spans) and window.end >= ends[place]:
            yield window.cut(starts[place], ends[place])
            place += 1
        if place == len(spans):
            return
        window.forget(starts[place])
    for start, end in zip(starts[place:], ends[place:], strict=True):
        yield window.cut(start, end)


class _Window:
    """The decoded sound that spans still need: chunks in order, perhaps with holes between them."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, np.ndarray]] = deque()
        self.end = 0

    def append(self, first: int, samples: np.ndarray) -> None:
        self._chunks.append((first, samples))
        self.end = first + len(samples)

    def forget(self, before: int) -> None:
        while self._chunks:
            first, samples = self._chunks[0]
            if first + len(samples) > before:
                return
            self._chunks.popleft()

    def cut(self, start: int, end: float) -> np.ndarray:
        inside = [(first, samples) for first, samples in self._chunks if first < end and first + len(samples) > start]
        if not inside:
            return np.zeros(0, np.float32)
        stop = int(min(end, inside[-1][0] + len(inside[-1][1])))
        cut = np.zeros(stop - start, np.float32)
        for first, samples in inside:
            part = samples[max(0, start - first) : stop - first]
            offset = max(0, first - start)
            cut[offset : offset + len(part)] = part
        return cut


def stream_audio(path: Path, rate_hz: int = 16000) -> Iterator[tuple[int, np.ndarray]]:
    """(index of the first sample, counted from the container's start; float32 [S]): in order, never overlapping."""
    with open_media(path) as container:
        stream = audio_stream(container)
        if stream is None:
            raise MediaError("no_audio_track", f"{path.name}: expected sound, came a file without an audio track")
        yield from _as_mono(decode(container, stream), origin_s(container), rate_hz, path.name)


def _as_mono(frames: Iterable[AudioFrame], origin: float, rate_hz: int, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """Decoded sound as mono chunks at rate_hz, each with the index of its first sample on the file's time axis."""
    run: _Run | None = None
    expected_s = 0.0  # by the samples that came since the run began, so that small steps add up to a hole too
    for frame in frames:
        time_s = expected_s if frame.time is None else frame.time - origin
        check_time(name, time_s)
        if run is None or run.form != _form(frame) or time_s - expected_s > GAP_S:
            first = round(time_s * rate_hz)
            if run is not None:
                yield from run.feed(None)
                first = max(first, run.position)
            run, expected_s = _Run(first, rate_hz, _form(frame)), time_s
        yield from run.feed(frame)
        expected_s += frame.samples / frame.sample_rate
    if run is not None:
        yield from run.feed(None)


def _form(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


class _Run:
    """A stretch of sound without a hole or a change of form. `position`: index of the sample that comes next."""

    def __init__(self, position: int, rate_hz: int, form: tuple[str, str, int]) -> None:
        from av.audio.resampler import AudioResampler

        self.position = position
        self.form = form
        # By default FFmpeg mixes float stereo to mono at L / sqrt(2) + R / sqrt(2), which leaves -1..1.
        options = {"rematrix_maxval": "1.0"}
        self._resampler = AudioResampler(format="flt", layout="mono", rate=rate_hz, options=options)

    def feed(self, frame: AudioFrame | None) -> Iterator[tuple[int, np.ndarray]]:
        """Resample one more frame; None empties what the resampler still holds."""
        for resampled_frame in self._resampler.resample(frame):
            if resampled_frame is not None:  # a resampler with nothing to do hands the closing None back
                samples = np.clip(resampled_frame.to_ndarray()[0], -1.0, 1.0)
                early = min(max(0, -self.position), len(samples))  # an encoder's run-up lies before the file's start
                if len(samples) > early:
                    yield self.position + early, samples[early:]
                self.position += len(samples)

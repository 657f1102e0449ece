"""Upright RGB frames sampled by presentation time, one in memory at a time."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectory.media.opening import (
    MediaError,
    Span,
    check_sorted,
    check_time,
    decode,
    file_name,
    open_media,
    origin_s,
    video_stream,
)

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

HOLD_S = 0.5  # a frame stands for grid points this near and no farther, so a hole in the video yields nothing
SEEK_S = 10.0  # over shorter distances reading on costs less than a seek
SEEKABLE = ("mov", "matroska")  # containers with an index: a seek lands on the key frame before its target


def read_frames(path: Path, start_s: float, end_s: float | None, rate_hz: float) -> Iterator[tuple[float, np.ndarray]]:
    """(t_s, RGB uint8 [H, W, 3], upright) at t_s = start_s + k / rate_hz < end_s, each the frame nearest in time.

    A point with no frame within HOLD_S is left out, so holes in the video are holes in t_s. One frame is held at a
    time. Raises MediaError, e.g. no_video_track.
    """
    for _, time_s, rgb in read_frame_spans(path, [(start_s, end_s)], rate_hz):
        yield time_s, rgb


def read_frame_spans(path: Path, spans: Sequence[Span], rate_hz: float) -> Iterator[tuple[int, float, np.ndarray]]:
    """(index of the span, t_s, RGB) as read_frames gives for each span, reading the file once.

    Spans are sorted by start_s; where they overlap their frames come interleaved, in time order.
    """
    check_sorted(path, spans)
    with open_media(path) as container:
        stream = video_stream(container)
        if stream is None:
            raise MediaError("no_video_track", f"{path.name}: expected pictures, came a file without a video track")
        for run in _runs(spans, container):
            frames = _frames_from(container, stream, run[0][1] - HOLD_S)
            yield from _sample(run, _displays(frames, _step_s(stream)), rate_hz)


_IndexedSpan = tuple[int, float, float]  # place in the caller's list, start_s, end_s


def _runs(spans: Sequence[Span], container: InputContainer) -> list[list[_IndexedSpan]]:
    """Spans in groups that are read without a seek between them."""
    apart = SEEK_S if _is_seekable(container) else math.inf
    runs: list[list[_IndexedSpan]] = []
    reached_s = -math.inf
    for index, (start_s, end_s) in enumerate(spans):
        if not runs or start_s - reached_s > apart:
            runs.append([])
        runs[-1].append((index, start_s, math.inf if end_s is None else end_s))
        reached_s = max(reached_s, runs[-1][-1][2])
    return runs


def _sample(
    run: list[_IndexedSpan], displayed: Iterator[tuple[float, float, VideoFrame]], rate_hz: float
) -> Iterator[tuple[int, float, np.ndarray]]:
    """(index of the span, t_s, RGB) at each point of the spans' grids that a frame is displayed at, in time order."""
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()  # one for all frames: setting it up costs as much as decoding a frame
    waiting = deque(run)
    for since_s, until_s, frame in displayed:
        while waiting and waiting[0][2] <= since_s:
            waiting.popleft()
        if not waiting:
            return
        rgb: np.ndarray | None = None
        for index, start_s, end_s in waiting:
            if start_s >= until_s:
                break
            for step in _steps(start_s, end_s, since_s, until_s, rate_hz):
                rgb = _upright(frame, reformatter) if rgb is None else rgb
                yield index, start_s + step / rate_hz, rgb


def _steps(start_s: float, end_s: float, since_s: float, until_s: float, rate_hz: float) -> range:
    """The k with since_s <= start_s + k / rate_hz < until_s that lie in the span; neighbouring intervals share none."""

    def first_step(time_s: float) -> int:
        return max(0, math.ceil((time_s - start_s) * rate_hz - 1e-6))

    return range(first_step(since_s), first_step(min(until_s, end_s)))


def _upright(frame: VideoFrame, reformatter: VideoReformatter) -> np.ndarray:
    rgb = reformatter.reformat(frame, format="rgb24").to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, round(frame.rotation / 90)))


def _displays(frames: Iterator[tuple[float, VideoFrame]], step_s: float) -> Iterator[tuple[float, float, VideoFrame]]:
    """(since_s, until_s, frame): from when to when each frame is the nearest one in time, within HOLD_S of its own.

    The first frame reaches back, and the last one forward, by the usual time between frames (step_s).
    """
    since_s = -math.inf
    previous: tuple[float, VideoFrame] | None = None
    for time_s, frame in frames:
        if previous is None:
            since_s = time_s - min(step_s, HOLD_S)
        else:
            middle_s = (previous[0] + time_s) / 2
            yield since_s, min(middle_s, previous[0] + HOLD_S), previous[1]
            since_s = max(middle_s, time_s - HOLD_S)
        previous = time_s, frame
    if previous is not None:
        yield since_s, previous[0] + min(step_s, HOLD_S), previous[1]


def _frames_from(container: InputContainer, stream: VideoStream, from_s: float) -> Iterator[tuple[float, VideoFrame]]:
    """Frames in time order, the first of them at from_s or earlier if there is one."""
    if _is_seekable(container) and from_s > SEEK_S:
        assert stream.time_base is not None  # FFmpeg gives every demuxed stream one
        # Half a second early: the index knows decoding times, and pictures are shown a little later.
        container.seek(int((from_s - 0.5 + origin_s(container)) / stream.time_base), stream=stream)
        frames = _timed(container, stream)
        first = next(frames, None)
        if first is not None and first[0] <= from_s:
            yield first
            yield from frames
            return
        container.seek(container.start_time or 0)  # the index was wrong: read from the beginning
    yield from _timed(container, stream)


def _is_seekable(container: InputContainer) -> bool:
    return container.format.name.split(",")[0] in SEEKABLE


def _timed(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float, VideoFrame]]:
    """(time_s, frame) with strictly rising times; a frame that steps back in time is left out."""
    step_s, last_s = _step_s(stream), -math.inf
    for stamp_s, frame in _stamped(container, stream):
        time_s = max(last_s + step_s, 0.0) if stamp_s is None else stamp_s
        check_time(file_name(container), time_s)
        if time_s > last_s:
            last_s = time_s
            yield time_s, frame


def _stamped(container: InputContainer, stream: VideoStream) -> Iterator[tuple[float | None, VideoFrame]]:
    """Each frame's presentation time, or None where the file gives none.

    AVI gives decoding times only. They rise with the pictures shown, later by what the decoder holds back, so they are
    counted from the first one.
    """
    origin = origin_s(container)
    if container.format.name != "avi":
        for frame in decode(container, stream):
            yield None if frame.time is None else frame.time - origin, frame
        return
    first: int | None = None
    for frame in decode(container, stream):
        first = frame.dts if first is None else first
        yield None if frame.dts is None else float((frame.dts - first) * frame.time_base), frame


def _step_s(stream: VideoStream) -> float:
    """The usual time between two frames; 25 Hz where the file does not say."""
    return 1 / float(stream.average_rate or 25)

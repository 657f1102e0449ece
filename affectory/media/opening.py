"""The one way to open a media file: whitelisted formats, local files only, limits on pixels and duration.

PyAV is imported when the first file is opened.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import stat_result
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

# Demuxers that read one file and nothing else: no playlists, scripts, image sequences or network protocols.
FORMATS = "mov,matroska,avi,mpegts,mpeg,mpegvideo,wav,flac,ogg,mp3,aac"
MAX_DURATION_S = 12 * 3600.0
MAX_PIXELS = 4096 * 4096
AUDIO_RATES_HZ = (4_000, 384_000)  # at 1 Hz, 40 kB would claim 11 hours and fill 2.5 GB once resampled
RECODE = "re-encode it (for example `ffmpeg -i IN -c:v libx264 -c:a aac OUT.mp4`) or remove it"

Span = tuple[float, float | None]  # start_s, end_s (None: to the end of the file)


class MediaError(Exception):
    """A file or track that cannot be used. `reason` is a snake_case word; `detail` names the file and the remedy."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """A container opened under the whitelists; what FFmpeg raises inside the block becomes a MediaError."""
    import av
    from av.error import FFmpegError

    check_regular(path)
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
    try:
        # Without the prefix a name such as `concat:x.mp4` or `http:__x.mp4` would be read as a protocol.
        with av.open(f"file:{path.absolute()}", "r", options=options, metadata_errors="replace") as container:
            yield container
    except (FFmpegError, MemoryError) as error:
        cause = getattr(error, "strerror", None) or "out of memory"
        detail = f"{path.name}: expected a whole file of the formats {FORMATS}, came: {cause}; {RECODE}"
        raise MediaError("unreadable_media", detail) from error


def check_regular(path: Path) -> None:
    """Raises MediaError: media_not_found, not_a_regular_file (a pipe would hang its reader), empty_file."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise MediaError("media_not_found", f"{path.name}: expected a readable file, came: {cause}") from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaError("not_a_regular_file", f"{path.name}: expected a file, came a {_kind(status)}; remove it")
    if status.st_size == 0:
        raise MediaError("empty_file", f"{path.name}: expected media, came 0 bytes; copy it again")


def _kind(status: stat_result) -> str:
    kinds = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(status.st_mode), "device")


def origin_s(container: InputContainer) -> float:
    """The container's start on its own clock; every time given or taken by this package is counted from it."""
    return (container.start_time or 0) / 1_000_000


def file_name(container: InputContainer) -> str:
    """The name of the container's file, without its folders: what messages call it."""
    return Path(container.name).name


def audio_stream(container: InputContainer) -> AudioStream | None:
    """The first audio track, or None. Raises MediaError: unsupported_codec, unsupported_rate."""
    stream = next(iter(container.streams.audio), None)
    if stream is None:
        return None
    _check_decoder(container, stream)
    (low_hz, high_hz), rate_hz = AUDIO_RATES_HZ, stream.codec_context.sample_rate
    if not low_hz <= rate_hz <= high_hz:
        detail = f"{file_name(container)}: expected sound at {low_hz} to {high_hz} Hz, came {rate_hz} Hz; {RECODE}"
        raise MediaError("unsupported_rate", detail)
    return stream


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first track of moving pictures (never cover art), its decoder limited to MAX_PIXELS, or None.

    Raises MediaError: unsupported_codec, too_many_pixels.
    """
    stream = next((stream for stream in container.streams.video if not _is_still(stream)), None)
    if stream is None:
        return None
    _check_decoder(container, stream)
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        detail = f"{file_name(container)}: expected at most {MAX_PIXELS} pixels, came {width}x{height}; scale it down"
        raise MediaError("too_many_pixels", detail)
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # the picture size may change later in the file
    return stream


def _is_still(stream: Stream) -> bool:
    from av.stream import Disposition

    return bool(
        stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image)
    )


def _check_decoder(container: InputContainer, stream: Stream) -> None:
    if stream.codec_context is None:
        detail = f"{file_name(container)}: expected a codec that FFmpeg decodes in its {stream.type} track; {RECODE}"
        raise MediaError("unsupported_codec", detail)


def decode(container: InputContainer, stream: Stream) -> Iterator[Any]:
    """Audio or video frames of one track; a packet that cannot be decoded is passed over (probing counts them)."""
    from av.error import InvalidDataError

    for packet in container.demux(stream):  # pyright: ignore[reportCallIssue, reportArgumentType]
        try:
            frames = packet.decode()
        except InvalidDataError:
            continue
        yield from frames


def check_time(name: str, time_s: float) -> None:
    """Raises MediaError where a time stamp lies beyond MAX_DURATION_S: two stamps can claim a billion seconds."""
    if time_s > MAX_DURATION_S:
        detail = f"{name}: expected at most {MAX_DURATION_S:.0f} s, came a time stamp at {time_s:.0f} s; cut it up"
        raise MediaError("duration_over_limit", detail)


def check_sorted(path: Path, spans: Sequence[Span]) -> None:
    """Raises ValueError where the spans of a file do not come in the order of their starts."""
    starts = [start_s for start_s, _ in spans]
    if starts != sorted(starts):
        raise ValueError(f"{path.name}: expected spans sorted by start_s, came {list(spans[:3])}...")

"""Judging media files before anything relies on them: digest, tracks, true duration, and a verdict.

A probe reads the whole file once: it decodes the sound and the first picture and walks over the other pictures'
packets, which shows truncated files at the price of copying them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from affectory.media.opening import (
    MediaError,
    audio_stream,
    check_regular,
    open_media,
    origin_s,
    video_stream,
)
from affectory.media.tracks import PictureTrack, SoundTrack, Track
from affectory.processes.child_processes import Lost, OnProgress, run_each

if TYPE_CHECKING:
    from av.container import InputContainer

MEMORY_BYTES = 4 << 30  # address space of a probing process; a 4096 x 4096 video takes about 1 GiB
# Containers whose header declares a duration. The others' is guessed from the bit rate or the last time stamp.
DECLARING = ("mov", "matroska", "avi", "wav", "flac")
STREAMED_BYTES = 0x7FFF_0000  # programs that write WAV to a pipe put a size of about 2 or 4 GiB
SHORT_S, SHORT_SHARE = 0.3, 0.02  # what a track may lack of its declared duration


@dataclass(frozen=True, kw_only=True)
class MediaFile:
    """One probed file. A track that is absent or empty has no codec; a refused file has only what was learnt."""

    media: str  # path inside the corpus folder
    sha256: str | None = None
    size_bytes: int | None = None
    container: str | None = None
    duration_s: float | None = None  # to the end of the longer track
    audio_codec: str | None = None
    audio_rate_hz: int | None = None
    video_codec: str | None = None
    width: int | None = None  # of the upright picture
    height: int | None = None
    video_rate_hz: float | None = None
    verdict: str = "accepted"  # or refused
    reason: str = ""
    detail: str = ""


def probe_files(
    root: Path,
    media: Sequence[str],
    *,
    workers: int,
    timeout_s: float = 120.0,
    on_progress: OnProgress | None = None,
) -> list[MediaFile]:
    """A verdict on each file of the corpus folder `root`, in the order given; probing happens in child processes.

    A probe that hangs or dies refuses its file (probe_timeout, probe_crashed). on_progress(files done, files in all).
    """
    outcomes = run_each(
        partial(probe_file, root),
        media,
        workers=workers,
        timeout_s=timeout_s,
        memory_bytes=MEMORY_BYTES,
        on_progress=on_progress,
    )
    return [
        _refused(name, MediaError(f"probe_{outcome.why}", f"{name}: expected a readable file, came: {outcome.detail}"))
        if isinstance(outcome, Lost)
        else outcome
        for name, outcome in zip(media, outcomes, strict=True)
    ]


def probe_file(root: Path, media: str) -> MediaFile:
    """The verdict on one file, in this process: probe_files keeps a hostile file away from the caller."""
    file = MediaFile(media=media)
    try:
        path = locate(root, media)
        check_regular(path)
        file = replace(file, sha256=_sha256(path), size_bytes=path.stat().st_size)
        return _measure(path, file)
    except MediaError as error:
        return _refused(media, error, file)


def _refused(media: str, error: MediaError, file: MediaFile | None = None) -> MediaFile:
    file = file or MediaFile(media=media)
    return replace(file, media=_escaped(media), verdict="refused", reason=error.reason, detail=error.detail)


def _escaped(media: str) -> str:
    """The name as a table can hold it: what of it is not UTF-8 is escaped."""
    return media.encode("utf-8", "backslashreplace").decode()


def locate(root: Path, media: str) -> Path:
    """The file that `media` names inside the corpus folder `root`.

    Raises MediaError: name_not_utf8, media_not_found, media_outside_corpus (an absolute path, `..`, or a symbolic link
    that leads out of the folder).
    """
    if media != media.encode("utf-8", "ignore").decode():
        raise MediaError("name_not_utf8", f"{_escaped(media)}: expected a name in UTF-8; rename the file")
    check_inside(media)
    try:
        path = (root / media).resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error  # strerror leaves out where this machine keeps the corpus
        raise MediaError("media_not_found", f"{media}: expected a file in the corpus folder, came: {cause}") from error
    if not path.is_relative_to(root.resolve()):
        raise MediaError(
            "media_outside_corpus",
            f"{media}: expected a file inside the corpus folder, came a symbolic link that leads out of it; "
            "copy or hard-link the file into the folder",
        )
    return path


def check_inside(media: str) -> None:
    """Raises MediaError media_outside_corpus for an absolute path or one with `..`; looks at the words only."""
    path = PurePosixPath(media)
    if path.is_absolute() or ".." in path.parts:
        raise MediaError(
            "media_outside_corpus",
            f"{media}: expected a path from the corpus folder downward, came one that leads elsewhere; copy the file "
            "into the folder",
        )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MediaError(
            "unreadable_media", f"{path.name}: expected a readable file, came: {error.strerror}"
        ) from error


def _measure(path: Path, file: MediaFile) -> MediaFile:
    """What one pass over the packets shows. Raises MediaError for a file that does not hold what it declares."""
    with open_media(path) as container:
        audio, video = audio_stream(container), video_stream(container)
        sound = None if audio is None else SoundTrack(file.media, audio, origin_s(container))
        pictures = None if video is None else PictureTrack(file.media, video, origin_s(container))
        tracks = {track.stream.index: track for track in (sound, pictures) if track is not None}
        if tracks:
            for packet in container.demux([track.stream for track in tracks.values()]):
                tracks[packet.stream.index].take(packet)
        filled = [track for track in tracks.values() if track.packets]
        if not filled:
            raise MediaError("no_tracks", f"{file.media}: expected sound or pictures, came neither; remove it")
        _check_whole(container, [track for track in filled if track.end_s > 0], file)
        for track in filled:
            track.check()
        file = replace(file, container=container.format.name, duration_s=max(track.end_s for track in filled))
        return replace(file, **{name: value for track in filled for name, value in track.described().items()})


def _check_whole(container: InputContainer, tracks: Sequence[Track], file: MediaFile) -> None:
    """Raises MediaError where a track ends well before its declared end: FFmpeg reads cut files without an error."""
    form = container.format.name.split(",")[0]
    if form not in DECLARING or not tracks:
        return
    end_s = max(track.end_s for track in tracks)
    declared = [(track.declared_s, track.end_s - track.start_s) for track in tracks if track.declared_s is not None]
    if form == "wav":
        declared = [(end_s * _riff_share(container, file), end_s)]
    elif not declared and container.duration is not None:  # matroska: one duration, from zero on its own clock
        declared = [(container.duration / 1_000_000, origin_s(container) + end_s)]
    for declared_s, real_s in declared:
        if declared_s - real_s > max(SHORT_S, SHORT_SHARE * declared_s):
            message = f"expected the declared {declared_s:.2f} s, came {real_s:.2f} s"
            raise MediaError("truncated", f"{file.media}: {message}; copy the whole file again")


def _riff_share(container: InputContainer, media_file: MediaFile) -> float:
    """The size that a WAV file's header declares, as a share of its real size; FFmpeg believes the real one."""
    with Path(container.name.removeprefix("file:")).open("rb") as file:
        declared = int.from_bytes(file.read(8)[4:], "little") + 8
    if declared >= STREAMED_BYTES or not media_file.size_bytes:
        return 1.0
    return declared / media_file.size_bytes

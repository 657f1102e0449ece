"""Media files: judged in child processes, opened under limits, decoded on one time axis.

Every time is in seconds of presentation time, counted from the start of the file's container.
"""

from __future__ import annotations

from affectory.media.frames import read_frame_spans, read_frames
from affectory.media.opening import MediaError, Span, open_media
from affectory.media.probing import MediaFile, check_inside, probe_file, probe_files
from affectory.media.sound import read_audio, read_audio_spans, stream_audio

__all__ = [
    "MediaError",
    "MediaFile",
    "Span",
    "check_inside",
    "open_media",
    "probe_file",
    "probe_files",
    "read_audio",
    "read_audio_spans",
    "read_frame_spans",
    "read_frames",
    "stream_audio",
]

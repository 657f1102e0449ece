"""What the packets of a file's tracks amount to, gathered in one pass, and whether each track can be used."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from affectory.media.opening import RECODE, MediaError, check_time

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

CORRUPT_SHARE = 0.05  # of the sound's packets; a damaged one is ordinary at the end of a recording


class Track:
    """What the packets of one track amount to; start_s and end_s are on the file's time axis."""

    def __init__(self, media: str, stream: Stream, origin: float) -> None:
        assert stream.time_base is not None  # FFmpeg gives every demuxed stream one
        self.media, self.stream, self.origin = media, stream, origin
        self.packets = self.damaged = 0
        self.start_s, self.end_s = math.inf, 0.0

    @property
    def declared_s(self) -> float | None:
        """The length that the file's header claims for the track, None where it claims none."""
        duration, time_base = self.stream.duration, self.stream.time_base
        return float(duration * time_base) if duration and time_base else None

    def reach(self, start_s: float, length_s: float) -> None:
        """Extends the track by a packet or frame. Raises MediaError for a time stamp beyond every limit."""
        self.start_s, self.end_s = min(self.start_s, start_s), max(self.end_s, start_s + length_s)
        check_time(self.media, self.end_s)

    def decode(self, packet: Packet) -> list[Any]:
        """Its frames; none of a damaged packet, which is counted."""
        from av.error import InvalidDataError

        try:
            return list(packet.decode())
        except InvalidDataError:
            self.damaged += 1
            return []


class SoundTrack(Track):
    """A track of sound, every packet of it decoded: damage and samples that are no numbers do not hide."""

    def __init__(self, media: str, stream: AudioStream, origin: float) -> None:
        super().__init__(media, stream, origin)
        self.context = stream.codec_context
        self.finite = True

    def take(self, packet: Packet) -> None:
        self.packets += packet.size > 0
        for frame in self.decode(packet):
            start_s = self.end_s if frame.time is None else frame.time - self.origin
            self.reach(start_s, frame.samples / frame.sample_rate)
            if self.context.name.startswith("pcm_f"):  # the codecs that can carry what is not a number
                self.finite &= bool(np.isfinite(frame.to_ndarray()).all())

    def check(self) -> None:
        if self.damaged > max(1, CORRUPT_SHARE * self.packets) or not self.end_s:
            damage = f"{self.damaged} of {self.packets} packets of sound that cannot be decoded"
            raise MediaError(
                "undecodable_audio", f"{self.media}: expected {self.context.name} sound, came {damage}; {RECODE}"
            )
        if not self.finite:
            raise MediaError(
                "not_finite_audio", f"{self.media}: expected finite samples, came NaN or infinity; {RECODE}"
            )

    def described(self) -> dict[str, Any]:
        return {"audio_codec": self.context.name, "audio_rate_hz": self.context.sample_rate}


class PictureTrack(Track):
    """A track of moving pictures, of which the first is decoded and of the others the packets are counted."""

    def __init__(self, media: str, stream: VideoStream, origin: float) -> None:
        super().__init__(media, stream, origin)
        self.is_avi = stream.container.format.name == "avi"  # its presentation times are guesses
        self.rate = stream.average_rate
        self.codec = stream.codec_context.name
        self.size: tuple[int, int] | None = None  # width and height of the first picture, upright

    def take(self, packet: Packet) -> None:
        self.packets += packet.size > 0
        stamp = packet.dts if packet.pts is None or self.is_avi else packet.pts
        if stamp is not None and self.stream.time_base is not None and not packet.is_discard:  # cut by an edit list
            tick_s = float(self.stream.time_base)
            self.reach(stamp * tick_s - self.origin, (packet.duration or 0) * tick_s)
        if self.size is None:
            for frame in self.decode(packet)[:1]:
                turned = round(frame.rotation / 90) % 2 == 1
                self.size = (frame.height, frame.width) if turned else (frame.width, frame.height)

    def check(self) -> None:
        if self.size is None:
            damage = f"{self.damaged} of {self.packets} packets that cannot be decoded and no picture"
            raise MediaError(
                "undecodable_video", f"{self.media}: expected {self.codec} pictures, came {damage}; {RECODE}"
            )

    def described(self) -> dict[str, Any]:
        assert self.size is not None  # check() comes first
        width, height = self.size
        rate_hz = float(self.rate) if self.rate else None
        return {"video_codec": self.codec, "width": width, "height": height, "video_rate_hz": rate_hz}

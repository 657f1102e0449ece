"""A maker of seconds-long media files with known content."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

MILLISECOND = Fraction(1, 1000)
Picture = tuple[float, int | np.ndarray]  # seconds, and a gray level or an RGB picture


@pytest.fixture
def make_media(tmp_path: Path) -> Callable[..., Path]:
    """make(name, pictures=[(t_s, gray)], sounds=[(t_s, float samples at rate_hz)]) -> path of the file."""

    def make(
        name: str,
        *,
        pictures: Sequence[Picture] = (),
        sounds: Iterable[tuple[float, np.ndarray]] = (),
        rate_hz: int = 16000,
        size: tuple[int, int] = (64, 48),
        turned: int = 0,
        video: str = "libx264",
        audio: str = "pcm_s16le",
        options: dict[str, str] | None = None,
        video_options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w", options=options or {}) as container:
            sounds = list(sounds)
            picture_stream = _picture_stream(container, video, size, turned, video_options) if pictures else None
            sound_stream = container.add_stream(audio, rate=rate_hz, layout="mono") if sounds else None
            if picture_stream is not None:
                for time_s, content in pictures:
                    container.mux(picture_stream.encode(_picture(time_s, content, size)))
                container.mux(picture_stream.encode(None))
            if sound_stream is not None:
                for time_s, samples in sounds:
                    container.mux(sound_stream.encode(_sound(time_s, samples, rate_hz)))
                container.mux(sound_stream.encode(None))
        return path

    return make


def _picture_stream(
    container: Any, codec: str, size: tuple[int, int], turned: int, options: dict[str, str] | None
) -> Any:
    stream = container.add_stream(codec, rate=25)
    stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, 25) if options else MILLISECOND
    if codec == "libx264":
        stream.options = options or {"preset": "ultrafast", "tune": "zerolatency", "g": "12"}
    if turned:
        stream.set_display_rotation(turned)
    return stream


def _picture(time_s: float, content: int | np.ndarray, size: tuple[int, int]) -> av.VideoFrame:
    rgb = np.full((size[1], size[0], 3), content, np.uint8) if isinstance(content, int) else content
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
    frame.pts, frame.time_base = round(time_s * 1000), MILLISECOND
    return frame


def _sound(time_s: float, samples: np.ndarray, rate_hz: int) -> av.AudioFrame:
    whole = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
    frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), round(time_s * rate_hz)
    return frame

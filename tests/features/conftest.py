"""Makers of tiny sounds and films."""

from __future__ import annotations

import wave
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def make_sound(tmp_path: Path) -> Callable[[str, np.ndarray], Path]:
    """make(name, samples in -1..1) -> a 16 kHz mono wav."""

    def make(name: str, samples: np.ndarray) -> Path:
        path = tmp_path / name
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
        return path

    return make


@pytest.fixture
def make_film(tmp_path: Path) -> Callable[[str, Sequence[np.ndarray]], Path]:
    """make(name, RGB pictures of one size) -> an mp4 with ten pictures a second."""
    import av

    def make(name: str, pictures: Sequence[np.ndarray]) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
            stream.options = {"crf": "18", "preset": "ultrafast"}
            for number, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture(scope="session")
def portraits() -> dict[str, np.ndarray]:
    """One drawn speaker who smiles, frowns and shouts; uint8 [256, 256, 3] each."""
    from affectory.corpora.demo.cast import make_speaker
    from affectory.corpora.demo.face import Expression, draw

    look = make_speaker(0, np.random.default_rng(1)).look
    return {
        "smile": draw(look, Expression(corner_lift=1.0)),
        "frown": draw(look, Expression(corner_lift=-1.0)),
        "shout": draw(look, Expression(mouth_opening=1.0)),
    }

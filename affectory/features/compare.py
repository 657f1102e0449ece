"""`compare`: the 65 low-level descriptors of ComParE 2016 and their deltas, ten frames a second.

Source: Schuller et al., 'The INTERSPEECH 2016 Computational Paralinguistics Challenge'; the reduction from 100 to 10
frames a second is the one that MMIN's released features were made with (scipy.signal.resample_poly, down 10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.opensmile_engine import COMPARE_2016, analyse
from affectory.features.sound import rows_from_sound
from affectory.vocabulary import Modality

# One reader over both levels: openSMILE computes the descriptors once and stops with the shorter level, which drops
# the two extra delta frames; delta i belongs to descriptor i.
LEVELS = "lld;lld_de"
DOWN = 10  # 10 ms -> 100 ms


@lru_cache(maxsize=1)
def _low_pass() -> np.ndarray:
    """The anti-alias filter of resample_poly(up=1, down=10): 201 taps, Kaiser window of beta 5, unit gain."""
    taps = np.arange(-10 * DOWN, 10 * DOWN + 1)
    response = np.sinc(taps / DOWN) * np.kaiser(len(taps), 5.0)
    return response / response.sum()


def every_tenth(frames: np.ndarray) -> np.ndarray:
    """[T, D] at 100 Hz -> [ceil(T / 10), D] at 10 Hz, equal to scipy.signal.resample_poly(frames, 1, 10).

    Written out because importing scipy.signal costs each worker 1.5 CPU seconds.
    """
    low_pass = _low_pass()
    half = len(low_pass) // 2
    padded = np.pad(frames.astype(np.float64), ((half, half), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(low_pass), axis=0)[::DOWN]  # [T / 10, D, taps]
    return windows @ low_pass


@dataclass(frozen=True)
class Compare:
    """130 values a frame: 65 descriptors, then their 65 deltas."""

    name: str = "compare"
    means: str = "low-level descriptors of openSMILE's ComParE_2016 with their deltas"
    modality: Modality = Modality.ACOUSTIC
    width: int = 130
    rate_hz: float | None = 10.0

    @property
    def version(self) -> str:
        return f"1, {installed('opensmile')}"

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_sound(segments, self.width, lambda x: every_tenth(analyse(x, COMPARE_2016, LEVELS)))

"""`mel`: the power in each of 90 mel bands, 31.25 frames a second.

Equal to librosa.feature.melspectrogram with a window of 2,048 samples, a hop of 512 and 90 bands, see spectra.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.sound import rows_from_sound
from affectory.features.spectra import BANDS, FRAMES_HZ, MEL_OPTIONS, mel_powers
from affectory.vocabulary import Modality


@dataclass(frozen=True)
class Mel:
    """90 powers a frame, bands from 0 to 8 kHz."""

    name: str = "mel"
    modality: Modality = Modality.ACOUSTIC
    width: int = BANDS
    rate_hz: float | None = FRAMES_HZ

    @property
    def version(self) -> str:
        return f"1, {installed('torch')}"

    @property
    def options(self) -> Mapping[str, object]:
        return MEL_OPTIONS

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_sound(segments, self.width, mel_powers)

"""`spectrogram`: the magnitude of each of 1,025 frequencies, 31.25 frames a second.

Equal to abs(librosa.stft) with a window of 2,048 samples and a hop of 512, see spectra.py. A minute takes 7.7 MB,
eleven times a log-mel spectrogram: for a trial, or where a model wants every bin; `logmel` says nearly the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.sound import rows_from_sound
from affectory.features.spectra import BINS, FRAMES_HZ, OPTIONS, magnitudes
from affectory.vocabulary import Modality


@dataclass(frozen=True)
class Spectrogram:
    """1,025 magnitudes a frame, 0 to 8 kHz."""

    name: str = "spectrogram"
    modality: Modality = Modality.ACOUSTIC
    width: int = BINS
    rate_hz: float | None = FRAMES_HZ

    @property
    def version(self) -> str:
        return f"1, {installed('torch')}"

    @property
    def options(self) -> Mapping[str, object]:
        return OPTIONS

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_sound(segments, self.width, magnitudes)

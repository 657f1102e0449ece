"""`mfcc`: 40 mel-frequency cepstral coefficients, 31.25 frames a second.

The cosine transform of what `logmel` gives, so of 90 bands; equal to librosa.feature.mfcc(n_mfcc=40, n_mels=90) with a
window of 2,048 samples and a hop of 512, see spectra.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.sound import rows_from_sound
from affectory.features.spectra import COEFFICIENTS, FRAMES_HZ, MEL_OPTIONS, RANGE_DB, cepstra, decibels, mel_powers
from affectory.vocabulary import Modality


@dataclass(frozen=True)
class Mfcc:
    """40 coefficients a frame; the first follows the loudness."""

    name: str = "mfcc"
    modality: Modality = Modality.ACOUSTIC
    width: int = COEFFICIENTS
    rate_hz: float | None = FRAMES_HZ

    @property
    def version(self) -> str:
        return f"1, {installed('torch')}"

    @property
    def options(self) -> Mapping[str, object]:
        return MEL_OPTIONS | {"range_db": RANGE_DB, "coefficients": COEFFICIENTS}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_sound(segments, self.width, lambda samples: cepstra(decibels(mel_powers(samples))))

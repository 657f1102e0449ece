"""`egemaps`: the 88 functionals of eGeMAPS v02 over the whole utterance, as one frame.

Source: Eyben et al., 'The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and Affective
Computing', IEEE Transactions on Affective Computing 7(2), 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.opensmile_engine import EGEMAPS_V02, analyse
from affectory.features.sound import rows_from_sound
from affectory.vocabulary import Modality


@dataclass(frozen=True)
class Egemaps:
    """One frame of 88 values an utterance."""

    name: str = "egemaps"
    means: str = "functionals of eGeMAPS v02, one row an utterance"
    modality: Modality = Modality.ACOUSTIC
    width: int = 88
    rate_hz: float | None = None

    @property
    def version(self) -> str:
        return f"1, {installed('opensmile')}"

    @property
    def options(self) -> Mapping[str, object]:
        return {}

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_sound(segments, self.width, lambda samples: analyse(samples, EGEMAPS_V02, "func"))

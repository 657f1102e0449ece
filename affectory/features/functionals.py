"""`functionals`: the 6,373 of ComParE 2016 and the 88 of eGeMAPS v02 over the whole utterance, as one frame.

What a linear machine on whole utterances reads. Sources: Schuller et al., 'The INTERSPEECH 2016 Computational
Paralinguistics Challenge'; Eyben et al., IEEE Transactions on Affective Computing 7(2), 2016.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.opensmile_engine import COMPARE_2016, EGEMAPS_V02, analyse
from affectory.features.sound import rows_from_sound
from affectory.vocabulary import Modality

WIDTHS = {COMPARE_2016: 6373, EGEMAPS_V02: 88}


@dataclass(frozen=True)
class Functionals:
    """One frame of 6,461 values an utterance."""

    name: str = "functionals"
    means: str = "functionals of ComParE_2016 and of eGeMAPS v02, one row an utterance"
    modality: Modality = Modality.ACOUSTIC
    width: int = sum(WIDTHS.values())
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
        return rows_from_sound(segments, self.width, _both)


def _both(samples: np.ndarray) -> np.ndarray:
    """[1, 6461], or [0, 0] where one of the two gives nothing."""
    parts = [analyse(samples, configuration, "func") for configuration in WIDTHS]
    whole = [len(part) == 1 and part.shape[1] == width for part, width in zip(parts, WIDTHS.values(), strict=True)]
    return np.concatenate(parts, axis=1) if all(whole) else np.empty((0, 0), np.float32)

"""openSMILE, loaded once a process and feature set."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import numpy as np

from affectory.features.feature_set import FeatureSetError
from affectory.features.sound import RATE_HZ

if TYPE_CHECKING:
    import opensmile


def engine_version() -> str:
    """`opensmile 2.6.0`; raises FeatureSetError where it is not installed."""
    try:
        return f"opensmile {version('opensmile')}"
    except PackageNotFoundError as error:
        raise FeatureSetError(
            "acoustic features need opensmile, which is not installed: pip install 'affectory[extract]'"
        ) from error


@lru_cache(maxsize=4)
def _smile(feature_set: str, level: str) -> opensmile.Smile:
    try:
        import opensmile
    except ImportError as error:
        raise FeatureSetError(f"opensmile cannot be loaded ({error}): pip install 'affectory[extract]'") from error
    return opensmile.Smile(opensmile.FeatureSet[feature_set], level)


def analyse(samples: np.ndarray, feature_set: str, level: str) -> np.ndarray:
    """Samples [n] in -1..1 at 16 kHz -> [frames, values] float32; `level` is an openSMILE output level."""
    return _smile(feature_set, level)(samples, RATE_HZ)[0].T

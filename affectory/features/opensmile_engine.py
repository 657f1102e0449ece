"""openSMILE through its own C interface, as the opensmile package loads it.

The package's `Smile` class gives the same numbers, but importing it brings pandas and costs each worker two CPU
seconds before the first utterance; its lib.py, the interface to the C library, needs numpy alone.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np

from affectory.features.feature_set import REMEDY, FeatureSetError
from affectory.features.sound import RATE_HZ

COMPARE_2016 = "compare/ComParE_2016.conf"  # configurations within the package
EGEMAPS_V02 = "egemaps/v02/eGeMAPSv02.conf"
_LOUDEST = 1.0 - 2.0**-15  # the largest 16-bit sample
_ERRORS_ONLY = 0  # openSMILE's log level


def analyse(samples: np.ndarray, configuration: str, level: str) -> np.ndarray:
    """Samples [n] at 16 kHz -> float32 [frames, values] of an openSMILE output level; [0, 0] where it gives none.

    Samples beyond -1..1, to which lossy codecs may decode, are clipped; the package's own class lets them wrap around.
    """
    pcm = (np.clip(samples, -1.0, _LOUDEST) * 32768.0).astype(np.int16)
    blocks: list[np.ndarray] = []
    smile = _library().OpenSMILE()
    try:
        smile.initialize(str(_configurations() / configuration), _options(level), loglevel=_ERRORS_ONLY)
        smile.external_sink_set_callback_ex("extsink", lambda block, _: blocks.append(block.copy()))
        smile.external_audio_source_write_data("extsource", pcm.tobytes())
        smile.external_audio_source_set_eoi("extsource")
        smile.run()
    finally:
        smile.free()
    return np.concatenate(blocks) if blocks else np.empty((0, 0), np.float32)


def _options(level: str) -> dict[str, object]:
    shared = _configurations() / "shared"
    return {
        "source": shared / "standard_external_wave_input.conf.inc",
        "sampleRate": RATE_HZ,
        "nBits": 16,
        "sink": shared / "standard_external_data_output_single.conf.inc",
        "sinkLevel": level,
        "bufferModeRbConf": shared / "BufferModeRb.conf.inc",
        "frameModeFunctionalsConf": shared / "FrameModeFunctionals.conf.inc",
    }


def _configurations() -> Path:
    return _package() / "core" / "config"


@cache
def _package() -> Path:
    specification = find_spec("opensmile")  # does not import it
    if specification is None or specification.origin is None:
        raise FeatureSetError(f"opensmile is not installed: {REMEDY}")
    return Path(specification.origin).parent


@cache
def _library() -> ModuleType:
    """opensmile/core/lib.py, or the module itself where the package has been imported already."""
    if (imported := sys.modules.get("opensmile.core.lib")) is not None:
        return imported
    specification = spec_from_file_location("affectory_opensmile_lib", _package() / "core" / "lib.py")
    assert specification is not None and specification.loader is not None
    module = module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except (OSError, ImportError) as error:
        raise FeatureSetError(f"opensmile's library cannot be loaded ({error}): {REMEDY}") from error
    return module

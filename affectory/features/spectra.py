"""Short-time spectra of sound at 16 kHz as feature sets: `spectrogram`, `mel`, `logmel` and `mfcc`.

Windows of 2,048 samples (128 ms), 512 (32 ms) apart, the first centred on the first sample, zeros before and behind:
1 + n // 512 frames, 94 of three seconds. The numbers are librosa's (0.11, its defaults but for window, hop and bands),
worked out in float64, without librosa: its first call takes 25 s and 172 MB.

Source: B. McFee et al., "librosa: Audio and Music Signal Analysis in Python", SciPy 2015; the mel scale and the unit
area of a band are those of M. Slaney, "Auditory Toolbox", 1998.

Shapes: n samples, T frames, F frequency bins, M bands, C coefficients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from affectory.features.feature_set import FeatureRow, Segment, installed, media_source
from affectory.features.sound import RATE_HZ, rows_from_sound
from affectory.vocabulary import Modality

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 2048  # samples
HOP = 512
BINS = WINDOW // 2 + 1
BANDS = 90
COEFFICIENTS = 40
FRAMES_HZ = RATE_HZ / HOP  # 31.25
FAINTEST = 1e-10  # power that counts as none, -100 dB
RANGE_DB = 80.0  # what lies further below an utterance's loudest value is raised to that

LINEAR_HZ = 200 / 3  # width of a mel below 1 kHz
LOGARITHMIC_FROM = 15.0  # mels, 1 kHz
LOG_STEP = np.log(6.4) / 27  # of a mel above
# The whole transform of an hour takes 2 GB; a block takes 70 MB.
BLOCK_FRAMES = 2048

OPTIONS = {"rate_hz": RATE_HZ, "window": WINDOW, "hop": HOP}
MEL_OPTIONS = OPTIONS | {"bands": BANDS}


@dataclass(frozen=True)
class Spectrum:
    """One kind of spectrum, `width` values a frame, worked out by `frames_of`: samples [n] -> frames [T, width]."""

    name: str
    means: str
    width: int
    frames_of: Callable[[np.ndarray], np.ndarray]  # importable by name, so that workers find it
    options: Mapping[str, object] = field(hash=False)
    modality: Modality = Modality.ACOUSTIC
    rate_hz: float | None = FRAMES_HZ

    @property
    def version(self) -> str:
        return f"1, {installed('torch')}"

    def source(self, segment: Segment) -> tuple[object, ...]:
        return media_source(segment)

    def extract(self, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
        return rows_from_sound(segments, self.width, self.frames_of)


def magnitudes(samples: np.ndarray) -> np.ndarray:
    """Samples [n] -> float32 [T, F], the magnitude of each frequency; bin k is k * 7.8125 Hz."""
    return np.concatenate([block.sqrt().float().numpy() for block in _powers(samples)])


def mel_powers(samples: np.ndarray) -> np.ndarray:
    """Samples [n] -> float64 [T, M], the power in each mel band."""
    import torch

    bands = torch.from_numpy(mel_bands())
    return np.concatenate([(block @ bands).numpy() for block in _powers(samples)])


def decibels(powers: np.ndarray) -> np.ndarray:
    """Powers as decibels over 1, none below -100 nor more than 80 below the loudest; librosa.power_to_db's default."""
    levels = 10.0 * np.log10(np.maximum(powers, FAINTEST))
    return np.maximum(levels, levels.max() - RANGE_DB)


def mel_levels(samples: np.ndarray) -> np.ndarray:
    """Samples [n] -> [T, M], the level of each mel band in decibels; librosa.power_to_db of its melspectrogram."""
    return decibels(mel_powers(samples))


def cepstra(levels: np.ndarray) -> np.ndarray:
    """Mel levels [T, M] in decibels -> [T, C], their first coefficients of the orthonormal cosine transform (II)."""
    return levels @ _cosines()


def mel_cepstra(samples: np.ndarray) -> np.ndarray:
    """Samples [n] -> [T, C]: the cepstral coefficients of the mel levels; the first follows the loudness."""
    return cepstra(mel_levels(samples))


def _powers(samples: np.ndarray) -> Iterator[Tensor]:
    """Samples [n] -> blocks of the power spectrum, float64 [T, F] in all; one is worked out at a time."""
    import torch
    from torch.nn.functional import pad

    window = torch.hann_window(WINDOW, dtype=torch.float64)
    n_frames = 1 + len(samples) // HOP
    padded = pad(torch.from_numpy(np.asarray(samples)), (WINDOW // 2, WINDOW // 2))
    for first in range(0, n_frames, BLOCK_FRAMES):
        last = min(first + BLOCK_FRAMES, n_frames) - 1
        block = padded[first * HOP : last * HOP + WINDOW].double()
        spectrum = torch.stft(block, WINDOW, HOP, window=window, center=False, return_complex=True)  # [F, T]
        yield spectrum.abs().square().T


@lru_cache(maxsize=1)
def mel_bands() -> np.ndarray:
    """[F, M] float64: triangles between 0 and 8 kHz, equally wide in mels, each of unit area over hertz.

    Their weights have float32's precision, as librosa's.
    """
    edges = _hertz(np.linspace(0.0, _mels(RATE_HZ / 2), BANDS + 2))
    bins = np.arange(BINS)[:, None] * RATE_HZ / WINDOW
    rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins) / np.diff(edges)[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * 2 / (edges[2:] - edges[:-2])).astype(np.float32).astype(np.float64)


def _mels(hertz: float) -> float:
    """Of a frequency above 1 kHz."""
    return LOGARITHMIC_FROM + float(np.log(hertz / (LOGARITHMIC_FROM * LINEAR_HZ)) / LOG_STEP)


def _hertz(mels: np.ndarray) -> np.ndarray:
    above = LOGARITHMIC_FROM * LINEAR_HZ * np.exp(LOG_STEP * (mels - LOGARITHMIC_FROM))
    return np.where(mels < LOGARITHMIC_FROM, mels * LINEAR_HZ, above)


@lru_cache(maxsize=1)
def _cosines() -> np.ndarray:
    """[M, C]: the orthonormal cosine transform (II) of M values, its first C columns."""
    band, order = np.arange(BANDS)[:, None], np.arange(COEFFICIENTS)
    waves = np.cos(np.pi * order * (2 * band + 1) / (2 * BANDS)) * np.sqrt(2 / BANDS)
    waves[:, 0] /= np.sqrt(2)
    return waves


SPECTRA = (
    # A minute takes 7.7 MB, eleven times `logmel`, which says nearly the same.
    Spectrum("spectrogram", "magnitude of each frequency; 7.7 MB a minute", BINS, magnitudes, OPTIONS),
    Spectrum("mel", "power in mel bands", BANDS, mel_powers, MEL_OPTIONS),
    Spectrum("logmel", "level of mel bands in decibels", BANDS, mel_levels, MEL_OPTIONS | {"range_db": RANGE_DB}),
    Spectrum(
        "mfcc",
        "mel-frequency cepstral coefficients",
        COEFFICIENTS,
        mel_cepstra,
        MEL_OPTIONS | {"range_db": RANGE_DB, "coefficients": COEFFICIENTS},
    ),
)

"""From the audio track to acoustic rows: decode a file once, check each utterance's signal, then compute.

The checks come first because openSMILE has none: NaN audio gives the vector of silence, and under 60 ms gives NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from affectory.features.feature_set import LEAST_DECODED, FeatureRow, Segment, decoded_share, missing_row

RATE_HZ = 16_000
SHORTEST_S = 0.060  # one ComParE pitch window
SILENT_RMS = 1e-4  # -80 dBFS, three steps of 16-bit audio: below it there is only dither or codec noise


def signal_fault(samples: np.ndarray) -> tuple[str, str] | None:
    """(reason, detail) where samples [n] at 16 kHz hold nothing to analyse, else None."""
    duration_s = len(samples) / RATE_HZ
    if duration_s < SHORTEST_S:
        return "too_short", f"{duration_s * 1000:.0f} ms of audio; at least {SHORTEST_S * 1000:.0f} ms are needed"
    if broken := int(np.count_nonzero(~np.isfinite(samples))):
        return "non_finite", f"{broken} of {len(samples)} samples are NaN or infinite"
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    if rms < SILENT_RMS:
        return "silent", f"root mean square {rms:.1e} of full scale; at least {SILENT_RMS:.0e} is needed"
    return None


def rows_from_sound(
    segments: Sequence[Segment], width: int, frames_of: Callable[[np.ndarray], np.ndarray]
) -> Iterator[FeatureRow]:
    """One row a segment of one media file; `frames_of` maps samples [n] in -1..1 at 16 kHz to frames [T, width].

    Raises MediaError where the file cannot be decoded.
    """
    audible = [segment for segment in segments if segment.media is not None and segment.has_audio]
    for segment in segments:
        if segment.media is None:
            yield missing_row(segment.utterance_id, width, "no_media", "the utterance names no media file")
        elif not segment.has_audio:
            yield missing_row(segment.utterance_id, width, "no_audio_track", f"{segment.media.name} has no audio track")
    for segment, samples in _read(audible):
        yield _row(segment, samples, width, frames_of)


def _read(segments: Sequence[Segment]) -> Iterator[tuple[Segment, np.ndarray]]:
    """Each segment with its samples, by start; the file is decoded once."""
    from affectory.media import read_audio_spans

    if not segments:
        return
    path = segments[0].media
    assert path is not None
    ordered = sorted(segments, key=lambda segment: segment.start_s)
    spans = [(segment.start_s, segment.end_s) for segment in ordered]
    yield from zip(ordered, read_audio_spans(path, spans, RATE_HZ), strict=True)


def _row(
    segment: Segment, samples: np.ndarray, width: int, frames_of: Callable[[np.ndarray], np.ndarray]
) -> FeatureRow:
    utterance_id, coverage = segment.utterance_id, decoded_share(segment, len(samples) / RATE_HZ)
    if coverage < LEAST_DECODED:
        detail = f"the sound ends after {coverage:.0%} of the utterance; copy the file again or correct its times"
        return missing_row(utterance_id, width, "sound_cut_short", detail, coverage, refused=True)
    if fault := signal_fault(samples):
        # Not-a-number samples are a fault of the file; silence and brevity are not.
        return missing_row(utterance_id, width, *fault, refused=fault[0] == "non_finite")
    frames = np.ascontiguousarray(frames_of(samples), np.float32)
    if not len(frames):
        return missing_row(utterance_id, width, "too_short", "openSMILE gave no frame for it")
    if not np.isfinite(frames).all():
        bad = int(np.count_nonzero(~np.isfinite(frames)))
        detail = f"{bad} of {frames.size} values are NaN or infinite"
        return missing_row(utterance_id, width, "non_finite_features", detail, refused=True)
    return FeatureRow(utterance_id, frames, coverage=coverage)

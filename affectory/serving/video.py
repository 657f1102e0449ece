"""From one raw video to emotions: probe, voice activity, the model's own feature sets, prediction.

The steps are the pipeline's own; nothing is kept but the rows.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from affectory.data.inputs import ModalityInput
from affectory.features import FeatureRow, FeatureSet, FeatureSetError, Segment, find_feature_set, missing_row
from affectory.features.extraction import extract
from affectory.features.parts import read_reason
from affectory.learning.deployed import DeployedModel
from affectory.media import MediaError, MediaFile, probe_files
from affectory.media.subtitles import Cue, assign
from affectory.media.voice_activity import segment_by_voice
from affectory.processes.child_processes import Lost, run_each
from affectory.vocabulary import Modality

logger = logging.getLogger(__name__)
OnProgress = Callable[[str, int, int], None]  # what is being done, units done, units in all


class ScoringError(ValueError):
    """The video cannot be scored with this model; the message says what was expected, what came and the remedy."""


def score_video(
    video: Path,
    deployed: DeployedModel,
    *,
    cues: Sequence[Cue] = (),
    workers: int = 0,
    timeout_s: float = 120.0,
    on_progress: OnProgress = lambda what, done, total: None,
) -> pd.DataFrame:
    """Score a raw video: one row an utterance that voice activity finds, in time order.

    `cues` is what is said and when, where a transcript is known. `workers` processes extract features, 0: one a CPU
    core; `timeout_s` is for probing, and for each piece of extraction. `on_progress(what, done, total)` is told of each
    step.

    Columns of the table: start_s, end_s, transcript (or None), emotion, p_<class>..., modalities_used (`a,v`), missing
    (a dict from modality to `reason: sentence`). A row without any modality has no emotion (None) and no probabilities
    (NaN). A model of dimensions gives valence and arousal in the place of emotion and probabilities.

    Raises MediaError (a refused file), TranscriptError and ScoringError.
    """
    sets, unavailable = extractors(deployed.inputs)
    if not sets:
        raise ScoringError("; ".join(unavailable.values()))
    segments = find_segments(video, cues, timeout_s, on_progress)
    features: dict[Modality, list[FeatureRow]] = {}
    for modality, feature_set in sets.items():
        try:
            features[modality] = _extract(segments, feature_set, workers, timeout_s, on_progress)
        except (FeatureSetError, ImportError) as error:
            unavailable[modality] = f"the model's {modality} features cannot be extracted: {error}"
    for modality, reason in unavailable.items():
        logger.warning("%s: %s", video.name, reason)
        width = deployed.inputs[modality].width
        features[modality] = [
            missing_row(segment.utterance_id, width, "not_extractable", reason) for segment in segments
        ]
    table = pd.DataFrame(
        {
            "start_s": [segment.start_s for segment in segments],
            "end_s": [segment.end_s for segment in segments],
            "transcript": [segment.transcript for segment in segments],
        }
    )
    return table.join(_predict(deployed, features, len(segments)))


def extractors(inputs: Mapping[Modality, ModalityInput]) -> tuple[dict[Modality, FeatureSet], dict[Modality, str]]:
    """({modality: feature set that computes what the model was trained on}, {modality: why that is not possible}).

    Another version of a feature set is never passed for the trained one: that modality counts as missing.
    """
    sets: dict[Modality, FeatureSet] = {}
    unavailable: dict[Modality, str] = {}
    for modality, trained in inputs.items():
        try:
            sets[modality] = _as_trained(trained)
        except (ValueError, FeatureSetError) as error:
            unavailable[modality] = f"the model's {modality} features cannot be extracted: {error}"
    return sets, unavailable


def _as_trained(trained: ModalityInput) -> FeatureSet:
    local = find_feature_set(trained.feature_set)
    version = trained.version or local.version  # features that came ready-made have none
    if (version, trained.width) != (local.version, local.width):
        raise ValueError(
            f"expected {trained.feature_set} {version!r}, width {trained.width}, here it is {local.version!r}, width "
            f"{local.width}; install that version, or train the model again"
        )
    return local


def find_segments(video: Path, cues: Sequence[Cue], timeout_s: float, on_progress: OnProgress) -> list[Segment]:
    """The utterances that voice activity finds. MediaError with the probe's reason for a refused file."""
    file = _probe(video, timeout_s, on_progress)
    assert file.duration_s is not None  # an accepted file has one
    on_progress("voice activity", 0, 1)
    find = partial(segment_by_voice, duration_s=file.duration_s)
    [spans] = run_each(find, [video], workers=1, timeout_s=timeout_s + file.duration_s)
    if isinstance(spans, Lost):
        raise MediaError(f"segmentation_{spans.why}", f"{video.name}: {spans.detail}")
    on_progress("voice activity", 1, 1)
    texts, outside = assign(cues, spans)
    if outside:
        logger.warning(
            "%s: %d of %d pieces of transcript lie outside every utterance and are not used, the first at %.1f s",
            video.name, len(outside), len(cues), outside[0].start_s,
        )  # fmt: skip
    return [
        Segment(
            utterance_id=f"{number:05}",
            media=video.absolute(),
            media_sha256=file.sha256,
            start_s=start_s,
            end_s=end_s,
            transcript=text,
            has_audio=file.audio_codec is not None,
            has_video=file.video_codec is not None,
        )
        for number, ((start_s, end_s), text) in enumerate(zip(spans, texts, strict=True))
    ]


def _probe(video: Path, timeout_s: float, on_progress: OnProgress) -> MediaFile:
    on_progress("probing", 0, 1)
    folder = video.absolute().parent
    [file] = probe_files(folder, [video.name], workers=1, timeout_s=timeout_s)
    if file.verdict != "accepted":
        raise MediaError(file.reason, file.detail)
    on_progress("probing", 1, 1)
    return file


def _extract(
    segments: Sequence[Segment], feature_set: FeatureSet, workers: int, timeout_s: float, on_progress: OnProgress
) -> list[FeatureRow]:
    """A row a segment, in their order, by way of parts in a temporary staging folder."""
    on_progress(feature_set.name, 0, len(segments))
    with tempfile.TemporaryDirectory() as staging:
        extraction = extract(
            segments,
            feature_set,
            staging=Path(staging),
            workers=workers,
            timeout_s=timeout_s,
            on_progress=lambda progress: on_progress(feature_set.name, progress.done, progress.total),
        )
        parts = zip(extraction.parts, segments, strict=True)
        return [_read_part(part, segment.utterance_id, feature_set.width) for part, segment in parts]


def _read_part(part: Path, utterance_id: str, width: int) -> FeatureRow:
    with pq.ParquetFile(part) as file:
        values = file.read(columns=["frames"]).column("frames").combine_chunks().flatten().flatten()
    frames = values.to_numpy(zero_copy_only=False).reshape(-1, width)
    reason, detail = read_reason(part)
    return FeatureRow(utterance_id, frames, valid=len(frames) > 0, reason=reason, detail=detail)


def _why(row: FeatureRow) -> str:
    return f"{row.reason}: {row.detail}" if row.detail else row.reason


def _predict(deployed: DeployedModel, features: Mapping[Modality, Sequence[FeatureRow]], n_rows: int) -> pd.DataFrame:
    """What is predicted, modalities_used and missing of every row; those without any modality are left unpredicted."""
    missing = [
        {str(modality): _why(rows[row]) for modality, rows in features.items() if not rows[row].valid}
        for row in range(n_rows)
    ]
    scored = [row for row in range(n_rows) if len(missing[row]) < len(features)]
    predicted = np.full((n_rows, len(deployed.columns)), np.nan)
    modalities_used = [""] * n_rows
    if scored:
        frames_of = {
            m: [rows[row].frames if rows[row].valid else None for row in scored] for m, rows in features.items()
        }
        prediction = deployed.predict(frames_of, dialogues=["the video"] * len(scored))
        predicted[scored] = prediction.numbers
        for row, condition in zip(scored, prediction.modalities_used, strict=True):
            modalities_used[row] = str(condition).strip("{}")
    table = pd.DataFrame(predicted, columns=deployed.columns)
    if deployed.classes:
        emotions = [
            deployed.classes[predicted[row].argmax()] if modalities_used[row] else None for row in range(n_rows)
        ]
        table.insert(0, "emotion", pd.Series(emotions, dtype=object))
    return table.assign(modalities_used=modalities_used, missing=missing)

"""Extracting the features of one modality in worker processes, then loading them through the one writer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

import dagster as dg
import pandas as pd

from affectory.corpora import Corpus
from affectory.features import DEFAULT_SETS, FEATURE_SETS, FeatureSet, Segment, find_feature_set
from affectory.features.extraction import Progress
from affectory.features.openface_faces import OpenfaceSet
from affectory.features.ready_made import ReadyMade, find_ready_made, read_ready_made
from affectory.refusals import Refusal
from affectory.results.frames import records_or_none
from affectory.vocabulary import Modality
from ops.limits import stop_above
from ops.progress import narrate, progress_line
from resources.corpus_folders import CorpusFolders
from resources.feature_store import FeatureStore
from resources.openface import OpenFace
from resources.workers import Workers


class ExtractionConfig(dg.Config):
    """Which feature sets of the modality, and how many faults a run may have."""

    feature_sets: list[str] = []  # empty: the ready-made ones where the corpus has some, else the default
    max_refused_share: float = 0.5  # above it the run fails: something is wrong with more than single files


@dataclass(frozen=True)
class Extracted:
    """What one feature set's extraction left in staging."""

    feature_set: str
    parts: list[Path]
    n_extracted: int
    n_reused: int
    refusals: list[Refusal]
    utterance_ids: list[str] = field(default_factory=list)  # those that still exist; rows of others go
    seconds: float = 0.0
    unchanged_file: str = ""  # a ready-made file that was taken in before: what was refused of it still is


def extraction_op(modality: Modality) -> dg.OpDefinition:
    """An op that leaves Parquet parts of what is not stored yet."""

    @dg.op(name=f"extract_{modality}", ins={"upstream": dg.In(dg.Nothing)})
    def extract_features(
        context: dg.OpExecutionContext,
        config: ExtractionConfig,
        corpus_folders: CorpusFolders,
        store: FeatureStore,
        workers: Workers,
        openface: OpenFace,
    ) -> list[Extracted]:
        corpus = corpus_folders.open(context.partition_key)
        segments = read_segments(store, corpus)
        ready = {
            ready_made.feature_set: ready_made
            for ready_made in find_ready_made(corpus.root)
            if ready_made.modality is modality
        }
        staging = Path(workers.staging) / corpus.name
        stored = store.feature_sets(corpus.name).get(modality, [])
        extracted: list[Extracted] = []
        # What was stored earlier is brought up to date as well: no set may lag behind the utterances.
        for name in dict.fromkeys([*(config.feature_sets or sorted(ready) or [DEFAULT_SETS[modality]]), *stored]):
            if name in {outcome.feature_set for outcome in extracted}:
                continue
            if name in ready:
                fingerprints = set(store.fingerprints(corpus.name, name).values())
                outcome = _read_ready_made(ready[name], segments, staging, fingerprints)
            elif name in stored and name not in FEATURE_SETS:
                context.log.warning(f"{name}: no file under features/ and not asked for by name; its rows are removed")
                outcome = Extracted(feature_set=name, parts=[], n_extracted=0, n_reused=0, refusals=[])
            else:
                feature_set = find_feature_set(name)
                if isinstance(feature_set, OpenfaceSet):
                    videos = [segment.media for segment in segments if segment.media and segment.has_video]
                    folder = openface.folder_of(corpus.name)
                    feature_set = openface.complete(feature_set, videos, folder, context.log.warning)
                fingerprints = set(store.fingerprints(corpus.name, feature_set.name).values())
                outcome = _extract_new(
                    feature_set,
                    segments,
                    staging,
                    fingerprints,
                    workers,
                    narrate(context, partial(_progress_line, name)),
                )
            context.log.info(
                f"{name}: {outcome.n_extracted} utterances extracted, {outcome.n_reused} unchanged, "
                f"{len(outcome.refusals)} refused, {outcome.seconds:.1f} s"
            )
            faults = list({refusal.utterance_id: refusal for refusal in outcome.refusals}.values())
            stop_above(config.max_refused_share, faults, len(segments), f"utterances of {name}")
            extracted.append(outcome)
        return extracted

    return extract_features


def loading_op(modality: Modality) -> dg.OpDefinition:
    """An op of pool `duckdb_writer` that loads the parts in a transaction a feature set, and removes them."""

    @dg.op(name=f"load_{modality}", pool="duckdb_writer", out=dg.Out(dg.Nothing))
    def load_features(context: dg.OpExecutionContext, extracted: list[Extracted], store: FeatureStore):
        corpus, stage = context.partition_key, f"{modality}_features"
        refusals = [refusal for outcome in extracted for refusal in outcome.refusals]
        known_refusals = list(dict.fromkeys(refusals + _stored_refusals(store, corpus, stage)))
        # Noted before the load, so that a kill in between loses none; what the load mended is struck out after it.
        store.replace_refusals(corpus, stage, known_refusals)
        for outcome in extracted:
            store.load_parts(corpus, outcome.feature_set, modality, outcome.parts, outcome.utterance_ids)
        missing, unchanged = _missing(store, corpus, modality), {outcome.unchanged_file for outcome in extracted}
        store.replace_refusals(
            corpus,
            stage,
            [
                r
                for r in known_refusals
                if r in refusals or (r.utterance_id, r.reason) in missing or r.media in unchanged
            ],
        )
        summary = missing_summary(store, corpus, modality)
        return dg.Output(
            None,
            metadata={
                "extracted": sum(outcome.n_extracted for outcome in extracted),
                "unchanged": sum(outcome.n_reused for outcome in extracted),
                "refused": len(refusals),
                "seconds": round(sum(outcome.seconds for outcome in extracted), 1),
                "table": dg.MetadataValue.md(summary.to_markdown(index=False)),
            },
        )

    return load_features


def read_segments(store: FeatureStore, corpus: Corpus) -> list[Segment]:
    """The stored utterances of a corpus as the extractors take them, in order of media and time."""
    table = store.query(
        """
        SELECT u.*, m.sha256, m.audio_codec, m.video_codec FROM utterances u
        LEFT JOIN media_files m ON m.corpus = u.corpus AND m.media = u.media
        WHERE u.corpus = ? ORDER BY u.media, u.start_s, u.utterance_id
        """,
        [corpus.name],
    )
    return [
        Segment(
            utterance_id=row["utterance_id"],
            media=corpus.root / row["media"] if row["media"] else None,
            media_sha256=row["sha256"],
            start_s=row["start_s"] or 0.0,
            end_s=row["end_s"],
            transcript=row["transcript"],
            has_audio=row["audio_codec"] is not None,
            has_video=row["video_codec"] is not None,
        )
        for row in records_or_none(table)
    ]


def missing_summary(store: FeatureStore, corpus: str, modality: Modality) -> pd.DataFrame:
    """feature_set, reason (empty = present), utterances: what is there and why the rest is not."""
    return store.query(
        "SELECT feature_set, reason, count(*) AS utterances FROM features "
        "WHERE corpus = ? AND modality = ? GROUP BY ALL ORDER BY ALL",
        [corpus, modality.value],
    )


def _read_ready_made(
    ready_made: ReadyMade, segments: Sequence[Segment], staging: Path, fingerprints: set[str]
) -> Extracted:
    begun = monotonic()
    ids = [segment.utterance_id for segment in segments]
    reading = read_ready_made(ready_made, ids, staging=staging, stored_fingerprints=fingerprints)
    n_new = reading.n_valid + reading.n_missing
    return Extracted(
        feature_set=ready_made.feature_set,
        parts=[reading.part] if reading.part else [],
        n_extracted=n_new,
        n_reused=len(ids) - n_new,
        refusals=reading.refusals,
        utterance_ids=ids,
        seconds=monotonic() - begun,
        unchanged_file="" if reading.part or reading.refusals else f"features/{ready_made.path.name}",
    )


def _extract_new(
    feature_set: FeatureSet,
    segments: Sequence[Segment],
    staging: Path,
    fingerprints: set[str],
    workers: Workers,
    on_progress: Callable[[Progress], None],
) -> Extracted:
    outcome = workers.extract(
        segments, feature_set, staging=staging, stored_fingerprints=fingerprints, on_progress=on_progress
    )
    ids = [segment.utterance_id for segment in segments]
    return Extracted(
        feature_set.name, outcome.parts, outcome.n_extracted, outcome.n_reused, outcome.refusals, ids, outcome.seconds
    )


def _stored_refusals(store: FeatureStore, corpus: str, stage: str) -> list[Refusal]:
    """The refusals of a stage that are in `quarantine`."""
    stored = store.query(
        "SELECT stage, reason, detail, media, utterance_id, sha256 FROM quarantine WHERE corpus = ? AND stage = ?",
        [corpus, stage],
    )
    return [Refusal(**row) for row in records_or_none(stored)]


def _missing(store: FeatureStore, corpus: str, modality: Modality) -> set[tuple[str, str]]:
    """(utterance_id, reason) of every stored row without frames."""
    rows = store.query(
        "SELECT utterance_id, reason FROM features WHERE corpus = ? AND modality = ? AND NOT valid",
        [corpus, modality.value],
    )
    return set(zip(rows["utterance_id"], rows["reason"], strict=True))


def _progress_line(feature_set: str, progress: Progress) -> str:
    counts = progress_line("utterances", progress.done, progress.total, progress.rate_per_s, progress.remaining_s)
    return f"{feature_set}: {counts}"

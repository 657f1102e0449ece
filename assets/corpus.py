"""Raw material: corpus folders, their media files and the utterances in them."""

from dataclasses import fields

import dagster as dg
import pandas as pd

from affectory.corpora import media_paths, read_utterances
from affectory.features.ready_made import refuse_misnamed
from affectory.media import MediaFile, probe_files
from affectory.refusals import Refusal
from assets.partitions import CORPUS, OWNERS, corpus_partitions
from ops.limits import stop_above
from ops.progress import log_progress
from resources.corpus_folders import CorpusFolders
from resources.feature_store import FeatureStore
from resources.workers import Workers


class IngestionConfig(dg.Config):
    """How many refused items a corpus may have."""

    max_refused_share: float = 0.5  # above it the run fails: something is wrong with more than single items


@dg.asset(group_name="corpora", kinds={"python"}, owners=OWNERS)
def corpora(context: dg.AssetExecutionContext, corpus_folders: CorpusFolders) -> dg.MaterializeResult:
    """One partition a corpus folder found in AFFECTORY_CORPORA, keyed by the folder's name."""
    readable, refused = corpus_folders.find()
    for refusal in refused:
        context.log.warning(refusal.detail)
    if not readable:
        context.log.warning(
            f"no corpus folder in {corpus_folders.folder}: put <name>/media/*.mp4 there, or run `make demo`"
        )
    context.instance.add_dynamic_partitions(CORPUS, [corpus.name for corpus in readable])
    table = pd.DataFrame(
        [{"corpus": c.name, "layout": c.layout, "culture": c.culture, "licence": c.licence} for c in readable]
    )
    return dg.MaterializeResult(
        metadata={
            "corpora": len(readable),
            "refused": len(refused),
            "table": dg.MetadataValue.md(table.to_markdown(index=False)),
        }
    )


@dg.asset(
    partitions_def=corpus_partitions, deps=[corpora], group_name="ingestion", kinds={"ffmpeg", "duckdb"}, owners=OWNERS
)
def media_files(
    context: dg.AssetExecutionContext,
    config: IngestionConfig,
    corpus_folders: CorpusFolders,
    store: FeatureStore,
    workers: Workers,
) -> dg.MaterializeResult:
    """One row a media file, keyed by its path inside the corpus: digest, streams, duration and verdict."""
    corpus = corpus_folders.open(context.partition_key)
    paths = media_paths(corpus)
    probed = probe_files(
        corpus.root,
        paths,
        workers=workers.count,
        timeout_s=workers.file_timeout_s,
        on_progress=log_progress(context, "media files"),
    )
    refusals = [_refusal(file) for file in probed if file.verdict == "refused"]
    store.replace_rows(
        "media_files", corpus.name, pd.DataFrame(probed, columns=[field.name for field in fields(MediaFile)])
    )
    store.replace_refusals(corpus.name, "media_files", refusals)
    store.replace_refusals(corpus.name, "features", refuse_misnamed(corpus.root))
    for refusal in refusals:
        context.log.warning(f"{refusal.media} refused ({refusal.reason}): {refusal.detail}")
    stop_above(config.max_refused_share, refusals, len(probed), "media files")
    return dg.MaterializeResult(
        metadata={
            "files": len(probed),
            "refused": len(refusals),
            "hours": round(sum(file.duration_s or 0 for file in probed) / 3600, 3),
        }
    )


def _refusal(file: MediaFile) -> Refusal:
    return Refusal(
        stage="media_files", reason=file.reason, detail=file.detail, media=file.media, sha256=file.sha256 or None
    )


@dg.asset(partitions_def=corpus_partitions, deps=[media_files], group_name="ingestion", kinds={"duckdb"}, owners=OWNERS)
def utterances(
    context: dg.AssetExecutionContext,
    config: IngestionConfig,
    corpus_folders: CorpusFolders,
    store: FeatureStore,
    workers: Workers,
) -> dg.MaterializeResult:
    """One row an utterance, keyed by utterance_id: from utterances.csv, or by voice activity where there is none."""
    corpus = corpus_folders.open(context.partition_key)
    reading = read_utterances(
        corpus,
        store.query("SELECT * FROM media_files WHERE corpus = ?", [corpus.name]),
        workers=workers.count,
        timeout_s=workers.file_timeout_s,
        on_progress=log_progress(context, "media files segmented"),
    )
    store.replace_rows("utterances", corpus.name, reading.table)
    store.replace_refusals(corpus.name, "utterances", reading.refusals)
    for refusal in reading.refusals:
        context.log.warning(f"{refusal.utterance_id} refused ({refusal.reason}): {refusal.detail}")
    total = len(reading.table) + len(reading.refusals)
    stop_above(config.max_refused_share, reading.refusals, total, "utterances")
    return dg.MaterializeResult(
        metadata={
            "utterances": len(reading.table),
            "refused": len(reading.refusals),
            "source": reading.source,
            "labels": dg.MetadataValue.md(_counts(reading.table, "emotion")),
            "speakers": len(set(reading.table["speaker"].dropna())),
            "dialogues": len(set(reading.table["dialogue_id"].dropna())),
        }
    )


def _counts(table: pd.DataFrame, column: str) -> str:
    return table[column].fillna("unknown").value_counts().rename("utterances").to_frame().to_markdown()

"""What must hold of the lineage's tables; each check can fail and names the rows that break it."""

import dagster as dg
import numpy as np
import pandas as pd

from affectory.corpora import media_paths
from affectory.data.folds import leaks
from affectory.vocabulary import EMOTIONS, MODALITIES, Modality
from assets.conditions import missing_modality_sets
from assets.corpus import media_files, utterances
from assets.features import FEATURE_ASSETS
from assets.partitions import corpus_partitions
from ops.datasets import availability, stored_choice
from resources.corpus_folders import CorpusFolders
from resources.feature_store import FeatureStore

NOTHING_STORED = """
SELECT u.utterance_id FROM utterances u
WHERE u.corpus = $1 AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.corpus = $1 AND q.stage = $2)
"""
EXPECTED_OF_SPLITS = "no dialogue on two sides of a split, nor a speaker unless corpus.toml says shared_speakers = true"
SHOWN = 10  # offending rows listed in a check's metadata


def _verdict(broken: pd.DataFrame, expectation: str) -> dg.AssetCheckResult:
    """Passed when no row is broken; otherwise the first rows as a table."""
    metadata: dict[str, int | dg.MetadataValue] = {"broken": len(broken)}
    if len(broken):
        metadata["rows"] = dg.MetadataValue.md(broken.head(SHOWN).to_markdown(index=False))
    return dg.AssetCheckResult(passed=broken.empty, metadata=metadata, description=expectation)


@dg.asset_check(asset=media_files, partitions_def=corpus_partitions)
def every_media_file_is_accounted_for(
    context: dg.AssetCheckExecutionContext, corpus_folders: CorpusFolders, store: FeatureStore
) -> dg.AssetCheckResult:
    """Each file of the corpus folder has one row, accepted or refused."""
    corpus = corpus_folders.open(context.partition_key)
    stored = store.query("SELECT media FROM media_files WHERE corpus = ?", [corpus.name])["media"]
    unaccounted = sorted(set(media_paths(corpus)) ^ set(stored))
    return _verdict(pd.DataFrame({"media": unaccounted}), "each media file has one row, accepted or refused")


@dg.asset_check(asset=utterances, partitions_def=corpus_partitions, blocking=True)
def utterance_ids_are_unique(context: dg.AssetCheckExecutionContext, store: FeatureStore) -> dg.AssetCheckResult:
    """An utterance_id names one row of a corpus."""
    doubled = store.query(
        "SELECT utterance_id, count(*) AS n FROM utterances WHERE corpus = ? GROUP BY ALL HAVING n > 1",
        [context.partition_key],
    )
    return _verdict(doubled, "an utterance_id names one row")


@dg.asset_check(asset=utterances, partitions_def=corpus_partitions, blocking=True)
def labels_are_known(
    context: dg.AssetCheckExecutionContext, corpus_folders: CorpusFolders, store: FeatureStore
) -> dg.AssetCheckResult:
    """Every label belongs to the corpus's declared set, or to the vocabulary where it declares none."""
    allowed = corpus_folders.open(context.partition_key).emotions or EMOTIONS
    unknown = store.query(
        "SELECT emotion, count(*) AS n FROM utterances WHERE corpus = ? AND emotion IS NOT NULL "
        "AND NOT list_contains(?, emotion) GROUP BY ALL",
        [context.partition_key, list(allowed)],
    )
    return _verdict(unknown, "every emotion label is in the corpus's label set")


def _row_counts_check(modality: Modality, asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, partitions_def=corpus_partitions, name="every_utterance_has_one_row", blocking=True)
    def check(context: dg.AssetCheckExecutionContext, store: FeatureStore) -> dg.AssetCheckResult:
        """Nothing lost, nothing doubled: a row an utterance and feature set, valid or missing with its reason."""
        if modality not in store.feature_sets(context.partition_key):
            unexplained = store.query(NOTHING_STORED, [context.partition_key, f"{modality}_features"])
            return _verdict(unexplained, "utterances have a feature set, or a refusal says why there is none")
        broken = store.query(
            """
            SELECT s.feature_set, u.utterance_id, count(f.utterance_id) AS n,
                   any_value(f.valid) AS valid, any_value(f.reason) AS reason
            FROM utterances u
            CROSS JOIN (SELECT DISTINCT feature_set FROM features WHERE corpus = $1 AND modality = $2) s
            LEFT JOIN features f ON f.corpus = u.corpus AND f.utterance_id = u.utterance_id
                                AND f.feature_set = s.feature_set
            WHERE u.corpus = $1
            GROUP BY ALL
            HAVING n <> 1 OR (NOT valid AND reason = '')
            """,
            [context.partition_key, modality.value],
        )
        return _verdict(broken, "one row an utterance and feature set; a missing one says why")

    return check


def _finite_check(modality: Modality, asset: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, partitions_def=corpus_partitions, name="features_are_finite", blocking=True)
    def check(context: dg.AssetCheckExecutionContext, store: FeatureStore) -> dg.AssetCheckResult:
        """No NaN and no infinity in what is stored as valid, and at least one frame of it."""
        broken = pd.DataFrame(columns=["feature_set", "utterance_id"])
        for feature_set in store.feature_sets(context.partition_key).get(modality, []):
            ids = store.not_finite(context.partition_key, feature_set)
            broken = pd.concat([broken, pd.DataFrame({"feature_set": feature_set, "utterance_id": ids})])
        return _verdict(broken, "valid features are finite and have frames")

    return check


FEATURE_CHECKS = [
    make(modality, FEATURE_ASSETS[modality]) for modality in MODALITIES for make in (_row_counts_check, _finite_check)
]


@dg.asset_check(asset=missing_modality_sets, partitions_def=corpus_partitions, blocking=True)
def no_speaker_or_dialogue_crosses_splits(
    context: dg.AssetCheckExecutionContext, corpus_folders: CorpusFolders, store: FeatureStore
) -> dg.AssetCheckResult:
    """Training, validation and test share no dialogue in any fold, and no speaker unless the corpus shares them."""
    corpus = context.partition_key
    sentences = leaks(
        store.query("SELECT * FROM utterances WHERE corpus = ?", [corpus]),
        store.query("SELECT fold, utterance_id, split FROM folds WHERE corpus = ?", [corpus]),
        shared_speakers=corpus_folders.open(corpus).shared_speakers,
    )
    if sentences:
        context.log.error(f"{sentences[0]} ({len(sentences)} such in all); expected {EXPECTED_OF_SPLITS}")
    return _verdict(
        pd.DataFrame({"leak": sentences}),
        EXPECTED_OF_SPLITS,
    )


@dg.asset_check(asset=missing_modality_sets, partitions_def=corpus_partitions, blocking=True)
def every_full_utterance_has_every_missing_condition(
    context: dg.AssetCheckExecutionContext, store: FeatureStore
) -> dg.AssetCheckResult:
    """A full utterance has all proper subsets (six of three modalities), another one its own modalities, none both."""
    corpus = context.partition_key
    chosen = stored_choice(store, corpus)
    n_held = availability(store, corpus, chosen).set_index("utterance_id").sum(axis="columns")
    counts = store.query(
        """
        SELECT f.utterance_id, count(s.condition) AS conditions FROM folds f
        LEFT JOIN missing_modality_sets s ON s.corpus = f.corpus AND s.utterance_id = f.utterance_id
        WHERE f.corpus = ? AND f.fold = 0 GROUP BY ALL
        """,
        [corpus],
    )
    modalities = n_held.loc[counts["utterance_id"]].to_numpy()
    counts["expected"] = np.where(modalities == len(chosen), 2 ** len(chosen) - 2, modalities > 0)
    broken = counts.query("conditions != expected")
    return _verdict(broken, "each full utterance has every missing condition once")

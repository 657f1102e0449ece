"""What is missing: folds, then the missing-modality conditions of each full utterance."""

import dagster as dg
import pandas as pd

from affectory.data.conditions import missing_modality_sets as make_sets
from affectory.data.folds import cross_validation, make_folds
from affectory.vocabulary import Modality
from assets.features import FEATURE_ASSETS
from assets.partitions import OWNERS, corpus_partitions
from ops.datasets import availability, choose_feature_sets
from resources.feature_store import FeatureStore

MIN_LABELLED = 3
LABELLED = """
SELECT * FROM utterances
WHERE corpus = ? AND (emotion IS NOT NULL OR valence IS NOT NULL OR arousal IS NOT NULL)
"""


class ConditionsConfig(dg.Config):
    """Which modalities and feature sets the models of this corpus learn from."""

    modalities: list[str] = []  # empty: every modality that has features
    feature_sets: list[str] = []  # empty: a ready-made set where there is one, else the default extractor's
    seed: int = 0  # of the splits that the protocol has to make
    cross_validation: int = 0  # so many folds for the studies, numbered from 1, beside fold 0; 0: none
    leave_one_speaker_out: bool = False  # a fold a speaker for the studies, within the sessions of the corpus


@dg.asset(
    partitions_def=corpus_partitions,
    deps=list(FEATURE_ASSETS.values()),
    group_name="conditions",
    kinds={"duckdb"},
    owners=OWNERS,
)
def missing_modality_sets(
    context: dg.AssetExecutionContext, config: ConditionsConfig, store: FeatureStore
) -> dg.MaterializeResult:
    """One row an utterance and missing condition: masks over stored features, made after the split (table `folds`)."""
    corpus = context.partition_key
    chosen = choose_feature_sets(
        store.feature_sets(corpus), [Modality(name) for name in config.modalities], config.feature_sets
    )
    utterances = store.query(LABELLED, [corpus])
    folds, note = _folds(utterances, config)
    available = availability(store, corpus, chosen)
    deployed = folds[folds["fold"] == 0]
    sets = make_sets(available, dict(zip(deployed["utterance_id"], deployed["split"], strict=True)), chosen)
    sets["feature_sets"] = ",".join(chosen.values())
    store.replace_rows("folds", corpus, folds)
    store.replace_rows("missing_modality_sets", corpus, sets)
    context.log.info(note)
    counts = sets.groupby(["condition", "split"]).size().unstack(fill_value=0)
    return dg.MaterializeResult(
        metadata={
            "rows": len(sets),
            "feature_sets": ", ".join(chosen.values()) or "none",
            "splits": note,
            "full_utterances": int((available[[*chosen]].to_numpy().all(axis=1)).sum()) if chosen else 0,
            "table": dg.MetadataValue.md(counts.to_markdown() or "no rows"),
        }
    )


def _folds(labelled: pd.DataFrame, config: ConditionsConfig) -> tuple[pd.DataFrame, str]:
    """Fold 0, which is deployed, and the cross-validation asked for, each with its protocol; and both in words.

    None, saying so, where too little is labelled to divide.
    """
    if len(labelled) < MIN_LABELLED:
        shortage = f"{len(labelled)} utterances have an emotion, valence or arousal"
        note = f"{shortage}, at least {MIN_LABELLED} are needed: there are no folds."
        return pd.DataFrame(columns=["fold", "utterance_id", "split", "protocol"]), note
    parts = [make_folds(labelled, config.seed)]
    if config.cross_validation or config.leave_one_speaker_out:
        n_folds = None if config.leave_one_speaker_out else config.cross_validation
        parts.append(cross_validation(labelled, n_folds, config.seed))
    return pd.concat([folds.assign(protocol=note) for folds, note in parts]), " ".join(note for _, note in parts)

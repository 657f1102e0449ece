"""From the feature store to arrays that a family learns from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from affectory.datasets import Dataset
from affectory.features import DEFAULT_SETS, FEATURE_SETS, find_feature_set
from affectory.vocabulary import MODALITIES, Modality
from resources.feature_store import FeatureStore


def choose_feature_sets(
    stored: Mapping[Modality, Sequence[str]], modalities: Sequence[Modality], wanted: Sequence[str]
) -> dict[Modality, str]:
    """One stored feature set a modality: the wanted one, else a ready-made one, else the default extractor's.

    `modalities` empty means all that are stored. ValueError names a wanted set or modality that is not stored.
    """
    of = {name: modality for modality, names in stored.items() for name in names}
    if unknown := [name for name in wanted if name not in of]:
        raise ValueError(f"feature sets {unknown} are not stored; stored are {sorted(of)}: extract them first")
    if absent := [modality.value for modality in modalities if not stored.get(modality)]:
        raise ValueError(f"modalities {absent} have no features; stored are {sorted(of)}: extract them first")
    chosen = {}
    for modality in MODALITIES:
        names = sorted(stored.get(modality, []))
        if not names or (modalities and modality not in modalities):
            continue
        asked = [name for name in wanted if of[name] is modality]
        ready_made = [name for name in names if name not in FEATURE_SETS]
        default = [name for name in names if name == DEFAULT_SETS[modality]]
        chosen[modality] = (asked or ready_made or default or names)[0]
    return chosen


def availability(store: FeatureStore, corpus: str, feature_sets: Mapping[Modality, str]) -> pd.DataFrame:
    """utterance_id and a bool column a modality: whether the chosen feature set is there."""
    table = store.query("SELECT utterance_id FROM utterances WHERE corpus = ? ORDER BY ALL", [corpus])
    valid = store.query("SELECT utterance_id, feature_set FROM features WHERE corpus = ? AND valid", [corpus])
    for modality, feature_set in feature_sets.items():
        there = valid.loc[valid["feature_set"] == feature_set, "utterance_id"]
        table[modality.value] = table["utterance_id"].isin(there)
    return table


def read_dataset(
    store: FeatureStore, corpus: str, fold: int = 0, feature_sets: Mapping[Modality, str] | None = None
) -> Dataset | None:
    """The labelled utterances of a fold with `feature_sets`, or those that its missing-modality sets were made of.

    None when the corpus has no fold: nothing in it is labelled.
    """
    table = store.query(
        """
        SELECT u.*, f.split AS part FROM utterances u
        JOIN folds f ON f.corpus = u.corpus AND f.utterance_id = u.utterance_id
        WHERE u.corpus = ? AND f.fold = ? AND u.emotion IS NOT NULL ORDER BY u.utterance_id
        """,
        [corpus, fold],
    )
    if table.empty:
        return None
    ids = table["utterance_id"].tolist()
    classes = tuple(sorted(table["emotion"].unique()))
    return Dataset(
        utterance_ids=ids,
        labels=np.array([classes.index(emotion) for emotion in table["emotion"]], np.int64),
        classes=classes,
        sequences={
            modality: replace(store.read_sequences(corpus, feature_set, ids), version=_version(feature_set))
            for modality, feature_set in (feature_sets or stored_choice(store, corpus)).items()
        },
        speakers=table["speaker"].fillna("").tolist(),
        dialogues=table["dialogue_id"].fillna("").tolist(),
        splits=table["part"].tolist(),
    )


def _version(feature_set: str) -> str:
    """Of the extractor, which a model remembers; a ready-made set has none."""
    if feature_set in FEATURE_SETS or feature_set.startswith("bert:"):
        return find_feature_set(feature_set).version
    return ""


def stored_choice(store: FeatureStore, corpus: str) -> dict[Modality, str]:
    """The feature sets that the missing-modality sets of the corpus are masks over."""
    stored = store.feature_sets(corpus)
    named = store.query("SELECT DISTINCT feature_sets FROM missing_modality_sets WHERE corpus = ?", [corpus])[
        "feature_sets"
    ].tolist()
    if not named:
        return choose_feature_sets(stored, [], [])
    wanted = named[0].split(",")
    modalities = [modality for modality, names in stored.items() if set(names) & set(wanted)]
    return choose_feature_sets(stored, modalities, wanted)


def digest(dataset: Dataset) -> str:
    """Hex sha256 of everything a training sees: features, labels, classes and splits, row by row."""
    state = hashlib.sha256()
    for text in (*dataset.utterance_ids, *dataset.splits, *dataset.classes):
        state.update(text.encode() + b"\0")
    state.update(dataset.labels.tobytes())
    for modality, sequences in dataset.sequences.items():
        state.update(f"{modality} {sequences.feature_set} {sequences.version}".encode())
        state.update(sequences.lengths.tobytes() + sequences.frames.tobytes())
    return state.hexdigest()

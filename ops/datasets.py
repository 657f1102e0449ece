"""From the feature store to arrays that a family learns from."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from affectory.data.dataset import Dataset
from affectory.features import DEFAULT_SETS, FEATURE_SETS, FeatureSetError, find_feature_set
from affectory.vocabulary import DIMENSIONS, MODALITIES, Modality
from resources.feature_store import FeatureStore


def choose_feature_sets(
    stored: Mapping[Modality, Sequence[str]], modalities: Sequence[Modality], wanted: Sequence[str]
) -> dict[Modality, str]:
    """One stored feature set a modality: the wanted one, else a ready-made one, else the default extractor's.

    `modalities` empty means all that are stored. ValueError names a wanted set or modality that is not stored.
    """
    modality_of = {name: modality for modality, names in stored.items() for name in names}
    if unknown := [name for name in wanted if name not in modality_of]:
        raise ValueError(f"feature sets {unknown} are not stored; stored are {sorted(modality_of)}: extract them first")
    if absent := [modality.value for modality in modalities if not stored.get(modality)]:
        raise ValueError(f"modalities {absent} have no features; stored are {sorted(modality_of)}: extract them first")
    chosen = {}
    for modality in MODALITIES:
        names = sorted(stored.get(modality, []))
        if not names or (modalities and modality not in modalities):
            continue
        asked_for = [name for name in wanted if modality_of[name] is modality]
        ready_made = [name for name in names if name not in FEATURE_SETS]
        default = [name for name in names if name == DEFAULT_SETS[modality]]
        chosen[modality] = (asked_for or ready_made or default or names)[0]
    return chosen


def availability(store: FeatureStore, corpus: str, feature_sets: Mapping[Modality, str]) -> pd.DataFrame:
    """utterance_id and a bool column a modality: whether the chosen feature set is there."""
    table = store.query("SELECT utterance_id FROM utterances WHERE corpus = ? ORDER BY ALL", [corpus])
    valid = store.query("SELECT utterance_id, feature_set FROM features WHERE corpus = ? AND valid", [corpus])
    for modality, feature_set in feature_sets.items():
        utterances = valid.loc[valid["feature_set"] == feature_set, "utterance_id"]
        table[modality.value] = table["utterance_id"].isin(utterances)
    return table


def read_dataset(
    store: FeatureStore,
    corpus: str,
    fold: int = 0,
    feature_sets: Mapping[Modality, str] | None = None,
    *,
    of_dimensions: bool = False,
) -> Dataset | None:
    """The labelled utterances of a fold with `feature_sets`, or those that its missing-modality sets were made of.

    Labelled by emotion, or `of_dimensions` by valence or arousal. None when the fold has none of them.
    """
    rows = store.query("SELECT utterance_id, split FROM folds WHERE corpus = ? AND fold = ?", [corpus, fold])
    dataset = _read(store, corpus, set(rows["utterance_id"]), feature_sets, of_dimensions)
    if dataset is None:
        return None
    split_of = dict(zip(rows["utterance_id"], rows["split"], strict=True))
    return replace(dataset, splits=[split_of.get(utterance_id, "") for utterance_id in dataset.utterance_ids])


_LABELLED_AND_CONTEXT = """
WITH rows AS (
    SELECT *, list_contains($2, utterance_id) AND (
        CASE WHEN $3 THEN valence IS NOT NULL OR arousal IS NOT NULL ELSE emotion IS NOT NULL END
    ) AS labelled FROM utterances WHERE corpus = $1
)
SELECT * FROM rows
WHERE labelled OR dialogue_id IN (SELECT dialogue_id FROM rows WHERE labelled)
ORDER BY dialogue_id, turn, start_s, utterance_id
"""


def _read(
    store: FeatureStore,
    corpus: str,
    wanted: Collection[str],
    feature_sets: Mapping[Modality, str] | None,
    of_dimensions: bool,
) -> Dataset | None:
    """The wanted utterances that have a label, in no split yet, and what else is said in their dialogues, unlabelled.

    Dialogue by dialogue, in the order in which they were said; None when no wanted utterance has a label.
    """
    table = store.query(_LABELLED_AND_CONTEXT, [corpus, sorted(wanted), of_dimensions])
    if not table["labelled"].to_numpy().any():
        return None
    ids = table["utterance_id"].tolist()
    return Dataset(
        utterance_ids=ids,
        **(_values(table) if of_dimensions else _classes(table)),
        sequences={
            modality: replace(store.read_sequences(corpus, feature_set, ids), version=_version(feature_set))
            for modality, feature_set in (feature_sets or stored_choice(store, corpus)).items()
        },
        speakers=table["speaker"].fillna("").tolist(),
        dialogues=table["dialogue_id"].fillna("").tolist(),
        splits=[""] * len(ids),
    )


def _classes(table: pd.DataFrame) -> dict[str, Any]:
    classes = tuple(sorted(table.loc[table["labelled"], "emotion"].unique()))
    emotions = table["emotion"].where(table["labelled"])
    return {"labels": pd.Categorical(emotions, categories=classes).codes.astype(np.int64), "classes": classes}


def _values(table: pd.DataFrame) -> dict[str, Any]:
    """Of the dimensions that are more than one value."""
    labels = np.where(table[["labelled"]], table[[*DIMENSIONS]].to_numpy(np.float32, na_value=np.nan), np.nan)
    several = [len(np.unique(values[np.isfinite(values)])) > 1 for values in labels.T]
    dimensions = tuple(name for name, is_kept in zip(DIMENSIONS, several, strict=True) if is_kept)
    return {"labels": labels[:, several], "classes": (), "dimensions": dimensions}


def read_folds(
    store: FeatureStore,
    corpus: str,
    feature_sets: Mapping[Modality, str] | None = None,
    *,
    of_dimensions: bool = False,
) -> tuple[Dataset | None, dict[int, list[str]]]:
    """The labelled utterances of all folds of a study, and of each fold every row's split, empty where it has none.

    The folds of the cross-validation where there is one, else fold 0. Otherwise as read_dataset.
    """
    table = store.query("SELECT fold, utterance_id, split FROM folds WHERE corpus = ?", [corpus])
    of_study = sorted(set(table["fold"]) - {0}) or sorted(set(table["fold"]))
    dataset = _read(
        store, corpus, set(table[table["fold"].isin(of_study)]["utterance_id"]), feature_sets, of_dimensions
    )
    if dataset is None:
        return None, {}
    parts = {}
    for fold in of_study:
        rows = table[table["fold"] == fold]
        split_of = dict(zip(rows["utterance_id"], rows["split"], strict=True))
        parts[fold] = [split_of.get(utterance_id, "") for utterance_id in dataset.utterance_ids]
    return dataset, parts


def _version(feature_set: str) -> str:
    """Of the extractor, which a model remembers; a ready-made set has none, nor one whose weights are not here."""
    try:
        return find_feature_set(feature_set).version
    except (ValueError, FeatureSetError):  # what is stored can be learned from all the same
        return ""


def stored_choice(store: FeatureStore, corpus: str) -> dict[Modality, str]:
    """The feature sets that the missing-modality sets of the corpus are masks over."""
    stored = store.feature_sets(corpus)
    named_sets = store.query("SELECT DISTINCT feature_sets FROM missing_modality_sets WHERE corpus = ?", [corpus])[
        "feature_sets"
    ].tolist()
    if not named_sets:
        return choose_feature_sets(stored, [], [])
    wanted = named_sets[0].split(",")
    modalities = [modality for modality, names in stored.items() if set(names) & set(wanted)]
    return choose_feature_sets(stored, modalities, wanted)


def digest(dataset: Dataset) -> str:
    """Hex sha256 of everything a training sees: features, labels, classes and splits, row by row."""
    state = hashlib.sha256()
    for text in (*dataset.utterance_ids, *dataset.dialogues, *dataset.speakers, *dataset.splits, *dataset.outputs):
        state.update(text.encode() + b"\0")
    state.update(dataset.labels.tobytes())
    for modality, sequences in dataset.sequences.items():
        state.update(f"{modality} {sequences.feature_set} {sequences.version}".encode())
        state.update(sequences.lengths.tobytes() + sequences.frames.tobytes())
    return state.hexdigest()

"""Folds: which utterance trains, selects and tests; disjoint by speaker and dialogue, or saying that they are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectory.vocabulary import Split

SHARES = {Split.TRAIN: 0.6, Split.VAL: 0.2, Split.TEST: 0.2}
_TRIALS = 200  # shuffles of the groups, of which the best balanced is taken
# What a group must not be torn across, strictest first; used where it gives enough groups to divide.
_GROUPINGS = (("speaker", "dialogue_id"), ("speaker",), ("dialogue_id",), ("media",), ("utterance_id",))


def make_folds(utterances: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, str]:
    """One fold: (DataFrame(fold, utterance_id, split), one sentence that says how it came about).

    A given train/val/test is kept. Where no test part is given, the given val part becomes the test part. A missing val
    part is carved out of train (20 %), and where nothing is given all is divided 60/20/20: by whole speakers and
    dialogues where they can be told apart, balanced by emotion. Rows without a split, in a corpus that gives splits,
    are in no fold. ValueError when fewer than three utterances must be divided.
    """
    given = _column(utterances, "split").str.lower()
    if unknown := sorted(set(given) - {"", *Split}):
        raise ValueError(f"split {unknown}: expected train, val, test or nothing in utterances.csv")
    if (given == "").all():
        split, how = _divide(utterances, SHARES, seed)
        return _fold(utterances, split), f"No split was given: 60/20/20 {how}, seed {seed}."
    if not (given == Split.TRAIN).any():
        raise ValueError("the given splits have no train part; give one in utterances.csv or leave the column empty")
    notes = ["The given splits are kept"]
    if not (given == Split.TEST).any():
        given = given.mask(given == Split.VAL, Split.TEST)
        notes.append("the given val part is the test part, as none was given")
    if not (given == Split.VAL).any():
        train = given == Split.TRAIN
        parts = SHARES if not (given == Split.TEST).any() else {Split.TRAIN: 0.8, Split.VAL: 0.2}
        carved, how = _divide(utterances.loc[train], parts, seed)
        given = given.copy()
        given[train] = carved
        notes.append(
            f"{' and '.join(part for part in parts if part != Split.TRAIN)} carved out of train {how}, seed {seed}"
        )
    if n_without := int((given == "").sum()):
        notes.append(f"{n_without} utterances without a split are in no fold")
    return _fold(utterances.loc[given != ""], given[given != ""].to_numpy(object)), "; ".join(notes) + "."


def leaks(utterances: pd.DataFrame, folds: pd.DataFrame) -> list[str]:
    """A sentence for each speaker or dialogue on two sides of a fold, and for each utterance that is twice in one."""
    table = folds.merge(utterances, on="utterance_id", suffixes=("", "_given"))
    found = []
    for column, word in (("utterance_id", "utterance"), ("speaker", "speaker"), ("dialogue_id", "dialogue")):
        sides: dict[tuple[int, str], list[str]] = {}
        for fold, key, part in zip(table["fold"], _column(table, column), table["split"], strict=True):
            if key:
                sides.setdefault((fold, key), []).append(part)
        for (fold, key), parts in sides.items():
            names = [part for part in Split if part in parts]
            if len(names) > 1:
                found.append(f"fold {fold}: {word} {key} is in {' and '.join(names)}")
            elif word == "utterance" and len(parts) > 1:
                found.append(f"fold {fold}: utterance {key} is {len(parts)} times in {names[0]}")
    return found


def _divide(table: pd.DataFrame, parts: dict[Split, float], seed: int) -> tuple[np.ndarray, str]:
    """A split name for each row, object [N], whole groups together; and how the groups were made."""
    for grouping in _GROUPINGS:
        columns = [name for name in grouping if (_column(table, name) != "").any()]
        if not columns:
            continue
        groups = _groups(table, columns)
        # Three groups a part leave room for balance; a lone large group would be most of the corpus.
        if groups.max(initial=0) + 1 >= max(len(parts) + 1, 3) and np.bincount(groups).max() <= 0.5 * len(table):
            how = "disjoint by " + " and ".join(name.removesuffix("_id") for name in columns)
            return _balanced(table, groups, parts, seed), how
    if len(table) < 3:
        raise ValueError(f"{len(table)} utterances cannot be divided into {', '.join(parts)}; give splits or more data")
    return _balanced(table, np.arange(len(table)), parts, seed), "disjoint by utterance"


def _groups(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """int64 [N]: rows joined by a chain of equal speakers or dialogues share a number; an empty value joins nothing."""
    joined = np.arange(len(table))
    values = [_column(table, column).to_numpy(object) for column in columns]
    known = [np.flatnonzero(column != "") for column in values]
    codes = [pd.factorize(column[rows])[0] for column, rows in zip(values, known, strict=True)]
    while True:  # each round carries a group's smallest row one link further
        before = joined.copy()
        for rows, code in zip(known, codes, strict=True):
            smallest = np.full(code.max(initial=-1) + 1, len(table))
            np.minimum.at(smallest, code, joined[rows])
            joined[rows] = smallest[code]
        if (joined == before).all():
            return np.unique(joined, return_inverse=True)[1]


def _balanced(table: pd.DataFrame, groups: np.ndarray, parts: dict[Split, float], seed: int) -> np.ndarray:
    """Of many shuffles of the groups, the division whose class counts come nearest to each part's share."""
    classes = pd.factorize(_column(table, "emotion"))[0]
    counts = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(counts, (groups, classes), 1)  # [groups, classes]
    shares = np.array(list(parts.values()))
    wanted = shares[:, None] * counts.sum(0)  # [parts, classes]
    generator, best, least = np.random.default_rng(seed), np.zeros(len(counts), int), np.inf
    for _ in range(_TRIALS):
        order = generator.permutation(len(counts))
        sizes = counts[order].sum(1)
        middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()  # where in the line of all rows the group's middle lies
        part = np.empty(len(counts), int)
        part[order] = np.searchsorted(np.cumsum(shares)[:-1], middle)
        got = np.stack([counts[part == number].sum(0) for number in range(len(parts))])
        penalty = np.abs(got - wanted).sum() + len(table) * int((got.sum(1) == 0).any())
        if penalty < least:
            best, least = part, penalty
    return np.array(list(parts), object)[best][groups]


def _fold(utterances: pd.DataFrame, split: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"fold": 0, "utterance_id": utterances["utterance_id"].to_numpy(), "split": split.astype(str)})


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as text, empty where unknown or absent."""
    if name not in table:
        return pd.Series("", index=table.index, dtype="str")
    return table[name].astype("str").fillna("").str.strip()

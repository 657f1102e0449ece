"""Folds: which utterance trains, selects and tests; disjoint by speaker and dialogue, or saying that they are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectory.vocabulary import Split

SHARES = {Split.TRAIN: 0.6, Split.VAL: 0.2, Split.TEST: 0.2}
_TRIALS = 200  # shuffles of the groups, of which the best balanced is taken
# What a group must not be torn across, strictest first; used where it gives enough groups to divide. By speakers alone
# nothing is divided where dialogues are known: it would tear them.
_GROUPINGS = (("speaker", "dialogue_id"), ("dialogue_id",), ("media",), ("utterance_id",))


def make_folds(utterances: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, str]:
    """One fold: (DataFrame(fold, utterance_id, split), one sentence that says how it came about).

    A given train/val/test is kept. Where no test part is given, the given val part becomes the test part. A missing val
    part is carved out of train (20 %), and where nothing is given all is divided 60/20/20: by whole speakers and
    dialogues where they can be told apart, balanced by emotion. Rows without a split, in a corpus that gives splits,
    are in no fold. ValueError when fewer than three utterances must be divided.
    """
    splits = _column(utterances, "split").str.lower()
    if unknown := sorted(set(splits) - {"", *Split}):
        raise ValueError(f"split {unknown}: expected train, val, test or nothing in utterances.csv")
    if (splits == "").all():
        split, how = _divide(utterances, SHARES, seed)
        return _fold(utterances, split), f"No split was given: 60/20/20 {how}, seed {seed}."
    if not (splits == Split.TRAIN).any():
        raise ValueError("the given splits have no train part; give one in utterances.csv or leave the column empty")
    notes = ["The given splits are kept"]
    if (splits == Split.VAL).any() and not (splits == Split.TEST).any():
        splits = splits.mask(splits == Split.VAL, Split.TEST)
        notes.append("the given val part is the test part, as none was given")
    if not (splits == Split.VAL).any():
        train = splits == Split.TRAIN
        parts = SHARES if not (splits == Split.TEST).any() else {Split.TRAIN: 0.8, Split.VAL: 0.2}
        carved, how = _divide(utterances.loc[train], parts, seed)
        splits = splits.copy()
        splits[train] = carved
        notes.append(
            f"{' and '.join(part for part in parts if part != Split.TRAIN)} carved out of train {how}, seed {seed}"
        )
    if n_without := int((splits == "").sum()):
        notes.append(f"{n_without} utterances without a split are in no fold")
    if n_shared := _shared(_column(utterances, "speaker"), pd.Series(splits, utterances.index)):
        notes.append(f"{n_shared} speakers are in more than one part, so scores are not of new speakers")
    return _fold(utterances.loc[splits != ""], splits[splits != ""].to_numpy(object)), "; ".join(notes) + "."


def _shared(speakers: pd.Series, parts: pd.Series) -> int:
    """How many speakers are in more than one part."""
    named = (speakers != "") & (parts != "")
    table = pd.DataFrame({"speaker": speakers[named], "part": parts[named]}).drop_duplicates()
    return len(set(table.loc[table["speaker"].duplicated(), "speaker"]))


def cross_validation(utterances: pd.DataFrame, n_folds: int | None, seed: int) -> tuple[pd.DataFrame, str]:
    """Folds numbered from 1: (DataFrame(fold, utterance_id, split), a few sentences that say how they came about).

    With n_folds, whole groups are divided into that many test parts, balanced by emotion, and a fifth of a fold's other
    groups is its val part. A group is what speakers and dialogues connect, where these are known; else a media file,
    else an utterance.

    Without n_folds, each speaker is the test part of one fold. A session is what speakers and dialogues connect (the
    two speakers of an IEMOCAP session, of an MSP-IMPROV dyad); the test speaker's partners are left out of the fold,
    the next session is its val part, the last session's next being the first. Nothing is drawn then.

    Given splits are not used. ValueError for fewer than two folds, too few groups or sessions, or unknown speakers.
    """
    if n_folds is None:
        folds, how = _one_speaker_out(utterances)
    else:
        folds, how = _group_folds(utterances, n_folds, seed)
    has_splits = (_column(utterances, "split") != "").any()
    return folds, how + (" The given splits are not used." if has_splits else "")


def leaks(utterances: pd.DataFrame, folds: pd.DataFrame, *, shared_speakers: bool = False) -> list[str]:
    """What leaks between the splits of a fold, a sentence each; empty where nothing does.

    A leak is a speaker or dialogue with utterances in more than one split of a fold, or an utterance that is listed
    twice in a fold. Speakers are not looked at where the corpus has `shared_speakers`. `folds` is as make_folds gives
    it; `utterances` has utterance_id, and speaker and dialogue_id where they are known.
    """
    table = folds.merge(utterances, on="utterance_id", suffixes=("", "_given"))
    sentences = []
    columns = {"utterance_id": "utterance", "speaker": "speaker", "dialogue_id": "dialogue"}
    for column, word in columns.items():
        if column == "speaker" and shared_speakers:
            continue
        sides: dict[tuple[int, str], list[str]] = {}
        for fold, key, part in zip(table["fold"], _column(table, column), table["split"], strict=True):
            if key:
                sides.setdefault((fold, key), []).append(part)
        for (fold, key), parts in sides.items():
            names = [part for part in Split if part in parts]
            if len(names) > 1:
                sentences.append(f"fold {fold}: {word} {key} is in {' and '.join(names)}")
            elif word == "utterance" and len(parts) > 1:
                sentences.append(f"fold {fold}: utterance {key} is {len(parts)} times in {names[0]}")
    return sentences


def _group_folds(table: pd.DataFrame, n_folds: int, seed: int) -> tuple[pd.DataFrame, str]:
    if n_folds < 2:
        raise ValueError(f"{n_folds} folds: expected at least 2, or none given to leave one speaker out a fold")
    columns = next(
        (columns_known for grouping in _GROUPINGS if (columns_known := _known(table, grouping))), ["utterance_id"]
    )
    groups, how = _groups(table, columns), _disjoint(columns)
    n, needed = groups.max(initial=-1) + 1, max(n_folds, 3 if n_folds > 2 else 4)  # val and train need a group each
    if n < needed:
        raise ValueError(
            f"{n_folds} folds {how}: expected at least {needed} groups that can be told apart, came {n} among "
            f"{len(table)} utterances; ask for fewer folds or bring more speakers and dialogues"
        )
    counts = _class_counts(table, groups)
    tested = _dealt(counts, np.arange(n) % n_folds, [seed])  # [groups]: the fold, from 0, that tests the group
    folds = []
    for fold in range(n_folds):
        parts = np.full(n, Split.TRAIN, object)
        parts[tested == fold] = Split.TEST
        others = np.flatnonzero(tested != fold)
        val = np.arange(len(others)) < max(1, round(SHARES[Split.VAL] * len(others)))
        parts[others[_dealt(counts[others], val.astype(int), [seed, fold + 1]) == 1]] = Split.VAL
        folds.append(_fold(table, parts[groups], fold + 1))
    return pd.concat(folds, ignore_index=True), (
        f"{n_folds} folds {how}, every group tested once; a fifth of a fold's other groups is its val part; "
        f"seed {seed}."
    )


def _one_speaker_out(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    sessions = _groups(table, ("speaker", "dialogue_id"))
    n, speakers = sessions.max(initial=-1) + 1, _column(table, "speaker").to_numpy(object)
    named = speakers != ""
    if not named.any() or n < 3:
        raise ValueError(
            f"leaving one speaker out: expected known speakers in at least 3 sessions that share neither speaker nor "
            f"dialogue, came {len(set(speakers[named]))} speakers in {n} sessions; fill in speaker and dialogue_id, or "
            "ask for a number of folds"
        )
    folds = []
    for speaker in sorted(set(speakers[named]), key=speakers.tolist().index):
        session = sessions[speakers == speaker][0]
        parts = np.full(len(table), Split.TRAIN, object)
        parts[sessions == (session + 1) % n] = Split.VAL
        parts[speakers == speaker] = Split.TEST
        in_fold = (sessions != session) | (speakers == speaker)
        folds.append(_fold(table.loc[in_fold], parts[in_fold], len(folds) + 1))
    return pd.concat(folds, ignore_index=True), (
        f"{len(folds)} folds of {n} sessions, each session being what speakers and dialogues connect: a fold tests one "
        "speaker, leaves the partners in the same session out, whose dialogues are the test speaker's too, and selects "
        "on the whole next session. Published work selects on the partner, which puts one dialogue into val and test."
        + (f" {int((~named).sum())} utterances without a speaker are not tested." if not named.all() else "")
    )


def _divide(table: pd.DataFrame, parts: dict[Split, float], seed: int) -> tuple[np.ndarray, str]:
    """A split name for each row, object [N], whole groups together; and how the groups were made."""
    for grouping in _GROUPINGS:
        columns = _known(table, grouping)
        if not columns:
            continue
        groups = _groups(table, columns)
        # Three groups a part leave room for balance; a lone large group would be most of the corpus.
        if groups.max(initial=0) + 1 >= max(len(parts) + 1, 3) and np.bincount(groups).max() <= 0.5 * len(table):
            return _balanced(table, groups, parts, seed), _disjoint(columns)
    if len(table) < 3:
        raise ValueError(f"{len(table)} utterances cannot be divided into {', '.join(parts)}; give splits or more data")
    return _balanced(table, np.arange(len(table)), parts, seed), "disjoint by utterance"


def _known(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns in which something stands."""
    return [name for name in columns if (_column(table, name) != "").any()]


def _disjoint(columns: Sequence[str]) -> str:
    return "disjoint by " + " and ".join(name.removesuffix("_id") for name in columns)


def _groups(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """int64 [N]: rows joined by a chain of equal speakers or dialogues share a number; an empty value joins nothing."""
    joined = np.arange(len(table))
    values = [_column(table, column).to_numpy(object) for column in columns]
    rows_with_value = [np.flatnonzero(column != "") for column in values]
    codes = [pd.factorize(column[rows])[0] for column, rows in zip(values, rows_with_value, strict=True)]
    while True:  # each round carries a group's smallest row one link further
        before = joined.copy()
        for rows, code in zip(rows_with_value, codes, strict=True):
            smallest = np.full(code.max(initial=-1) + 1, len(table))
            np.minimum.at(smallest, code, joined[rows])
            joined[rows] = smallest[code]
        if (joined == before).all():
            return np.unique(joined, return_inverse=True)[1]


def _balanced(table: pd.DataFrame, groups: np.ndarray, parts: dict[Split, float], seed: int) -> np.ndarray:
    """Of many shuffles of the groups, the division whose class counts come nearest to each part's share."""
    counts = _class_counts(table, groups)
    shares = np.array(list(parts.values()))
    wanted_counts = shares[:, None] * counts.sum(0)  # [parts, classes]
    generator, best, least = np.random.default_rng(seed), np.zeros(len(counts), int), np.inf
    for _ in range(_TRIALS):
        order = generator.permutation(len(counts))
        sizes = counts[order].sum(1)
        middle = (np.cumsum(sizes) - sizes / 2) / sizes.sum()  # where in the line of all rows the group's middle lies
        part = np.empty(len(counts), int)
        part[order] = np.searchsorted(np.cumsum(shares)[:-1], middle)
        counts_of_part = np.stack([counts[part == number].sum(0) for number in range(len(parts))])
        penalty = np.abs(counts_of_part - wanted_counts).sum() + len(table) * int((counts_of_part.sum(1) == 0).any())
        if penalty < least:
            best, least = part, penalty
    return np.array(list(parts), object)[best][groups]


def _dealt(counts: np.ndarray, places: np.ndarray, seed: list[int]) -> np.ndarray:
    """A part's number for each group, int [G]: of many ways to deal the groups onto `places` (a part's number each)
    the one whose class counts, [G, C], are shared out most evenly over the places.
    """
    wanted_counts = np.bincount(places)[:, None] / len(places) * counts.sum(0)  # [parts, classes]
    generator, best, least = np.random.default_rng(seed), places, np.inf
    for _ in range(_TRIALS):
        part = generator.permutation(places)
        counts_of_part = np.stack([counts[part == number].sum(0) for number in range(len(wanted_counts))])
        if (penalty := np.abs(counts_of_part - wanted_counts).sum()) < least:
            best, least = part, penalty
    return best


def _class_counts(table: pd.DataFrame, groups: np.ndarray) -> np.ndarray:
    """Rows by group and emotion, float64 [groups, classes]."""
    classes = pd.factorize(_column(table, "emotion"))[0]
    counts = np.zeros((groups.max() + 1, classes.max() + 1))
    np.add.at(counts, (groups, classes), 1)
    return counts


def _fold(utterances: pd.DataFrame, split: np.ndarray, fold: int = 0) -> pd.DataFrame:
    return pd.DataFrame(
        {"fold": fold, "utterance_id": utterances["utterance_id"].to_numpy(), "split": split.astype(str)}
    )


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as text, empty where unknown or absent."""
    if name not in table:
        return pd.Series("", index=table.index, dtype="str")
    return table[name].astype("str").fillna("").str.strip()

"""The words everything else uses: modalities, conditions, splits and label sets."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from itertools import combinations


class Modality(StrEnum):
    """A channel of an utterance; `key` is its letter in tables and condition names."""

    ACOUSTIC = "acoustic"
    VISUAL = "visual"
    TEXTUAL = "textual"

    @property
    def key(self) -> str:
        return self.value[0]


MODALITIES: tuple[Modality, ...] = tuple(Modality)


class Split(StrEnum):
    TRAIN = "train"
    VAL = "val"
    TEST = "test"


class Condition(frozenset[Modality]):
    """Which modalities are available, written `{a}`, `{a,v}` or `{a,v,t}`; never empty."""

    def __new__(cls, modalities: Iterable[Modality]) -> Condition:
        condition = super().__new__(cls, modalities)
        if not condition:
            raise ValueError("a condition needs at least one available modality, got none")
        return condition

    @classmethod
    def parse(cls, name: str) -> Condition:
        """`{a,v}` -> Condition; raises ValueError naming an unknown key."""
        by_key = {modality.key: modality for modality in MODALITIES}
        keys = name.strip("{}").split(",")
        if unknown := [key for key in keys if key not in by_key]:
            raise ValueError(f"condition {name}: unknown modality keys {unknown}; expected some of {sorted(by_key)}")
        return cls(by_key[key] for key in keys)

    @property
    def keys(self) -> str:
        """`av` of `{a,v}`: how names of metrics and experiments write a condition."""
        return "".join(modality.key for modality in MODALITIES if modality in self)

    def __str__(self) -> str:
        return "{" + ",".join(self.keys) + "}"

    __repr__ = __str__


def conditions(modalities: Iterable[Modality] = MODALITIES) -> tuple[Condition, ...]:
    """Every non-empty subset, smallest first, the full one last: seven of three modalities, three of two."""
    present = [modality for modality in MODALITIES if modality in set(modalities)]
    return tuple(Condition(subset) for size in range(1, len(present) + 1) for subset in combinations(present, size))


def missing_conditions(modalities: Iterable[Modality] = MODALITIES) -> tuple[Condition, ...]:
    """The proper subsets: the six missing-modality conditions of three modalities."""
    return conditions(modalities)[:-1]


# Every category name we know from the corpora that the field uses. A corpus may declare its own set in corpus.toml
# (`emotions = [...]`); without one, a label outside this set is refused, so that a typo never becomes a class.
EMOTIONS: tuple[str, ...] = (
    "anger", "angry", "bored", "boredom", "calm", "contempt", "disgust", "disgusted", "excited", "fear", "fearful",
    "frustrated", "happy", "joy", "joyful", "mad", "neutral", "other", "peaceful", "powerful", "sad", "sadness",
    "scared", "surprise", "surprised", "negative", "positive",
)  # fmt: skip

# Columns of a corpus's utterances.csv, in order; all but the first may be empty.
UTTERANCE_COLUMNS: tuple[str, ...] = (
    "utterance_id", "dialogue_id", "turn", "speaker", "split", "culture", "media", "start_s", "end_s", "transcript",
    "emotion", "valence", "arousal", "dominance", "sentiment",
)  # fmt: skip

# What annotators rate on a scale; each has a column of utterances.csv.
DIMENSIONS: tuple[str, ...] = ("valence", "arousal")
SCALES = {"valence": (-1.0, 1.0), "arousal": (0.0, 1.0)}  # of OMG-Emotion; a corpus's own may be wider

DEPTHS = (1, 2, 4, 8, 16, 32)  # layers of graph convolution in MMGCN's published table

"""What experiments, metrics and conditions are called in tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from affectory.vocabulary import MODALITIES

AVERAGE = "average"  # the condition that stands for the mean over the missing ones
VAL_CCC = "val_ccc"  # the metric `ccc` on the validation part: what a row may be chosen by
ON_TEST = "_best_on_test"  # behind a metric: of the epoch that is best on the test part, as published code selects
SPEAKER_NORMALISED = "/speaker_normalised"  # behind an experiment: its features normalised speaker by speaker
MODALITIES_MISSING, FRAMES_MISSING = "modalities", "frames"  # kinds of sweep

METRIC_TITLES = {
    "ccc": "Mean CCC",
    "ccc_valence": "CCC of valence",
    "ccc_arousal": "CCC of arousal",
    "wa": "WA",
    "ua": "UA",
    "weighted_f1": "Weighted F1",
    "macro_f1": "Macro F1",
    "imagination_relative_error": "Relative error",
    "imagination_cosine": "Cosine",
    "imagination_energy": "Energy distance",
}
METRIC_MEANINGS = {
    "wa": "accuracy",
    "ua": "mean recall of the classes",
    "weighted_f1": "F1 weighted by class size",
    "macro_f1": "mean F1 of the classes",
    "imagination_relative_error": "of imagined joint features: 0 is exact, 1 no better than imagining their mean",
    "imagination_cosine": "of imagined and true joint features: 1 is the same direction",
    "imagination_energy": "between the two distributions: 0 is the same, 1 far apart",
}


@dataclass(frozen=True, kw_only=True)
class Name:
    """What one experiment is called. All but the title may be empty: then the title serves."""

    title: str  # of a table's row
    short: str = ""  # where a terminal or a figure has little room
    in_words: str = ""  # within a sentence, with its article
    means: str = ""  # what is trained, in one clause
    colour: str = ""  # `#rrggbb` in figures


class Names(Mapping[str, Name]):
    """The names of experiments, in the order in which tables list them.

    An experiment that is not among them is called as it is and stands behind the others.
    """

    def __init__(self, names: Mapping[str, Name] | None = None) -> None:
        self._names = dict(names or {})

    def __getitem__(self, experiment: str) -> Name:
        return self._names[experiment]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __hash__(self) -> int:
        return hash(tuple(self._names.items()))

    def title(self, experiment: str) -> str:
        """What a table's row is called."""
        return self._names[experiment].title if experiment in self._names else experiment

    def short(self, experiment: str) -> str:
        """The short title, else the title: for a figure or a terminal."""
        return (self._names[experiment].short if experiment in self._names else "") or self.title(experiment)

    def in_words(self, experiment: str) -> str:
        """The name within a sentence, with its article; else the title."""
        return (self._names[experiment].in_words if experiment in self._names else "") or self.title(experiment)

    def meanings(self, experiments: Iterable[str]) -> list[tuple[str, str]]:
        """(title, what it is) of those experiments that have a meaning, in order."""
        named = [self._names[name] for name in self.in_order(experiments) if name in self._names]
        return [(name.title, name.means) for name in named if name.means]

    def in_order(self, experiments: Iterable[str]) -> list[str]:
        """Distinct experiments: those that are named here first, in this order, the others by name."""
        places = {name: place for place, name in enumerate(self._names)}
        return sorted(set(experiments), key=lambda name: (places.get(name, len(places)), name))


NO_NAMES = Names()


def metric_title(metric: str) -> str:
    """`Weighted F1` of `weighted_f1`; a metric without a title is called as it is."""
    return METRIC_TITLES.get(metric, metric)


def condition_title(condition: str) -> str:
    """`Average` of the mean over the missing conditions; any other condition as it is written, `{a,v}`."""
    return "Average" if condition == AVERAGE else condition


def modality_keys() -> str:
    """`a acoustic, v visual, t textual`."""
    return ", ".join(f"{modality.key} {modality.value}" for modality in MODALITIES)

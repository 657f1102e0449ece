"""What a study is: rows that are trained over folds and seeds, and what is shown of their scores.

A study is one file of this folder: its rows, a line each, how a configuration changes them, and the sentences, tables
and figures that it shows. None of it needs torch: a row's configuration is looked up in its family when it is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pandas as pd

from affectory.report.differences import difference_grids
from affectory.report.scores import (
    bars_figure,
    calibration_figure,
    calibration_grid,
    further_scores,
    main_scores,
    sweep_figure,
)
from affectory.report.section import Block, Figure, Grid, Item, Section
from affectory.report.sentences import Finding, calibration, highest_rows, left_out, scope
from affectory.report.study_data import StudyData, blocks
from affectory.results.frames import where
from affectory.results.names import FRAMES_MISSING, MODALITIES_MISSING, SPEAKER_NORMALISED, Name, Names
from affectory.results.words import joined

if TYPE_CHECKING:
    from affectory.data.dataset import Dataset
    from affectory.learning.deployed import DeployedModel
    from affectory.learning.experiment import Fold, Trained

LINEAR_SVM = "linear_svm"  # stands for a family in rows that are no network
NORMALISED_TITLE = "speaker-wise normalisation (transductive: reads the test speakers’ unlabelled rows)"
AS_ABOVE = "As above, among these rows alone."
_NORMALISED = "_speaker_normalised"  # behind the name of a figure

Shown = Grid | Figure | None
Maker = Callable[[StudyData], Shown | Iterable[Shown]]  # of tables and figures; None where the data does not hold them


@dataclass(frozen=True)
class Row:
    """One line of a study's tables: what is trained once a fold and seed, and what it is called.

    `each` says that the line stands for several trainings: one for every condition, or for every missing one, trained
    for that condition and scored under it alone.
    """

    name: str
    family: str  # of FAMILIES, or LINEAR_SVM
    _: KW_ONLY
    title: str
    short: str = ""  # where a terminal or a figure has little room
    in_words: str = ""  # within a sentence, with its article
    means: str = ""  # what is trained, in one clause
    colour: str = ""  # in figures
    experiment: str = ""  # of the family, where it is not the row's own name
    each: Literal["", "condition", "missing_condition"] = ""
    only: str = ""  # trained for this modality alone
    reads_all: bool = True  # False: modalities other than those it is trained for do not exist for it
    shuffled: Literal["", "order", "company", "labels"] = ""  # a control: what of the data is shuffled, by the seed
    swept: bool = False  # also scored as more and more goes missing
    feature_sets: tuple[str, ...] = ()  # that it reads, where they are not those that its configuration names
    watched: bool = False  # scored on the test part after each epoch too, for what selecting on it would have shown
    fuses: bool = False  # left out where there is one modality alone

    @property
    def naming(self) -> Name:
        return Name(title=self.title, short=self.short, in_words=self.in_words, means=self.means, colour=self.colour)


@dataclass(frozen=True)
class Option:
    """A switch of a study's configuration, beside preset, seeds and rows."""

    means: str
    choices: tuple[str, ...] = ()  # empty: any text
    note: str = ""  # for the page, where it is set; `{}` is the value


class Inside(Protocol):
    """How a study looks into what it trained, when it is shown."""

    @property
    def options(self) -> Mapping[str, Any]: ...

    def trained(self, row: str) -> tuple[DeployedModel, Dataset] | None:
        """The row's model of the first fold and seed, and the corpus divided as in that fold; None without one."""
        ...


def by_condition(data: StudyData) -> list[Item]:
    """The tables and figures that every study of classes has, of one block of rows."""
    items: list[Shown] = [main_scores(data), bars_figure(data), further_scores(data), *difference_grids(data)]
    items.append(
        sweep_figure(
            data,
            MODALITIES_MISSING,
            "Each modality of each utterance is lost with the rate’s probability, one always stays",
        )
    )
    items.append(sweep_figure(data, FRAMES_MISSING, "Each frame is lost with the rate’s probability"))
    items += [calibration_figure(data), calibration_grid(data)]
    return [item for item in items if item is not None]


@dataclass(frozen=True, kw_only=True)
class Study:
    """The rows of published tables with their rivals and controls, and what is shown of them.

    To add one: its file, a line in STUDIES, its test file.
    """

    name: str  # of the asset, and in column `family` of the store's tables
    family: str  # that it is about: what a corpus must have to feed it, and whose presets it takes
    title: str  # `{dimensions}` in it stands for those of the corpus
    description: str  # in Dagster
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]  # of its tables; the first ranks, is tested and drawn
    references: Mapping[str, str] = field(default_factory=dict)  # what every other row is tested against, and its mark
    pictured: str = ""  # the row whose insides and learning curves are drawn
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # family -> preset -> what it takes for it
    options: Mapping[str, Option] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()  # its own, between which row is highest and what the numbers speak of
    repeated: Maker | None = by_condition  # shown of the plain rows, and again of those normalised by speaker
    shows: tuple[tuple[str, tuple[Maker, ...]], ...] = ()  # heading -> tables and figures, below those
    absent: Mapping[str, str] = field(default_factory=dict)  # name of a figure -> what is said where it is not drawn
    illustrates: tuple[str, ...] = ()  # feature sets of which one utterance is shown
    change: Callable[[Any, Mapping[str, Any]], Any] | None = None  # of a Training, by the options
    check: Callable[[Mapping[str, Any], Dataset], None] | None = None  # ValueError for options that the data refuses
    after_training: Callable[[Trained, Fold, bool], dict[str, pd.DataFrame]] | None = None
    look_inside: Callable[[Inside], dict[str, pd.DataFrame]] | None = None

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"study {self.name}: rows {doubled} are there twice")

    @property
    def names(self) -> Names:
        """Of its rows, in the order of the tables."""
        return Names({row.name: row.naming for row in self.rows})

    def title_of(self, dimensions: Sequence[str]) -> str:
        """Its title on a corpus that has these dimensions, none of classes."""
        return self.title.replace("{dimensions}", joined(dimensions) or "dimensions")

    def section(self, data: StudyData) -> Section:
        """What is shown of the data, on the page, in Dagster and in MLflow."""
        findings = self.sentences(data)
        if not _has_results(data):
            return Section(title=data.title, findings=findings)
        section = Section(
            title=data.title,
            headline=f"{data.title}: {findings[0]}"
            if data.dimensions and findings
            else "",  # of classes a page makes its own
            lede=tuple(line for line in (data.protocol, data.runs_note) if line),
            findings=findings,
            meanings=tuple(data.names.meanings(name.removesuffix(SPEAKER_NORMALISED) for name in data.rows())),
            blocks=self._blocks(data),
        )
        drawn = {figure.name.removesuffix(_NORMALISED) for figure in section.figures}
        return replace(section, notes=tuple(words for name, words in self.absent.items() if name not in drawn))

    def sentences(self, data: StudyData) -> tuple[str, ...]:
        """What the numbers show and do not show."""
        if not _has_results(data):
            return (f"No results are stored for {data.study} yet.", *left_out(data))
        parts = (highest_rows, *self.findings, calibration, left_out, scope) if self.repeated else self.findings
        return tuple(sentence for part in parts for sentence in part(data))

    def _blocks(self, data: StudyData) -> tuple[Block, ...]:
        """The plain rows, what is of them alone, and at last the rows normalised by speaker."""
        parts = blocks(data) if self.repeated else []
        made = [(part.speaker_normalised, tuple(_items([self.repeated], part))) for part in parts if self.repeated]
        above = [Block(items) for speaker_normalised, items in made if not speaker_normalised]
        texts = {_text_of(item) for block in above for item in block.items}
        below = [_as_normalised(items, texts) for speaker_normalised, items in made if speaker_normalised]
        return (*above, *self._own(data), *below)

    def _own(self, data: StudyData) -> list[Block]:
        made = [Block(tuple(_items(makers, data)), heading) for heading, makers in self.shows]
        return [block for block in made if block.items]


def _has_results(data: StudyData) -> bool:
    return bool(where(data.results, metric=data.metric)["value"].notna().any())


def _items(makers: Iterable[Maker], data: StudyData) -> list[Item]:
    items: list[Item] = []
    for make in makers:
        made = make(data)
        several = [made] if made is None or isinstance(made, Grid | Figure) else list(made)
        items += [item for item in several if item is not None]
    return items


def _as_normalised(items: tuple[Item, ...], above: Container[str]) -> Block:
    """The rows normalised by speaker: figures under names of their own, no note again that stands above."""
    named: list[Item] = []
    for item in items:
        text = AS_ABOVE if _text_of(item) in above else _text_of(item)
        if isinstance(item, Figure):
            title = f"{item.title}, with speaker-wise normalisation"
            named.append(replace(item, name=f"{item.name}{_NORMALISED}", title=title, caption=text))
        else:
            named.append(replace(item, note=text))
    return Block(tuple(named), f"With {NORMALISED_TITLE}")


def _text_of(item: Item) -> str:
    """What stands below it."""
    return item.caption if isinstance(item, Figure) else item.note

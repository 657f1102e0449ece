"""What a layout is: one kind of corpus folder, and all that is particular to reading it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from affectory.corpora.corpus import Corpus
from affectory.corpora.rows import UtteranceRow
from affectory.refusals import Refusal


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One kind of corpus folder, which corpus.toml names (`layout = "meld"`).

    check: raises CorpusError, with the remedy, for a folder that lacks what the layout cannot do without.
    rows: what the corpus's tables say, a row an utterance, and a Refusal for each line or file that cannot be read;
        None where it has no tables: then each file under media/ is segmented by voice activity.
    tree: patterns of the files and folders that the layout reads, besides those that every corpus folder may have.
    emotions: the labels of the release, of which corpus.toml may name some; None where the corpus itself decides.
    shared_speakers: its official parts share speakers, as a series shares its cast; corpus.toml may say otherwise.
    released: a sentence for the report on how much was released, where most copies of the corpus lack some of it.
    """

    name: str
    check: Callable[[Corpus], None]
    rows: Callable[[Corpus], tuple[list[UtteranceRow], list[Refusal]] | None]
    tree: tuple[str, ...] = ()
    emotions: tuple[str, ...] | None = None
    shared_speakers: bool = False
    released: str = ""

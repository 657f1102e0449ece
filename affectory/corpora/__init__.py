"""Corpus folders: finding them, their media and their utterances. LAYOUTS lists the kinds of folder that are read."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

import pandas as pd

from affectory.corpora import emorynlp, folder, iemocap, meld, msp_improv, omg
from affectory.corpora.corpus import Corpus, CorpusError, UtteranceReading
from affectory.corpora.description import read_description
from affectory.corpora.layout import Layout
from affectory.corpora.rows import check_rows, media_of
from affectory.corpora.segmentation import files_below_media, segment_files
from affectory.processes.child_processes import OnProgress
from affectory.refusals import Refusal

__all__ = [
    "LAYOUTS",
    "Corpus",
    "CorpusError",
    "Layout",
    "UtteranceReading",
    "corpus_state",
    "find_corpora",
    "media_paths",
    "open_corpus",
    "read_utterances",
]

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        folder.LAYOUT,
        iemocap.LAYOUT,
        msp_improv.LAYOUT,
        meld.LAYOUT,
        emorynlp.LAYOUT,
        omg.LAYOUT,
    )
}
# What a folder in any layout may hold; a layout's tree comes beside it.
PARTS = ("corpus.toml", "utterances.csv", "media", "features", "openface")
MEDIA_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".mpg", ".webm", ".wav", ".flac", ".mp3", ".m4a")


def find_corpora(parent: Path) -> tuple[list[Corpus], list[Refusal]]:
    """The corpora among the sub-folders, by name, and a refusal for each that looks like one and cannot be read.

    A sub-folder without any of PARTS or of a layout's tree is no corpus, unless videos lie in it: then it is refused
    with the remedy.
    """
    corpora: list[Corpus] = []
    refusals: list[Refusal] = []
    for root in sorted(parent.iterdir()) if parent.is_dir() else []:
        if root.name.startswith(".") or not root.is_dir():
            continue
        try:
            if _looks_like_corpus(root):
                corpora.append(open_corpus(root))
        except CorpusError as error:
            refusals.append(Refusal(stage="corpora", reason="unreadable_corpus", detail=str(error)))
        except OSError as error:
            detail = f"corpus {root.name}: expected a readable folder, came: {error.strerror}; correct its permissions"
            refusals.append(Refusal(stage="corpora", reason="unreadable_corpus", detail=detail))
    return corpora, refusals


def _looks_like_corpus(root: Path) -> bool:
    trees = [pattern for layout in LAYOUTS.values() for pattern in layout.tree]
    if any(any(root.glob(pattern)) for pattern in (*PARTS, *trees)):
        return True
    return any(path.suffix.lower() in MEDIA_SUFFIXES for path in root.iterdir())


def open_corpus(root: Path) -> Corpus:
    """The corpus in a folder. Raises CorpusError naming the folder or file, what is amiss and the remedy."""
    if not root.is_dir():
        raise CorpusError(f"corpus {root.name}: expected a folder, came nothing; put it among the corpora again")
    corpus = read_description(root, LAYOUTS)
    LAYOUTS[corpus.layout].check(corpus)
    return corpus


def media_paths(corpus: Corpus) -> list[str]:
    """The media files to probe, as paths inside the corpus folder.

    Those that the corpus's tables name and that are there, in the tables' order; without tables, what lies under
    media/. Raises CorpusError for an unreadable table.
    """
    annotations = LAYOUTS[corpus.layout].rows(corpus)
    if annotations is None:
        return files_below_media(corpus)
    rows, _ = annotations
    return media_of(corpus, rows)


def read_utterances(
    corpus: Corpus,
    media_files: pd.DataFrame,
    *,
    workers: int = 1,
    timeout_s: float = 120.0,
    on_progress: OnProgress | None = None,
) -> UtteranceReading:
    """The corpus's utterances and the refusals (stage `utterances`) of those that cannot be used.

    media_files: one row a probed file, with the fields of MediaFile. A corpus with tables is read here and at once; one
    without is segmented by voice activity in up to `workers` processes, each file at most timeout_s and the length of
    the longest; on_progress(files done, files in all). Raises CorpusError for an unreadable table.
    """
    annotations = LAYOUTS[corpus.layout].rows(corpus)
    if annotations is None:
        return segment_files(corpus, media_files, workers=workers, timeout_s=timeout_s, on_progress=on_progress)
    rows, refusals = annotations
    return check_rows(corpus, rows, refusals, media_files)


def corpus_state(corpus: Corpus) -> str:
    """A digest of the names, sizes and times of what the corpus is made of: cheap, and another when a file changes."""
    digest = hashlib.sha256()
    for pattern in (*PARTS, *LAYOUTS[corpus.layout].tree):
        for path in [file for top in sorted(corpus.root.glob(pattern)) for file in _files(top)]:
            with suppress(FileNotFoundError):  # removed since it was listed
                status = path.lstat()
                name = os.fsencode(path.relative_to(corpus.root))
                digest.update(b"%s\0%d\0%d\0" % (name, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    """The files below a folder, sorted, or the file itself."""
    if path.is_dir():
        return sorted(Path(parent, name) for parent, _, files in os.walk(path) for name in files)
    return [path] if path.exists() else []

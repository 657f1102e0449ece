"""Corpus folders: finding them, their media and their utterances. LAYOUTS names the readers of the kinds of folder."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pandas as pd

from affectory.corpora import emorynlp, iemocap, meld, msp_improv, omg
from affectory.corpora import folder as folder_layout
from affectory.corpora.corpus import Corpus, CorpusError, UtteranceReading, read_corpus
from affectory.processes.child_processes import OnProgress
from affectory.refusals import Refusal

__all__ = [
    "LAYOUTS",
    "Corpus",
    "CorpusError",
    "UtteranceReading",
    "corpus_state",
    "find_corpora",
    "media_paths",
    "open_corpus",
    "read_utterances",
]

# Each module has check(corpus), which raises CorpusError, media_paths(corpus), read_utterances(corpus, media_files,
# ...) and TREE: what its corpus folder is made of besides PARTS, as patterns.
LAYOUTS: dict[str, ModuleType] = {
    "folder": folder_layout,
    "iemocap": iemocap,
    "msp_improv": msp_improv,
    "meld": meld,
    "emorynlp": emorynlp,
    "omg": omg,
}
PARTS = ("corpus.toml", "utterances.csv", "media", "features", "openface")  # what a corpus folder is made of


def find_corpora(folder: Path) -> tuple[list[Corpus], list[Refusal]]:
    """The corpora among the sub-folders, by name, and a refusal for each that looks like one and cannot be read.

    A sub-folder without any of PARTS or of a layout's TREE is no corpus, unless videos lie in it: then it is refused
    with the remedy.
    """
    corpora: list[Corpus] = []
    refusals: list[Refusal] = []
    for root in sorted(folder.iterdir()) if folder.is_dir() else []:
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
    videos = (".mp4", ".mov", ".mkv", ".avi", ".mpg", ".webm", ".wav", ".flac", ".mp3", ".m4a")
    trees = [pattern for layout in LAYOUTS.values() for pattern in layout.TREE]
    if any(any(root.glob(part)) for part in (*PARTS, *trees)):
        return True
    return any(p.suffix.lower() in videos for p in root.iterdir())


def open_corpus(root: Path) -> Corpus:
    """The corpus in a folder. Raises CorpusError naming the folder or file, what is amiss and the remedy."""
    if not root.is_dir():
        raise CorpusError(f"corpus {root.name}: expected a folder, came nothing; put it among the corpora again")
    corpus = read_corpus(root)
    if corpus.layout not in LAYOUTS:
        raise CorpusError(
            f'corpus {corpus.name}: expected layout to be one of {", ".join(LAYOUTS)}, came "{corpus.layout}", which '
            "is not supported yet; bring the corpus into the folder layout: media/ and utterances.csv"
        )
    LAYOUTS[corpus.layout].check(corpus)
    return corpus


def media_paths(corpus: Corpus) -> list[str]:
    """The media files to probe, as paths inside the corpus folder. Raises CorpusError for an unreadable table."""
    return LAYOUTS[corpus.layout].media_paths(corpus)


def read_utterances(
    corpus: Corpus,
    media_files: pd.DataFrame,
    *,
    workers: int = 1,
    timeout_s: float = 120.0,
    on_progress: OnProgress | None = None,
) -> UtteranceReading:
    """The corpus's utterances and the refusals (stage `utterances`) of those that cannot be used.

    media_files: one row a probed file, with the fields of MediaFile. Voice activity works in up to `workers` processes,
    each file at most timeout_s and the length of the longest; on_progress(files done, files in all). Raises CorpusError
    for an unreadable table.
    """
    return LAYOUTS[corpus.layout].read_utterances(
        corpus, media_files, workers=workers, timeout_s=timeout_s, on_progress=on_progress
    )


def corpus_state(corpus: Corpus) -> str:
    """A digest of the names, sizes and times of what the corpus is made of: cheap, and another when a file changes."""
    digest = hashlib.sha256()
    for part in (*PARTS, *LAYOUTS[corpus.layout].TREE):
        for path in [entry for top in sorted(corpus.root.glob(part)) for entry in _entries(top)]:
            with suppress(FileNotFoundError):  # removed since it was listed
                status = path.lstat()
                name = os.fsencode(path.relative_to(corpus.root))
                digest.update(b"%s\0%d\0%d\0" % (name, status.st_size, status.st_mtime_ns))
    return digest.hexdigest()


def _entries(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(Path(where, name) for where, _, files in os.walk(path) for name in files)
    return [path] if path.exists() else []

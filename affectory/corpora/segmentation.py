"""A corpus without annotations: which files there are, and their utterances by voice activity."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from affectory.corpora.corpus import Corpus, UtteranceReading, utterance_table
from affectory.media import MediaError
from affectory.media.voice_activity import Turn, segment_by_voice
from affectory.processes.child_processes import Lost, OnProgress, run_each
from affectory.refusals import Refusal

# What people keep beside their videos; every other file under media/ is probed.
SIDECARS = (".csv", ".json", ".md", ".pdf", ".srt", ".textgrid", ".tsv", ".txt", ".vtt", ".xml")
# A worker spends seconds on loading the model, which then hears a minute of sound in a second.
MEDIA_PER_WORKER_S = 300.0


def files_below_media(corpus: Corpus) -> list[str]:
    """What lies under media/, sorted, as paths inside the corpus folder; sidecars and hidden files are left out."""
    return sorted(path.relative_to(corpus.root).as_posix() for path in _files(corpus.media))


def _files(folder: Path) -> Iterator[Path]:
    """Files below the folder. Links to folders are given and not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [name for name in folders if Path(parent, name).is_symlink()]
        for name in files + links:
            if not name.startswith(".") and Path(name).suffix.lower() not in SIDECARS:
                yield Path(parent, name)


def segment_files(
    corpus: Corpus, media_files: pd.DataFrame, *, workers: int, timeout_s: float, on_progress: OnProgress | None
) -> UtteranceReading:
    """Every accepted file's turns, worked out in child processes; turns have no speaker and no labels."""
    probed = zip(media_files["media"], media_files["verdict"], media_files["duration_s"], strict=True)
    files = sorted((str(media), float(duration_s)) for media, verdict, duration_s in probed if verdict == "accepted")
    dialogues = _dialogues(list(media_files["media"]))
    lengths_s = [duration_s for _, duration_s in files]
    outcomes = run_each(
        partial(_turns, corpus.root),
        files,
        workers=min(workers, 1 + int(sum(lengths_s) / MEDIA_PER_WORKER_S)),
        timeout_s=timeout_s + max(lengths_s, default=0.0),
        on_progress=on_progress,
    )
    utterances: list[dict[str, Any]] = []
    refusals: list[Refusal] = []
    for (media, _), outcome in zip(files, outcomes, strict=True):
        if isinstance(outcome, list):
            utterances += _utterances(corpus, media, dialogues[media], outcome)
        else:
            refusals.append(_refusal(media, outcome))
    return UtteranceReading(table=utterance_table(utterances), refusals=refusals, source="voice_activity")


def _turns(root: Path, file: tuple[str, float]) -> list[Turn] | MediaError:
    media, duration_s = file
    try:
        return segment_by_voice(root / media, duration_s)
    except MediaError as error:
        return error


def _utterances(corpus: Corpus, media: str, dialogue: str, turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    for turn, (start_s, end_s) in enumerate(turns):
        yield {
            "utterance_id": f"{dialogue}_{turn:03d}",
            "dialogue_id": dialogue,
            "turn": turn,
            "culture": corpus.known_culture,
            "media": media,
            "start_s": start_s,
            "end_s": end_s,
        }


def _dialogues(media: Sequence[str]) -> dict[str, str]:
    """{path: dialogue}: the path below media/ without its extension, or with it where two files would share a name."""
    below = {path: PurePosixPath(path.removeprefix("media/")) for path in media}
    files_of_name = Counter(path.with_suffix("") for path in below.values())
    return {
        path: str(inner if files_of_name[inner.with_suffix("")] > 1 else inner.with_suffix(""))
        for path, inner in below.items()
    }


def _refusal(media: str, outcome: MediaError | Lost) -> Refusal:
    if isinstance(outcome, MediaError):
        return Refusal(stage="utterances", reason=outcome.reason, detail=outcome.detail, media=media)
    detail = f"{media}: expected turns of speech, came: {outcome.detail}"
    return Refusal(stage="utterances", reason=f"segmentation_{outcome.why}", detail=detail, media=media)

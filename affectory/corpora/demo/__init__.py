"""The demo corpus: dialogues of two drawn, synthesised speakers, made offline from a seed, with the answers beside it.

It proves the plumbing and gives known answers; it does not rank methods. docs/demo-corpus.md says what is planted.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectory.corpora.demo.cues import EMOTIONS
from affectory.corpora.demo.film import Film, stage, write_film
from affectory.corpora.demo.process import DemoError
from affectory.corpora.demo.script import Dialogue, write_script
from affectory.corpora.demo.tables import annotation_table, media_path, planted_table

__all__ = ["GENERATOR_VERSION", "DemoError", "generate"]

GENERATOR_VERSION = 1  # raise it whenever the same arguments would give another corpus
MANIFEST = "manifest.json"


def generate(
    root: Path,
    *,
    dialogues: int = 40,
    turns: tuple[int, int] = (6, 10),
    seed: int = 0,
    workers: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Makes the demo corpus in `root` and returns `root`.

    `dialogues` (at least 3, one for each split) have `turns[0]` to `turns[1]` utterances each. The same arguments give
    the same corpus, whatever `workers`, which is the number of dialogues made at once. A folder that already holds that
    corpus is left as it is, edited tables included; one made with other arguments or with a file missing is replaced;
    any other folder with something in it is refused with DemoError. The corpus appears under its name only when it is
    complete. `on_progress(done, total)` counts dialogues.
    """
    if dialogues < 3 or not 1 <= turns[0] <= turns[1] or workers < 1:
        raise ValueError(
            "expected dialogues >= 3, 1 <= turns[0] <= turns[1] and workers >= 1, "
            f"got dialogues={dialogues}, turns={turns}, workers={workers}"
        )
    root = root.resolve()
    arguments = {"version": GENERATOR_VERSION, "dialogues": dialogues, "turns": list(turns), "seed": seed}
    root.parent.mkdir(parents=True, exist_ok=True)
    with _alone(root.parent):
        if _is_complete(root, arguments):
            return root
        _refuse_foreign(root)
        unfinished = root.with_name(f".{root.name}.part")
        shutil.rmtree(unfinished, ignore_errors=True)  # what a killed run left
        (unfinished / "media").mkdir(parents=True)
        script = write_script(dialogues, turns, seed)
        films = _shoot(script, unfinished, workers, on_progress)
        _write_tables(unfinished, root.name, script, films, arguments)
        _put_in_place(unfinished, root)
    return root


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One generation at a time in a folder of corpora; the lock goes with the process, killed or not."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _manifest(root: Path) -> dict[str, Any] | None:
    """What the folder's manifest says, None where it has none that can be read."""
    try:
        return json.loads((root / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _is_complete(root: Path, arguments: dict[str, Any]) -> bool:
    manifest = _manifest(root)
    return (
        manifest is not None
        and manifest.get("arguments") == arguments
        and all((root / name).is_file() for name in manifest.get("files", []))
    )


def _refuse_foreign(root: Path) -> None:
    if root.exists() and _manifest(root) is None and (not root.is_dir() or any(root.iterdir())):
        raise DemoError(
            f"{root}: expected no such folder, an empty one or an earlier demo corpus, came other files without "
            f"{MANIFEST}; give another folder or remove this one"
        )


def _shoot(
    script: list[Dialogue], unfinished: Path, workers: int, on_progress: Callable[[int, int], None] | None
) -> list[Film]:
    """All dialogues filmed, in order. Threads do: OpenCV, espeak-ng and ffmpeg work beside the interpreter."""

    def shoot(dialogue: Dialogue) -> Film:
        film = stage(dialogue)
        write_film(film, unfinished / media_path(dialogue))
        return film

    films = []
    with ThreadPoolExecutor(workers) as pool:
        try:
            for film in pool.map(shoot, script):
                films.append(film)
                if on_progress is not None:
                    on_progress(len(films), len(script))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return films


def _write_tables(
    unfinished: Path, name: str, script: list[Dialogue], films: list[Film], arguments: dict[str, Any]
) -> None:
    filmed = [(dialogue, film.scenes) for dialogue, film in zip(script, films, strict=True)]
    annotation_table(filmed).to_csv(unfinished / "utterances.csv", index=False, lineterminator="\n")
    planted_table(filmed).to_csv(unfinished / "planted.csv", index=False, lineterminator="\n")
    files = ["corpus.toml", "utterances.csv", "planted.csv", *(media_path(dialogue) for dialogue in script)]
    (unfinished / MANIFEST).write_text(json.dumps({"arguments": arguments, "files": files}, indent=1) + "\n", "utf-8")
    (unfinished / "corpus.toml").write_text(_corpus_toml(name), "utf-8")


def _corpus_toml(name: str) -> str:
    return (
        f"name = {json.dumps(name)}\n"
        'licence = "CC0-1.0"\n'
        'culture = "north, south"\n'
        'layout = "folder"\n'
        f"emotions = {json.dumps(list(EMOTIONS))}\n"
        'description = "Drawn faces and synthesised voices with planted emotions; planted.csv holds the answers"\n'
    )


def _put_in_place(unfinished: Path, root: Path) -> None:
    if root.exists():
        replaced = root.with_name(f".{root.name}.old")
        shutil.rmtree(replaced, ignore_errors=True)
        root.rename(replaced)
        unfinished.rename(root)
        shutil.rmtree(replaced)
    else:
        unfinished.rename(root)

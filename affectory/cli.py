"""The `affectory` command: score videos with a registered model, or make a demo corpus.

Exit status: 0 done, 1 a file or the model was refused (the reason is on stderr), 2 wrong usage. It needs neither
Dagster nor DuckDB, and imports what a command needs when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

OK, REFUSED = 0, 1  # argparse itself exits with 2

# For MLflow, unless the user says otherwise: quick to give up on a dead server, and quiet.
SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (sys.argv by default); returns the exit status."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries; the outcome is told once
    try:
        return options.run(options)
    except KeyboardInterrupt:
        return _refuse("interrupted")


def build_parser() -> argparse.ArgumentParser:
    """The command line; argparse itself exits with 2 on wrong usage."""
    parser = argparse.ArgumentParser(prog="affectory", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="score raw videos, a row an utterance that voice activity finds")
    predict.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    predict.add_argument("--model", required=True, metavar="URI", help="for example models:/demo-mmin@champion")
    predict.add_argument(
        "--tracking-uri",
        default=tracking_uri(),
        metavar="URI",
        help="MLflow's server or store (default: MLFLOW_TRACKING_URI, else the pipeline's own store)",
    )
    predict.add_argument(
        "--transcript",
        type=Path,
        metavar="FILE",
        help="what is said in the one VIDEO: .srt, .vtt, .csv (start_s, end_s, transcript), or .txt for one utterance",
    )
    predict.add_argument("--json", action="store_true", help="print a JSON array, a row an object, and no table")
    predict.set_defaults(run=predict_command, error=predict.error)

    demo = commands.add_parser("demo-corpus", help="make conversations of drawn faces and synthesised voices")
    demo.add_argument("folder", type=Path, metavar="FOLDER", help="the corpus folder; its name is the corpus's name")
    demo.add_argument("--dialogues", type=int, default=40, metavar="N", help="at least 3 (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0, metavar="S", help="same seed, same corpus (default: %(default)s)")
    demo.set_defaults(run=demo_corpus_command, error=demo.error)
    return parser


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, else the store that the pipeline of this checkout, or of this folder, writes."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    checkout = Path(__file__).resolve().parent.parent
    base = checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()
    home = Path(os.environ.get("AFFECTORY_HOME") or base / ".affectory").absolute()
    return f"sqlite:///{home / 'mlflow.db'}"


def predict_command(options: argparse.Namespace) -> int:
    """`affectory predict`."""
    if options.transcript and len(options.videos) > 1:
        options.error(f"--transcript belongs to one VIDEO, got {len(options.videos)}")
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from affectory.features import FeatureSetError
    from affectory.media import MediaError
    from affectory.media.subtitles import TranscriptError, read_transcript
    from affectory.serving import ModelError, load
    from affectory.serving.video import ScoringError, score_video

    try:
        cues = read_transcript(options.transcript) if options.transcript else []
        deployed = load(options.model, options.tracking_uri)
    except (ModelError, TranscriptError) as error:
        return _refuse(str(error))
    status, tables = OK, {}
    for video in options.videos:
        try:
            with _progress_bar(video.name) as on_progress:
                tables[video] = score_video(video, deployed, cues=cues, on_progress=on_progress)
        except (MediaError, ScoringError, TranscriptError, FeatureSetError, OSError) as error:
            status = _refuse(f"{video}: {error}")
    if options.json:
        print(json.dumps([row for video, table in tables.items() for row in as_records(video, table)], indent=2))
    else:
        print("\n\n".join(as_text(video, table) for video, table in tables.items()))
    return status


def demo_corpus_command(options: argparse.Namespace) -> int:
    """`affectory demo-corpus`."""
    from affectory.corpora.demo import DemoError, generate

    try:
        with _progress_bar("dialogues") as on_progress:
            folder = generate(
                options.folder,
                dialogues=options.dialogues,
                seed=options.seed,
                on_progress=lambda done, total: on_progress("", done, total),
            )
    except ValueError as error:
        options.error(str(error))
    except (DemoError, OSError) as error:
        return _refuse(str(error))
    print(folder)
    return OK


def as_records(video: Path, table: pd.DataFrame) -> Iterator[dict[str, object]]:
    """The rows as JSON can hold them, each with its video: NaN (nothing to predict from) becomes null."""
    from affectory.results.frames import records_or_none

    for row in records_or_none(table):
        yield {"video": _shown(video), **row}


def as_text(video: Path, table: pd.DataFrame) -> str:
    """The rows as an aligned table; of what is missing only the short reasons, the sentences are in the JSON."""
    if table.empty:
        return f"{_shown(video)}\nno utterance"
    printed = table.drop(columns="transcript")
    if "emotion" in printed:
        printed["emotion"] = printed["emotion"].fillna("-")
    printed["missing"] = [
        ", ".join(f"{modality}: {why.split(':')[0]}" for modality, why in missing.items())
        for missing in table["missing"]
    ]
    return f"{_shown(video)}\n{printed.to_string(index=False, na_rep='-', float_format='{:.2f}'.format)}"


def _shown(video: Path) -> str:
    """The path as text that can be printed: bytes of a name that are not UTF-8 come as \\xNN."""
    return os.fsencode(video).decode("utf-8", "backslashreplace")


@contextmanager
def _progress_bar(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr that restarts with each thing that is done."""
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

    form = "{desc} {bar} {n_fmt}/{total_fmt} {elapsed}"
    with (
        logging_redirect_tqdm(),
        tqdm(desc=name, total=1, file=sys.stderr, leave=False, bar_format=form) as bar,
    ):

        def show(what: str, done: int, total: int) -> None:
            bar.set_description_str(f"{name}: {what}" if what else name, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        yield show


def _refuse(reason: str) -> int:
    print(f"affectory: {reason}", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())

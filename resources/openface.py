"""OpenFace: the user's own FeatureExtraction program, where it is installed. Its licence is non-commercial."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import dagster as dg

from affectory.features.feature_set import Segment
from affectory.features.openface_csv import OpenfaceCsvError, inner_name, read_openface_csv
from affectory.features.openface_faces import OpenfaceSet, crops_of

ARGUMENTS = ("-pose", "-gaze", "-aus")
CROPPING = ("-simalign", "-nobadaligned", "-format_aligned", "png")
LAST_LINES = 5


class OpenFaceError(RuntimeError):
    """OpenFace could not be run on a file; the message carries the command and its last words."""


class OpenFace(dg.ConfigurableResource):
    """Runs FeatureExtraction on a media file; `binary` is a name on PATH or a path."""

    binary: str = "FeatureExtraction"
    folder: str = ""  # where the tables of our own runs are kept, a folder a corpus
    timeout_s: float = 1800.0  # a file; OpenFace manages about 20 frames a second on one core

    def folder_of(self, corpus: str) -> Path:
        """Where the tables of our own runs on a corpus are kept."""
        return Path(self.folder) / corpus

    def is_installed(self) -> bool:
        """Whether the program can be found."""
        return shutil.which(self.binary) is not None

    def complete(
        self, feature_set: OpenfaceSet, media: Iterable[Path], folder: Path, warn: Callable[[str], object]
    ) -> OpenfaceSet:
        """The feature set, made to read OpenFace's tables in `folder` beside those that lie in the corpus folder.

        Media files without a table are analysed first, where the program is installed, and their tables kept in
        `folder`. `warn` is called with a message for each file that OpenFace fails on; it has no table then.
        """
        completed = replace(feature_set, folder=folder)
        for path in dict.fromkeys(media) if self.is_installed() else ():
            segment = Segment(utterance_id="", media=path)
            if completed.needs_a_run(segment):
                try:
                    self.write_csv(path, folder / inner_name(segment), cropping=completed.with_crops)
                except OpenFaceError as error:
                    warn(str(error))
        return completed

    def write_csv(self, media: Path, csv: Path, *, cropping: bool = False) -> None:
        """Analyse `media` and put the table at `csv`, complete or not at all. Raises OpenFaceError.

        With `cropping` its crops go beside it, before the table.
        """
        csv.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".openface-", dir=csv.parent) as folder:
            command = [self.binary, "-f", str(media.resolve()), "-out_dir", folder, "-of", "faces", *ARGUMENTS]
            command += CROPPING if cropping else ()
            self._run(command)
            written = Path(folder) / "faces.csv"
            # Its exit code says little: what counts is a readable table.
            if not written.is_file():
                raise OpenFaceError(f"{shlex.join(command)} wrote no table for {media.name}")
            try:
                read_openface_csv(written)
            except OpenfaceCsvError as error:
                raise OpenFaceError(f"{shlex.join(command)} wrote a bad table for {media.name}: {error}") from error
            if (crops := crops_of(written)).is_dir():
                shutil.rmtree(crops_of(csv), ignore_errors=True)
                crops.rename(crops_of(csv))
            written.replace(csv)

    def _run(self, command: list[str]) -> None:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise OpenFaceError(
                f"{command[0]} cannot be started ({error}); install OpenFace and name its FeatureExtraction"
            ) from error
        with process:
            try:
                _, stderr = process.communicate(timeout=self.timeout_s)
            except subprocess.TimeoutExpired as error:
                raise OpenFaceError(f"{shlex.join(command)} did not finish within {self.timeout_s:g} s") from error
            finally:
                # The whole session: a program that it started must not outlive it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            last_words = "\n".join(stderr.splitlines()[-LAST_LINES:])
            raise OpenFaceError(f"{shlex.join(command)} ended with code {process.returncode}: {last_words}")

"""OpenFace: the user's own FeatureExtraction program, where it is installed. Its licence is non-commercial."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import dagster as dg

from affectory.features.feature_set import Segment
from affectory.features.openface_csv import OpenfaceCsv, OpenfaceCsvError, read_openface_csv

ARGUMENTS = ("-pose", "-gaze", "-aus")
LAST_LINES = 5


class OpenFaceError(RuntimeError):
    """OpenFace could not be run on a file; the message carries the command and its last words."""


class OpenFace(dg.ConfigurableResource):
    """Runs FeatureExtraction on a media file; `binary` is a name on PATH or a path."""

    binary: str = "FeatureExtraction"
    folder: str = ""  # where the tables of our own runs are kept, a folder a corpus
    timeout_s: float = 1800.0  # a file; OpenFace manages about 20 frames a second on one core

    def folder_of(self, corpus: str) -> Path:
        return Path(self.folder) / corpus

    def is_installed(self) -> bool:
        return shutil.which(self.binary) is not None

    def feature_set(self, media: Iterable[Path], folder: Path, warn: Callable[[str], object]) -> OpenfaceCsv:
        """`openface` over the given files: CSVs in the corpus folder, and where the program is installed the others'.

        Those are written to `folder` and kept; a file that OpenFace fails on is told to `warn` and has no CSV.
        """
        csvs = OpenfaceCsv(folder=folder)
        for path in dict.fromkeys(media) if self.is_installed() else ():
            if csvs.csv_of(Segment(utterance_id="", media=path)) is None:
                try:
                    self.write_csv(path, folder / f"{path.stem}.csv")
                except OpenFaceError as error:
                    warn(str(error))
        return csvs

    def write_csv(self, media: Path, csv: Path) -> None:
        """Analyse `media` and put the table at `csv`, complete or not at all. Raises OpenFaceError."""
        csv.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".openface-", dir=csv.parent) as folder:
            command = [self.binary, "-f", str(media.resolve()), "-out_dir", folder, "-of", "faces", *ARGUMENTS]
            self._run(command)
            written = Path(folder) / "faces.csv"
            # Its exit code says little: what counts is a readable table.
            if not written.is_file():
                raise OpenFaceError(f"{shlex.join(command)} wrote no table for {media.name}")
            try:
                read_openface_csv(written)
            except OpenfaceCsvError as error:
                raise OpenFaceError(f"{shlex.join(command)} wrote a bad table for {media.name}: {error}") from error
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
                _, said = process.communicate(timeout=self.timeout_s)
            except subprocess.TimeoutExpired as error:
                raise OpenFaceError(f"{shlex.join(command)} did not finish within {self.timeout_s:g} s") from error
            finally:
                # The whole session: a program that it started must not outlive it.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            last = "\n".join(said.splitlines()[-LAST_LINES:])
            raise OpenFaceError(f"{shlex.join(command)} ended with code {process.returncode}: {last}")

"""Running another program: a time-out always, and its last words in the error."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence


class DemoError(RuntimeError):
    """The demo corpus could not be made."""


def run(command: Sequence[str], stdin: bytes, *, item: str, timeout_s: float) -> bytes:
    """The program's standard output. Raises DemoError naming `item` where it fails, is missing or takes too long."""
    try:
        finished = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        words = _tail(error.stderr)
        raise DemoError(f"{item}: {command[0]} did not end within {timeout_s:g} s; last words: {words}") from error
    except OSError as error:
        raise DemoError(f"{item}: could not start {command[0]}: {error}") from error
    if finished.returncode != 0:
        raise DemoError(
            f"{item}: {command[0]} ended with code {finished.returncode}; last words: {_tail(finished.stderr)}"
        )
    return finished.stdout


def _tail(stderr: bytes | None, lines: int = 5) -> str:
    return " | ".join((stderr or b"").decode(errors="replace").strip().splitlines()[-lines:]) or "none"

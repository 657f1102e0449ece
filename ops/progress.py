"""Long work says where it is: share done, rate and time left, at most every few seconds, in Dagster's log."""

import time
from collections.abc import Callable

import dagster as dg

EVERY_S = 5.0


def narrate(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, line_of: Callable[..., str]
) -> Callable[..., None]:
    """A callback that logs the line which `line_of` makes of its arguments; nothing where that line is empty."""

    def report(*progress: object) -> None:
        if line := line_of(*progress):
            context.log.info(line)

    return report


def log_progress(context: dg.OpExecutionContext | dg.AssetExecutionContext, what: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that logs a line at intervals and once at the end of work that took longer."""
    start = latest = time.monotonic()

    def line_of(done: int, total: int) -> str:
        nonlocal latest
        time_s = time.monotonic()
        if time_s - latest < EVERY_S and not (done == total and latest > start):
            return ""
        latest = time_s
        rate_hz = done / max(time_s - start, 1e-9)
        return progress_line(what, done, total, rate_hz, (total - done) / rate_hz if rate_hz else float("inf"))

    return narrate(context, line_of)


def progress_line(what: str, done: int, total: int, rate_hz: float, left_s: float) -> str:
    """`120 of 320 utterances (38%), 2.5 a second, 80 s left`."""
    return f"{done} of {total} {what} ({done / max(total, 1):.0%}), {rate_hz:.1f} a second, {left_s:.0f} s left"

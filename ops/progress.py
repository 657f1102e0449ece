"""Long work says where it is: share done, rate and time left, at most every few seconds, in Dagster's log."""

import time
from collections.abc import Callable

import dagster as dg

EVERY_S = 5.0


def log_progress(context: dg.OpExecutionContext | dg.AssetExecutionContext, what: str) -> Callable[[int, int], None]:
    """A callback `(done, total)` that logs a line at intervals and once at the end of work that took longer."""
    start = latest = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal latest
        time_s = time.monotonic()
        if time_s - latest < EVERY_S and not (done == total and latest > start):
            return
        latest = time_s
        rate_hz = done / max(time_s - start, 1e-9)
        left_s = (total - done) / rate_hz if rate_hz else float("inf")
        context.log.info(
            f"{done} of {total} {what} ({done / max(total, 1):.0%}), {rate_hz:.1f} a second, {left_s:.0f} s left"
        )

    return report

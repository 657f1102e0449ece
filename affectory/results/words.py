"""Numbers as words, once for every table, sentence and page: scores, deviations, p-values, counts and lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import isnan

NO_BREAK = "\N{NO-BREAK SPACE}"
GAP = "–"  # stands where there is no value
DIGITS = 3  # what is shown, and what 'best' and 'level' mean


def number(value: float | None, digits: int = DIGITS) -> str:
    """A score: `0.412`, `−0.021`; a dash where there is none."""
    return GAP if value is None or isnan(value) else _minus(f"{round(value, digits) + 0.0:.{digits}f}")


def signed(value: float) -> str:
    """A difference: `+0.021`, `−0.021`, `0.000`; a dash where there is none."""
    if isnan(value):
        return GAP
    return _minus(f"{value:+.{DIGITS}f}") if round(value, DIGITS) else number(0.0)


def spread(deviation: float) -> str:
    """` ± 0.010`, to stand behind a mean in a sentence; nothing where there is no deviation."""
    return "" if isnan(deviation) else f"{NO_BREAK}±{NO_BREAK}{number(deviation)}"


def interval(low: float, high: float) -> str:
    """An interval: `−0.010 to +0.031`; a dash where there is none."""
    return GAP if isnan(low) or isnan(high) else f"{signed(low)} to {signed(high)}"


def p_value(p: float) -> str:
    """A p-value in a table: `0.012`, `< 0.001`; a dash where nothing was tested."""
    return GAP if isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def p_words(p: float) -> str:
    """A p-value in a sentence: `p 0.012`, `p < 0.001`, `not tested`."""
    return "not tested" if isnan(p) else f"p {p_value(p)}".replace(" ", NO_BREAK)


def count(whole: int) -> str:
    """A whole number: `1,234`."""
    return f"{whole:,}"


def percent(share: float) -> str:
    """A share of 0..1 in percent: `41 %`; a dash where there is none."""
    return GAP if isnan(share) else f"{100 * share:.0f}{NO_BREAK}%"


def plural(whole: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 row`, `2 rows`; `many` is the plural where it is not formed by an s."""
    return f"{count(whole)} {one if whole == 1 else many or one + 's'}"


def joined(words: Iterable[str]) -> str:
    """A list in words: `a`, `a and b`, `a, b and c`."""
    parts = list(words)
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def shortened(words: Sequence[str], most: int = 4) -> list[str]:
    """The first `most`, then how many more; a list that is only one longer stays whole."""
    return [*words[:most], f"{len(words) - most} more"] if len(words) > most + 1 else list(words)


def markdown_text(words: str) -> str:
    """Text from data, escaped for Markdown so that it makes neither HTML tags nor table cells."""
    return escape(words, quote=False).replace("|", "\\|")


def _minus(written: str) -> str:
    return written.replace("-", "−")

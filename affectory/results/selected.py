"""What chose the epoch whose weights a run keeps, as tables tell it."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from affectory.results.names import NO_NAMES, ON_TEST, VAL_CCC, Names
from affectory.results.words import joined, shortened

VALIDATION, TEST, NOTHING = "val", "test", "nothing"  # values of the column `selected_on`
_PARTS = {VALIDATION: "the validation part", TEST: "the test part"}


def selection_note(results: pd.DataFrame, names: Names = NO_NAMES) -> str:
    """`The epoch of each run was selected on the validation part, but for Best, whose last epoch is kept.`

    What is true of most experiments comes first, then each that differs. Rows of another part or another epoch than
    the kept one do not count: metrics that end in ON_TEST, and VAL_CCC. "" where nothing is stored of it.
    """
    if "selected_on" not in results:
        return ""
    of_kept_epoch = results.loc[(results["metric"] != VAL_CCC) & ~results["metric"].astype(str).str.endswith(ON_TEST)]
    selected: dict[str, set[str]] = {}
    for experiment, part in zip(
        of_kept_epoch["experiment"], of_kept_epoch["selected_on"].fillna("").astype(str), strict=True
    ):
        if part:
            selected.setdefault(experiment, set()).add(part)
    if not selected:
        return ""
    counts = Counter(part for parts in selected.values() for part in sorted(parts))
    usual, *others = sorted(counts, key=lambda part: (-counts[part], part != VALIDATION, part))
    exceptions = [_exception(part, selected, names) for part in others]
    return f"{_rule(usual)}{', but for ' if exceptions else ''}{', and for '.join(exceptions)}."


def _rule(part: str) -> str:
    if part == NOTHING:
        return "The last epoch of each run was kept"
    return f"The epoch of each run was selected on {_PARTS.get(part, part)}"


def _exception(part: str, selected: dict[str, set[str]], names: Names) -> str:
    """The experiments that a part selected, where another is the rule: all of their runs, or some."""
    experiments = names.in_order(name for name, parts in selected.items() if part in parts)
    titles = [f"{'some runs of ' if len(selected[name]) > 1 else ''}{names.short(name)}" for name in experiments]
    how = f"selected on {_PARTS.get(part, part)}"
    if part == NOTHING:
        how = "whose last epoch is kept"
    return f"{joined(shortened(titles))}, {how}"

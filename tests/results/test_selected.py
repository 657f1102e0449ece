"""The note on what selected the epochs is true of the rows above it."""

import pandas as pd
import pytest

from affectory.results.names import ON_TEST, VAL_CCC
from affectory.results.selected import selection_note
from tests.fixtures.names import NAMES

VALIDATED = "The epoch of each run was selected on the validation part"


def results(*rows: tuple[str, str], metric: str = "ua") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["experiment", "selected_on"]).assign(metric=metric)


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        ([("mmin", "val"), ("mctn", "val")], f"{VALIDATED}."),
        ([("mmin", "nothing")], "The last epoch of each run was kept."),
        ([("mmin", "test")], "The epoch of each run was selected on the test part."),
        ([("mmin", "val"), ("best", "nothing")], f"{VALIDATED}, but for Best, whose last epoch is kept."),
        (
            [("mmin", "val"), ("mctn", "val"), ("best", "nothing"), ("x", "test/ua")],
            f"{VALIDATED}, but for Best, whose last epoch is kept, and for x, selected on test/ua.",
        ),
        (
            [("mmin", "val"), ("best", "val"), ("best", "nothing")],
            f"{VALIDATED}, but for some runs of Best, whose last epoch is kept.",
        ),
        ([("mmin", "nothing"), ("best", "nothing"), ("mctn", "val")],
         "The last epoch of each run was kept, but for MCTN (one a condition), selected on the validation part."),
        ([("mmin", ""), ("mctn", None)], ""),
        ([], ""),
    ],
)  # fmt: skip
def test_the_note_tells_the_rule_and_who_differs(rows, note):
    assert selection_note(results(*rows), NAMES) == note


def test_scores_of_other_epochs_or_parts_do_not_count():
    rows = [results(("mmin", "val")), results(("mmin", "test"), metric=f"ua{ON_TEST}")]
    rows.append(results(("mmin", "nothing"), metric=VAL_CCC))
    assert selection_note(pd.concat(rows), NAMES) == f"{VALIDATED}."


def test_results_without_the_column_have_no_note():
    assert selection_note(results(("mmin", "val")).drop(columns="selected_on")) == ""

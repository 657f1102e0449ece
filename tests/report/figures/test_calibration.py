"""Figures of calibration show the error before and after it."""

import pandas as pd

from affectory.report.figures.calibration import calibration_panels
from tests.fixtures.names import NAMES
from tests.fixtures.pages import texts


def test_panels_have_a_row_an_experiment_under_its_short_title_and_a_panel_a_condition():
    rows = [(name, place, 0.2, 0.05) for name in ("mmin_no_imagination", "best") for place in ("{a}", "average")]
    table = pd.DataFrame(rows, columns=["experiment", "condition", "before", "after"])
    words = texts(calibration_panels(table, names=NAMES))
    assert {"MMIN without imagination", "Best", "{a}", "Average"} <= set(words)

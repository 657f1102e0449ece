"""Figures of calibration show the error before and after it."""

import numpy as np
import pandas as pd

from affectory.report.figures.calibration import calibration_panels, reliability
from tests.fixtures.names import NAMES
from tests.fixtures.pages import texts


def test_reliability_shows_the_error_before_and_after():
    truth = np.array([0, 1] * 10)
    sure = np.tile([0.9, 0.1], (20, 1))  # right half the time
    words = texts(reliability(truth, sure, np.full((20, 2), 0.5)))
    assert {"Before calibration, ECE 0.400", "After calibration, ECE 0.000", "Confidence", "Accuracy"} <= set(words)


def test_panels_have_a_row_an_experiment_under_its_short_title_and_a_panel_a_condition():
    rows = [(name, place, 0.2, 0.05) for name in ("mmin_no_imagination", "best") for place in ("{a}", "average")]
    table = pd.DataFrame(rows, columns=["experiment", "condition", "before", "after"])
    words = texts(calibration_panels(table, names=NAMES))
    assert {"MMIN without imagination", "Best", "{a}", "Average"} <= set(words)

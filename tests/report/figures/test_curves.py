"""Curves show each term, score, rate and step, whatever the order and the gaps of their rows."""

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from affectory.report.figures.curves import (
    curves_by_name,
    depth_curve,
    learning_curves,
    peak,
    rate_curves,
    score_names,
    timeline,
)
from tests.fixtures.names import NAMES
from tests.fixtures.pages import texts
from tests.fixtures.reports import history_frame

ABLATIONS = [f"an ablation with a long name, number {number}" for number in range(13)]


def history(*rows: tuple[int, int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["seed", "epoch", "name", "value"])


def sweep(*values: tuple[str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(values, columns=["experiment", "rate", "value"]).assign(deviation=0.01)


def test_learning_curves_show_each_loss_term_and_score_but_no_total():
    words = texts(learning_curves(history_frame(("mmin",))))
    assert {"ce", "forward", "cycle", "score", "Epoch"} <= set(words)
    assert "total" not in words


def test_terms_that_are_decades_apart_share_a_log_axis_of_few_ticks():
    rows = [
        (0, epoch, f"loss/{name}", scale / epoch) for name, scale in (("ce", 1), ("cycle", 3e-4)) for epoch in (1, 3)
    ]
    words = texts(learning_curves(history(*rows)))
    assert "Training loss by term, log scale" in words
    assert {"0.1", "0.01", "0.001", "10⁻⁴"} <= set(words)
    assert "0.3" not in words  # a second tick a decade only where there are few decades


def test_a_history_without_scores_or_with_gaps_still_draws():
    assert learning_curves(history((0, 1, "loss/ce", np.nan), (0, 2, "loss/ce", 1.0))).startswith(b"<?xml")


def test_curves_average_the_folds_of_a_seed_and_leave_gaps_out():
    rows = [(0, 2, "val/ua", 0.4), (0, 1, "val/ua", 0.2), (0, 1, "val/ua", 0.4), (1, 1, "val/ua", np.nan)]
    assert curves_by_name(history(*rows)) == {"val/ua": {0: [(1, pytest.approx(0.3)), (2, 0.4)]}}


def test_validation_losses_are_not_scores_and_the_mean_stands_for_those_of_the_conditions():
    assert score_names(history((0, 1, "val/ua", 0.5), (0, 1, "val/loss", 2.0), (0, 1, "loss/ce", 1.0))) == ["val/ua"]
    assert score_names(history((0, 1, "val/ua/a", 0.5), (0, 1, "val/score", 0.6))) == ["val/score"]


def test_the_peak_is_the_first_of_equal_scores():
    assert peak([(1, 0.5), (2, 0.7), (3, 0.7)]) == (2, 0.7)


def test_rates_are_named_at_their_ends_from_low_to_high_whatever_the_order_of_their_rows():
    rows = [("mmin", 0.5, 0.6), ("mmin", 0.0, 0.7), ("mctn", 0.0, 0.8), ("mctn", 0.5, 0.5), ("best", 0.5, 0.6001)]
    words = texts(rate_curves(sweep(*rows), names=NAMES, chance=0.25))
    titles = {name.title.replace("`", "") for name in NAMES.values()}
    assert [text for text in words if text in titles] == ["MCTN (one a condition)", "MMIN", "Best (preset best)"]
    assert {"0 %", "50 %", "chance 0.25", "Missing rate", "UA"} <= set(words)
    assert rate_curves(sweep()).startswith(b"<?xml")


def test_names_of_curves_that_end_together_do_not_lie_over_each_other():
    rows = [(name, rate, 0.5) for name in (*NAMES, *ABLATIONS) for rate in (0.0, 0.7)]
    elements = ElementTree.fromstring(rate_curves(sweep(*rows), names=NAMES)).iter()
    heights = sorted(float(e.attrib["y"]) for e in elements if e.text in ABLATIONS and "y" in e.attrib)
    assert len(heights) == len(ABLATIONS)
    assert min(above - below for below, above in pairwise(heights)) > 9  # points, of letters of 8.5


def test_depth_is_written_in_layers():
    table = pd.DataFrame({"layers": [1, 4, 64], "value": [0.5, 0.6, 0.55], "deviation": [0.1, np.nan, 0.0]})
    assert {"1", "4", "64", "Layers", "Weighted F1"} <= set(texts(depth_curve(table, "weighted_f1")))


def test_a_video_of_one_utterance_is_drawn_and_values_beyond_the_scale_stay_in_the_picture():
    assert "Utterance of the video" in texts(timeline({"valence": (np.zeros(1), np.zeros(1))}))
    assert "4" in texts(timeline({"arousal": (np.array([0.5, 4.0]), np.array([0.0, 1.0]))}))

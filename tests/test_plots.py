"""Figures are valid pictures, say what they should, and are the same bytes for the same data."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from affectory.plots import (
    condition_bars,
    curves_by_name,
    data_uri,
    experiment_colours,
    learning_curves,
    peak,
    score_names,
)
from affectory.results.tables import EXPERIMENT_TITLES, conditions_table
from affectory.study_kinds import KINDS, MMGCN_STUDY
from tests.fixtures.reports import history_frame, results_frame


def history(*rows: tuple[int, int, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["seed", "epoch", "name", "value"])


def texts(svg: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_bars_name_conditions_experiments_and_chance():
    shown = texts(condition_bars(conditions_table(results_frame()), chance=0.25))
    for word in ("{a}", "{a,v,t}", "Average", "MMIN", "Augmented baseline", "0.25", "UA"):
        assert word in shown


def test_the_same_data_gives_the_same_bytes():
    table = conditions_table(results_frame(seeds=1))
    assert condition_bars(table) == condition_bars(table)


def test_png_and_svg_are_told_apart():
    table = conditions_table(results_frame(seeds=1))
    assert condition_bars(table, form="png").startswith(b"\x89PNG")
    assert data_uri(b"x", "png") == "data:image/png;base64,eA=="
    assert data_uri(b"x") == "data:image/svg+xml;base64,eA=="


@pytest.mark.filterwarnings("error::UserWarning")
def test_hostile_and_endless_names_are_drawn_as_text():
    name = "<script>$x_1$&" + "w" * 200
    svg = condition_bars(conditions_table(results_frame((name, "mmin"), seeds=1)))
    assert any(text.startswith("<script>$x_1$&w") for text in texts(svg))
    assert b"<script" not in svg
    assert b"<script" not in learning_curves(history((0, 1, f"loss/{name}", 1.0), (0, 1, f"val/{name}", 0.5)))


def test_learning_curves_show_each_loss_term_and_score():
    curves = history_frame(("mmin",))
    shown = texts(learning_curves(curves))
    for word in ("ce", "forward", "cycle", "score", "Epoch"):
        assert word in shown
    assert "total" not in shown


def test_terms_that_are_decades_apart_share_a_log_axis_of_few_ticks():
    rows = [
        (0, epoch, f"loss/{name}", scale / epoch) for name, scale in (("ce", 1), ("cycle", 3e-4)) for epoch in (1, 3)
    ]
    shown = texts(learning_curves(history(*rows)))
    assert "Training loss by term, log scale" in shown
    assert {"0.1", "0.01", "0.001", "10⁻⁴"} <= set(shown)
    assert "0.3" not in shown  # a second tick a decade only where there are few decades


def test_all_experiments_are_named_in_full_and_those_of_a_picture_told_apart():
    shown = texts(condition_bars(conditions_table(results_frame(list(EXPERIMENT_TITLES), seeds=1))))
    assert set(EXPERIMENT_TITLES.values()) <= set(shown)
    titles = list(EXPERIMENT_TITLES)
    for names in (titles[: titles.index("utterance")], KINDS[MMGCN_STUDY].methods):
        assert len(set(experiment_colours([*names, "another"]).values())) == len(names) + 1


def test_an_unknown_experiment_takes_no_colour_that_a_known_one_has():
    colours = experiment_colours(["mctn", "a", "b", "c", "d", "e"])
    assert len(set(colours.values())) == 6


def test_a_history_without_scores_or_with_gaps_still_draws():
    assert learning_curves(history((0, 1, "loss/ce", np.nan), (0, 2, "loss/ce", 1.0))).startswith(b"<?xml")


def test_curves_average_the_folds_of_a_seed_and_leave_gaps_out():
    found = curves_by_name(
        history((0, 2, "val/ua", 0.4), (0, 1, "val/ua", 0.2), (0, 1, "val/ua", 0.4), (1, 1, "val/ua", np.nan))
    )
    assert found == {"val/ua": {0: [(1, pytest.approx(0.3)), (2, 0.4)]}}


def test_validation_losses_are_not_scores():
    assert score_names(history((0, 1, "val/ua", 0.5), (0, 1, "val/loss", 2.0), (0, 1, "loss/ce", 1.0))) == ["val/ua"]


def test_the_mean_score_stands_for_the_scores_of_the_conditions():
    assert score_names(history((0, 1, "val/ua/a", 0.5), (0, 1, "val/score", 0.6))) == ["val/score"]


def test_the_peak_is_the_first_of_equal_scores():
    assert peak([(1, 0.5), (2, 0.7), (3, 0.7)]) == (2, 0.7)

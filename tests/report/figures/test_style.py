"""Every figure draws names from data as text, and the same bytes for the same data; colours are told apart."""

import numpy as np
import pandas as pd
import pytest

from affectory.report.figures.bars import class_bars, condition_bars, condition_panels, row_bars, study_bars
from affectory.report.figures.calibration import calibration_panels
from affectory.report.figures.curves import depth_curve, learning_curves, rate_curves, timeline
from affectory.report.figures.edges import edge_map
from affectory.report.figures.media import face_strip, sound_panels
from affectory.report.figures.scatter import agreement, imagined_scatter
from affectory.report.figures.style import COLOURS, colours_of, data_uri
from affectory.results.tables import Cell, conditions_table
from tests.fixtures.figures import edges
from tests.fixtures.names import NAMES
from tests.fixtures.reports import results_frame

NAME = "<script>$x_1$&" + "w" * 80


def every_figure(name: str) -> dict[str, bytes]:
    """Each figure once, with this name wherever data gives one."""
    table = conditions_table(results_frame((name, "mmin"), seeds=1))
    sweep = pd.DataFrame({"experiment": name, "rate": [0.0, 0.5], "value": [0.6, 0.5], "deviation": np.nan})
    errors = pd.DataFrame({"experiment": [name], "condition": "{a}", "before": 0.2, "after": 0.1})
    classes = pd.DataFrame({"experiment": [name], "label": name, "value": 0.5, "deviation": np.nan})
    terms = pd.DataFrame({"seed": 0, "epoch": 1, "name": [f"loss/{name}", f"val/{name}"], "value": [1.0, 0.5]})
    depths = pd.DataFrame({"layers": [1, 4], "value": [0.5, 0.6], "deviation": 0.1})
    course = {"valence": (np.array([0.1, 0.5]), np.array([0.2, 0.4]))}
    return {
        "condition_bars": condition_bars(table),
        "study_bars": study_bars(table),
        "class_bars": class_bars(classes),
        "row_bars": row_bars({name: {"valence": Cell(0.1, 0.1, False)}}),
        "condition_panels": condition_panels(table),
        "learning_curves": learning_curves(terms),
        "rate_curves": rate_curves(sweep),
        "depth_curve": depth_curve(depths, name),
        "timeline": timeline(course),
        "calibration_panels": calibration_panels(errors),
        "imagined_scatter": imagined_scatter({"{a}": (np.ones((2, 2, 2)), {name: 0.5})}, [name, "b"]),
        "agreement": agreement(course),
        "edge_map": edge_map(edges().assign(speaker=name, label=name)),
        "sound_panels": sound_panels({name: np.ones((3, 2))}),
        "face_strip": face_strip(np.zeros((2, 8, 8, 3), np.uint8)),
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("error::UserWarning")
def test_hostile_and_endless_names_are_drawn_as_text_and_the_same_data_gives_the_same_bytes():
    first, second = every_figure(NAME), every_figure(NAME)
    assert [name for name, picture in first.items() if b"<script" in picture] == []
    assert [name for name, picture in first.items() if picture != second[name]] == []


def test_png_and_svg_are_told_apart():
    table = conditions_table(results_frame(("mmin",), seeds=1))
    assert condition_bars(table, form="png").startswith(b"\x89PNG") and condition_bars(table).startswith(b"<?xml")
    assert data_uri(b"x", "png") == "data:image/png;base64,eA=="
    assert data_uri(b"x") == "data:image/svg+xml;base64,eA=="


def test_named_experiments_have_their_colour_and_others_one_that_none_has():
    colours = colours_of(NAMES, [*NAMES, "a", "b", "c"])
    assert colours["mmin"] == NAMES["mmin"].colour
    assert len(set(colours.values())) == len(NAMES) + 3
    assert list(colours_of(NAMES, ["a", "b"]).values()) == list(COLOURS[:2])

"""Points are shown with their classes, distances and agreement."""

import numpy as np

from affectory.report.figures.scatter import agreement, imagined_scatter
from tests.fixtures.pages import texts

LABEL, PREDICTED = np.array([0.0, 1.0]), np.array([0.0, 1.0])


def test_imagined_points_are_shown_by_condition_with_classes_and_distances():
    points = np.random.default_rng(0).normal(size=(2, 20, 2))
    conditions = dict.fromkeys(("{a}", "{a,v}", "{v}"), (points, {"relative_error": 0.618, "cosine": 0.5}))
    words = texts(imagined_scatter(conditions, ["angry", "sad"] * 10))
    assert {"Imagined from {a}", "Imagined from {a,v}", "Imagined from {v}", "angry", "sad"} <= set(words)
    assert words.count("relative error 0.62 · cosine 0.50") == 3


def test_points_in_one_place_still_draw():
    assert imagined_scatter({"{a}": (np.zeros((2, 3, 2)), {})}, ["a", "b", "c"], form="png").startswith(b"\x89PNG")


def test_the_title_of_agreement_tells_the_ccc():
    # Means 0.5 and 0.75, variances 1/4 and 1/16, covariance 1/8: 2/8 / (5/16 + 1/16) = 2/3.
    words = texts(agreement({"valence": (LABEL, PREDICTED), "arousal": (LABEL, np.array([0.5, 1.0]))}))
    assert {"Valence, CCC 1.000", "Arousal, CCC 0.667", "Label", "Prediction"} <= set(words)
    assert "Valence, CCC −1.000" in texts(agreement({"valence": (LABEL, 1 - LABEL)}))

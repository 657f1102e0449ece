"""What selected the epoch that was kept, and what makes a training another one."""

from dataclasses import replace

import pytest

from affectory.learning import selection
from affectory.learning.selection import selected_on, training_fingerprint
from affectory.models import mmin

CONFIGS = mmin.FAMILY.experiments("debug")
SCHEDULE = CONFIGS["mmin"].schedule
NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("keep", "refit", "score", "expected"),
    [
        ("best", False, 0.5, "val"),
        ("best", False, 0.0, "val"),
        ("best", True, 0.5, "val"),  # validation said for how many epochs
        ("best", False, NAN, "nothing"),
        ("best", True, NAN, "nothing"),
        ("best", False, -INFINITE, "nothing"),
        ("last", False, 0.5, "nothing"),
        ("last", True, 0.5, "nothing"),
        ("last", False, NAN, "nothing"),
    ],
)
def test_validation_selects_where_the_best_epoch_is_kept_and_was_scored(keep, refit, score, expected):
    assert selected_on(replace(SCHEDULE, keep=keep, refit=refit), score) == expected


def named(experiment: str = "mmin", **changes) -> str:
    given = {"family": "mmin", "name": experiment, "config": CONFIGS[experiment], "teachers": CONFIGS}
    return training_fingerprint(**{**given, "seed": 0, "data": "digest", "extras": ("labels",), **changes})


def test_the_same_training_has_the_same_fingerprint():
    assert named() == named(teachers=dict(CONFIGS), extras=["labels"]) and len(named()) == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "mctn"},
        {"name": "mmin_a"},
        {"config": replace(CONFIGS["mmin"], width=9)},
        {"config": None},
        {"teachers": {**CONFIGS, "full_baseline": replace(CONFIGS["full_baseline"], width=9)}},
        {"seed": 1},
        {"seed": None},
        {"data": "another"},
        {"extras": ()},
    ],
)
def test_whatever_decides_what_is_trained_changes_the_fingerprint(changes):
    assert named(**changes) != named()


def test_another_recipe_or_torch_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch):
    before = named()
    with monkeypatch.context() as patch:
        patch.setattr(selection, "RECIPE", selection.RECIPE + 1)
        assert named() != before
    with monkeypatch.context() as patch:
        patch.setattr(selection, "version", lambda package: f"another {package}")
        assert named() != before


def test_an_experiment_that_does_not_teach_it_changes_nothing():
    others = {**CONFIGS, "best": replace(CONFIGS["best"], width=9)}
    assert named(teachers=others) == named()

"""The shortest of studies through Dagster: what is stored of it, and that it is not trained twice."""

import pytest

from affectory.vocabulary import conditions
from tests.fixtures.deployments import Deployment, metadata

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

ROWS = ["augmented_baseline", "linear_svm"]


def study(demo: Deployment):
    config = {"mmin_study": {"config": {"preset": "debug", "seeds": [0], "experiments": ROWS}}}
    return demo.run("demo", select="key:mmin_study", config=config)


def test_a_study_stores_its_rows_under_every_condition_and_a_second_one_trains_nothing(demo):
    first = study(demo)
    assert first.success and metadata(first, "mmin_study")["reused"] == 0
    stored = demo.query("SELECT * FROM results WHERE family = 'mmin_study' AND metric = 'ua' ORDER BY ALL")
    for name in ROWS:
        under = stored.loc[stored["experiment"] == name, "condition"]
        assert sorted(under) == sorted(str(condition) for condition in conditions())
    assert len(demo.query("SELECT 1 FROM results WHERE family = 'mmin'"))  # the deployed ones stay beside them

    second = study(demo)
    again = metadata(second, "mmin_study")
    assert second.success and again["reused"] == again["trainings"]
    assert demo.query("SELECT * FROM results WHERE family = 'mmin_study' AND metric = 'ua' ORDER BY ALL").equals(stored)

"""A study's tables are checked when they are put together, and rows normalised by speaker stand apart."""

from dataclasses import replace

import numpy as np
import pytest

from affectory.report.study_data import StudyData, blocks, plain
from affectory.results.names import SPEAKER_NORMALISED
from tests.fixtures.dimensions import dimension_data
from tests.fixtures.studies import LEVELS, study_data, three_modalities, whole_study


def test_what_is_no_dimension_or_lacks_columns_is_refused_by_name():
    def study(**stored) -> StudyData:
        return StudyData(study="s", title="S", metrics=("ua",), **stored)

    with pytest.raises(ValueError, match=r"study mmin_study: sweeps lacks columns \['kind', 'rate'\]"):
        replace(three_modalities(), sweeps=three_modalities().sweeps.drop(columns=["kind", "rate"]))
    with pytest.raises(ValueError, match=r"study s: unknown dimensions \['dominance'\]"):
        study(dimensions=("dominance",))
    without_place = dimension_data().predictions.drop(columns="place")
    with pytest.raises(ValueError, match=r"study s: predictions lacks columns \['place'\]"):
        study(dimensions=("valence",), predictions=without_place)
    assert len(study(predictions=without_place).predictions)  # of classes they need none
    with pytest.raises(ValueError, match=r"sample mel: expected frames \[T, D\], got shape \(3,\)"):
        study(samples={"mel": np.zeros(3)})


def test_rows_normalised_by_speaker_are_a_block_of_their_own_under_their_plain_names():
    as_they_are, normalised = blocks(whole_study())
    assert as_they_are.rows() == [name for name in LEVELS if not name.endswith(SPEAKER_NORMALISED)]
    assert normalised.rows() == ["mmin", "linear_svm", "best"]
    assert (as_they_are.speaker_normalised, normalised.speaker_normalised) == (False, True)
    for block in (as_they_are, normalised):
        assert set(block.predictions["experiment"]) == set(block.rows())
        assert set(block.sweeps["experiment"]) <= set(block.rows())
    assert len(as_they_are.results) + len(normalised.results) == len(whole_study().results)
    assert plain(whole_study()).results.equals(as_they_are.results)


def test_there_is_no_block_without_results_and_one_where_no_row_is_normalised_or_all_are():
    only = study_data({f"mmin{SPEAKER_NORMALISED}": 0.5}, folds=1, utterances=8)
    assert [block.speaker_normalised for block in blocks(three_modalities())] == [False]
    assert [block.speaker_normalised for block in blocks(only)] == [True]
    nothing = plain(only)
    assert blocks(nothing) == [] and nothing.rows() == [] and nothing.full_condition == ""
    assert three_modalities().full_condition == "{a,v,t}" and only.full_condition == "{a,v}"

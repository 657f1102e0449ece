"""Which feature sets a model gets from a raw video: its own, in the version it was trained on, or none."""

from affectory.features import FEATURE_SETS
from affectory.serving.video import extractors
from affectory.vocabulary import Modality
from tests.fixtures.registry import tiny_inputs

COMPARE = FEATURE_SETS["compare"]


def test_the_trained_set_in_the_trained_version_is_extracted():
    sets, unavailable = extractors(tiny_inputs({Modality.ACOUSTIC: ("compare", COMPARE.version, 130)}))
    assert sets == {Modality.ACOUSTIC: COMPARE}
    assert unavailable == {}


def test_another_version_of_the_set_counts_as_missing_and_says_which_to_install():
    sets, unavailable = extractors(tiny_inputs({Modality.ACOUSTIC: ("compare", "0, opensmile 1.0", 130)}))
    assert sets == {}
    assert "expected compare '0, opensmile 1.0', width 130, here it is" in unavailable[Modality.ACOUSTIC]
    assert "install that version" in unavailable[Modality.ACOUSTIC]


def test_another_width_under_the_same_name_counts_as_missing():
    _, unavailable = extractors(tiny_inputs({Modality.ACOUSTIC: ("compare", COMPARE.version, 65)}))
    assert "width 65" in unavailable[Modality.ACOUSTIC]


def test_a_ready_made_set_that_affectory_cannot_extract_leaves_the_others():
    inputs = tiny_inputs({Modality.ACOUSTIC: ("compare", "", 130), Modality.VISUAL: ("their_cnn", "", 512)})
    sets, unavailable = extractors(inputs)
    assert list(sets) == [Modality.ACOUSTIC]
    assert "no feature set 'their_cnn'" in unavailable[Modality.VISUAL]

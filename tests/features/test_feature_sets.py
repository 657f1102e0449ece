"""What holds of every feature set that is listed."""

import json
import pickle
from contextlib import suppress

from affectory.features import DEFAULT_SETS, FEATURE_SETS, FeatureSetError, Segment, find_feature_set, fingerprint
from affectory.vocabulary import MODALITIES


def test_every_set_is_found_by_its_name_and_says_what_it_is():
    for name, feature_set in FEATURE_SETS.items():
        assert find_feature_set(name) is feature_set and feature_set.name == name
        assert feature_set.modality in MODALITIES and feature_set.width > 0 and feature_set.means, name
        assert feature_set.rate_hz is None or feature_set.rate_hz > 0, name


def test_every_set_travels_to_a_worker_and_its_options_into_a_fingerprint():
    for name, feature_set in FEATURE_SETS.items():
        assert pickle.loads(pickle.dumps(feature_set)) == feature_set, name
        assert json.loads(json.dumps(dict(feature_set.options))) == dict(feature_set.options), name


def test_every_fingerprint_is_of_the_utterance_and_of_the_set():
    marks = []
    for feature_set in FEATURE_SETS.values():
        for utterance_id in ("u1", "u2"):
            with suppress(FeatureSetError):  # weights that are not on this machine
                marks.append(fingerprint(feature_set, Segment(utterance_id=utterance_id, transcript="yes")))
    assert len(set(marks)) == len(marks) > len(FEATURE_SETS)


def test_an_utterance_without_media_and_words_has_no_frames_and_says_why():
    for name, feature_set in FEATURE_SETS.items():
        with suppress(FeatureSetError):
            [row] = feature_set.extract([Segment(utterance_id="u")])
            assert not row.valid and row.reason and row.frames.shape == (0, feature_set.width), name


def test_each_modality_has_a_default_that_is_listed():
    assert {modality: FEATURE_SETS[name].modality for modality, name in DEFAULT_SETS.items()} == {
        modality: modality for modality in MODALITIES
    }

"""Several feature sets of one modality: none lags behind the utterances, and the right one is learnt from."""

import shutil
from pathlib import Path

import pytest

from affectory.vocabulary import Modality
from ops.datasets import choose_feature_sets

pytestmark = pytest.mark.pipeline

ACOUSTIC = "group:ingestion or key:acoustic_features"


def ids(deployment, feature_set: str) -> set[str]:
    rows = deployment.query("SELECT utterance_id FROM features WHERE feature_set = ?", feature_set)
    return set(rows["utterance_id"])


@pytest.mark.slow
def test_a_set_that_is_not_asked_for_again_follows_the_utterances(new_deployment, demo_corpus: Path):
    deployment = new_deployment()
    root = deployment.places.corpora / "grows"
    (root / "media").mkdir(parents=True)
    for name in ("d001.mp4", "d002.mp4"):
        shutil.copy(demo_corpus / "media" / name, root / "media")
    both = {"acoustic_features": {"config": {"feature_sets": ["compare", "egemaps"]}}}
    assert deployment.run("grows", select=ACOUSTIC, config=both).success
    shutil.copy(demo_corpus / "media" / "d003.mp4", root / "media")
    (root / "media" / "d001.mp4").unlink()
    assert deployment.run("grows", select=ACOUSTIC, config={}).success
    utterances = set(deployment.query("SELECT utterance_id FROM utterances")["utterance_id"])
    assert ids(deployment, "egemaps") == ids(deployment, "compare") == utterances
    assert {utterance_id.split("_")[0] for utterance_id in utterances} == {"d002", "d003"}


def test_a_wanted_set_comes_before_a_ready_made_one_and_that_before_the_default():
    stored = {Modality.ACOUSTIC: ["compare", "egemaps", "mine"], Modality.TEXTUAL: ["minilm"]}
    assert choose_feature_sets(stored, [], ["egemaps"])[Modality.ACOUSTIC] == "egemaps"
    assert choose_feature_sets(stored, [], []) == {Modality.ACOUSTIC: "mine", Modality.TEXTUAL: "minilm"}
    assert choose_feature_sets(stored, [Modality.TEXTUAL], []) == {Modality.TEXTUAL: "minilm"}
    with pytest.raises(ValueError, match="not stored"):
        choose_feature_sets(stored, [], ["openface"])

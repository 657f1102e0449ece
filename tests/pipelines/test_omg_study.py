"""Valence and arousal of a generated corpus, through Dagster: the study with its tables."""

import pytest

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

SETS = {
    "acoustic_features": {"config": {"feature_sets": ["compare", "spectrogram", "mel", "logmel", "mfcc"]}},
    "visual_features": {"config": {"feature_sets": ["face_mesh", "faces", "faces:mobilenet_v3_small:random"]}},
}
ROWS = {
    *("conv2d_5", "conv_attention", "conv_1d_2d", "conv2d_5_spectrogram", "conv2d_5_mel", "conv2d_5_mfcc"),
    *(f"mobilenet_v3_small_{temporal}_random" for temporal in ("rnn", "gru", "lstm", "conv1d_4")),
    *("multimodal", "multimodal_augmented", "acoustic", "visual", "textual", "shuffled_labels"),
}


@pytest.fixture(scope="module")
def studied(demo_of_module):
    demo = demo_of_module
    assert demo.run("demo", select="group:features", config=SETS).success
    result, metadata = demo.study("omg_study")
    assert result.success
    return demo, metadata


def test_every_row_is_trained_and_stored(studied):
    deployment, metadata = studied
    found = deployment.query("SELECT DISTINCT experiment FROM results WHERE family = 'omg_study'")
    assert set(found["experiment"]) == ROWS and metadata["trainings"] == len(ROWS)


def test_the_page_shows_tables_pictures_and_what_was_there(studied):
    deployment, metadata = studied
    page = (deployment.places.reports / "demo" / "evaluation.html").read_text()
    for text in ("5Conv2D", "GammaLab (VA)", "MobileNetV3-Small + GRU", "Preset debug."):
        assert text in page and text.replace("Preset debug.", "5Conv2D") in metadata["tables"]
    assert {"tables", "findings"} <= set(metadata)


def test_an_unchanged_study_trains_nothing(studied):
    deployment, _ = studied
    result, metadata = deployment.study("omg_study")
    assert result.success and metadata["reused"] == metadata["trainings"]


def test_another_loss_is_another_training(studied):
    deployment, _ = studied
    result, metadata = deployment.study("omg_study", loss="mse", experiments=["multimodal"])
    assert result.success and metadata["reused"] == 0
    result, _ = deployment.study("omg_study", loss="hinge")
    assert not result.success


def test_rows_whose_features_are_not_stored_are_left_out_and_refused_by_name(studied):
    deployment, _ = studied
    store = deployment.resources["store"]
    store.load_parts("demo", "mfcc", "acoustic", [], [])  # no utterance has it any more
    result, metadata = deployment.study("omg_study")
    assert result.success and "is not in the feature_sets of acoustic_features" in metadata["findings"]
    result, _ = deployment.study("omg_study", experiments=["conv2d_5_mfcc"])
    assert not result.success

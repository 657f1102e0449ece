"""The whole lineage on a generated corpus, from raw videos to registered models and a page, through Dagster.

The home is made once a session; a test that changes it takes a copy.
"""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest

from affectory.models import FAMILIES
from affectory.serving import load
from affectory.vocabulary import MODALITIES, Modality, conditions
from pipelines.summary import summarise
from tests.fixtures.deployments import EVERYTHING, Deployment, copied, metadata

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def first(lineage, tmp_path_factory) -> Deployment:
    """As the first run left it; the tests of this file that ask for it only look."""
    return copied(lineage, tmp_path_factory.mktemp("home"))


def test_every_asset_is_made_and_every_check_passes(lineage):
    run = json.loads((lineage / "run.json").read_text())
    assert run["success"]
    assert {"media_files", "utterances", "missing_modality_sets", "mmin", "mmgcn", "evaluation_report"} <= {
        *run["made"]
    }
    assert len(run["checks"]) == 11 and all(passed for _, passed in run["checks"])


def test_what_was_planted_as_missing_is_recorded_as_missing_with_its_reason(first):
    planted = pd.read_csv(first.places.corpora / "demo" / "planted.csv", keep_default_na=False)
    missing = first.query("SELECT utterance_id, modality, reason FROM features WHERE NOT valid")
    expected = set(zip(planted["utterance_id"], planted["removed"], strict=True)) - {
        (utterance_id, "") for utterance_id in planted["utterance_id"]
    }
    assert set(zip(missing["utterance_id"], missing["modality"], strict=True)) == expected
    reasons = dict(zip(missing["modality"], missing["reason"], strict=True))
    assert reasons.items() <= {"acoustic": "silent", "visual": "no_face", "textual": "no_transcript"}.items()


def test_results_hold_every_condition_of_every_experiment_and_seed(first):
    results = first.query("SELECT * FROM results WHERE metric = 'ua'")
    assert set(results["condition"]) == {str(condition) for condition in conditions()}
    of_families = results.groupby("family")["experiment"].unique().map(set).to_dict()
    deployed = {
        name: set(family.experiments("debug"))
        for name, family in FAMILIES.items()
        if family.deployed and not family.of_dimensions
    }
    assert of_families == deployed and deployed["mmin"] == {"full_baseline", "augmented_baseline", "mmin", "best"}
    assert len(results) == 7 * sum(map(len, deployed.values())) * 2
    for (family, experiment), rows in results.groupby(["family", "experiment"]):
        keeps = FAMILIES[family].config_of(experiment, "debug").schedule.keep
        assert set(rows["selected_on"]) == {"val" if keeps == "best" else "nothing"}, experiment


def test_stored_results_are_the_metrics_of_the_stored_predictions(first):
    predictions = first.query("SELECT experiment, seed, condition, label = predicted AS right FROM predictions")
    recomputed = predictions.groupby(["experiment", "seed", "condition"])["right"].mean().rename("value")
    stored = first.query("SELECT experiment, seed, condition, value FROM results WHERE metric = 'wa'")
    both = stored.merge(recomputed.reset_index(), on=["experiment", "seed", "condition"])
    assert len(both) == len(stored)
    np.testing.assert_allclose(both["value_x"], both["value_y"], atol=1e-12)


def test_the_champion_scores_any_subset_of_modalities(first):
    model = load("models:/demo-mmin@champion", first.places.tracking_uri)
    generator = np.random.default_rng(0)
    frames = {m: generator.normal(size=(5, model.inputs[m].width)).astype(np.float32) for m in MODALITIES}
    rows = {m: [frames[m] if m in condition else None for condition in conditions()] for m in MODALITIES}
    prediction = model.predict(rows)
    assert [str(used) for used in prediction.modalities_used] == [str(condition) for condition in conditions()]
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, atol=1e-5)
    assert {m: model.inputs[m].feature_set for m in MODALITIES} == {
        Modality.ACOUSTIC: "compare", Modality.VISUAL: "face_mesh", Modality.TEXTUAL: "minilm",
    }  # fmt: skip


def test_the_page_and_the_terminal_show_the_same_table(first):
    page = (first.places.reports / "demo" / "evaluation.html").read_text()
    text = summarise(first.places, "demo")
    value = first.query(
        "SELECT avg(value) AS v FROM results WHERE metric = 'ua' AND experiment = 'mmin' AND condition = '{a,v,t}'"
    )["v"][0]
    either = {f"{value + edge:.3f}" for edge in (-1e-9, 1e-9)}  # two means of the same may round to two sides
    assert any(number in page for number in either) and any(number.removeprefix("0") in text for number in either)
    assert str(first.places.reports / "demo" / "evaluation.html") in text


def test_valence_and_arousal_are_scored_by_ccc_under_every_condition(first):
    found = first.query("SELECT * FROM results WHERE family = 'valence_arousal'")
    assert set(found["experiment"]) == {"multimodal", "multimodal_augmented"}
    conditions = {"{a}", "{v}", "{t}", "{a,v}", "{a,t}", "{v,t}", "{a,v,t}"}
    for metric in ("ccc_valence", "ccc_arousal", "ccc"):
        assert set(found.loc[found["metric"] == metric, "condition"]) == conditions
    assert len(first.query("SELECT 1 FROM dimension_predictions WHERE family = 'valence_arousal'"))


def test_the_registered_model_of_dimensions_predicts_whatever_is_missing(first):
    uri = first.places.tracking_uri
    try:
        deployed = load("models:/demo-valence_arousal@champion", uri)
        mlflow.set_tracking_uri(uri)
        model = mlflow.pyfunc.load_model("models:/demo-valence_arousal@champion")
        example = model.input_example
    finally:
        mlflow.set_tracking_uri(None)  # pyright: ignore[reportArgumentType]
    assert deployed.dimensions == ("valence", "arousal")
    predicted = model.predict(example)
    assert list(predicted.columns) == ["valence", "arousal", "modalities_used"]
    assert predicted["modalities_used"].tolist() == ["a,v,t", "a"] and predicted.notna().all(axis=None)


def test_a_second_run_extracts_nothing_and_trains_nothing(demo):
    before = demo.query("SELECT DISTINCT mlflow_run_id FROM results ORDER BY ALL")
    again = demo.run("demo", select=f"({EVERYTHING}) and not key:evaluation_report")
    assert again.success
    for modality in MODALITIES:
        assert metadata(again, f"{modality}_features")["extracted"] == 0
    assert metadata(again, "mmin")["alias"] == "champion"
    pd.testing.assert_frame_equal(demo.query("SELECT DISTINCT mlflow_run_id FROM results ORDER BY ALL"), before)


@pytest.mark.slow
def test_a_changed_clip_is_extracted_again_alone(demo):
    table = demo.places.corpora / "demo" / "utterances.csv"
    lines = table.read_text().splitlines()
    fields = lines[1].split(",")
    start = lines[0].split(",").index("start_s")
    fields[start] = f"{float(fields[start]) + 0.1:.3f}"
    table.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]) + "\n")
    result = demo.run("demo", select="key:utterances or key:acoustic_features or key:textual_features")
    assert metadata(result, "acoustic_features")["extracted"] == 1
    assert metadata(result, "textual_features")["extracted"] == 0


@pytest.mark.slow
def test_a_training_that_died_goes_on_and_its_run_has_every_epoch(demo, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    config = {"mmin_teacher": {"config": {"preset": "debug", "seeds": [7]}}}
    with monkeypatch.context() as fault:
        fault.setattr("affectory.learning.experiment.save_deployed", full_disk)
        assert not demo.run("demo", select="key:mmin_teacher", config=config).success
    assert demo.run("demo", select="key:mmin_teacher", config=config).success
    run_id = demo.query("SELECT DISTINCT mlflow_run_id FROM results WHERE seed = 7")["mlflow_run_id"].item()
    assert sorted(set(demo.resources["tracking"].history(run_id)["epoch"])) == [1, 2]

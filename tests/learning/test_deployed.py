import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from affectory.data.inputs import fit_inputs
from affectory.learning.deployed import DeployedModel, load_deployed, save_deployed
from affectory.learning.evaluation import evaluate
from affectory.models import mmin
from affectory.vocabulary import Modality
from tests.fixtures.datasets import packed, small_dataset

A, V, T = Modality
DATASET = small_dataset(24, missing={6: [V]})
TEST = DATASET.rows("test")
FEATURES = {
    modality: [sequences.row(row) if sequences.lengths[row] else None for row in TEST]
    for modality, sequences in DATASET.sequences.items()
}


def save(folder: Path, dataset=DATASET) -> mmin.Mmin:
    inputs, configs = fit_inputs(dataset, dataset.rows("train")), mmin.FAMILY.experiments("debug")
    teacher = mmin.build(configs["full_baseline"], inputs, dataset.classes, seed=1)
    assert isinstance(teacher, mmin.FullModality)
    model = mmin.build(configs["mmin"], inputs, dataset.classes, seed=0)
    model.learn_from(teacher, packed(dataset))
    save_deployed(folder, "mmin", configs["mmin"], model, dataset.classes, inputs)
    assert isinstance(model, mmin.Mmin)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("deployed")
    save(path)
    return path


@pytest.fixture(scope="module")
def deployed(folder: Path) -> DeployedModel:
    return load_deployed(folder)


def test_a_deployed_model_predicts_what_was_evaluated(tmp_path: Path):
    model = save(tmp_path)
    _, expected = evaluate(model, packed(DATASET), DATASET, TEST)
    full = expected[expected["condition"] == "{a,v,t}"]
    prediction = load_deployed(tmp_path).predict(FEATURES)
    assert np.allclose(prediction.probabilities[1:], full[["p_angry", "p_happy"]].to_numpy(), atol=1e-6)
    assert [str(used) for used in prediction.modalities_used] == ["{a,t}"] + ["{a,v,t}"] * 5


def test_the_folder_holds_weights_and_json_and_no_teacher(folder: Path):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "weights.safetensors"]
    assert b"teacher" not in (folder / "weights.safetensors").read_bytes()
    stored = json.loads((folder / "config.json").read_text())
    assert (stored["format"], stored["family"], stored["classes"]) == (2, "mmin", ["angry", "happy"])
    assert stored["inputs"]["visual"]["feature_set"] == "set_v" and stored["inputs"]["visual"]["version"] == "1"


def test_a_rows_probabilities_do_not_depend_on_the_other_rows(deployed: DeployedModel):
    together = deployed.predict(FEATURES).probabilities
    for row in range(len(TEST)):
        alone = deployed.predict({modality: [rows[row]] for modality, rows in FEATURES.items()}).probabilities
        assert np.allclose(alone[0], together[row], atol=1e-6)


def test_a_modality_may_be_left_out_or_missing_row_by_row(deployed: DeployedModel):
    left_out = deployed.predict({A: FEATURES[A]})
    emptied = deployed.predict({A: FEATURES[A], V: [None] * 6, T: [np.zeros((0, 6), np.float32)] * 6})
    assert np.array_equal(left_out.probabilities, emptied.probabilities)
    assert [str(used) for used in left_out.modalities_used] == ["{a}"] * 6


def test_whole_numbers_and_doubles_are_taken(deployed: DeployedModel):
    whole = deployed.predict({A: [np.ones((2, 5), np.int64)]}).probabilities
    assert np.array_equal(whole, deployed.predict({A: [np.ones((2, 5), np.float64)]}).probabilities)
    assert deployed.predict({A: []}).probabilities.shape == (0, 2)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {A: [np.ones((2, 5)), np.ones((2, 4))]},
            r"row 1, acoustic: expected T x 5 numbers .*set_a.* got float64 \[2, 4\]",
        ),
        ({A: [np.ones(5)]}, r"row 0, acoustic: expected T x 5 numbers .* got float64 \[5\]"),
        ({A: [np.array([["x"] * 5])]}, r"row 0, acoustic: expected T x 5 numbers .* got <U1 \[1, 5\]"),
        ({T: [np.array([[0, 0, np.nan, 0, 0, 0]])]}, "row 0, textual: .* finite ones; feature 2 of frame 0 is nan"),
        ({A: [np.full((1, 5), 1e300)]}, "row 0, acoustic: .* finite ones; feature 0 of frame 0 is inf"),
        (
            {A: [None, np.ones((1, 5))], V: [None, None]},
            "row 0: expected at least one modality of acoustic, visual, textual",
        ),
        ({"smell": [np.ones((1, 5))]}, "modality smell: the model knows acoustic, visual, textual; leave it out"),
        ({A: [None], V: [None, None]}, "expected the same number of rows of each modality, got 1 acoustic, 2 visual"),
    ],
)
def test_bad_rows_are_refused_by_name(deployed: DeployedModel, features: dict, message: str):
    with pytest.raises(ValueError, match=message):
        deployed.predict(features)


def test_another_feature_set_is_refused(deployed: DeployedModel):
    with pytest.raises(ValueError, match="acoustic: the model was trained on feature set 'set_a', got 'egemaps'"):
        deployed.predict(FEATURES, {A: "egemaps"})


def test_a_vector_modality_takes_one_frame(tmp_path: Path):
    save(tmp_path, small_dataset(24, vector=True))
    deployed = load_deployed(tmp_path)
    assert deployed.predict({A: [np.ones((1, 5))]}).probabilities.shape == (1, 2)
    with pytest.raises(ValueError, match=r"row 0, acoustic: expected 1 x 5 numbers .* got 2 frames"):
        deployed.predict({A: [np.ones((2, 5))]})


def test_another_format_a_pickle_and_weights_that_do_not_fit_are_refused(folder: Path, tmp_path: Path):
    config, weights = (folder / "config.json").read_text(), (folder / "weights.safetensors").read_bytes()

    def refused(message: str) -> None:
        with pytest.raises(ValueError, match=message):
            load_deployed(tmp_path)

    (tmp_path / "weights.safetensors").write_bytes(weights)
    (tmp_path / "config.json").write_text(config.replace('"format": 2', '"format": 9'))
    refused("expected format 2, got 9")
    (tmp_path / "config.json").write_text("{")
    refused("expected JSON")
    (tmp_path / "config.json").write_text(config.replace('"width": 8', '"width": 9'))
    refused("do not make a model")
    (tmp_path / "config.json").write_text(config)
    (tmp_path / "weights.safetensors").write_bytes(pickle.dumps({"weights": [1.0]}))
    refused("do not make a model")

"""The registry model: what its rows may be, what is refused, and that it loads with little around it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server

import affectory
from affectory.data.inputs import fit_inputs
from affectory.learning.deployed import DeployedModel
from affectory.models import mmin
from affectory.serving import ModelError, load, predict, save_model
from affectory.serving.pyfunc import input_example
from affectory.vocabulary import Modality
from tests.fixtures.datasets import small_dataset
from tests.fixtures.registry import WITHOUT, fresh_store, process_store, register_champion, save_tiny_model, tiny_inputs

INPUTS = tiny_inputs(
    {
        Modality.ACOUSTIC: ("compare", "1", 3),
        Modality.VISUAL: ("face_mesh", "1", 2),
        Modality.TEXTUAL: ("minilm", "1", 4),
    }
)
ACOUSTIC, VISUAL, TEXTUAL = [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], [[0.1, 0.2]] * 3, [[0.1, 0.2, 0.3, 0.4]]


@pytest.fixture(scope="module")
def deployed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("deployed"), INPUTS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a fresh store, the process's own while these tests run."""
    uri = fresh_store(tmp_path_factory.mktemp("mlflow"))
    with process_store(uri):
        yield uri


@pytest.fixture(scope="module")
def logged(store: str, deployed_folder: Path) -> str:
    return register_champion(store, deployed_folder)


@pytest.fixture(scope="module")
def model(logged: str) -> mlflow.pyfunc.PyFuncModel:
    return mlflow.pyfunc.load_model("models:/demo-mmin@champion")


def over_rest(model: mlflow.pyfunc.PyFuncModel, body: dict) -> pd.DataFrame:
    """What `mlflow models serve` does with a request, without the socket."""
    answer = scoring_server.invocations(json.dumps(body), "application/json", model, model.metadata.get_input_schema())
    assert answer.status == 200
    return pd.DataFrame(json.loads(answer.response)["predictions"])


def test_every_non_empty_subset_of_modalities_is_predicted_and_named(model):
    rows = [
        {"acoustic": ACOUSTIC},
        {"visual": VISUAL},
        {"textual": TEXTUAL},
        {"acoustic": ACOUSTIC, "visual": VISUAL},
        {"acoustic": ACOUSTIC, "textual": TEXTUAL},
        {"visual": VISUAL, "textual": TEXTUAL},
        {"acoustic": ACOUSTIC, "visual": VISUAL, "textual": TEXTUAL},
    ]
    output = model.predict(pd.DataFrame(rows))
    assert list(output.columns) == ["emotion", "p_angry", "p_happy", "modalities_used"]
    assert output["modalities_used"].tolist() == ["a", "v", "t", "a,v", "a,t", "v,t", "a,v,t"]
    assert np.allclose(output["p_angry"] + output["p_happy"], 1, atol=1e-6)
    assert output["emotion"].tolist() == np.where(output["p_angry"] >= output["p_happy"], "angry", "happy").tolist()


def test_a_row_alone_and_among_others_gives_the_same_numbers_on_its_own_index(model):
    rows = pd.DataFrame([{"acoustic": ACOUSTIC}, {"textual": TEXTUAL}], index=["x", "y"])
    together = model.predict(rows)
    alone = model.predict(rows.loc[["y"]])
    assert together.index.tolist() == ["x", "y"]
    assert np.allclose(
        together.loc["y", ["p_angry", "p_happy"]].tolist(), alone.loc["y", ["p_angry", "p_happy"]].tolist()
    )


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, [], np.zeros((0, 2))], ids=["None", "NaN", "NA", "[]", "0x2"])
def test_every_way_of_writing_nothing_is_a_missing_modality(model, nothing):
    output = model.predict(pd.DataFrame({"acoustic": [ACOUSTIC], "visual": [nothing]}))
    assert output["modalities_used"].tolist() == ["a"]


@pytest.mark.parametrize(
    "frames",
    [
        [[1, 2, 3], [0, 1, 0]],
        np.array([[1, 2, 3], [0, 1, 0]]),
        np.array([[1, 2, 3], [0, 1, 0]], np.float32),
        [np.array([1.0, 2, 3]), np.array([0, 1, 0])],
        ((1, 2, 3), (0, 1, 0)),
    ],
    ids=["whole numbers", "int array", "float32 array", "list of arrays", "tuples"],
)
def test_whole_numbers_arrays_and_lists_give_what_floats_give(model, frames):
    given = model.predict(pd.DataFrame({"acoustic": [frames]}))
    expected = model.predict(pd.DataFrame({"acoustic": [[[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]]}))
    pd.testing.assert_frame_equal(given, expected)


def test_nested_arrays_as_parquet_gives_them_are_read(model, tmp_path: Path):
    pd.DataFrame({"acoustic": [ACOUSTIC, None], "textual": [None, TEXTUAL]}).to_parquet(tmp_path / "rows.parquet")
    output = model.predict(pd.read_parquet(tmp_path / "rows.parquet"))
    assert output["modalities_used"].tolist() == ["a", "t"]


def test_columns_that_the_model_does_not_know_are_ignored(model):
    output = model.predict(pd.DataFrame({"acoustic": [ACOUSTIC], "utterance_id": ["u1"]}))
    assert output["modalities_used"].tolist() == ["a"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"acoustic": None, "visual": None}, "row 1: expected at least one modality of acoustic, visual, textual"),
        (
            {"acoustic": [[0.1, 0.2]]},
            r"row 1, acoustic: expected T x 3 .*\(feature set compare\), got float64 \[1, 2\]",
        ),
        ({"acoustic": [[0.1, 0.2, 0.3], [0.4]]}, "row 1, acoustic: .*different widths"),
        ({"acoustic": [[0.1, np.nan, 0.3]]}, "row 1, acoustic: .*feature 1 of frame 0 is nan"),
        ({"acoustic": [[0.1, 1e300, 0.3]]}, "row 1, acoustic: .*feature 1 of frame 0 is inf"),
        ({"acoustic": [["a", "b", "c"]]}, "row 1, acoustic: expected T x 3 numbers"),
        ({"acoustic": [[0.1, None, 0.3]]}, "row 1, acoustic: expected T x 3 numbers"),
        ({"acoustic": [0.1, 0.2, 0.3]}, "row 1, acoustic: expected T x 3 numbers"),
        ({"acoustic": "0.1 0.2 0.3"}, "row 1, acoustic: expected T frames of D numbers, got str '0.1 0.2 0.3'"),
        ({"acoustic": 3.5}, "row 1, acoustic: expected T frames of D numbers, got float '3.5'"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_its_number_and_what_was_expected(model, row, said):
    good = {"acoustic": ACOUSTIC, "visual": None}
    with pytest.raises(MlflowException, match=said) as refused:
        model.predict(pd.DataFrame([good, row]))
    assert refused.value.get_http_status_code() == 400


def test_features_of_another_set_are_refused_with_what_was_expected_and_given(model):
    rows = pd.DataFrame({"acoustic": [ACOUSTIC], "textual": [TEXTUAL], "feature_sets": ["egemaps,minilm"]})
    with pytest.raises(MlflowException, match=r"row 0: expected .*compare \(acoustic\).* got egemaps, minilm"):
        model.predict(rows)


def test_the_sets_named_need_only_cover_the_modalities_that_are_there(model):
    rows = pd.DataFrame([{"textual": TEXTUAL, "feature_sets": "minilm"}, {"acoustic": ACOUSTIC, "feature_sets": None}])
    assert model.predict(rows)["modalities_used"].tolist() == ["t", "a"]
    all_named = pd.DataFrame([{"textual": TEXTUAL, "feature_sets": "compare, face_mesh, minilm"}])
    assert model.predict(all_named)["modalities_used"].tolist() == ["t"]


def test_a_table_without_any_modality_column_is_refused(model):
    with pytest.raises(MlflowException, match="expected at least one of the columns acoustic, visual, textual"):
        model.predict(pd.DataFrame({"utterance_id": ["u1"]}))


def test_no_rows_give_no_predictions(model):
    output = model.predict(pd.DataFrame({"acoustic": pd.Series([], dtype=object)}))
    assert list(output.columns) == ["emotion", "p_angry", "p_happy", "modalities_used"]
    assert len(output) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"acoustic": ACOUSTIC}, {"textual": TEXTUAL}]},
        {"dataframe_records": [{"acoustic": ACOUSTIC, "textual": None}, {"acoustic": None, "textual": TEXTUAL}]},
        {"dataframe_split": {"columns": ["acoustic", "textual"], "data": [[ACOUSTIC, None], [None, TEXTUAL]]}},
        {"inputs": [{"acoustic": ACOUSTIC}, {"textual": TEXTUAL}]},
    ],
    ids=["a key left out", "nulls", "split", "inputs"],
)
def test_mixed_rows_of_a_json_request_give_the_same_answer(model, body):
    answer = over_rest(model, body)
    expected = model.predict(pd.DataFrame([{"acoustic": ACOUSTIC}, {"textual": TEXTUAL}]))
    assert answer["modalities_used"].tolist() == ["a", "t"]
    assert np.allclose(answer["p_angry"], expected["p_angry"])


def test_whole_numbers_in_json_are_numbers(model):
    answer = over_rest(model, {"dataframe_records": [{"acoustic": [[2, 0, 7]]}]})
    assert answer["modalities_used"].tolist() == ["a"]


def test_a_refusal_over_rest_carries_the_reason(model):
    body = {"dataframe_records": [{"acoustic": None}]}
    with pytest.raises(MlflowException, match="row 0: expected at least one modality") as refused:
        over_rest(model, body)
    assert refused.value.get_http_status_code() == 400


def test_the_signature_has_nullable_modalities_and_a_column_a_class(model):
    columns = {column.name: column for column in model.metadata.signature.inputs}
    assert list(columns) == ["acoustic", "visual", "textual", "feature_sets"]
    assert not any(column.required for column in columns.values())
    assert model.metadata.signature.outputs.input_names() == ["emotion", "p_angry", "p_happy", "modalities_used"]


def test_the_logged_example_can_be_sent_as_it_is(model, logged: str):
    assert model.predict(model.input_example)["modalities_used"].tolist() == ["a,v,t", "a"]
    folder = Path(mlflow.artifacts.download_artifacts(logged))
    answer = over_rest(model, json.loads((folder / "serving_input_example.json").read_text()))
    assert answer["modalities_used"].tolist() == ["a,v,t", "a"]


@pytest.mark.parametrize("name", mmin.FAMILY.experiments("debug"))
def test_the_example_of_every_experiment_can_be_predicted(name: str):
    dataset, config = small_dataset(), mmin.FAMILY.experiments("debug")[name]
    inputs = fit_inputs(dataset, dataset.rows("train"), config.preparation)
    model = mmin.build(config, inputs, dataset.classes, seed=0)
    deployed = DeployedModel("mmin", config, dataset.classes, inputs, model, {})
    assert predict(deployed, input_example(deployed))["modalities_used"].tolist() == ["a,v,t", "a"]


def test_the_code_of_a_saved_model_is_the_packages_source_and_nothing_that_lies_beside_it(
    deployed_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    package = Path(affectory.__file__).parent
    source = {path.relative_to(package) for path in package.rglob("*") if path.suffix in {".py", ".j2"}}
    littered = shutil.copytree(package, tmp_path / "affectory")
    for stray in ("stray.pyc", "layers/fast.so", "notes.ipynb", "models/__pycache__/mmin.cpython-311.pyc"):
        (littered / stray).parent.mkdir(exist_ok=True)
        (littered / stray).write_bytes(b"stray")
    monkeypatch.setattr(affectory, "__file__", str(littered / "__init__.py"))
    save_model(deployed_folder, tmp_path / "model")
    code = tmp_path / "model" / "code"
    assert {path.relative_to(code / "affectory") for path in code.rglob("*") if path.is_file()} == source


def test_nothing_in_the_logged_folder_is_a_pickle_and_requirements_are_pinned(logged: str):
    folder = Path(mlflow.artifacts.download_artifacts(logged))
    files = [path for path in folder.rglob("*") if path.is_file()]
    # A pickle of protocol 2 and later begins with 0x80, torch's own format is a zip file.
    assert [path for path in files if path.read_bytes()[:1] == b"\x80" or path.read_bytes()[:2] == b"PK"] == []
    assert {path.suffix for path in files} <= {".py", ".json", ".yaml", ".txt", ".j2", ".safetensors", ""}
    requirements = (folder / "requirements.txt").read_text().split()
    assert [line.split("==")[0] for line in requirements] == ["mlflow", "numpy", "pandas", "safetensors", "torch"]
    assert all(len(line.split("==")) == 2 for line in requirements)


CONSUMER = """
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import affectory
assert affectory.__file__.startswith(sys.argv[1]), affectory.__file__
print(model.predict(pd.DataFrame([{"textual": [[1, 2, 3, 4]]}])).to_json(orient="records"))
"""
# All that is neither a requirement of the model nor of those.
NOT_REQUIRED = (
    "dagster,duckdb,sklearn,torchvision,av,cv2,mediapipe,opensmile,silero_vad,transformers,matplotlib,pebble,"
    "assets,ops,resources,pipelines"
)


def test_the_logged_model_does_not_tell_where_the_code_lay(logged: str):
    described = (Path(mlflow.artifacts.download_artifacts(logged)) / "MLmodel").read_text()
    assert "model_code_path: registry_model.py" in described
    assert str(Path(__file__).parents[2]) not in described


@pytest.mark.slow
def test_a_consumer_with_the_requirements_alone_loads_and_predicts_with_pickle_off(logged: str, model, tmp_path: Path):
    folder = mlflow.artifacts.download_artifacts(logged, dst_path=str(tmp_path / "downloaded"))
    as_logged = sorted(Path(folder).rglob("*"))
    environment = os.environ | {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT + CONSUMER, NOT_REQUIRED, folder],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert sorted(Path(folder).rglob("*")) == as_logged  # no bytecode of its code either
    [row] = json.loads(result.stdout)
    expected = model.predict(pd.DataFrame([{"textual": [[1, 2, 3, 4]]}]))
    assert row["modalities_used"] == "t"
    assert row["p_angry"] == pytest.approx(expected["p_angry"][0], abs=1e-6)


def test_a_registered_model_is_read_as_data_and_runs_nothing_of_its_own(logged: str, store: str, tmp_path: Path):
    folder = Path(mlflow.artifacts.download_artifacts(logged, dst_path=str(tmp_path / "downloaded")))
    (folder / "registry_model.py").write_text("raise SystemExit('code of the model ran')\n")
    (folder / "MLmodel").write_text("flavors: !!python/object/apply:os.system ['exit 1']\n")
    assert load(str(folder), store).classes == ("angry", "happy")
    assert load("models:/demo-mmin@champion", store).classes == ("angry", "happy")


def test_an_unknown_model_is_refused_with_those_that_there_are(logged: str, store: str):
    with pytest.raises(ModelError, match=r"models:/demo-mmin@challenger .*registry holds models:/demo-mmin@champion"):
        load("models:/demo-mmin@challenger", store)


def test_a_store_that_is_not_there_is_refused_and_not_made(tmp_path: Path):
    with pytest.raises(ModelError, match=r"no MLflow store at .*--tracking-uri"):
        load("models:/demo-mmin@champion", f"sqlite:///{tmp_path / 'none.db'}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_affectory_did_not_log_is_refused(store: str, tmp_path: Path):
    (tmp_path / "MLmodel").write_text("flavors: {}\n")
    with pytest.raises(ModelError, match="found no artifacts/deployed"):
        load(str(tmp_path), store)

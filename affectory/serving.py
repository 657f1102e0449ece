"""The registry model: an MLflow pyfunc made from code, safetensors weights and JSON; nothing in it is a pickle.

Input, one row an utterance: `acoustic`, `visual`, `textual` (T frames x D features; absent, null, NaN or empty =
missing) and `feature_sets`, the sets that the row's features are (`compare,minilm`; null = the caller vouches). A model
of conversations also reads `dialogue_id` (null = a row by itself) and `speaker`; rows of a dialogue come in its order.
Output, in the same order: `emotion`, `p_<class>` ..., `modalities_used` (`a,t`); of a model of dimensions `valence`,
`arousal`, in the units of its labels, and `modalities_used`.

This is the one file of affectory that imports mlflow.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

import affectory
from affectory.deployed import DeployedModel, load_deployed
from affectory.inputs import ModalityInput
from affectory.vocabulary import Modality

DEPLOYED = "deployed"  # the artifact: a folder of weights.safetensors and config.json
FEATURE_SETS = "feature_sets"
CONTEXT = ("dialogue_id", "speaker")
REQUIRED = ("mlflow", "numpy", "pandas", "safetensors", "torch")


class EmotionModel(PythonModel):
    """What `mlflow.pyfunc.load_model` returns, wrapped: a deployed model that reads and checks rows."""

    deployed: DeployedModel

    def load_context(self, context: PythonModelContext) -> None:
        self.deployed = load_deployed(Path(context.artifacts[DEPLOYED]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict | None = None
    ) -> pd.DataFrame:
        return predict(self.deployed, model_input)


def declare_model() -> None:
    """Tells MLflow that the file which it is running is an EmotionModel."""
    set_model(EmotionModel())


def predict(deployed: DeployedModel, rows: pd.DataFrame) -> pd.DataFrame:
    """One output row an input row, on the same index; MlflowException (REST: 400) says which row is refused and why."""
    try:
        told = {column: read_names(rows[column]) for column in CONTEXT if column in rows}
        prediction = deployed.predict(
            read_rows(rows, deployed.inputs), dialogues=told.get("dialogue_id"), speakers=told.get("speaker")
        )
    except ValueError as problem:
        raise MlflowException.invalid_parameter_value(str(problem)) from problem
    output = pd.DataFrame(prediction.numbers, index=rows.index, columns=deployed.columns)
    if deployed.classes:
        output.insert(0, "emotion", [deployed.classes[best] for best in prediction.probabilities.argmax(axis=1)])
    output["modalities_used"] = [str(used).strip("{}") for used in prediction.modalities_used]
    return output


def read_rows(rows: pd.DataFrame, inputs: Mapping[Modality, ModalityInput]) -> dict[Modality, list[np.ndarray | None]]:
    """The frames [T, D] of each modality and row, None where missing; ValueError names the row that cannot be read."""
    given = [modality for modality in inputs if modality in rows]
    if not given:
        raise ValueError(f"expected at least one of the columns {', '.join(inputs)}, got {list(rows.columns)}")
    features = {
        modality: [read_frames(cell, f"row {row}, {modality}") for row, cell in enumerate(rows[modality])]
        for modality in given
    }
    sets_of_rows = rows[FEATURE_SETS] if FEATURE_SETS in rows else [None] * len(rows)
    for row, sets in enumerate(sets_of_rows):
        if not is_missing(sets):
            present = [modality for modality in given if features[modality][row] is not None]
            check_sets(sets, {modality: inputs[modality].feature_set for modality in present}, f"row {row}")
    return features


def read_names(cells: Iterable[object]) -> list[str]:
    """As text, empty where missing."""
    return ["" if is_missing(cell) else str(cell) for cell in cells]


def is_missing(cell: object) -> bool:
    """None, NaN, pandas' NA and an empty list or array: a modality that is not there."""
    if isinstance(cell, (list, tuple, np.ndarray)):
        return len(cell) == 0
    return cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell))


def read_frames(cell: object, item: str) -> np.ndarray | None:
    """[T, D] from nested lists or arrays, whose numbers and width the model checks; None where missing."""
    if is_missing(cell):
        return None
    if not isinstance(cell, (list, tuple, np.ndarray)):
        raise ValueError(f"{item}: expected T frames of D numbers, got {type(cell).__name__} {str(cell)[:40]!r}")
    try:
        return np.stack([np.asarray(frame) for frame in cell])
    except ValueError:
        raise ValueError(f"{item}: expected T frames of D numbers each, got frames of different widths") from None


def check_sets(given: object, expected: Mapping[Modality, str], item: str) -> None:
    """Every modality that is present must be of the set that the model was trained on; else ValueError."""
    names = {name.strip() for name in given.split(",")} if isinstance(given, str) else {repr(given)}
    if set(expected.values()) - names:
        wanted = ", ".join(f"{feature_set} ({modality})" for modality, feature_set in expected.items())
        raise ValueError(
            f"{item}: expected the feature sets {wanted}, got {', '.join(sorted(names))}: another set's numbers mean "
            "something else; extract the sets that the model names"
        )


def signature(deployed: DeployedModel) -> ModelSignature:
    """The columns of the model's own modalities, each nullable, and what comes back.

    The cells are `any` and not `array(array(double))`: MLflow's own check of nested arrays refuses frames of whole
    numbers and a modality left out of only some rows, and names neither (docs/decisions/registry-signature.md).
    """
    inputs = [ColSpec(AnyType(), modality.value, required=False) for modality in deployed.inputs]
    texts = [FEATURE_SETS, *(CONTEXT if deployed.model.whole_dialogues else ())]
    predicted = [ColSpec(DataType.double, name) for name in deployed.columns]
    emotion = [ColSpec(DataType.string, "emotion")] if deployed.classes else []
    return ModelSignature(
        inputs=Schema([*inputs, *(ColSpec(DataType.string, name, required=False) for name in texts)]),
        outputs=Schema([*emotion, *predicted, ColSpec(DataType.string, "modalities_used")]),
    )


def input_example(deployed: DeployedModel) -> pd.DataFrame:
    """Two rows at the training means, one frame each: all modalities, and the first modality alone."""
    rows = [{m.value: i.mean[None, : i.width].tolist() for m, i in deployed.inputs.items()} for _ in range(2)]
    for modality in list(deployed.inputs)[1:]:
        rows[1][modality.value] = None
    sets = ",".join(i.feature_set for i in deployed.inputs.values())
    return pd.DataFrame([{**row, FEATURE_SETS: sets} for row in rows])


def save_model(deployed_folder: Path, path: Path, mlflow_model: Model | None = None) -> None:
    """Write the whole MLflow model into `path`: code, requirements, signature, example, weights."""
    deployed = load_deployed(deployed_folder)
    package = Path(affectory.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        # Under a fixed name, so that `load` finds it without believing what MLmodel says.
        artifacts = shutil.copytree(deployed_folder, Path(folder) / DEPLOYED)
        mlflow.pyfunc.save_model(
            path=str(path),
            python_model=str(package / "registry_model.py"),
            code_paths=[str(package)],
            artifacts={DEPLOYED: str(artifacts)},
            signature=signature(deployed),
            input_example=input_example(deployed),
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIRED],
            mlflow_model=mlflow_model,
        )
    _forget_checkout(path)


def _forget_checkout(path: Path) -> None:
    """MLflow notes where the code lay when the model was saved, and reads only the file's name from it."""
    saved = Model.load(str(path))
    code = saved.flavors["python_function"]
    code["model_code_path"] = Path(code["model_code_path"]).name
    saved.save(str(path / "MLmodel"))


def log_model(deployed_folder: Path, *, client: MlflowClient, run_id: str) -> str:
    """The URI, `models:/<model id>`, of the run's model; logged from the folder unless the run has one already."""
    run = client.get_run(run_id)
    for earlier in run.outputs.model_outputs if run.outputs else ():
        if client.get_logged_model(earlier.model_id).status == LoggedModelStatus.READY:
            return f"models:/{earlier.model_id}"
    logged = client.create_logged_model(run.info.experiment_id, "model", source_run_id=run_id)
    try:
        mlflow_model = Model(logged.artifact_location, run_id, model_id=logged.model_id, model_uuid=logged.model_id)
        with tempfile.TemporaryDirectory() as folder:
            save_model(deployed_folder, Path(folder) / "model", mlflow_model)
            client.log_model_artifacts(logged.model_id, str(Path(folder) / "model"))
    except BaseException:
        client.finalize_logged_model(logged.model_id, LoggedModelStatus.FAILED)
        raise
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return logged.model_uri


class ModelError(ValueError):
    """The model cannot be had; the message says which, where it was looked for and what to do."""


def load(model_uri: str, tracking_uri: str) -> DeployedModel:
    """A registered (`models:/<corpus>-mmin@champion`), logged or local model, read as data: no code of it is run.

    Sets the process's tracking URI. ModelError names what the registry does hold.
    """
    if model_uri.startswith(("models:", "runs:")):
        _check_store(tracking_uri)
    mlflow.set_tracking_uri(tracking_uri)
    with tempfile.TemporaryDirectory() as folder:
        try:
            downloaded = download_artifacts(artifact_uri=model_uri, dst_path=folder)
        except (MlflowException, OSError) as error:
            raise ModelError(_not_found(model_uri, tracking_uri, error)) from error
        deployed_folder = Path(downloaded) / "artifacts" / DEPLOYED
        if not deployed_folder.is_dir():
            raise ModelError(
                f"model {model_uri}: expected one that Affectory logged, found no artifacts/{DEPLOYED} in it"
            )
        try:
            return load_deployed(deployed_folder)
        except (ValueError, OSError) as error:
            raise ModelError(f"model {model_uri}: {error}") from error


def _check_store(tracking_uri: str) -> None:
    """MLflow would answer for an SQLite file that is not there by making an empty one."""
    path = tracking_uri.removeprefix("sqlite:///")
    if path != tracking_uri and not Path(path).is_file():
        raise ModelError(
            f"no MLflow store at {tracking_uri}: materialise a model first, or name the store with --tracking-uri, "
            "MLFLOW_TRACKING_URI or AFFECTORY_HOME"
        )


def _not_found(model_uri: str, tracking_uri: str, error: Exception) -> str:
    """What is wrong, and the models that could have been named; without the user and password of any address."""
    said = f"model {model_uri} cannot be had from {tracking_uri}: {str(error).rstrip('. ')}"
    away = isinstance(error, MlflowException) and error.error_code == "INTERNAL_ERROR"
    if model_uri.startswith("models:") and not away:
        models = MlflowClient().search_registered_models(max_results=50)
        known = [f"models:/{model.name}@{alias}" for model in models for alias in sorted(model.aliases)]
        said += f"; the registry holds {', '.join(known) or 'no model yet'}"
    return re.sub(r"(?<=://)[^/@\s]+@", "", said)

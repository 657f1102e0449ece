"""Models to and from the MLflow registry: written whole, read back as data, never as code."""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput, LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model

import affectory
from affectory.learning.deployed import DeployedModel, load_deployed
from affectory.refusals import without_secrets
from affectory.serving.pyfunc import DEPLOYED, input_example, signature

REQUIRED = ("mlflow", "numpy", "pandas", "safetensors", "torch")
CODE = (".py", ".j2")  # the files of the package that a saved model carries: source and the report's template


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
            code_paths=[str(_copy_code(package, Path(folder)))],
            artifacts={DEPLOYED: str(artifacts)},
            signature=signature(deployed),
            input_example=input_example(deployed),
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIRED],
            mlflow_model=mlflow_model,
        )
    _forget_checkout(path)


def _copy_code(package: Path, folder: Path) -> Path:
    """The package again, in `folder`, with nothing but its CODE: no bytecode, no notebook, no stray file."""
    copy = folder / package.name
    for source in package.rglob("*"):
        if source.suffix in CODE:
            target = copy / source.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    return copy


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
    message = f"model {model_uri} cannot be had from {tracking_uri}: {str(error).rstrip('. ')}"
    away = isinstance(error, MlflowException) and error.error_code == "INTERNAL_ERROR"
    if model_uri.startswith("models:") and not away:
        models = MlflowClient().search_registered_models(max_results=50)
        names = [f"models:/{model.name}@{alias}" for model in models for alias in sorted(model.aliases)]
        message += f"; the registry holds {', '.join(names) or 'no model yet'}"
    return without_secrets(message)

"""The registry model: an MLflow pyfunc made from code, safetensors weights and JSON; nothing in it is a pickle.

Input, one row an utterance: `acoustic`, `visual`, `textual` (T frames x D features; absent, null, NaN or empty =
missing) and `feature_sets`, the sets that the row's features are (`compare,minilm`; null = the caller vouches). A model
of conversations also reads `dialogue_id` (null = a row by itself) and `speaker`; rows of a dialogue come in its order.
Output, in the same order: `emotion`, `p_<class>` ..., `modalities_used` (`a,t`); of a model of dimensions `valence`,
`arousal`, in the units of its labels, and `modalities_used`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType

from affectory.data.inputs import ModalityInput
from affectory.learning.deployed import DeployedModel, load_deployed
from affectory.vocabulary import Modality

DEPLOYED = "deployed"  # the artifact: a folder of weights.safetensors and config.json
FEATURE_SETS = "feature_sets"
CONTEXT = ("dialogue_id", "speaker")


class EmotionModel(PythonModel):
    """What `mlflow.pyfunc.load_model` returns, wrapped: a deployed model that reads and checks rows."""

    deployed: DeployedModel

    def load_context(self, context: PythonModelContext) -> None:
        """Called by MLflow with the folder of the model's artifacts."""
        deployed_folder = Path(context.artifacts[DEPLOYED])
        self.deployed = load_deployed(deployed_folder)
        _remove_bytecode(deployed_folder.parents[1])

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict | None = None
    ) -> pd.DataFrame:
        return predict(self.deployed, model_input)


def _remove_bytecode(model: Path) -> None:
    """A loaded model stays as it was logged: one in a local store is run in place, and Python leaves bytecode there."""
    for cache in (model / "__pycache__", *(model / "code").rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)


def declare_model() -> None:
    """Tells MLflow that the file which it is running is an EmotionModel."""
    set_model(EmotionModel())


def predict(deployed: DeployedModel, rows: pd.DataFrame) -> pd.DataFrame:
    """One output row an input row, on the same index; MlflowException (REST: 400) says which row is refused and why."""
    try:
        context_names = {column: read_names(rows[column]) for column in CONTEXT if column in rows}
        prediction = deployed.predict(
            read_rows(rows, deployed.inputs),
            dialogues=context_names.get("dialogue_id"),
            speakers=context_names.get("speaker"),
        )
    except ValueError as problem:
        raise MlflowException.invalid_parameter_value(str(problem)) from problem
    output = pd.DataFrame(prediction.numbers, index=rows.index, columns=deployed.columns)
    if deployed.classes:
        output.insert(0, "emotion", [deployed.classes[best] for best in prediction.probabilities.argmax(axis=1)])
    output["modalities_used"] = [str(condition).strip("{}") for condition in prediction.modalities_used]
    return output


def read_rows(rows: pd.DataFrame, inputs: Mapping[Modality, ModalityInput]) -> dict[Modality, list[np.ndarray | None]]:
    """The frames [T, D] of each modality and row, None where missing; ValueError names the row that cannot be read."""
    present_columns = [modality for modality in inputs if modality in rows]
    if not present_columns:
        raise ValueError(f"expected at least one of the columns {', '.join(inputs)}, got {list(rows.columns)}")
    features = {
        modality: [frames_of_cell(cell, f"row {row}, {modality}") for row, cell in enumerate(rows[modality])]
        for modality in present_columns
    }
    sets_of_rows = rows[FEATURE_SETS] if FEATURE_SETS in rows else [None] * len(rows)
    for row, sets in enumerate(sets_of_rows):
        if not is_missing(sets):
            present = [modality for modality in present_columns if features[modality][row] is not None]
            check_sets(sets, {modality: inputs[modality].feature_set for modality in present}, f"row {row}")
    return features


def read_names(cells: Iterable[object]) -> list[str]:
    """Each cell as text, empty where it is missing."""
    return ["" if is_missing(cell) else str(cell) for cell in cells]


def is_missing(cell: object) -> bool:
    """Whether a cell holds nothing: None, NaN, pandas' NA, or an empty list or array."""
    if isinstance(cell, (list, tuple, np.ndarray)):
        return len(cell) == 0
    return cell is None or cell is pd.NA or (isinstance(cell, float) and np.isnan(cell))


def frames_of_cell(cell: object, item: str) -> np.ndarray | None:
    """The frames [T, D] that a cell holds as nested lists or arrays; None where it is missing.

    ValueError, naming `item`, for anything else. The model checks numbers and width.
    """
    if is_missing(cell):
        return None
    if not isinstance(cell, (list, tuple, np.ndarray)):
        raise ValueError(f"{item}: expected T frames of D numbers, got {type(cell).__name__} {str(cell)[:40]!r}")
    try:
        return np.stack([np.asarray(frame) for frame in cell])
    except ValueError:
        raise ValueError(f"{item}: expected T frames of D numbers each, got frames of different widths") from None


def check_sets(cell: object, expected: Mapping[Modality, str], item: str) -> None:
    """ValueError, naming `item`, unless a cell `compare,minilm` names the feature sets that the model was trained on.

    `expected` holds the set of each modality that the row has.
    """
    names = {name.strip() for name in cell.split(",")} if isinstance(cell, str) else {repr(cell)}
    if set(expected.values()) - names:
        listed = ", ".join(f"{feature_set} ({modality})" for modality, feature_set in expected.items())
        raise ValueError(
            f"{item}: expected the feature sets {listed}, got {', '.join(sorted(names))}: another set's numbers mean "
            "something else; extract the sets that the model names"
        )


def signature(deployed: DeployedModel) -> ModelSignature:
    """The columns of the model's own modalities, each nullable, and what comes back.

    The cells are `any` and not `array(array(double))`: MLflow's own check of nested arrays refuses frames of whole
    numbers and a modality left out of only some rows, and names neither (docs/decisions/0003-registry-signature.md).
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

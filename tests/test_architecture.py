"""The rules of the house hold: imports run downward, and what is promised about the files is true."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from affectory.models import FAMILIES
from affectory.studies import STUDIES

CHECKOUT = Path(__file__).resolve().parent.parent


def test_imports_run_downward_and_the_library_knows_no_orchestration():
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout


def test_the_lock_names_versions_and_no_addresses():
    lines = (CHECKOUT / "requirements.lock").read_text().splitlines()
    assert all(re.match(r"^[a-z0-9._-]+==[^ ]+( ;.*)?$", line) for line in lines if line)


def test_orchestration_keeps_its_annotations_real():
    postponed = "from __future__ import annotations"
    for package in ("pipelines", "assets", "ops", "resources"):
        for file in (CHECKOUT / package).rglob("*.py"):
            assert postponed not in file.read_text(), f"{file}: postponed annotations break Dagster"


def test_training_and_prediction_import_without_engines_or_orchestration():
    blocked = "dagster,duckdb,mlflow,mediapipe,opensmile,av,cv2,transformers,silero_vad,matplotlib"
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys('{blocked}'.split(',')))\n"
        "import affectory.data.folds, affectory.models\n"
        "import affectory.learning.deployed, affectory.learning.evaluation, affectory.learning.training\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


def nodes_of(*folders: str) -> Iterator[tuple[str, ast.AST]]:
    """(place, node) of every Python file below the folders of the checkout."""
    for path in sorted(path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield f"{path.relative_to(CHECKOUT)}:{getattr(node, 'lineno', 0)}", node


def test_ops_and_assets_name_no_family_and_no_study():
    names = {*FAMILIES, *STUDIES}
    named = [
        f"{place}: {node.value}"
        for place, node in nodes_of("ops", "assets")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and {*node.value.split("/")} & names
    ]
    assert named == [], "a family and a study say what is special about them themselves: Family, Study"


def test_ops_and_assets_ask_no_config_and_no_model_what_it_is():
    learned = {
        node.name for _, node in nodes_of("affectory/models", "affectory/layers") if isinstance(node, ast.ClassDef)
    }
    asked = [
        f"{place}: {ast.unparse(node)}"
        for place, node in nodes_of("ops", "assets")
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass", "type")
        if {*re.findall(r"\w+", ast.unparse(node.args[-1]))} & learned
    ]
    assert asked == [], "a family says what ops would ask of its configs and models: a field of Family, or a Protocol"


def test_ops_and_assets_import_no_family_and_no_study_of_its_own():
    registries = {"affectory.models", "affectory.models.family", "affectory.studies"}
    generic = {f"affectory.studies.{name}" for name in ("study", "plan", "cell")}
    imported = [
        f"{place}: {node.module}"
        for place, node in nodes_of("ops", "assets")
        if isinstance(node, ast.ImportFrom) and re.match(r"affectory\.(models|studies)\b", node.module or "")
        if node.module not in registries | generic or {alias.name for alias in node.names} & {*FAMILIES, *STUDIES}
    ]
    assert imported == [], "assets and ops go by FAMILIES and STUDIES"


def test_what_shows_results_imports_without_what_learns():
    code = (
        "import importlib, pkgutil, sys\n"
        "import affectory.report, affectory.results, affectory.studies\n"
        "for package in (affectory.report, affectory.results):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        importlib.import_module(module.name)\n"
        "loaded = {'torch', 'torchvision', 'sklearn', 'mlflow'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(loaded)}' if loaded else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr

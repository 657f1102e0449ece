"""The rules of the house hold: imports run downward, and what is promised about the files is true."""

import re
import subprocess
import sys
from pathlib import Path

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

"""A model that version 0.1.0 saved, before the library had rooms, loads and answers as it did."""

import json
import shutil
import subprocess
import sys
import tarfile
from io import StringIO
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from affectory import cli
from affectory.serving import load, predict

SAVED = Path(__file__).parents[1] / "files" / "model_of_0_1_0.tar.gz"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's folder as MLflow wrote it, its own copy of the code in it."""
    folder = tmp_path_factory.mktemp("saved")
    with tarfile.open(SAVED) as archive:
        archive.extractall(folder, filter="data")
    return folder / "model"


@pytest.fixture(scope="module")
def asked(saved: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads((saved / "asked_and_answered.json").read_text())["rows"])


@pytest.fixture(scope="module")
def answered(saved: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads((saved / "asked_and_answered.json").read_text())["answer"])


def same(answer: pd.DataFrame, answered: pd.DataFrame) -> None:
    """Within what float32 sums of another processor may differ by: logits of about 1, temperatures down to 0.2."""
    pd.testing.assert_frame_equal(answer, answered, check_dtype=False, rtol=0, atol=1e-5)


def test_mlflow_loads_it_beside_todays_library(
    saved: Path, asked: pd.DataFrame, answered: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "path", list(sys.path))  # where MLflow puts the code that the model brought
    same(mlflow.pyfunc.load_model(str(saved)).predict(asked), answered)


def test_it_is_read_as_data_by_todays_library(saved: Path, asked: pd.DataFrame, answered: pd.DataFrame):
    same(predict(load(str(saved), mlflow.get_tracking_uri()), asked), answered)


@pytest.mark.slow
def test_a_process_without_the_library_runs_the_code_that_it_brought(
    saved: Path, answered: pd.DataFrame, tmp_path: Path
):
    folder = shutil.copytree(saved, tmp_path / "model")
    code = (
        "import json, sys, mlflow, pandas as pd\n"
        "sys.path = [place for place in sys.path if not place.endswith('editable')]\n"
        "asked = pd.DataFrame(json.load(open('model/asked_and_answered.json'))['rows'])\n"
        "model = mlflow.pyfunc.load_model('model')\n"
        "import affectory\n"
        "assert 'model' in affectory.__file__, affectory.__file__\n"
        "print(model.predict(asked).to_json())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder.parent, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    same(pd.read_json(StringIO(result.stdout.splitlines()[-1])), answered)


def test_the_command_line_reads_it(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """As far as the video, which is none: the model came first and was taken."""
    (tmp_path / "none.mp4").write_text("no video")
    assert cli.main(["predict", str(tmp_path / "none.mp4"), "--model", str(saved)]) == cli.REFUSED
    assert "none.mp4" in capsys.readouterr().err

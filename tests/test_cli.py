"""The `affectory` command: what it prints, what it refuses, and that it scores a recording without the pipeline."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import soundfile

from affectory import cli
from affectory.corpora.demo.voice import RATE_HZ, Line, speak
from affectory.features import FEATURE_SETS
from affectory.vocabulary import Modality
from tests.fixtures.registry import WITHOUT, fresh_store, process_store, register_champion, save_tiny_model, tiny_inputs

SETS = {Modality.ACOUSTIC: "compare", Modality.VISUAL: "face_mesh", Modality.TEXTUAL: "minilm"}


@pytest.fixture(autouse=True)
def nothing_outlasts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command sets its process's environment and tracking URI; the next test's are its own again."""
    for name, value in cli.SETTINGS.items():
        monkeypatch.setenv(name, value)
    with process_store(mlflow.get_tracking_uri()):
        yield


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `--model` takes: an untrained model of the default feature sets, under the fixed name inside."""
    folder = tmp_path_factory.mktemp("model")
    sets = {modality: FEATURE_SETS[name] for modality, name in SETS.items()}
    inputs = tiny_inputs({modality: (each.name, each.version, each.width) for modality, each in sets.items()})
    save_tiny_model(folder / "artifacts" / "deployed", inputs)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> str:
    """A store whose `demo-mmin@champion` is that model."""
    uri = fresh_store(tmp_path_factory.mktemp("mlflow"))
    register_champion(uri, model_folder / "artifacts" / "deployed")
    return uri


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spoken sentences with a second of silence around each, and no picture."""
    how = {"rate_wpm": 150, "pitch": 50, "pitch_range": 50, "gain_db": 0, "brightness": 0, "seed": 1}
    first = Line(text="We are leaving for the station now.", voice="en-us+m3", **how)
    sentences = speak([first, replace(first, text="Nobody told me about the meeting.")], item="test")
    silence = np.zeros(RATE_HZ, np.float32)
    path = tmp_path_factory.mktemp("recording") / "two sentences.wav"
    soundfile.write(path, np.concatenate([silence, sentences[0], silence, sentences[1], silence]), RATE_HZ)
    return path


@pytest.mark.slow
def test_a_recording_is_scored_by_a_registered_model_with_neither_dagster_nor_duckdb(
    recording: Path, store: str, tmp_path: Path
):
    (tmp_path / "said.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nWe are leaving for the station now.\n")
    command = "from affectory.cli import main; sys.exit(main(sys.argv[1:]))"
    result = subprocess.run(
        [
            *(sys.executable, "-c", WITHOUT + command, "dagster,duckdb,assets,ops,resources,pipelines"),
            *("predict", str(recording), "--model", "models:/demo-mmin@champion", "--tracking-uri", store),
            *("--transcript", str(tmp_path / "said.srt"), "--json"),
        ],
        cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    first, second = json.loads(result.stdout)
    assert first["video"] == str(recording)
    assert first["start_s"] == pytest.approx(1.0, abs=0.2)
    assert first["p_angry"] + first["p_happy"] == pytest.approx(1)
    assert first["emotion"] == max(("angry", "happy"), key=lambda name: first[f"p_{name}"])
    assert (first["modalities_used"], second["modalities_used"]) == ("a,t", "a")
    assert (first["transcript"], second["transcript"]) == ("We are leaving for the station now.", None)
    assert first["missing"] == {"visual": "no_video_track: two sentences.wav has no video track"}
    assert set(second["missing"]) == {"visual", "textual"}
    assert "two sentences.wav: voice activity" in result.stderr  # the progress bar


def test_a_broken_video_and_one_that_is_not_there_are_refused_by_name_without_a_traceback(
    model_folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    videos = [str(tmp_path / "broken.mp4"), str(tmp_path / "gone.mp4")]
    assert cli.main(["predict", *videos, "--model", str(model_folder), "--json"]) == 1
    out, err = capfd.readouterr()
    assert json.loads(out) == []
    assert f"affectory: {videos[0]}: unreadable_media: broken.mp4" in err
    assert f"affectory: {videos[1]}: media_not_found" in err
    assert "Traceback" not in err


def test_an_unknown_model_is_refused_with_those_of_the_registry(store: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["predict", "a.mp4", "--model", "models:/demo-mmin@challenger", "--tracking-uri", store]) == 1
    assert "the registry holds models:/demo-mmin@champion" in capsys.readouterr().err


def test_a_missing_store_is_refused_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("AFFECTORY_HOME", str(tmp_path / "home"))
    assert cli.main(["predict", "a.mp4", "--model", "models:/demo-mmin@champion"]) == 1
    err = capsys.readouterr().err
    assert f"no MLflow store at sqlite:///{tmp_path / 'home' / 'mlflow.db'}" in err
    assert "--tracking-uri" in err


def test_a_server_that_is_away_is_named_without_its_password(capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    server = "http://ann:secret@127.0.0.1:9"
    assert cli.main(["predict", "a.mp4", "--model", "models:/demo-mmin@champion", "--tracking-uri", server]) == 1
    err = capsys.readouterr().err
    assert "model models:/demo-mmin@champion cannot be had from http://127.0.0.1:9" in err
    assert "secret" not in err


def test_a_transcript_that_cannot_be_read_is_refused(model_folder: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["predict", "a.mp4", "--model", str(model_folder), "--transcript", "said.doc"]) == 1
    assert "expected one of .srt, .vtt, .csv, .txt, got .doc" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["predict", "a.mp4"], "required: --model"),
        (["predict", "--model", "models:/demo-mmin@champion"], "required: VIDEO"),
        (["predict", "a.mp4", "b.mp4", "--model", "m", "--transcript", "said.srt"], "belongs to one VIDEO, got 2"),
        (["demo-corpus", "demo", "--dialogues", "2"], "expected dialogues >= 3"),
    ],
)
def test_wrong_usage_ends_with_status_2_and_says_what_was_expected(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_demo_corpus_is_not_made_over_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "thesis.txt").write_text("mine")
    assert cli.main(["demo-corpus", str(tmp_path)]) == 1
    assert "give another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def scored() -> pd.DataFrame:
    """One scored utterance and one that misses every modality."""
    return pd.DataFrame(
        {
            "start_s": [0.5, 3.0],
            "end_s": [2.0, 4.0],
            "transcript": ["Hello", None],
            "emotion": ["happy", None],
            "p_angry": [0.25, np.nan],
            "p_happy": [0.75, np.nan],
            "modalities_used": ["a,t", ""],
            "missing": [{"visual": "no_face: 0 faces in 6 frames"}, {"acoustic": "silent", "visual": "no_face"}],
        }
    )


def test_the_table_has_a_row_an_utterance_and_a_dash_where_nothing_could_be_predicted():
    lines = cli.as_text(Path("a.mp4"), scored()).splitlines()
    assert lines[0] == "a.mp4"
    assert lines[1].split() == ["start_s", "end_s", "emotion", "p_angry", "p_happy", "modalities_used", "missing"]
    assert lines[2].split() == ["0.50", "2.00", "happy", "0.25", "0.75", "a,t", "visual:", "no_face"]
    assert lines[3].split() == ["3.00", "4.00", "-", "-", "-", "acoustic:", "silent,", "visual:", "no_face"]


def test_json_rows_name_their_video_and_hold_null_for_nan():
    first, second = cli.as_records(Path("a.mp4"), scored())
    assert first["missing"] == {"visual": "no_face: 0 faces in 6 frames"}
    assert json.loads(json.dumps(second, allow_nan=False))["p_angry"] is None
    assert second["video"] == "a.mp4"


def test_the_store_of_the_environment_comes_before_the_pipelines_own(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AFFECTORY_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert cli.tracking_uri() == f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    assert cli.tracking_uri() == "http://127.0.0.1:5000"

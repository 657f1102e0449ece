"""The store on a real DuckDB file; what concerns processes that meet or die is in test_store_processes.py."""

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from affectory.features.feature_set import FeatureRow
from affectory.features.parts import part_table, write_part
from affectory.refusals import Refusal
from affectory.vocabulary import UTTERANCE_COLUMNS, Modality
from resources.feature_parts import PartError
from resources.feature_store import FeatureStore
from resources.store_connection import StoreError
from resources.store_tables import feature_table

HOSTILE = ["'; DROP TABLE results; --", 'say "hi"', "Ünï-日本語-🙂", "NA", "null", "a\nb\tc", "$1 ? {x}", "\\x00", "%s"]


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(path=str(tmp_path / "home" / "features.duckdb"), lock_timeout_s=10)


def row(utterance_id: str, frames: list[list[float]]) -> FeatureRow:
    valid = bool(frames)
    array = np.array(frames, np.float32).reshape(len(frames), -1 if valid else 2)
    return FeatureRow(
        utterance_id=utterance_id, frames=array, valid=valid, reason="" if valid else "no_face", coverage=0.5
    )


def part(folder: Path, utterance_id: str, frames: list[list[float]], fingerprint: str = "", width: int = 2) -> Path:
    path = folder / f"{fingerprint or len(list(folder.glob('*.parquet')))}.parquet"
    write_part(path, row(utterance_id, frames), fingerprint or path.stem, width)
    return path


def test_frames_come_back_in_the_asked_order_and_missing_ones_are_empty(store: FeatureStore, tmp_path: Path):
    parts = [part(tmp_path, "u1", [[1, 2], [3, 4]]), part(tmp_path, "u2", []), part(tmp_path, "u3", [[5, 6]])]
    assert store.load_parts("demo", "face_mesh", Modality.VISUAL, parts, ["u1", "u2", "u3"]) == 3

    read = store.read_sequences("demo", "face_mesh", ["u3", "absent", "u1", "u2", "u3"])

    assert read.lengths.tolist() == [1, 0, 2, 0, 1]
    assert read.frames.tolist() == [[5, 6], [1, 2], [3, 4], [5, 6]]
    assert read.frames.dtype == np.float32 and read.lengths.dtype == np.int64


def test_many_rows_cross_batches_without_a_mix_up(store: FeatureStore, tmp_path: Path):
    rows = [row(f"u{n}", [[n, n + t] for t in range(n % 4)]) for n in range(700)]
    pq.write_table(part_table(rows, ["f"] * 700, 2), tmp_path / "all.parquet")
    store.load_parts(
        "demo", "compare", Modality.ACOUSTIC, [tmp_path / "all.parquet"], {row.utterance_id for row in rows}
    )
    order = np.random.default_rng(0).permutation(700)

    read = store.read_sequences("demo", "compare", [f"u{n}" for n in order])

    assert read.lengths.tolist() == [n % 4 for n in order]
    assert read.frames.tolist() == [[n, n + t] for n in order for t in range(n % 4)]


def test_a_loaded_part_is_gone_from_staging_and_its_fingerprint_is_known(store: FeatureStore, tmp_path: Path):
    loaded = part(tmp_path, "u1", [[1, 2]], "fingerprint-1")
    store.load_parts("demo", "compare", Modality.ACOUSTIC, [loaded], ["u1"])
    assert not loaded.exists()
    assert store.fingerprints("demo", "compare") == {"u1": "fingerprint-1"}
    assert store.fingerprints("other", "compare") == {} == store.fingerprints("demo", "never_seen")


def test_a_second_load_replaces_its_rows_and_drops_utterances_that_are_gone(store: FeatureStore, tmp_path: Path):
    first = [part(tmp_path, "u1", [[1, 1]]), part(tmp_path, "u2", [[2, 2]]), part(tmp_path, "u3", [[3, 3]])]
    store.load_parts("demo", "compare", Modality.ACOUSTIC, first, ["u1", "u2", "u3"])
    store.load_parts("demo", "compare", Modality.ACOUSTIC, [part(tmp_path, "u2", [[9, 9]])], ["u2", "u3"])
    assert store.read_sequences("demo", "compare", ["u1", "u2", "u3"]).frames.tolist() == [[9, 9], [3, 3]]
    assert store.load_parts("demo", "compare", Modality.ACOUSTIC, [], ["u3"]) == 0
    assert list(store.fingerprints("demo", "compare")) == ["u3"]


def test_a_load_of_one_corpus_leaves_the_others_alone(store: FeatureStore, tmp_path: Path):
    store.load_parts("one", "compare", Modality.ACOUSTIC, [part(tmp_path, "u1", [[1, 1]])], ["u1"])
    store.load_parts("two", "compare", Modality.ACOUSTIC, [part(tmp_path, "u1", [[2, 2]])], ["u1"])
    assert store.read_sequences("one", "compare", ["u1"]).frames.tolist() == [[1, 1]]


def test_the_view_holds_every_feature_set_without_frames(store: FeatureStore, tmp_path: Path):
    assert store.query("SELECT * FROM features").empty
    store.load_parts("demo", "compare", Modality.ACOUSTIC, [part(tmp_path, "u1", [[1, 1]], "f1")], ["u1"])
    store.load_parts("demo", "bert:x/y", Modality.TEXTUAL, [part(tmp_path, "u1", [], "f2")], ["u1"])
    rows = store.query("SELECT * FROM features ORDER BY feature_set")
    assert rows.to_dict("split", index=False)["data"] == [
        ["demo", "u1", "textual", "bert:x/y", 0, False, "no_face", 0.5, "f2"],
        ["demo", "u1", "acoustic", "compare", 1, True, "", 0.5, "f1"],
    ]
    assert store.feature_sets("demo") == {Modality.ACOUSTIC: ["compare"], Modality.TEXTUAL: ["bert:x/y"]}
    assert store.feature_sets("other") == {}


def test_a_feature_set_has_the_width_that_each_corpus_gives_it(store: FeatureStore, tmp_path: Path):
    store.load_parts("one", "bert", Modality.TEXTUAL, [part(tmp_path, "u1", [[1, 2]])], ["u1"])
    store.load_parts("two", "bert", Modality.TEXTUAL, [part(tmp_path, "u1", [[1, 2, 3]], width=3)], ["u1"])
    assert store.read_sequences("one", "bert", ["u1"]).width == 2
    assert store.read_sequences("two", "bert", ["u1"]).width == 3


def test_rows_of_an_older_width_are_removed_when_the_new_ones_come(store: FeatureStore, tmp_path: Path):
    old = [part(tmp_path, "u1", [[1, 2]]), part(tmp_path, "u2", [[3, 4]])]
    store.load_parts("demo", "compare", Modality.ACOUSTIC, old, ["u1", "u2"])
    new = [part(tmp_path, "u1", [[1, 2, 3]], width=3)]
    store.load_parts("demo", "compare", Modality.ACOUSTIC, new, ["u1", "u2"])
    assert store.read_sequences("demo", "compare", ["u1", "u2"]).lengths.tolist() == [1, 0]


def test_parts_of_two_widths_are_refused_and_nothing_is_changed(store: FeatureStore, tmp_path: Path):
    parts = [part(tmp_path, "u1", [[1, 2]]), part(tmp_path, "u2", [[1, 2, 3]], width=3)]
    with pytest.raises(PartError, match=r"2 \(.*parquet\) and 3"):
        store.load_parts("demo", "compare", Modality.ACOUSTIC, parts, ["u1", "u2"])
    assert all(path.exists() for path in parts)
    assert store.fingerprints("demo", "compare") == {}


def test_a_damaged_part_is_named_and_nothing_is_changed(store: FeatureStore, tmp_path: Path):
    whole, damaged = part(tmp_path, "u1", [[1, 2]]), part(tmp_path, "u2", [[1, 2]])
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with pytest.raises(PartError, match=f"{damaged.name}: unreadable"):
        store.load_parts("demo", "compare", Modality.ACOUSTIC, [whole, damaged], ["u1", "u2"])
    assert whole.exists() and store.fingerprints("demo", "compare") == {}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("n_frames", 2, "n_frames frames"),
        ("valid", False, "valid only where"),
        ("frames", [[1.0]], "expected the columns"),
    ],
)
def test_a_part_that_contradicts_itself_is_refused(store: FeatureStore, tmp_path, column, value, message):
    table = part_table([row("u1", [[1, 2]])], ["f"], 2).to_pydict() | {column: [value]}
    frame = part_table([row("u1", [[1, 2]])], ["f"], 2)
    schema = frame.schema if column != "frames" else None
    pq.write_table(frame.from_pydict(table, schema=schema), tmp_path / "f.parquet")
    with pytest.raises(PartError, match=message):
        store.load_parts("demo", "compare", Modality.ACOUSTIC, [tmp_path / "f.parquet"], ["u1"])


def test_one_utterance_in_two_parts_is_refused(store: FeatureStore, tmp_path: Path):
    with pytest.raises(PartError, match="'u1' is in another part too"):
        parts = [part(tmp_path, "u1", [[1, 2]]), part(tmp_path, "u1", [[3, 4]])]
        store.load_parts("demo", "compare", Modality.ACOUSTIC, parts, ["u1"])


def test_a_part_that_a_run_beside_this_one_has_loaded_is_not_missed(store: FeatureStore, tmp_path: Path):
    first = part(tmp_path, "u1", [[1, 2]], "f1")
    store.load_parts("demo", "compare", Modality.ACOUSTIC, [first], ["u1"])
    assert store.load_parts("demo", "compare", Modality.ACOUSTIC, [first], ["u1"]) == 0
    with pytest.raises(StoreError, match=r"f2\.parquet is gone and not in the store"):
        store.load_parts("demo", "compare", Modality.ACOUSTIC, [tmp_path / "f2.parquet"], ["u1"])


def test_a_set_that_the_corpus_does_not_have_says_what_to_do(store: FeatureStore):
    with pytest.raises(StoreError, match="corpus demo has nothing of feature set 'compare': materialise"):
        store.read_sequences("demo", "compare", ["u1"])


def test_a_name_means_one_modality(store: FeatureStore, tmp_path: Path):
    store.load_parts("demo", "own", Modality.ACOUSTIC, [part(tmp_path, "u1", [[1, 2]])], ["u1"])
    with pytest.raises(ValueError, match="own is stored as acoustic, the new parts are visual"):
        store.load_parts("demo", "own", Modality.VISUAL, [part(tmp_path, "u1", [[1, 2]])], ["u1"])


def test_feature_set_names_become_distinct_plain_table_names():
    assert feature_table("face_mesh") == "feature_face_mesh"
    tables = [feature_table(name) for name in ("bert:x/y", "bert_x_y", "bert:x_y", "BERT_x_y", "bert")]
    assert len({table.lower() for table in tables}) == 5
    assert all(table.isidentifier() and table.isascii() for table in tables)


@pytest.mark.parametrize("name", ["", 'x"; DROP TABLE results; --', "a b", "é", ".hidden", "x" * 101, "a\n"])
def test_a_feature_set_name_that_is_no_name_is_refused(name: str):
    with pytest.raises(ValueError, match=r"feature set .* expected"):
        feature_table(name)


def test_any_text_survives_the_round_trip(store: FeatureStore, tmp_path: Path):
    parts = [part(tmp_path, text, [[n, n]]) for n, text in enumerate(HOSTILE)]
    for corpus in HOSTILE:
        frame = pd.DataFrame(dict.fromkeys(UTTERANCE_COLUMNS, HOSTILE)).assign(
            turn=1, start_s=0.0, end_s=None, valence=None, arousal=None, dominance=None
        )
        store.replace_rows("utterances", corpus, frame)
    store.load_parts(HOSTILE[0], "compare", Modality.ACOUSTIC, parts, HOSTILE)

    found = store.query("SELECT * FROM utterances WHERE corpus = ? ORDER BY utterance_id", [HOSTILE[0]])

    assert found["utterance_id"].tolist() == sorted(HOSTILE, key=lambda text: text.encode())
    assert found["transcript"].tolist() == found["utterance_id"].tolist()
    assert found["end_s"].dropna().empty
    assert sorted(store.query("SELECT DISTINCT corpus FROM utterances")["corpus"]) == sorted(HOSTILE)
    assert store.read_sequences(HOSTILE[0], "compare", HOSTILE).frames[:, 0].tolist() == list(range(len(HOSTILE)))


def test_rows_of_a_corpus_are_replaced_as_a_whole(store: FeatureStore):
    def folds(*ids: str) -> pd.DataFrame:
        return pd.DataFrame({"fold": 0, "utterance_id": list(ids), "split": "train", "protocol": ""})

    store.replace_rows("folds", "one", folds("u1", "u2"))
    store.replace_rows("folds", "two", folds("u1"))
    store.replace_rows("folds", "one", folds("u2", "u3"))
    assert store.query("SELECT utterance_id FROM folds WHERE corpus = 'one'")["utterance_id"].tolist() == ["u2", "u3"]
    store.replace_rows("folds", "one", folds())
    assert store.query("SELECT corpus FROM folds")["corpus"].tolist() == ["two"]


def test_a_repeated_key_is_an_error_and_the_old_rows_stay(store: FeatureStore):
    frame = pd.DataFrame({"fold": [0], "utterance_id": ["u1"], "split": ["train"], "protocol": [""]})
    store.replace_rows("folds", "demo", frame)
    with pytest.raises(duckdb.ConstraintException, match="u9"):
        store.replace_rows("folds", "demo", pd.concat([frame.assign(utterance_id="u9")] * 2))
    assert store.query("SELECT utterance_id FROM folds")["utterance_id"].tolist() == ["u1"]


def test_columns_that_a_table_does_not_have_or_lacks_are_named(store: FeatureStore):
    with pytest.raises(ValueError, match=r"missing: \['protocol', 'split'\], unknown: \['spilt'\]"):
        store.replace_rows("folds", "demo", pd.DataFrame({"fold": [0], "utterance_id": ["u1"], "spilt": ["train"]}))
    with pytest.raises(StoreError, match="table 'feature_sets': expected one of media_files"):
        store.replace_rows("feature_sets", "demo", pd.DataFrame())


def test_predictions_of_one_training_are_replaced_and_the_others_stay(store: FeatureStore):
    def predictions(seed: int, **p: float) -> pd.DataFrame:
        columns = {"family": "mmin", "experiment": "mmin", "fold": 0, "seed": seed, "condition": "{a}"}
        texts = {"utterance_id": "u1", "label": "sad", "predicted": "happy", "mlflow_run_id": None}
        return pd.DataFrame([{**columns, **texts, "probabilities": p}])

    store.replace_rows("predictions", "demo", predictions(1, sad=0.25, happy=0.75))
    store.replace_rows("predictions", "demo", predictions(2, sad=0.5, happy=0.5))
    store.replace_rows("predictions", "demo", predictions(1, sad=1.0, happy=0.0))
    found = store.query("SELECT seed, probabilities FROM predictions ORDER BY seed")
    assert found["probabilities"].tolist() == [{"sad": 1.0, "happy": 0.0}, {"sad": 0.5, "happy": 0.5}]


def test_what_other_runs_of_a_family_left_is_removed_and_nothing_else(store: FeatureStore):
    result = {
        "corpus": "mine", "family": "mmin_study", "experiment": "mmin", "fold": 1, "seed": 0, "condition": "{a}",
        "metric": "ua", "value": 0.5, "selected_on": "val", "mlflow_run_id": "kept",
    }  # fmt: skip
    old = result | {"experiment": "gone", "mlflow_run_id": "old"}
    store.add_results(pd.DataFrame([result, old, old | {"family": "mmin"}, old | {"corpus": "other"}]))
    store.keep_runs("mine", "mmin_study", ["kept"])
    left = store.query("SELECT corpus, family, mlflow_run_id FROM results ORDER BY ALL")
    assert left.to_numpy().tolist() == [
        ["mine", "mmin", "old"],
        ["mine", "mmin_study", "kept"],
        ["other", "mmin_study", "old"],
    ]


def test_predictions_without_probabilities_are_stored_as_unknown(store: FeatureStore):
    row = {
        "family": "mmin_study", "experiment": "linear_svm", "fold": 1, "seed": 0, "condition": "{a}",
        "utterance_id": "u", "label": "sad", "predicted": "sad", "probabilities": None, "mlflow_run_id": "r",
    }  # fmt: skip
    store.replace_rows("predictions", "mine", pd.DataFrame([row]))
    assert store.query("SELECT probabilities IS NULL AS none FROM predictions")["none"].tolist() == [True]


def test_results_of_the_same_training_condition_and_metric_are_replaced(store: FeatureStore):
    result = {"corpus": "demo", "family": "mmin", "experiment": "mmin", "fold": 0, "seed": 1, "condition": "{a}"}
    result |= {"metric": "ua", "value": 0.5, "selected_on": "val", "mlflow_run_id": "r1"}
    store.add_results(pd.DataFrame([result, result | {"metric": "wa"}, result | {"corpus": "other"}]))
    store.add_results(pd.DataFrame([result | {"value": 0.75}]))
    found = store.query("SELECT corpus, metric, value FROM results ORDER BY ALL")
    assert found.to_dict("split")["data"] == [["demo", "ua", 0.75], ["demo", "wa", 0.5], ["other", "ua", 0.5]]


def test_quarantine_is_replaced_stage_by_stage(store: FeatureStore):
    def refusal(stage: str, media: str) -> Refusal:
        return Refusal(stage=stage, reason="truncated", detail="expected 2 s, got 1 s", media=media)

    store.replace_refusals(
        "demo", "media_files", [refusal("media_files", "a.mp4"), refusal("media_files", "\udcff.mp4")]
    )
    store.replace_refusals("demo", "utterances", [refusal("utterances", "b.mp4")])
    found = store.query('SELECT media, "at" FROM quarantine WHERE stage = ? ORDER BY media', ["media_files"])
    assert found["media"].tolist() == ["\\udcff.mp4", "a.mp4"]
    assert len(found["at"].dropna()) == 2
    store.replace_refusals("demo", "media_files", [])
    assert store.query("SELECT media FROM quarantine")["media"].tolist() == ["b.mp4"]
    with pytest.raises(StoreError, match="expected a refusal of stage media_files"):
        store.replace_refusals("demo", "media_files", [refusal("utterances", "b.mp4")])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY (SELECT 1) TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "DELETE FROM results",
        "CREATE TABLE x (y INTEGER)",
        "SELECT * FROM HOSTILE",
    ],
)
def test_a_query_can_neither_leave_the_store_nor_change_it(store: FeatureStore, sql: str):
    with pytest.raises(duckdb.Error):
        store.query(sql)


def test_a_file_that_is_no_store_is_refused_with_the_remedy(tmp_path: Path):
    rubbish, foreign = tmp_path / "rubbish.duckdb", tmp_path / "foreign.duckdb"
    rubbish.write_bytes(b"not a database" * 1000)
    duckdb.connect(str(foreign)).close()
    with pytest.raises(StoreError, match="cannot be opened"):
        FeatureStore(path=str(rubbish)).query("SELECT 1")
    with pytest.raises(StoreError, match=r"expected format 3, found no store\. Move the file away"):
        FeatureStore(path=str(foreign)).query("SELECT 1")


def test_frames_that_are_not_finite_are_found(store: FeatureStore, tmp_path: Path):
    parts = [
        part(tmp_path, "good", [[1, 2]]),
        part(tmp_path, "bad", [[1, 2], [float("nan"), 0]]),
        part(tmp_path, "none", []),
    ]
    store.load_parts("demo", "compare", Modality.ACOUSTIC, parts, ["good", "bad", "none"])
    assert store.not_finite("demo", "compare") == ["bad"]
    assert store.not_finite("demo", "never_seen") == []

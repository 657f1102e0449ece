"""Ready-made features: each bad row is refused by name, the rest goes on, a useless file is refused whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affectory.features.ready_made import ReadyMade, find_ready_made, read_ready_made, refuse_misnamed
from affectory.vocabulary import Modality

FIXED = pa.list_(pa.list_(pa.float32(), 2))
LOOSE = pa.list_(pa.list_(pa.float64()))
NAN = float("nan")


def made(corpus: Path, rows: dict[str, object] | list[tuple[str, object]], kind: pa.DataType = FIXED) -> ReadyMade:
    pairs = list(rows.items()) if isinstance(rows, dict) else rows
    path = corpus / "features" / "visual.units.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"utterance_id": [name for name, _ in pairs], "frames": pa.array([frames for _, frames in pairs], kind)}
    pq.write_table(pa.table(columns), path)
    return ReadyMade(Modality.VISUAL, "units", path)


def stored(part: Path) -> dict[str, dict]:
    return {row["utterance_id"]: row for row in pq.read_table(part).to_pylist()}


def test_files_are_found_by_name_and_odd_names_are_refused(tmp_path):
    made(tmp_path, {"a": [[1.0, 2.0]]})
    (tmp_path / "features" / "smell.nose.parquet").write_bytes(b"")
    assert [(file.modality, file.feature_set) for file in find_ready_made(tmp_path)] == [("visual", "units")]
    assert [refusal.reason for refusal in refuse_misnamed(tmp_path)] == ["misnamed_ready_made"]
    assert find_ready_made(tmp_path / "nowhere") == []


def test_good_rows_are_stored_and_absent_ones_are_missing(tmp_path):
    reading = read_ready_made(
        made(tmp_path, {"a": [[1.0, 2.0], [3.0, 4.0]], "b": []}), ["a", "b", "c"], staging=tmp_path
    )
    rows = stored(reading.part)
    assert rows["a"]["frames"] == [[1.0, 2.0], [3.0, 4.0]] and rows["a"]["valid"]
    assert [(rows[name]["valid"], rows[name]["reason"]) for name in "bc"] == [
        (False, "no_frames_given"),
        (False, "not_in_ready_made"),
    ]
    assert (reading.n_valid, reading.n_missing, reading.refusals) == (1, 2, [])


def test_a_bad_row_is_refused_by_name_and_its_neighbours_go_on(tmp_path):
    for frames, kind, reason, detail in [
        ([[1.0, NAN]], FIXED, "non_finite_features", "2 finite values expected, 1 are null, NaN or infinite"),
        ([[1.0, float("inf")]], FIXED, "non_finite_features", "1 are"),
        ([[1.0, None]], FIXED, "non_finite_features", "1 are"),
        ([None, [1.0, 2.0]], LOOSE, "wrong_width", "found null"),
        ([[1.0, 2.0], [1.0, 2.0, 3.0]], LOOSE, "wrong_width", "frames of 2 values expected, found 3"),
        ([[]], LOOSE, "wrong_width", "found 0"),
        ([[1e39, 0.0]], LOOSE, "non_finite_features", "1 are"),  # beyond float32
    ]:
        good = [[0.0, 1.0]]
        reading = read_ready_made(
            made(tmp_path, {"a": good, "bad": frames, "c": good}, kind), ["a", "bad", "c"], staging=tmp_path
        )
        rows = stored(reading.part)
        assert [name for name in rows if rows[name]["valid"]] == ["a", "c"] and rows["bad"]["reason"] == reason
        (refusal,) = reading.refusals
        assert (refusal.utterance_id, refusal.reason, refusal.stage) == ("bad", reason, "visual_features")
        assert detail in refusal.detail and "visual.units.parquet" in refusal.detail


def test_unknown_and_repeated_ids_are_refused(tmp_path):
    rows = [("a", [[1.0, 2.0]]), ("stranger", [[1.0, 2.0]]), ("a", [[9.0, 9.0]])]
    reading = read_ready_made(made(tmp_path, rows), ["a"], staging=tmp_path)
    assert [refusal.reason for refusal in reading.refusals] == ["unknown_utterance_id", "duplicate_utterance_id"]
    assert stored(reading.part)["a"]["frames"] == [[1.0, 2.0]]


def test_a_file_of_which_nothing_can_be_used_is_refused_whole(tmp_path):
    for content, message in [
        ({"utterance_id": ["a"], "values": [[1.0]]}, "lacks ['frames']"),
        ({"utterance_id": ["a"], "frames": [[1.0, 2.0]]}, "frames are list"),
        ({"utterance_id": ["a"], "frames": pa.array([[[NAN, 1.0]]], FIXED)}, "no usable row for 1 utterances"),
        (b"PAR1 not really", "cannot be read as Parquet"),
    ]:
        ready = made(tmp_path, {"a": [[1.0, 2.0]]})
        if isinstance(content, bytes):
            ready.path.write_bytes(content)
        else:
            pq.write_table(pa.table(content), ready.path)
        reading = read_ready_made(ready, ["a"], staging=tmp_path / "staging")
        assert reading.part is None and list((tmp_path / "staging" / "units").iterdir()) == []
        assert [refusal.reason for refusal in reading.refusals] == ["ready_made_refused"]
        assert message in reading.refusals[0].detail


def test_a_file_with_damaged_pages_is_refused_whole(tmp_path):
    ready = made(tmp_path, {str(i): [[float(i), 0.0]] for i in range(500)})
    data = bytearray(ready.path.read_bytes())
    data[100:2000] = bytes(1900)
    ready.path.write_bytes(data)
    reading = read_ready_made(ready, ["1"], staging=tmp_path)
    assert reading.part is None and reading.refusals[0].reason == "ready_made_refused"


def test_what_is_stored_already_is_not_read_again_and_a_changed_file_is(tmp_path):
    ready = made(tmp_path, {"a": [[1.0, 2.0]]})
    first = read_ready_made(ready, ["a", "b"], staging=tmp_path)
    fingerprints = {row["fingerprint"] for row in stored(first.part).values()}
    assert len(fingerprints) == 2
    assert read_ready_made(ready, ["a", "b"], staging=tmp_path, stored_fingerprints=fingerprints).part is None
    made(tmp_path, {"a": [[1.0, 3.0]]})
    assert read_ready_made(ready, ["a", "b"], staging=tmp_path, stored_fingerprints=fingerprints).part is not None


@pytest.mark.real
def test_the_real_ready_made_files_are_read_whole(real_corpora, tmp_path):
    import csv

    for corpus in ("ravdess", "mosi"):
        with (real_corpora / corpus / "utterances.csv").open(newline="") as file:
            ids = [row["utterance_id"] for row in csv.DictReader(file)]
        for ready in find_ready_made(real_corpora / corpus):
            reading = read_ready_made(ready, ids, staging=tmp_path)
            assert (reading.n_valid, reading.n_missing, reading.refusals) == (len(ids), 0, [])
            assert np.isfinite(pq.read_table(reading.part).column("frames").combine_chunks().flatten().flatten()).all()

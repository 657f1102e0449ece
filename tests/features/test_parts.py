"""Parts are what the store expects, byte for byte what was computed."""

import numpy as np
import pyarrow as pa
import pytest

from affectory.features import FeatureRow, Segment, fingerprint, missing_row
from affectory.features.compare import Compare
from affectory.features.parts import part_table, write_part


def test_rows_survive_the_table_whatever_their_text():
    rows = [
        FeatureRow('ü"; --', np.array([[1, 2, 3], [4, 5, 6]], np.float32)),
        missing_row("b", 3, "no_face", "0 of 9"),
    ]
    table = part_table(rows, ["f1", "f2"], 3)
    table.validate(full=True)
    assert table.schema.field("frames").type == pa.list_(pa.list_(pa.float32(), 3))
    assert table.to_pylist() == [
        {
            "utterance_id": 'ü"; --', "n_frames": 2, "frames": [[1, 2, 3], [4, 5, 6]], "valid": True, "reason": "",
            "coverage": 1.0, "fingerprint": "f1",
        },
        {
            "utterance_id": "b", "n_frames": 0, "frames": [], "valid": False, "reason": "no_face", "coverage": 0.0,
            "fingerprint": "f2",
        },
    ]  # fmt: skip


def test_no_rows_make_an_empty_table():
    table = part_table([], [], 3)
    table.validate(full=True)
    assert table.num_rows == 0


def test_frames_of_another_width_are_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"utterance u: frames \[T, 3\] expected, got \[1, 2\]"):
        write_part(tmp_path / "x.parquet", FeatureRow("u", np.ones((1, 2), np.float32)), "f", 3)
    assert list(tmp_path.iterdir()) == []


def test_a_fingerprint_follows_content_times_and_utterance_but_not_the_path(tmp_path):
    def mark(utterance_id="u", media="a.mp4", media_sha256="x", start_s=0.0, end_s=1.0):
        segment = Segment(
            utterance_id=utterance_id, media=tmp_path / media, media_sha256=media_sha256, start_s=start_s, end_s=end_s
        )
        return fingerprint(Compare(), segment)

    assert mark(media="renamed.mp4") == mark()
    changed = [mark(utterance_id="v"), mark(media_sha256="y"), mark(start_s=0.1), mark(end_s=None)]
    assert len({mark(), *changed}) == 5

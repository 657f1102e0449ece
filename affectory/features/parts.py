"""Parquet parts in staging: one file an utterance, complete or absent, until the one writer loads them.

Columns: utterance_id, n_frames, frames (list of D float32 values a frame; empty where missing), valid, reason,
coverage, fingerprint. The detail of a fault travels in the file's metadata.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from affectory.features.feature_set import FeatureRow

_DETAIL = b"affectory.detail"
_REFUSED = b"affectory.refused"


def part_schema(width: int) -> pa.Schema:
    """The columns of a part whose frames have `width` values."""
    return pa.schema(
        [
            ("utterance_id", pa.string()),
            ("n_frames", pa.int32()),
            ("frames", pa.list_(pa.list_(pa.float32(), width))),
            ("valid", pa.bool_()),
            ("reason", pa.string()),
            ("coverage", pa.float32()),
            ("fingerprint", pa.string()),
        ]
    )


def part_table(rows: Sequence[FeatureRow], fingerprints: Sequence[str], width: int) -> pa.Table:
    """Rows as an Arrow table; frames are copied once."""
    offsets = np.concatenate([[0], np.cumsum([len(row.frames) for row in rows])]).astype(np.int32)
    values = np.concatenate([np.empty(0, np.float32), *(row.frames.ravel() for row in rows)]).astype(np.float32)
    frames = pa.ListArray.from_arrays(offsets, pa.FixedSizeListArray.from_arrays(pa.array(values), width))
    columns = [
        pa.array([row.utterance_id for row in rows], pa.string()),
        pa.array(np.diff(offsets), pa.int32()),
        frames,
        pa.array([row.valid for row in rows], pa.bool_()),
        pa.array([row.reason for row in rows], pa.string()),
        pa.array([row.coverage for row in rows], pa.float32()),
        pa.array(list(fingerprints), pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=part_schema(width))


def write_part(path: Path, row: FeatureRow, fingerprint: str, width: int) -> None:
    """Write one utterance's part; OSError (a full disk) leaves nothing under the final name."""
    if row.frames.ndim != 2 or row.frames.shape[1] != width:
        raise ValueError(f"utterance {row.utterance_id}: frames [T, {width}] expected, got {list(row.frames.shape)}")
    table = part_table([row], [fingerprint], width)
    table = table.replace_schema_metadata({_DETAIL: row.detail, _REFUSED: "1" if row.refused else "0"})
    write_table(path, table)


def write_table(path: Path, table: pa.Table) -> None:
    """Temporary name, fsync, rename: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            pq.write_table(table, file, compression="none", use_dictionary=False, write_statistics=False)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_outcome(path: Path) -> FeatureRow:
    """A part's row without its frames: what became of the utterance and why."""
    table = pq.read_table(path, columns=["utterance_id", "valid", "reason", "coverage"])
    row = table.to_pylist()[0]
    metadata = table.schema.metadata or {}
    return FeatureRow(
        frames=np.empty((0, 0), np.float32),
        detail=metadata.get(_DETAIL, b"").decode(),
        refused=metadata.get(_REFUSED) == b"1",
        **row,
    )

"""Parquet parts in staging: one file an utterance, complete or absent, until the one writer loads them.

Columns: utterance_id, n_frames, frames (list of D float32 values a frame; empty where missing), valid, reason,
coverage, fingerprint. What the reason means in this case travels in the file's metadata.
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
    n_frames = np.array([len(row.frames) for row in rows], np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), np.cumsum(n_frames, dtype=np.int32)])
    values = np.concatenate([np.empty(0, np.float32), *(row.frames.ravel() for row in rows)], dtype=np.float32)
    schema = part_schema(width)
    kind = schema.field("frames").type
    frames = pa.Array.from_buffers(kind.value_type, int(offsets[-1]), [None], children=[_column(pa.float32(), values)])
    columns = [
        _strings([row.utterance_id for row in rows]),
        _column(pa.int32(), n_frames),
        pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(offsets)], children=[frames]),
        _column(pa.bool_(), np.packbits(np.array([row.valid for row in rows], bool), bitorder="little"), len(rows)),
        _strings([row.reason for row in rows]),
        _column(pa.float32(), np.array([row.coverage for row in rows], np.float32)),
        _strings(list(fingerprints)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


# From buffers, because pa.array imports pandas to see whether it was given a series: 1.5 CPU seconds in each worker.
def _column(kind: pa.DataType, values: np.ndarray, length: int | None = None) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values) if length is None else length, [None, pa.py_buffer(values)])


def _strings(texts: Sequence[str]) -> pa.Array:
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded)))


def write_part(path: Path, row: FeatureRow, fingerprint: str, width: int) -> None:
    """Write one utterance's part; OSError (a full disk) leaves nothing under the final name."""
    if row.frames.ndim != 2 or row.frames.shape[1] != width:
        raise ValueError(f"utterance {row.utterance_id}: frames [T, {width}] expected, got {list(row.frames.shape)}")
    table = part_table([row], [fingerprint], width)
    _write_table(path, table.replace_schema_metadata({_DETAIL: row.detail}))


def _write_table(path: Path, table: pa.Table) -> None:
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


def read_reason(path: Path) -> tuple[str, str]:
    """(reason, detail) of a part."""
    with pq.ParquetFile(path) as file:
        detail = (file.schema_arrow.metadata or {}).get(_DETAIL, b"")
        return file.read(columns=["reason"]).column("reason")[0].as_py(), detail.decode()

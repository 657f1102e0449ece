"""The Parquet parts that extraction leaves in `staging/`, as checked Arrow tables in the form of a feature table."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK_BYTES = 64 << 20  # one insert; bounds the memory of a load, whatever the size of the parts
FORM = "utterance_id, n_frames, frames list<fixed_size_list<float32>[D]>, valid, reason, coverage, fingerprint"


class PartError(ValueError):
    """A part that is not what extraction writes; names the file, the utterance and the remedy."""


def read_parts(parts: Iterable[Path]) -> Iterator[pa.Table]:
    """The rows of all parts in tables of about CHUNK_BYTES: the columns of a feature table but `corpus`.

    Raises PartError when a file is damaged or of another form, a row contradicts itself, an utterance comes twice, or
    the parts differ in width.
    """
    rows: list[pa.Table] = []
    n_bytes = 0
    ids_read: set[str] = set()
    widths: dict[int, Path] = {}
    for part in parts:
        for table in _tables(part):
            widths.setdefault(table.column("width")[0].as_py(), part)
            if len(widths) > 1:
                wide = " and ".join(f"{width} ({path})" for width, path in widths.items())
                raise PartError(f"frames are {wide} wide; expected one width: delete the parts of the older version")
            _refuse_repeated(table, ids_read, part)
            rows.append(table)
            n_bytes += table.nbytes
            if n_bytes >= CHUNK_BYTES:
                yield pa.concat_tables(rows).combine_chunks()
                rows, n_bytes = [], 0
    if rows:
        yield pa.concat_tables(rows).combine_chunks()


def _tables(part: Path) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(part) as file:
            for batch in file.iter_batches(batch_size=256):
                yield _checked(pa.table(batch), part)
    except (pa.ArrowException, KeyError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise PartError(f"{part}: unreadable ({error}); delete it and run again: it is extracted anew") from error


def _checked(table: pa.Table, part: Path) -> pa.Table:
    """The batch with `width`, refused where it is of another form or contradicts itself."""
    ids = table.column("utterance_id").cast(pa.string()).combine_chunks()
    n_frames = table.column("n_frames").cast(pa.int32()).combine_chunks()
    frames = table.column("frames").combine_chunks()
    kind = frames.type.value_type if pa.types.is_list(frames.type) or pa.types.is_large_list(frames.type) else None
    if kind is None or not pa.types.is_fixed_size_list(kind) or kind.value_type != pa.float32():
        raise PartError(f"{part}: frames are {frames.type}; expected the columns {FORM}")
    counts, valid = n_frames.to_numpy(), table.column("valid").to_numpy()
    wrong = (np.diff(frames.offsets.to_numpy()) != counts) | (valid != (counts > 0))
    if wrong.any():
        raise PartError(
            f"{part}: utterance {ids[int(wrong.argmax())].as_py()!r}: expected n_frames frames, and valid only where "
            "there are any; delete the part and run again"
        )
    return pa.table(
        {
            "utterance_id": ids,
            "n_frames": n_frames,
            "width": pa.array([kind.list_size] * len(table), pa.int32()),
            "frames": frames,
            "valid": valid,
            "reason": table.column("reason").cast(pa.string()),
            "coverage": table.column("coverage").cast(pa.float64()),
            "fingerprint": table.column("fingerprint").cast(pa.string()),
        }
    )


def _refuse_repeated(table: pa.Table, ids_read: set[str], part: Path) -> None:
    for utterance_id in table.column("utterance_id").to_pylist():
        if utterance_id in ids_read:
            raise PartError(f"{part}: utterance {utterance_id!r} is in another part too; expected one row an utterance")
        ids_read.add(utterance_id)

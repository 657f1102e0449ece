"""Ready-made features: `<corpus>/features/<modality>.<feature_set>.parquet`, made by someone else, checked row by row.

A file has utterance_id and frames, a list of frames of one width. A bad row is refused and its utterance recorded as
missing; a file of which nothing can be used is refused whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from affectory.features.feature_set import FeatureRow, missing_row
from affectory.features.parts import part_schema, part_table
from affectory.refusals import Refusal
from affectory.vocabulary import Modality

_NAME = re.compile(r"(acoustic|visual|textual)\.([a-z][a-z0-9_]*)\.parquet")
BATCH_ROWS = 256
WIDEST = 16_384  # no known feature has more values a frame; a larger number is a broken file


class ReadyMadeError(ValueError):
    """A ready-made file of which nothing can be used."""


@dataclass(frozen=True)
class ReadyMade:
    """A file and what its name says it holds."""

    modality: Modality
    feature_set: str
    path: Path


@dataclass
class ReadyMadeReading:
    """What a ready-made file became: a part to load (None: all stored already, or refused whole) and the faults."""

    part: Path | None = None
    n_valid: int = 0
    n_missing: int = 0
    refusals: list[Refusal] = field(default_factory=list)


def find_ready_made(corpus_root: Path) -> list[ReadyMade]:
    """The files under `features/` with a name of the form <modality>.<feature_set>.parquet, by name."""
    matches = ((path, _NAME.fullmatch(path.name)) for path in sorted((corpus_root / "features").glob("*.parquet")))
    return [ReadyMade(Modality(match[1]), match[2], path) for path, match in matches if match]


def refuse_misnamed(corpus_root: Path) -> list[Refusal]:
    """A refusal for each Parquet file under `features/` whose name says neither modality nor feature set."""
    return [
        Refusal(
            stage="features",
            reason="misnamed_ready_made",
            detail=f"features/{path.name}: expected <acoustic|visual|textual>.<feature_set>.parquet in lower case",
        )
        for path in sorted((corpus_root / "features").glob("*.parquet"))
        if not _NAME.fullmatch(path.name)
    ]


def read_ready_made(
    ready_made: ReadyMade, utterance_ids: Sequence[str], *, staging: Path, stored_fingerprints: Collection[str] = ()
) -> ReadyMadeReading:
    """Check a file and write its rows as one part: a row for each of `utterance_ids`, missing where there is none.

    Nothing is read when every row's fingerprint (file digest and utterance) is in `stored_fingerprints`.
    """
    digest = _sha256(ready_made.path)
    fingerprints = {utterance_id: _row_fingerprint(ready_made, digest, utterance_id) for utterance_id in utterance_ids}
    if all(fingerprint in stored_fingerprints for fingerprint in fingerprints.values()):
        return ReadyMadeReading()
    check = _Check(ready_made, digest, set(utterance_ids))
    part = staging / ready_made.feature_set / f"ready-made-{digest[:32]}.parquet"
    part.parent.mkdir(parents=True, exist_ok=True)
    temporary = part.with_name(f".{part.name}.{os.getpid()}")
    try:
        _write(temporary, check, fingerprints)
        temporary.replace(part)
    except ReadyMadeError as error:
        return ReadyMadeReading(refusals=[check.refusal("ready_made_refused", str(error))])
    finally:
        temporary.unlink(missing_ok=True)
    return ReadyMadeReading(part, check.n_valid, len(fingerprints) - check.n_valid, check.refusals)


def _write(path: Path, check: _Check, fingerprints: dict[str, str]) -> None:
    """Stream the checked rows to `path`, then the missing ones. Raises ReadyMadeError where no row can be used."""
    try:
        with pq.ParquetFile(check.ready_made.path) as file:
            width = _width(file, check.ready_made.path.name)
            with path.open("wb") as target, pq.ParquetWriter(target, part_schema(width), compression="none") as writer:
                for batch in file.iter_batches(BATCH_ROWS, columns=["utterance_id", "frames"]):
                    rows = list(check.rows(batch, width))
                    writer.write_table(part_table(rows, [fingerprints[row.utterance_id] for row in rows], width))
                if not check.n_valid:
                    raise ReadyMadeError(check.nothing_usable())
                rest = check.missing_rows(width)
                writer.write_table(part_table(rest, [fingerprints[row.utterance_id] for row in rest], width))
            with path.open("rb") as target:
                os.fsync(target.fileno())
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault; Arrow's own OSError for damaged pages has no number
        raise ReadyMadeError(f"{check.ready_made.path.name} cannot be read as Parquet: {error}") from error


@dataclass
class _Check:
    """One file's rows under examination.

    expected: the utterances that have no usable row yet; read_ids: those that a row was read of; faults: the reason and
    detail of each row that cannot be used.
    """

    ready_made: ReadyMade
    digest: str
    expected: set[str]
    n_valid: int = 0
    read_ids: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    faults: dict[str, tuple[str, str]] = field(default_factory=dict)

    def rows(self, batch: pa.RecordBatch, width: int) -> Iterator[FeatureRow]:
        """The usable rows of a batch; the others are noted."""
        names = batch.column("utterance_id")
        for place, cell in enumerate(batch.column("frames")):
            utterance_id = str(names[place].as_py())
            fault = self._identity_fault(utterance_id)
            if fault:
                self.refusals.append(self.refusal(*fault, utterance_id))
                continue
            self.read_ids.add(utterance_id)
            frames = _frames(cell, width)
            if isinstance(frames, tuple):
                self.faults[utterance_id] = frames
                self.refusals.append(self.refusal(*frames, utterance_id))
            elif len(frames):
                self.n_valid += 1
                self.expected.discard(utterance_id)
                yield FeatureRow(utterance_id, frames)

    def _identity_fault(self, utterance_id: str) -> tuple[str, str] | None:
        if utterance_id in self.read_ids:
            return "duplicate_utterance_id", "a second row for this utterance; the first one counts"
        if utterance_id not in self.expected:
            return "unknown_utterance_id", "the corpus has no such utterance; correct the id or remove the row"
        return None

    def missing_rows(self, width: int) -> list[FeatureRow]:
        """What the file did not give: refused rows, empty ones and absent ones."""
        rows = []
        for utterance_id in sorted(self.expected):
            absent = "no_frames_given" if utterance_id in self.read_ids else "not_in_ready_made"
            reason, detail = self.faults.get(
                utterance_id, (absent, f"{self.ready_made.path.name} has no frames for it")
            )
            rows.append(missing_row(utterance_id, width, reason, detail, refused=utterance_id in self.faults))
        return rows

    def nothing_usable(self) -> str:
        reasons = Counter(refusal.reason for refusal in self.refusals)
        counted = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3)) or "it is empty"
        return f"{self.ready_made.path.name} has no usable row for {len(self.expected)} utterances: {counted}"

    def refusal(self, reason: str, detail: str, utterance_id: str | None = None) -> Refusal:
        message = f"{self.ready_made.path.name}, utterance {utterance_id}: {detail}" if utterance_id else detail
        return Refusal(
            stage=f"{self.ready_made.modality}_features",
            reason=reason,
            detail=message,
            media=f"features/{self.ready_made.path.name}",
            utterance_id=utterance_id,
            sha256=self.digest,
        )


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _width(file: pq.ParquetFile, name: str) -> int:
    """D: as the type says, else the commonest among the frames. Raises ReadyMadeError for other columns."""
    schema = file.schema_arrow
    form = "utterance_id string, frames list<fixed_size_list<float>[D]>"
    if absent := {"utterance_id", "frames"} - set(schema.names):
        raise ReadyMadeError(f"{name} lacks {sorted(absent)}; expected {form}, found {schema.names}")
    kind = schema.field("frames").type
    inner = kind.value_type if _is_list(kind) else None
    if inner is None or not _is_list(inner) or not pa.types.is_floating(inner.value_type):
        raise ReadyMadeError(f"{name}: frames are {kind}; expected {form}")
    widths: Counter[int] = Counter()
    if pa.types.is_fixed_size_list(inner):
        widths[inner.list_size] = 1
    else:
        for batch in file.iter_batches(BATCH_ROWS, columns=["frames"]):
            frames = batch.column("frames").flatten()
            widths.update(len(frame) for frame in frames if frame.is_valid)
    width = widths.most_common(1)[0][0] if widths else 0
    if not 0 < width <= WIDEST:
        raise ReadyMadeError(f"{name}: frames are {width} wide; expected 1 to {WIDEST}")
    return width


def _frames(cell: pa.ListScalar, width: int) -> np.ndarray | tuple[str, str]:
    """Float32 [T, width], T = 0 for an empty or null cell; (reason, detail) where it cannot be used."""
    if not cell.is_valid or not len(cell.values):
        return np.empty((0, width), np.float32)
    widths = set(pc.call_function("list_value_length", [cell.values]).unique().to_pylist())
    if widths != {width}:
        odd = ", ".join(sorted("null" if count is None else str(count) for count in widths - {width}))
        return "wrong_width", f"frames of {width} values expected, found {odd}"
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        values = cell.values.flatten().to_numpy(zero_copy_only=False).astype(np.float32).reshape(-1, width)
    if bad := int(np.count_nonzero(~np.isfinite(values))):
        return "non_finite_features", f"{values.size} finite values expected, {bad} are null, NaN or infinite"
    return values


def _row_fingerprint(ready_made: ReadyMade, digest: str, utterance_id: str) -> str:
    parts = [utterance_id, "ready-made", ready_made.feature_set, digest]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

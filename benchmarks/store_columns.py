"""Which DuckDB column should hold the frames of an utterance? Writes and reads each form and prints a table.

    python benchmarks/store_columns.py [--utterances 1000] [--width 130] [--rounds 5]

Utterances of 40 to 400 frames of random float32, which no compression shrinks: the worst case. Write: insert from Arrow
in a transaction, commit and close (which checkpoints). Read: open, stream as Arrow, copy into one float32 array
[sum T, D], as the store does. Each round takes the forms in turn on fresh files; the best of the rounds counts.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Corpus:
    """`frames` float32 [sum T, D]; `lengths` int64 [N]."""

    frames: np.ndarray
    lengths: np.ndarray

    @property
    def width(self) -> int:
        return self.frames.shape[1]

    @property
    def offsets(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.lengths)])


@dataclass(frozen=True)
class Form:
    """A column type, the Arrow array that is inserted into it, and the numbers of an Arrow array that it gives."""

    column: str
    encode: Callable[[Corpus], pa.Array]
    decode: Callable[[pa.Array], np.ndarray]


def as_arrays(corpus: Corpus) -> pa.Array:
    frames = pa.FixedSizeListArray.from_arrays(pa.array(corpus.frames.ravel()), corpus.width)
    return pa.ListArray.from_arrays(corpus.offsets.astype(np.int32), frames)


def as_flat_list(corpus: Corpus) -> pa.Array:
    return pa.ListArray.from_arrays((corpus.offsets * corpus.width).astype(np.int32), pa.array(corpus.frames.ravel()))


def as_blob(corpus: Corpus) -> pa.Array:
    offsets = pa.py_buffer(corpus.offsets * corpus.width * 4)
    return pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(corpus.lengths), [None, offsets, pa.py_buffer(corpus.frames)]
    )


def of_nested(column: pa.Array) -> np.ndarray:
    return column.flatten().flatten().to_numpy()


def of_flat_list(column: pa.Array) -> np.ndarray:
    return column.flatten().to_numpy()


def of_blob(column: pa.Array) -> np.ndarray:
    return np.frombuffer(b"".join(blob.as_buffer() for blob in column), np.float32)


def forms(width: int) -> list[Form]:
    return [
        Form(f"FLOAT[{width}][]", as_arrays, of_nested),
        Form("FLOAT[][]", as_arrays, of_nested),
        Form("FLOAT[]", as_flat_list, of_flat_list),
        Form("BLOB", as_blob, of_blob),
    ]


def write(path: Path, corpus: Corpus, form: Form) -> None:
    rows = pa.table({"n_frames": corpus.lengths, "frames": form.encode(corpus)})
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE features (n_frames INTEGER, frames {form.column})")
        connection.begin()
        connection.register("incoming", rows)
        connection.execute("INSERT INTO features SELECT * FROM incoming")
        connection.commit()


def read(path: Path, corpus: Corpus, form: Form) -> np.ndarray:
    frames = np.empty_like(corpus.frames)
    end = 0
    with duckdb.connect(str(path), read_only=True, config={"arrow_large_buffer_size": "true"}) as connection:
        for batch in connection.sql("SELECT frames FROM features").to_arrow_reader(256):
            values = form.decode(batch.column("frames")).reshape(-1, corpus.width)
            start, end = end, end + len(values)
            frames[start:end] = values
    return frames


def measure(corpus: Corpus, form: Form) -> tuple[float, float, float]:
    """Write and read seconds and the size of the file in MB; ValueError when what was read is not what was written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.duckdb"
        begun = time.perf_counter()
        write(path, corpus, form)
        written = time.perf_counter()
        frames = read(path, corpus, form)
        read_s = time.perf_counter() - written
        if not np.array_equal(frames, corpus.frames):
            raise ValueError(f"{form.column}: what was read is not what was written")
        return written - begun, read_s, path.stat().st_size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=1000)
    parser.add_argument("--width", type=int, default=130)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    lengths = random.integers(40, 401, arguments.utterances)
    corpus = Corpus(random.standard_normal((int(lengths.sum()), arguments.width), np.float32), lengths)
    megabytes = corpus.frames.nbytes / 1e6
    print(f"{arguments.utterances} utterances x [40..400, {arguments.width}] float32, {megabytes:.0f} MB\n")
    print("| column | write MB/s | read MB/s | file MB |\n|---|---:|---:|---:|")
    rounds = [[measure(corpus, form) for form in forms(arguments.width)] for _ in range(arguments.rounds)]
    for form, measured in zip(forms(arguments.width), zip(*rounds, strict=True), strict=True):
        write_s, read_s, size = map(min, zip(*measured, strict=True))
        print(f"| {form.column} | {megabytes / write_s:.0f} | {megabytes / read_s:.0f} | {size:.0f} |")


if __name__ == "__main__":
    main()

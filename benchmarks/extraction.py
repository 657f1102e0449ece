"""How well extraction uses the machine: two workers against one, and its CPU time against that of the bare engines.

    python benchmarks/extraction.py --corpus DIR [--copies N]

DIR holds media/ and perhaps utterances.csv (without one, each file is an utterance). Every line is measured in this
run, on the same clips; `--copies` links each file N times, so that a small folder becomes a longer job. The bare
engines run in one process with one decoding a file: PyAV, openSMILE, FaceMesh, and nothing is stored.
Targets: two workers at least 1.7 times as fast; at most 1.3 times the bare engines' CPU time, start-up included.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

Row = tuple[str, str, float, float]  # utterance id, media path, start_s, end_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--limit", type=int, default=10**9, help="utterances to take")
    parser.add_argument("--bare", choices=["compare", "face_mesh"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        bare(arguments.bare, json.load(sys.stdin))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = list(linked(list(utterances(arguments.corpus))[: arguments.limit], Path(folder), arguments.copies))
        seconds = sum(end_s - start_s for _, _, start_s, end_s in rows)
        print(f"{len(rows)} utterances, {seconds:.0f} s of media, {os.cpu_count()} cores")
        for name, track in (("compare", "audio"), ("face_mesh", "video")):
            with_track = [row for row in rows if has_track(row[1], track)]
            if with_track:
                report(name, with_track, Path(folder) / "staging")


def report(name: str, rows: list[Row], staging: Path) -> None:
    cpu = children_cpu_s()
    bare_s = bare_processes(name, [rows])
    bare_cpu = children_cpu_s() - cpu
    half = next((i for i in range(len(rows) // 2, len(rows)) if rows[i][1] != rows[i - 1][1]), len(rows) // 2)
    halves_s = bare_processes(name, [rows[:half], rows[half:]])
    one_s, _ = extraction(name, rows, staging / "1", 1)
    two_s, two_cpu = extraction(name, rows, staging / "2", 2)
    print(f"{name}: bare engines {bare_s:.1f} s; 1 worker {one_s:.1f} s; 2 workers {two_s:.1f} s")
    print(
        f"  2 workers against 1: {one_s / two_s:.2f} times as fast (target 1.7; two bare processes with half the clips "
        f"each: {bare_s / halves_s:.2f}, what this machine had to give)"
    )
    print(f"  CPU against the bare engines: {two_cpu:.1f} / {bare_cpu:.1f} s = {two_cpu / bare_cpu:.2f} (target 1.3)")
    print(f"  {len(rows) / two_s:.1f} utterances a second")


def bare_processes(name: str, shares: list[list[Row]]) -> float:
    """Wall seconds of the bare engines, one process a share, all at once."""
    command = [sys.executable, __file__, "--corpus", ".", "--bare", name]
    begun = time.monotonic()
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in shares]
    for process, share in zip(processes, shares, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps(share))
        process.stdin.close()
    for process in processes:
        if process.wait(timeout=3600):
            raise RuntimeError(f"the bare engines of {name} ended with code {process.returncode}")
    return time.monotonic() - begun


def extraction(name: str, rows: list[Row], staging: Path, workers: int) -> tuple[float, float]:
    """Wall and CPU seconds of one extraction, its workers' included."""
    from affectory.features import FEATURE_SETS, Segment
    from affectory.features.extraction import extract

    segments = [
        Segment(
            utterance_id=utterance_id, media=Path(media), media_sha256=media, start_s=start_s, end_s=end_s,
            has_audio=True, has_video=True,
        )
        for utterance_id, media, start_s, end_s in rows
    ]  # fmt: skip
    cpu = children_cpu_s() + time.process_time()
    outcome = extract(segments, FEATURE_SETS[name], staging=staging, workers=workers)
    return outcome.seconds, children_cpu_s() + time.process_time() - cpu


def children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def utterances(corpus: Path) -> Iterator[Row]:
    """The rows of utterances.csv, or one row a media file."""
    import av

    table = corpus / "utterances.csv"
    if table.exists():
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield row["utterance_id"], str(corpus / row["media"]), float(row["start_s"]), float(row["end_s"])
        return
    for path in sorted((corpus / "media").iterdir()):
        with av.open(str(path)) as container:
            if container.streams.video and container.streams.audio:
                yield path.stem, str(path), 0.0, (container.duration or 0) / 1e6


def has_track(media: str, kind: str) -> bool:
    import av

    with av.open(media) as container:
        return any(stream.type == kind for stream in container.streams)


def linked(rows: list[Row], folder: Path, copies: int) -> Iterator[Row]:
    """Every row `copies` times, each with a file name of its own."""
    for copy in range(copies):
        for utterance_id, media, start_s, end_s in rows:
            link = folder / f"{copy}-{Path(media).name}"
            if not link.exists():
                link.symlink_to(Path(media).resolve())
            yield f"{copy}-{utterance_id}", str(link), start_s, end_s


def bare(name: str, rows: list[Row]) -> None:
    """The engines alone, as a plain script would run them."""
    for media, group in groupby(rows, key=lambda row: row[1]):
        spans = [(start_s, end_s) for _, _, start_s, end_s in group]
        (bare_sound if name == "compare" else bare_faces)(media, spans)


def bare_sound(media: str, spans: list[tuple[float, float]]) -> None:
    import av
    import numpy as np
    import opensmile

    global smile
    if "smile" not in globals():
        smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, "lld;lld_de")
    resampler = av.AudioResampler("flt", "mono", 16000)
    with av.open(media) as container:
        if not container.streams.audio:
            return
        frames = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    samples = np.concatenate(frames)
    for start_s, end_s in spans:
        smile(samples[int(start_s * 16000) : int(end_s * 16000)], 16000)


def bare_faces(media: str, spans: list[tuple[float, float]]) -> None:
    import av
    import mediapipe

    global mesh
    if "mesh" not in globals():
        mesh = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1, refine_landmarks=True)
    with av.open(media) as container:
        if not container.streams.video:
            return
        following = 0.0
        for frame in container.decode(video=0):
            time_s = frame.time or 0.0
            if time_s >= following and any(start_s <= time_s < end_s for start_s, end_s in spans):
                following = time_s + 0.0999
                mesh.process(frame.to_ndarray(format="rgb24"))


if __name__ == "__main__":
    main()

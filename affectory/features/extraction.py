"""Extracting a feature set over many utterances: worker processes, resumable parts, faults kept apart.

A task is up to 16 consecutive utterances, so that one decoding of a file serves many. Each finished utterance is a
Parquet part under its final name: a run killed at any moment goes on from there and redoes at most one utterance a
worker. A worker that hangs or dies costs its task's unfinished utterances one more try each, alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from itertools import groupby
from math import ceil
from pathlib import Path
from queue import Empty, SimpleQueue

from pebble import ProcessExpired, ProcessPool

from affectory.features.feature_set import FeatureRow, FeatureSet, FeatureSetError, Segment, fingerprint, missing_row
from affectory.features.parts import read_reason, write_part
from affectory.media import MediaError
from affectory.processes.spawning import LeanSpawnContext, start_worker
from affectory.refusals import Refusal
from affectory.vocabulary import Modality

TASK_UTTERANCES = 16
# A chunk deep inside a long file decodes all the sound before it; it must hold enough speech to be worth that.
SPEECH_PER_DEPTH = 0.2
UNKNOWN_S = 60.0  # the assumed length of an utterance without an end
TIMEOUT_PER_MEDIA_S = 2.0  # seconds allowed for a second of media; the slowest set needs about 0.1
PROGRESS_EVERY_S = 5.0
STARTING_S = 120.0  # for workers to start on a machine that is busy


@dataclass(frozen=True)
class Progress:
    """How far an extraction is; `done` and `total` count utterances that were not stored before."""

    done: int
    total: int
    rate_per_s: float
    remaining_s: float


@dataclass(frozen=True)
class Extraction:
    """What an extraction left: the parts to load in the order of the segments, counts, faults.

    `n_reused` were stored or in staging already. Faults of what is stored already are not among the refusals.
    """

    parts: list[Path]
    n_extracted: int
    n_reused: int
    refusals: list[Refusal]
    seconds: float


@dataclass(frozen=True)
class _Job:
    """One utterance to do and the names that its part may have."""

    segment: Segment
    fingerprint: str
    folder: Path

    @property
    def part(self) -> Path:
        return self.folder / f"{self.fingerprint}.parquet"

    @property
    def refused_part(self) -> Path:
        """A missing row through a fault of the media: done as well, and to be reported."""
        return self.folder / f"{self.fingerprint}.refused.parquet"

    @property
    def failed_part(self) -> Path:
        """A missing row through a time-out or crash: reported, and tried again in a later run."""
        return self.folder / f"{self.fingerprint}.failed.parquet"

    def is_done(self) -> bool:
        return self.part.exists() or self.refused_part.exists()

    def result(self) -> Path:
        """The part that there is when the run is over; `part` if another run has loaded it meanwhile."""
        return next((path for path in (self.refused_part, self.failed_part) if path.exists()), self.part)

    @property
    def length_s(self) -> float:
        return UNKNOWN_S if self.segment.end_s is None else max(0.0, self.segment.end_s - self.segment.start_s)


def extract(
    segments: Sequence[Segment],
    feature_set: FeatureSet,
    *,
    staging: Path,
    stored_fingerprints: Collection[str] = (),
    workers: int = 0,
    timeout_s: float = 60.0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Extraction:
    """Extract what is neither stored (by its fingerprint) nor in staging; one part an utterance.

    `workers` processes (0: one a CPU core); textual sets run in this process, in batches. A task may take `timeout_s`
    and TIMEOUT_PER_MEDIA_S for each second of its utterances. Faults of single utterances become missing rows and
    refusals; raises FeatureSetError where the set cannot be used at all, OSError where parts cannot be written.
    """
    started_s, stored = time.monotonic(), frozenset(stored_fingerprints)
    folder = staging / feature_set.name
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    jobs = [_Job(segment, fingerprint(feature_set, segment), folder) for segment in segments]
    jobs = [job for job in jobs if job.fingerprint not in stored]
    todo = [job for job in jobs if not job.is_done()]
    meter = _Meter(len(todo), on_progress)
    if feature_set.modality is Modality.TEXTUAL:
        _extract_jobs(feature_set, todo, meter.advance)
    elif todo:
        _Run(feature_set, todo, workers or os.cpu_count() or 1, timeout_s, meter).finish()
    results = [job.result() for job in jobs]
    return Extraction(
        parts=results,
        n_extracted=len(todo),
        n_reused=len(segments) - len(todo),
        refusals=[
            _refusal(feature_set.modality, job, path)
            for job, path in zip(jobs, results, strict=True)
            if path in (job.refused_part, job.failed_part)
        ],
        seconds=time.monotonic() - started_s,
    )


def _refusal(modality: Modality, job: _Job, part: Path) -> Refusal:
    segment = job.segment
    reason, detail = read_reason(part)
    return Refusal(
        stage=f"{modality}_features",
        reason=reason,
        detail=f"utterance {segment.utterance_id}: {detail}; {modality} recorded as missing",
        media=segment.media_in_corpus,
        utterance_id=segment.utterance_id,
        sha256=segment.media_sha256,
    )


def _sweep(folder: Path) -> None:
    """Remove temporary files of processes that are gone, and notes of earlier failures, which are tried again."""
    for path in folder.glob(".*.parquet.*"):
        if not Path(f"/proc/{path.suffix[1:]}").exists():
            path.unlink(missing_ok=True)
    for path in folder.glob("*.failed.parquet"):
        path.unlink(missing_ok=True)


class _Meter:
    """Counts finished utterances and reports at most every PROGRESS_EVERY_S."""

    def __init__(self, total: int, report: Callable[[Progress], None] | None) -> None:
        self.total, self.done, self._report = total, 0, report
        self._started_s = self._reported_s = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self.done += count
        now_s = time.monotonic()
        last = self.done == self.total
        if self._report is None or (now_s - self._reported_s < PROGRESS_EVERY_S and not last):
            return
        self._reported_s = now_s
        rate = self.done / max(now_s - self._started_s, 1e-9)
        self._report(Progress(self.done, self.total, rate, (self.total - self.done) / rate if rate else 0.0))


@dataclass(frozen=True)
class _Task:
    """What one worker gets at once, and how long it may take."""

    jobs: list[_Job]
    timeout_s: float
    retry: bool = False

    @property
    def allowed_s(self) -> float:
        return self.timeout_s + TIMEOUT_PER_MEDIA_S * sum(job.length_s for job in self.jobs)


@dataclass
class _Run:
    """One extraction's worker pool: tasks in flight, and the second try of what a lost worker left undone."""

    feature_set: FeatureSet
    jobs: Sequence[_Job]
    workers: int
    timeout_s: float
    meter: _Meter
    in_flight: dict[Future, _Task] = field(default_factory=dict)
    finished: SimpleQueue[Future] = field(default_factory=SimpleQueue)

    def finish(self) -> None:
        tasks = [_Task(jobs, self.timeout_s) for jobs in _chunks(self.jobs, self.workers)]
        # Some task is always running, so one ends within the longest time allowed; if none does, the pool is lost.
        longest_s = max(task.allowed_s for task in tasks) + STARTING_S
        pool = ProcessPool(
            max_workers=min(self.workers, len(tasks)),
            context=LeanSpawnContext(),
            initializer=start_worker,
        )
        try:
            for task in tasks:
                self._schedule(pool, task)
            while self.in_flight:
                self._settle(pool, self.finished.get(timeout=longest_s))
        except Empty as error:
            raise FeatureSetError(f"the workers for {self.feature_set.name} stopped answering; run it again") from error
        finally:
            pool.stop()
            pool.join()

    def _schedule(self, pool: ProcessPool, task: _Task) -> None:
        future = pool.schedule(_extract_jobs, args=(self.feature_set, task.jobs), timeout=task.allowed_s)
        self.in_flight[future] = task
        future.add_done_callback(self.finished.put)

    def _settle(self, pool: ProcessPool, future: Future) -> None:
        """Account for a finished task; a lost worker's unfinished utterances are tried again or recorded."""
        task = self.in_flight.pop(future)
        try:
            future.result()
            unfinished: list[_Job] = []
        except BrokenProcessPool as error:
            raise FeatureSetError(f"the workers for {self.feature_set.name} died while idle; run it again") from error
        except (TimeoutError, ProcessExpired) as error:
            unfinished = [job for job in task.jobs if not job.is_done()]
            if task.retry and unfinished:
                self._record_loss(task, error)
                unfinished = []
        self.meter.advance(len(task.jobs) - len(unfinished))
        for job in unfinished:
            self._schedule(pool, _Task([job], self.timeout_s, retry=True))

    def _record_loss(self, task: _Task, error: Exception) -> None:
        (job,) = task.jobs
        if isinstance(error, ProcessExpired):
            reason, detail = "extraction_crashed", f"its worker died twice (exit code {error.exitcode})"
        else:
            detail = f"not finished within {task.allowed_s:.0f} s, alone, at the second try"
            reason = "extraction_timeout"
        row = missing_row(job.segment.utterance_id, self.feature_set.width, reason, detail, refused=True)
        # No fingerprint: a machine that was overloaded once must not make data missing for ever.
        write_part(job.failed_part, row, "", self.feature_set.width)


def _chunks(jobs: Sequence[_Job], workers: int) -> list[list[_Job]]:
    """Consecutive utterances of a file together; small files share a task; the longest task first.

    With few utterances the tasks are smaller, so that every worker gets some; a task ends with its file where it can,
    so that no file is decoded twice without need.
    """
    size = max(1, min(TASK_UTTERANCES, ceil(len(jobs) / (4 * workers))))
    ordered = sorted(jobs, key=lambda job: (str(job.segment.media or ""), job.segment.start_s))
    tasks: list[list[_Job]] = [[]]
    for next_job in ordered:
        task = tasks[-1]
        same_file = bool(task) and task[-1].segment.media == next_job.segment.media
        speech_s = sum(job.length_s for job in task)
        if same_file:
            full = len(task) >= size and speech_s >= SPEECH_PER_DEPTH * task[0].segment.start_s
        else:
            full = len(task) >= size / 2
        if full:
            tasks.append(task := [])
        task.append(next_job)
    return sorted(tasks, key=lambda task: -sum(job.length_s for job in task))


def _extract_jobs(feature_set: FeatureSet, jobs: Sequence[_Job], done: Callable[[], None] = lambda: None) -> None:
    """Write the part of every job, file by file (transcripts: all in one go); `done` is called after each."""
    by_id = {job.segment.utterance_id: job for job in jobs}
    textual = feature_set.modality is Modality.TEXTUAL
    for _, group in groupby(jobs, key=lambda job: None if textual else job.segment.media):
        for row in _rows(feature_set, [job.segment for job in group]):
            job = by_id[row.utterance_id]
            write_part(job.refused_part if row.refused else job.part, row, job.fingerprint, feature_set.width)
            done()


def _rows(feature_set: FeatureSet, segments: Sequence[Segment]) -> Iterator[FeatureRow]:
    """Every segment's row. Where a group fails, no one knows whose fault it was: the rest of it is done one by one."""
    pending = {segment.utterance_id: segment for segment in segments}
    try:
        for row in feature_set.extract(segments):
            del pending[row.utterance_id]
            yield row
        return
    except (FeatureSetError, ImportError):
        raise
    except Exception as error:  # whatever an engine or decoder raises on hostile input is that utterance's fault
        fault = error
    if len(segments) > 1:
        for segment in pending.values():
            yield from _rows(feature_set, [segment])
        return
    reason, detail = "extraction_failed", f"{feature_set.name} raised {type(fault).__name__}: {fault}"
    if isinstance(fault, MediaError):
        reason, detail = fault.reason, fault.detail
    for utterance_id in pending:
        yield missing_row(utterance_id, feature_set.width, reason, detail, refused=True)

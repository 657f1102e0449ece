"""Extraction in worker processes: faults stay with their utterance, and what is done stays done."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from affectory.features import FeatureSetError, Segment, fingerprint
from affectory.features.bert import Bert
from affectory.features.extraction import Extraction, Progress, extract
from affectory.vocabulary import Modality

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """FaultyFeatures, importable by the workers too."""
    monkeypatch.syspath_prepend(str(FIXTURES))
    from faulty_features import FaultyFeatures

    return FaultyFeatures(log=tmp_path / "begun.log")


def segments(count: int, faults: dict[int, str] | None = None, per_file: int = 4) -> list[Segment]:
    return [
        Segment(
            utterance_id=f"u{i}",
            media=Path(f"/corpus/media/{i // per_file}.mp4"),
            media_sha256=f"digest {i // per_file}",
            start_s=float(i % per_file),
            end_s=float(i % per_file + 1),
            transcript=(faults or {}).get(i),
            has_audio=True,
        )
        for i in range(count)
    ]


def rows(extraction: Extraction) -> dict[str, dict]:
    return {row["utterance_id"]: row for part in extraction.parts for row in pq.ParquetFile(part).read().to_pylist()}


def test_each_utterance_becomes_one_part_with_its_frames_and_fingerprint(faulty, tmp_path):
    utterances = segments(6)
    done = extract(utterances, faulty, staging=tmp_path, workers=2)
    assert (len(done.parts), done.n_extracted, done.n_reused, done.refusals) == (6, 6, 0, [])
    assert rows(done)["u5"] == {
        "utterance_id": "u5", "n_frames": 1, "frames": [[1.0, 2.0]], "valid": True, "reason": "", "coverage": 1.0,
        "fingerprint": fingerprint(faulty, utterances[5]),
    }  # fmt: skip


def test_a_second_extract_computes_nothing_and_a_changed_clip_only_itself(faulty, tmp_path):
    utterances = segments(6)
    extract(utterances, faulty, staging=tmp_path, workers=1)
    again = extract(utterances, faulty, staging=tmp_path, workers=1)
    assert (again.n_extracted, again.n_reused, len(again.parts)) == (0, 6, 6)
    stored = {fingerprint(faulty, segment) for segment in utterances}
    changed = [
        *utterances[:5],
        Segment(utterance_id="u5", media=utterances[5].media, media_sha256="another", end_s=1.0),
    ]
    last = extract(changed, faulty, staging=tmp_path, stored_fingerprints=stored, workers=1)
    assert (last.n_extracted, last.n_reused, list(rows(last))) == (1, 5, ["u5"])
    assert faulty.log.read_text().split().count("u5") == 2


def test_a_fault_costs_its_own_utterance_and_names_it(faulty, tmp_path):
    done = extract(segments(8, {1: "raise", 6: "cut"}), faulty, staging=tmp_path, workers=1)
    row_of = rows(done)
    assert [name for name, row in row_of.items() if not row["valid"]] == ["u1", "u6"]
    assert row_of["u6"]["frames"] == [] and row_of["u6"]["reason"] == "truncated_media"
    assert {(refusal.utterance_id, refusal.reason, refusal.stage) for refusal in done.refusals} == {
        ("u1", "extraction_failed", "acoustic_features"),
        ("u6", "truncated_media", "acoustic_features"),
    }
    assert "ValueError: an engine's complaint" in done.refusals[0].detail


def test_refusals_are_told_again_while_their_parts_wait_in_staging(faulty, tmp_path):
    utterances = segments(2, {1: "cut"})
    first = extract(utterances, faulty, staging=tmp_path, workers=1)
    again = extract(utterances, faulty, staging=tmp_path, workers=1)
    assert again.n_extracted == 0 and again.refusals == first.refusals


@pytest.mark.slow
def test_a_worker_that_dies_or_hangs_loses_only_the_utterance_that_did_it(faulty, tmp_path, monkeypatch):
    monkeypatch.setattr("affectory.features.extraction.TIMEOUT_PER_MEDIA_S", 0.0)
    utterances = segments(12, {2: "die", 7: "hang"})
    done = extract(utterances, faulty, staging=tmp_path, workers=2, timeout_s=3.0)
    row_of = rows(done)
    assert {name: row["reason"] for name, row in row_of.items() if not row["valid"]} == {
        "u2": "extraction_crashed",
        "u7": "extraction_timeout",
    }
    assert len(row_of) == 12 and {refusal.utterance_id for refusal in done.refusals} == {"u2", "u7"}
    # Neither is taken for done: the machine may have been overloaded.
    assert row_of["u2"]["fingerprint"] == "" and len(list((tmp_path / "faulty").glob("*.failed.parquet"))) == 2
    healthy = extract(segments(12), faulty, staging=tmp_path, workers=1)
    assert healthy.n_extracted == 2 and all(row["valid"] for row in rows(healthy).values())


def test_progress_ends_at_the_total(faulty, tmp_path):
    reports: list[Progress] = []
    extract(segments(5), faulty, staging=tmp_path, workers=1, on_progress=reports.append)
    assert (reports[-1].done, reports[-1].total, reports[-1].remaining_s) == (5, 5, 0.0)


def test_a_set_that_cannot_be_used_at_all_fails_the_extraction_instead_of_refusing_everything(tmp_path):
    broken = Bert(str(tmp_path / "absent"))
    utterances = [Segment(utterance_id="u", transcript="hello")]
    with pytest.raises(FeatureSetError, match="neither a folder nor in the hub's cache"):
        extract(utterances, broken, staging=tmp_path)


def test_transcripts_of_many_files_go_to_the_encoder_together_in_this_process(faulty, tmp_path):
    textual = replace(faulty, modality=Modality.TEXTUAL)
    done = extract(segments(9, {4: "raise"}), textual, staging=tmp_path)
    assert [refusal.utterance_id for refusal in done.refusals] == ["u4"] and len(rows(done)) == 9
    # Nine at once; the fifth raised, so it and those behind it were done one by one.
    assert textual.calls.read_text().split() == [f"{os.getpid()}:9"] + [f"{os.getpid()}:1"] * 5


@pytest.mark.slow
def test_a_run_killed_at_any_moment_goes_on_and_redoes_at_most_one_utterance_a_worker(faulty, tmp_path):
    script = (
        "import sys\n"
        f"sys.path[:0] = [{str(FIXTURES)!r}, {str(Path(__file__).parent)!r}]\n"
        "if __name__ == '__main__':\n"
        "    from pathlib import Path\n"
        "    from faulty_features import FaultyFeatures\n"
        "    from test_extraction import segments\n"
        "    from affectory.features.extraction import extract\n"
        f"    here = Path({str(tmp_path)!r})\n"
        "    extract(segments(40), FaultyFeatures(here / 'begun.log', 0.1), staging=here, workers=2)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    while len(list(tmp_path.glob("faulty/[!.]*.parquet"))) < 8 and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(30)
    time.sleep(0.5)  # the workers notice that their parent is gone
    n_done = len(list(tmp_path.glob("faulty/[!.]*.parquet")))
    assert 8 <= n_done < 40
    rest = extract(segments(40), faulty, staging=tmp_path, workers=1)
    assert (rest.n_reused, rest.n_extracted, len(rows(rest))) == (n_done, 40 - n_done, 40)
    assert len(faulty.log.read_text().split()) <= 40 + 2
    assert not list(tmp_path.glob("faulty/.*"))


def test_workers_are_gone_afterwards(faulty, tmp_path):
    extract(segments(2), faulty, staging=tmp_path, workers=2)
    assert multiprocessing.active_children() == []


def test_a_full_disk_is_an_error_and_leaves_nothing_under_a_final_name(faulty, tmp_path, monkeypatch):
    from affectory.features import parts
    from affectory.features.feature_set import FeatureRow

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        parts.write_part(tmp_path / "x.parquet", FeatureRow("u", np.ones((1, 2), np.float32)), "f", 2)
    assert list(tmp_path.iterdir()) == []

import os
import time

import pytest

from affectory.processes.child_processes import Lost, run_each


def test_results_come_in_the_order_of_the_items():
    reports: list[tuple[int, int]] = []
    done = run_each(abs, [-3, 2, -1], workers=2, timeout_s=30, on_progress=lambda *progress: reports.append(progress))
    assert done == [3, 2, 1]
    assert reports == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.slow
def test_an_item_that_hangs_is_lost_alone():
    done = run_each(time.sleep, [0.0, 60.0, 0.0], workers=2, timeout_s=1.5)
    assert done[0] is None and done[2] is None
    assert isinstance(done[1], Lost) and done[1].why == "timeout"


def test_an_item_whose_process_dies_is_lost_alone():
    done = run_each(eval, ["1 + 1", "__import__('os').abort()", "2 + 2"], workers=1, timeout_s=30)
    assert done[0] == 2 and done[2] == 4
    assert isinstance(done[1], Lost) and done[1].why == "crashed"


def test_an_exception_is_told_by_name():
    (lost,) = run_each(os.listdir, ["/does/not/exist"], workers=1, timeout_s=30)
    assert isinstance(lost, Lost) and lost.why == "failed" and "FileNotFoundError" in lost.detail


def test_a_process_may_not_take_more_memory_than_allowed():
    (lost,) = run_each(bytes, [2 << 30], workers=1, timeout_s=30, memory_bytes=1 << 30)
    assert isinstance(lost, Lost) and "MemoryError" in lost.detail


def test_nothing_to_do_starts_no_process():
    assert run_each(abs, [], workers=2, timeout_s=1) == []

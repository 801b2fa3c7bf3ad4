"""Batches at once come out in order, few ahead, and leave nothing running."""

from __future__ import annotations

import threading
import time

import cv2
import pytest
import torch

from visiongen.cores import cores
from visiongen.generators.parallel import in_order, meanwhile


@pytest.fixture(autouse=True)
def several_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_keep_the_order_of_the_items():
    def work(n: int) -> int:
        time.sleep(0.01 * (n % 3))
        return n * n

    assert list(in_order(work, range(20))) == [n * n for n in range(20)]


def test_items_are_taken_few_in_advance():
    taken = []

    def items():
        for n in range(50):
            taken.append(n)
            yield n

    results = in_order(lambda n: n, items())
    for n in range(10):
        assert next(results) == n
        assert len(taken) <= n + 2 + min(2, cores())


def test_opencv_has_one_thread_as_long_as_any_batches_are_under_way():
    cv2.setNumThreads(2)
    first, second = (in_order(lambda _: cv2.getNumThreads(), range(9)) for _ in range(2))
    assert [next(first), next(second)] == [1, 1]
    first.close()
    assert set(second) == {1}
    assert cv2.getNumThreads() == 2


def test_closing_stops_and_leaves_no_thread():
    started = []
    results = in_order(started.append, range(1000))
    next(results)
    results.close()
    assert len(started) < 10
    assert not [one for one in threading.enumerate() if one.name.startswith("render")]


def test_an_error_arrives_where_the_frames_are_taken():
    def work(n: int) -> int:
        if n == 3:
            raise ValueError("frame three")
        return n

    results = in_order(work, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="frame three"):
        next(results)


def test_every_worker_has_one_core_and_the_caller_keeps_its_own():
    inside = list(in_order(lambda _: torch.get_num_threads(), range(4)))
    assert inside == [1] * 4
    assert torch.get_num_threads() == 2
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_work_goes_on_while_something_else_is_computed():
    here, there = threading.Event(), threading.Event()

    def work() -> tuple[int, int]:
        there.set()
        assert here.wait(10), "nothing happens meanwhile"
        return torch.get_num_threads(), threading.get_ident()

    with meanwhile(work) as result:
        assert there.wait(10)
        here.set()
        threads, thread = result()
    assert threads == 2 and thread != threading.get_ident()


def test_an_error_of_such_work_is_raised_where_its_result_is_wanted():
    def work() -> None:
        raise ValueError("no")

    with meanwhile(work) as result, pytest.raises(ValueError, match="no"):
        result()
    assert not [one for one in threading.enumerate() if one.name.startswith("meanwhile")]

"""Several batches of frames at once, each on one core.

A small network on small pictures keeps one core busy and several cores waiting for each other: two batches on a core each are
done sooner than one batch on two.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2
import torch

from visiongen.cores import cores

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST = 8
"""Batches at once, at most: each holds the network's feature maps (about 25 MB a frame)."""


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``work(item)`` for every item, in their order, computed by as many threads as PyTorch may use here.

    Items are taken in the calling thread, few in advance. Closing the iterator waits for what is under way.
    """
    threads = torch.get_num_threads()
    workers = min(threads, cores(), MOST)
    ahead: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, "render", initializer=torch.set_num_threads, initargs=(1,))
    try:
        with _opencv_on_one_core():
            for item in items:
                ahead.append(pool.submit(work, item))
                if len(ahead) > workers:  # one more than can run: whoever takes the frames needs time too
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # threads made later take over the number that was set last


@contextlib.contextmanager
def meanwhile(work: Callable[[], Result]) -> Iterator[Callable[[], Result]]:
    """``work()`` in a thread of its own while the block computes something else.

    Returns:
        A function that waits for it and gives its result, or raises its error.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(1, "meanwhile", initializer=torch.set_num_threads, initargs=(threads,)) as pool:
        yield pool.submit(work).result


_opencv_lock = threading.Lock()
_opencv_users, _opencv_threads = 0, 0


@contextlib.contextmanager
def _opencv_on_one_core() -> Iterator[None]:
    """OpenCV splits no call among cores that have batches of their own; its number of threads is one for the process."""
    global _opencv_users, _opencv_threads
    with _opencv_lock:
        if not _opencv_users:
            _opencv_threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _opencv_users += 1
    try:
        yield
    finally:
        with _opencv_lock:
            _opencv_users -= 1
            if not _opencv_users:
                cv2.setNumThreads(_opencv_threads)


@contextlib.contextmanager
def share_of_cores(count: int) -> Iterator[None]:
    """In the calling thread PyTorch uses no more than one of `count` equal shares of the cores."""
    if count == 1:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, min(threads, cores() // count)))
    try:
        yield
    finally:
        torch.set_num_threads(threads)

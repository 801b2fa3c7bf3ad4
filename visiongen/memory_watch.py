"""Ends a process that grows too much while it does one task: what a hostile file makes it take, nobody else misses."""

from __future__ import annotations

import threading
from collections.abc import Callable

from visiongen.memory import resident_bytes

_EVERY = 0.05


class MemoryWatch:
    """Use in ``with``, round a task of the process `pid`. Without /proc nothing is watched."""

    def __init__(self, pid: int, growth: int | None, end: Callable[[], object]) -> None:
        """
        Args:
            pid: Of the process.
            growth: So many bytes more than at the beginning it may take; None: any.
            end: Called once when it takes more.
        """
        self._pid, self._end, self._over = pid, end, threading.Event()
        self._done = threading.Event()
        begun = resident_bytes(pid) if growth is not None else None
        self._most = None if begun is None else begun + (growth or 0)
        self._thread = threading.Thread(target=self._watch, name="memory-watch", daemon=True)

    @property
    def was_exceeded(self) -> bool:
        """The process was ended because it grew too much."""
        return self._over.is_set()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            now = resident_bytes(self._pid)
            if now is None:
                return
            if now > self._most:
                self._over.set()
                self._end()
                return

    def __enter__(self) -> MemoryWatch:
        if self._most is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

"""MediaPipe's graphs, made once and used again: a graph takes a while to make, and what it leaves behind when it is closed
(some 7 kB) would add up over the jobs of a service."""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np

_MOST_KEPT = 4
"""Free graphs of one kind; more are closed."""
_one_at_a_time = threading.RLock()
_free: dict[Hashable, list[Any]] = {}
_of_the_parent: list[Any] = []
"""After a fork: graphs whose threads live in another process. Kept, since closing one would wait for them."""


class Reader(Protocol):
    """Another process that has looked, or looks now, at what this one will ask for."""

    def faces_of_picture(self, path: Path, size: int | None) -> list[np.ndarray] | None:
        """Landmarks (478, 3) of all faces as of `visiongen.faces.find_faces`, of the picture with its longer side at `size`
        px; None: look for them here."""

    def faces_of_clip(self, path: Path, start: float, end: float | None) -> Iterator[tuple[float, np.ndarray]] | None:
        """(time, landmarks (F, 478, 3)) of every frame in order; None: look for them here.

        Raises:
            ReaderFailed: On the way; the other frames are to be looked at here.
        """

    def look(self, kind: Hashable, image: np.ndarray) -> np.ndarray | None:
        """What a graph of a kind (see `take`) finds in one picture (H, W, 3) uint8, float32; None: look here."""


class ReaderFailed(Exception):
    """A `Reader` cannot go on."""


reader: Reader | None = None
"""The one of this process, where there is one."""


def take(kind: Hashable, make: Callable[[], Any]) -> Any:
    """A graph that nobody uses now, of a kind whose pictures do not depend on each other.

    Args:
        kind: Whatever tells graphs apart that are made with other options.
        make: Makes one where none is free.
    """
    with _one_at_a_time:
        if _free.get(kind):
            return _free[kind].pop()
    with silent_stderr():
        os.environ.setdefault("GLOG_minloglevel", "3")
        return make()


def give_back(kind: Hashable, graph: Any) -> None:
    """The graph is free for others."""
    with _one_at_a_time:
        kept = _free.setdefault(kind, [])
        if len(kept) < _MOST_KEPT:
            kept.append(graph)
            return
    graph.close()


@atexit.register
def _close_all() -> None:
    for kept in _free.values():
        while kept:
            kept.pop().close()


def _forget_all() -> None:
    for kept in _free.values():
        _of_the_parent.extend(kept)
    _free.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def solutions() -> Any:
    """``mediapipe.solutions``, without the libraries that MediaPipe only draws and records with: two thirds of its import."""
    with _one_at_a_time, _put_off("matplotlib.pyplot"), _put_off("sounddevice"):
        import mediapipe
    return mediapipe.solutions


class _Later(ModuleType):
    """Stands for a module that is imported when somebody uses it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _put_off(name: str) -> Iterator[None]:
    """What the block imports gets a `_Later` for the module `name` (and its package); others get the real one afterwards."""
    package, _, part = name.partition(".")
    if package in sys.modules:
        yield
        return
    found = {package: _Later(package)}
    if part:
        found[name] = _Later(name)
        setattr(found[package], part, found[name])
    sys.modules.update(found)
    try:
        yield
    finally:
        for key, module in found.items():
            if sys.modules.get(key) is module:
                del sys.modules[key]


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keeps MediaPipe's start-up notes, written by C++ straight to file descriptor 2, off the user's screen."""
    # Two threads at once would save each other's /dev/null as the true stderr.
    with _one_at_a_time:
        try:
            sys.stderr.flush()
            saved = os.dup(2)
        except (OSError, ValueError, AttributeError):
            yield  # no real stderr (a service, some notebooks): nothing to keep clean
            return
        try:
            with open(os.devnull, "wb") as sink:
                os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)

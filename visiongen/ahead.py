"""Faces read ahead, by a process of its own, while this one still loads its libraries.

Importing PyTorch takes two seconds of one core, and the interpreter's lock keeps threads from using the other meanwhile. So a
command that will need the faces of a picture and of a clip starts this process before all else: it loads MediaPipe, reads
both, and hands the landmarks over, the same numbers to the bit. Whatever fails in it is done again here, where errors are
told as ever. The other side is `visiongen.ahead_worker`.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visiongen import mediapipe_graphs
from visiongen.cores import cores
from visiongen.mediapipe_graphs import ReaderFailed
from visiongen.workers import WorkerProcess, surroundings

if TYPE_CHECKING:
    import numpy as np

_FRAME, _CLIP, _NOTE, _END = "frame", "clip", "note", "end"
_LOOK = 0.5
"""Seconds between looks for Ctrl-C while there is nothing to do but wait: on Windows a wait without end hears nothing."""
_MOST_LOOKS = 16
"""Further pictures that it looks at, one at a time: for more, loading MediaPipe here is worth its time."""


def as_text(array: np.ndarray) -> dict[str, Any]:
    """Pixels or landmarks for a line of JSON, the same numbers to the bit."""
    values = base64.b64encode(array.tobytes()).decode("ascii")
    return {"type": array.dtype.str, "shape": array.shape, "values": values}


def from_text(text: dict[str, Any]) -> np.ndarray:
    """What `as_text` was given."""
    import numpy as np  # the process shall be started before that takes its time

    return np.frombuffer(base64.b64decode(text["values"]), text["type"]).reshape(text["shape"]).copy()


class ReadingAhead:
    """The process, and the one picture and the one clip it was asked for: a `visiongen.mediapipe_graphs.Reader`."""

    def __init__(self) -> None:
        """Starts the process and returns at once."""
        self._process = WorkerProcess(
            "that reads ahead", module="visiongen.ahead_worker", environment=surroundings(cores())
        )
        self._calls = ThreadPoolExecutor(1, "reading ahead")
        self._picture: tuple[tuple[str, int | None], Future] | None = None
        self._clip: tuple[str, queue.SimpleQueue] | None = None
        self._closing, self._is_closed = threading.Lock(), False
        self._looks = 0
        self._ask({"do": "begin"})

    def ask(self, picture: Path, driving: Path | None, *, size: int | None, start: float, end: float | None) -> None:
        """Has the faces found in a picture, brought to a longer side of `size` px, and in a piece of a clip, s."""
        self._picture = _key(picture, size), self._ask({"do": "picture", "path": _key(picture)[0], "size": size})
        if driving is None:
            return
        found: queue.SimpleQueue = queue.SimpleQueue()
        name = _key(driving)[0]
        call = self._ask({"do": "clip", "path": name, "start": start, "end": end}, found.put)
        call.add_done_callback(lambda done: found.put({"event": _END, "whole": not _failure(done)}))
        self._clip = name, found

    def _ask(self, task: dict[str, Any], on_event: Callable[[dict[str, Any]], None] | None = None) -> Future:
        return self._calls.submit(self._process.run, task, on_event)

    def faces_of_picture(self, path: Path, size: int | None) -> list[np.ndarray] | None:
        """See `visiongen.mediapipe_graphs.Reader`."""
        (asked, answer), self._picture = self._picture or (None, None), None
        if asked != _key(path, size):
            return None
        found = _waited(answer)
        return None if found is None else list(from_text(found["faces"]))

    def faces_of_clip(self, path: Path, start: float, end: float | None) -> Iterator[tuple[float, np.ndarray]] | None:
        """See `visiongen.mediapipe_graphs.Reader`."""
        (name, found), self._clip = self._clip or (None, None), None
        if name != _key(path)[0]:
            return None
        first = _next(found)
        while first["event"] == _NOTE:  # of the containers' readers; told once, here or where it is read again
            first = _next(found)
        same = first["event"] == _CLIP and (first["start"], first["end"]) == (start, end)
        return _frames(found) if same else None

    def look(self, kind: Hashable, image: np.ndarray) -> np.ndarray | None:
        """See `visiongen.mediapipe_graphs.Reader`."""
        self._looks += 1
        if self._looks > _MOST_LOOKS:
            return None
        try:
            answer = self._ask({"do": "look", "kind": kind, "image": as_text(image)})
        except RuntimeError:  # closed meanwhile, by another thread
            return None
        found = _waited(answer)
        if found is None:  # no second try: it would be started again for it
            self._looks = _MOST_LOOKS
        return None if found is None else from_text(found["found"])

    def close(self) -> None:
        """Ends the process, whatever it does; may be called again."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            if mediapipe_graphs.reader is self:
                mediapipe_graphs.reader = None
            self._calls.shutdown(wait=False, cancel_futures=True)
            self._process.close()
            self._calls.shutdown(wait=True)


def _frames(found: queue.SimpleQueue) -> Iterator[tuple[float, np.ndarray]]:
    while True:
        told = _next(found)
        if told["event"] == _FRAME:
            yield told["time"], from_text(told["faces"])
        elif told["event"] == _NOTE:
            logging.getLogger(told["logger"]).log(told["level"], "%s", told["text"])
        elif told["whole"]:
            return
        else:
            raise ReaderFailed


def _next(found: queue.SimpleQueue) -> dict[str, Any]:
    while True:
        with contextlib.suppress(queue.Empty):
            return found.get(timeout=_LOOK)


def _waited(call: Future) -> dict[str, Any] | None:
    """What the process answers, None where it failed."""
    while not call.done():
        with contextlib.suppress(TimeoutError, CancelledError):
            call.exception(timeout=_LOOK)
    return None if _failure(call) else call.result()


def _failure(call: Future) -> bool:
    return call.cancelled() or call.exception() is not None


def _key(path: Path, size: int | None = None) -> tuple[str, int | None]:
    return str(Path(path).absolute()), size


@contextlib.contextmanager
def reading_ahead() -> Iterator[ReadingAhead | None]:
    """The process, for the block; None where there is no second core for it."""
    if cores() < 2:
        yield None
        return
    reader = mediapipe_graphs.reader = ReadingAhead()
    try:
        yield reader
    finally:
        reader.close()

"""The child process ``python -m visiongen.worker``: does jobs one after the other and keeps what they need in memory.

It reads tasks from standard input and tells what happens on standard output, one JSON object a line. A task is
``{"do": name, "task": number, ...}``, see `TASKS`. While it works it may tell ``{"event": "progress", "stage", "done",
"total"}``, and it ends with one of ``answer``, ``error`` (with ``message``, and ``again``: another attempt may succeed)
and ``stopped``. ``{"do": "stop", "task": number}`` stops that task at its next frame. When standard input closes, the
process ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from visiongen.batch.work import JobFailed, perform
from visiongen.errors import VisionGenError
from visiongen.shortages import shortage

_EVERY = 0.2
"""Seconds between two lines on the progress of one stage."""


class Stopped(BaseException):
    """The task was cancelled. Not an error that a plugin might catch."""


class Teller:
    """How a task tells what happens, and learns that it shall stop."""

    def __init__(self, out: Any) -> None:
        self._out, self._lock, self._stop = out, threading.Lock(), threading.Event()
        self._task, self._stage, self._told = -1, "", 0.0

    def begin(self, task: int) -> None:
        """A new task."""
        self._stop.clear()
        self._task, self._stage = task, ""

    def stop(self, task: int) -> None:
        """Stops a task if it is the one at work."""
        if task == self._task:
            self._stop.set()

    def tell(self, event: str, **values: Any) -> None:
        """Sends an event."""
        line = json.dumps({"event": event, "task": self._task, **values})
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """To be passed to `visiongen.animate`.

        Raises:
            Stopped: The task was cancelled.
        """
        if self._stop.is_set():
            raise Stopped
        now = time.monotonic()
        if stage != self._stage or now - self._told >= _EVERY or done == total:
            self._stage, self._told = stage, now
            self.tell("progress", stage=stage, done=done, total=total)


def _animate(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    return perform(task["values"], teller.progress)


def _check(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from visiongen.service.checks import check_upload

    return check_upload(task, teller.progress)


def _warm(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    """Loads what nearly every job needs."""
    from visiongen import animate_command
    from visiongen.landmarks import FaceMesh

    FaceMesh(max_faces=1).close()
    return {"ready": animate_command.__name__}


TASKS: dict[str, Callable[[dict[str, Any], Teller], dict[str, Any]]] = {
    "animate": _animate, "check": _check, "warm": _warm,
}  # fmt: skip
"""What can be asked for."""


def _listen(tasks: queue.Queue, teller: Teller) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "stop":
            teller.stop(message["task"])
        else:
            tasks.put(message)
    os._exit(0)  # whoever asked is gone, and nobody waits for what is being done


def main() -> None:
    """Works until standard input closes."""
    # What plugins and libraries print must not come between the lines of JSON.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    teller, tasks = Teller(out), queue.Queue()
    threading.Thread(target=_listen, args=(tasks, teller), daemon=True).start()
    while True:
        task = tasks.get()
        teller.begin(task["task"])
        try:
            answer = TASKS[task["do"]](task, teller)
        except Stopped:
            teller.tell("stopped")
        except VisionGenError as error:
            teller.tell("error", message=str(error), again=isinstance(error, JobFailed))
        except BaseException as error:  # plugins may raise anything; the next task shall find this process alive
            traceback.print_exc()
            text = shortage(error) or f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            teller.tell("error", message=f"unexpected failure, {text}", again=True)
        else:
            teller.tell("answer", **answer)


if __name__ == "__main__":
    main()

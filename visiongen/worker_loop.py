"""A worker process seen from inside: reads tasks, has them done one after the other, and tells what happens.

Tasks come on standard input and events go to standard output, one JSON object a line. A task is ``{"do": name, "task":
number, ...}``. While it works it may tell what its module says, such as ``{"event": "progress", "stage", "done",
"total"}``, and it ends with one of ``answer``, ``error`` (with ``message``, and ``again``: another attempt may succeed)
and ``stopped``. ``{"do": "stop", "task": number}`` stops that task where it next looks, at its next frame. When standard
input closes, the process ends: nobody waits for what is being done. The other side is `visiongen.workers`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from visiongen.errors import VisionGenError
from visiongen.memory import few_arenas
from visiongen.shortages import shortage

_EVERY = 0.2
"""Seconds between two lines on the progress of one stage."""
_LONGEST = 300


class Stopped(BaseException):
    """The task was cancelled. Not an error that a plugin might catch."""


class Teller:
    """How a task tells what happens, and learns that it shall stop."""

    def __init__(self, out: Any) -> None:
        """
        Args:
            out: A text file.
        """
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

    def check(self) -> None:
        """Goes on unless the task was cancelled.

        Raises:
            Stopped: It was.
        """
        if self._stop.is_set():
            raise Stopped

    def tell(self, event: str, **values: Any) -> None:
        """Sends an event.

        Raises:
            ValueError: A value is not of JSON, such as NaN.
        """
        line = json.dumps({"event": event, "task": self._task, **values}, allow_nan=False)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """To be passed to `visiongen.animate`; tells now and then.

        Raises:
            Stopped: The task was cancelled.
        """
        self.check()
        now = time.monotonic()
        if stage != self._stage or now - self._told >= _EVERY or done == total:
            self._stage, self._told = stage, now
            self.tell("progress", stage=stage, done=done, total=total)


Task = Callable[[dict[str, Any], Teller], dict[str, Any]]
"""Takes a task's values, and gives those of the answer."""


def serve(
    tasks: Mapping[str, Task],
    *,
    passing: tuple[type[VisionGenError], ...] = (),
    after: Callable[[dict[str, Any]], object] | None = None,
    advice: str = "",
) -> None:
    """Works until standard input closes. The whole life of a process: what it prints goes to standard error from now on.

    Args:
        tasks: What can be asked for, by name.
        passing: Errors that may have passed at another attempt.
        after: Called with every task that has ended, however it did.
        advice: What to do about an error that nobody expected, for messages.
    """
    few_arenas()
    # What plugins and libraries print must not come between the lines of JSON.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    teller, waiting = Teller(out), queue.Queue()
    threading.Thread(target=_listen, args=(waiting, teller), daemon=True).start()
    while True:
        task = waiting.get()
        teller.begin(task["task"])
        try:
            teller.tell("answer", **tasks[task["do"]](task, teller))
        except Stopped:
            teller.tell("stopped")
        except VisionGenError as error:
            teller.tell("error", message=str(error), again=isinstance(error, passing))
        except BaseException as error:  # plugins may raise anything; the next task shall find this process alive
            with contextlib.suppress(OSError):  # the log may be on the disk that is full
                traceback.print_exc()
            teller.tell("error", message=_sentence(error, advice), again=True)
        if after is not None:
            after(task)


def _listen(waiting: queue.Queue, teller: Teller) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "stop":
            teller.stop(message["task"])
        else:
            waiting.put(message)
    os._exit(0)  # whoever asked is gone


def _sentence(error: BaseException, advice: str) -> str:
    if missing := shortage(error):
        return missing
    text = f"unexpected failure, {type(error).__name__}: {' '.join(str(error).split())[:_LONGEST]}"
    return f"{text}; {advice}" if advice else text

"""The child process ``python -m studio.worker``: does what needs models, apart from the server, and keeps them warm.

It reads tasks from standard input and tells what happens on standard output, one JSON object a line. A task is
``{"do": name, "task": number, "root": the studio's folder, ...}``, see `TASKS`; while it works it may tell

* ``{"event": "stage", "name"}``, ``{"event": "progress", "done", "total"}``, ``{"event": "device", "name"}``,
* ``{"event": "series", "values": {metric: [one number or null per new frame]}}``,
* ``{"event": "preview"}`` when ``preview.jpg`` in the run's folder is new,

and it ends with one of ``answer``, ``error`` (with ``message``) and ``stopped``. ``{"do": "stop", "task": number}``
stops that task at the next frame. When standard input closes, the process ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from studio.warm import Warm
from visiongen.errors import VisionGenError
from visiongen.memory import give_back_memory
from visiongen.shortages import shortage


class Stopped(Exception):
    """The task was cancelled."""


class Teller:
    """How a task tells the server what happens, and learns that it shall stop."""

    def __init__(self, out: Any) -> None:
        self._out = out
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._task = -1

    def begin(self, task: int) -> None:
        """A new task."""
        self._task = task
        self._stop.clear()

    def stop(self, task: int) -> None:
        """Stops a task if it is the one at work."""
        if task == self._task:
            self._stop.set()

    def check(self) -> None:
        """Raises `Stopped` if the task was cancelled."""
        if self._stop.is_set():
            raise Stopped

    def tell(self, event: str, **values: Any) -> None:
        """Sends an event."""
        line = json.dumps({"event": event, "task": self._task, **values}, allow_nan=False)
        with self._lock:
            self._out.write(line + "\n")
            self._out.flush()


def _render(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.rendering import render_run

    return render_run(task, warm, teller)


def _preview(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.previews import preview_frame

    return preview_frame(task, warm, teller)


def _faces(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.previews import find_portrait_faces

    return find_portrait_faces(task, warm)


def _convert(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.conversion import convert_result

    return convert_result(task, teller)


def _check_picture(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.checks import check_picture

    return check_picture(task)


def _check_clip(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.checks import check_clip

    return check_clip(task, Path(task["root"]), teller)


def _frame(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.previews import clip_frame

    return clip_frame(task)


def _template(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.conversion import write_template

    return write_template(task, warm)


def _verify(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    from studio.verifying import verify_file

    return verify_file(task)


def _warm(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    warm.up()
    return {}


TASKS = {
    "render": _render, "preview": _preview, "faces": _faces, "convert": _convert, "check_picture": _check_picture,
    "check_clip": _check_clip, "frame": _frame, "template": _template, "warm": _warm, "verify": _verify,
}  # fmt: skip
"""What can be asked for; each function says in its module what it takes and answers."""


_LARGE = ("render", "check_picture", "check_clip", "convert")
"""Tasks after which memory is given back; previews come one after the other and shall stay quick."""


def _listen(tasks: queue.Queue, teller: Teller) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "stop":
            teller.stop(message["task"])
        else:
            tasks.put(message)
    os._exit(0)  # the server is gone, and nobody waits for what is being done


def main() -> None:
    """Works until standard input closes."""
    # What plugins and libraries print must not come between the lines of JSON.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    teller = Teller(out)
    tasks: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(tasks, teller), daemon=True).start()
    warm: dict[str, Warm] = {}
    while True:
        task = tasks.get()
        teller.begin(task["task"])
        root = task["root"]
        try:
            answer = TASKS[task["do"]](task, warm.setdefault(root, Warm(Path(root))), teller)
        except Stopped:
            teller.tell("stopped")
        except VisionGenError as error:
            teller.tell("error", message=str(error))
        except BaseException as error:  # plugins may raise anything; the next task shall find this process alive
            traceback.print_exc()
            teller.tell("error", message=_sentence(task, error))
        else:
            teller.tell("answer", **answer)
        if task["do"] in _LARGE:
            give_back_memory()


def _sentence(task: dict[str, Any], error: BaseException) -> str:
    if missing := shortage(error):
        return f"{task['do']}: {missing}"
    text = " ".join(str(error).split())[:300]
    return f"{task['do']}: {type(error).__name__}: {text}; try other settings, or another generator or enhancer"


if __name__ == "__main__":
    main()

"""A worker process seen from the server: started when needed, asked in JSON lines, replaced when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.memory_watch import MemoryWatch
from visiongen.errors import VisionGenError
from visiongen.shortages import shortage

GRACE = 4.0
"""Seconds a worker has to stop by itself before it is killed."""


def surroundings() -> dict[str, Any]:
    """Working folder and environment of a child process, for `subprocess.Popen`.

    ``python -m`` looks for modules in the working folder first, and that may be any folder, one of downloads for example:
    the child's is that of the program itself, and Python is told not to look there at all.
    """
    root = Path(__file__).resolve().parents[1]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"cwd": root, "env": {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}}


class WorkerDied(VisionGenError):
    """The process ended in the middle of a task; the next task gets a new one."""


class TaskStopped(VisionGenError):
    """The task was cancelled."""


class WorkerProcess:
    """One child process ``python -m studio.worker``; one task at a time."""

    def __init__(self, name: str, logs: Path) -> None:
        self._name = name
        self._log = logs / f"worker-{name}.log"
        self._busy = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._stopping = threading.Event()
        self._number = 0
        self._killer: threading.Timer | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that is alive, None where there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def run(
        self,
        task: dict[str, Any],
        on_event: Callable[[dict[str, Any]], None] | None = None,
        *,
        seconds: float | None = None,
        growth: int | None = None,
    ) -> dict[str, Any]:
        """Has a task done and waits for it.

        Args:
            task: ``{"do": name, ...}``, plain JSON values; see `studio.worker`.
            on_event: Called with every event the worker tells on the way.
            seconds: The process is ended when the task takes longer; None: it may take as long as it does.
            growth: The process is ended when the task makes it larger by more bytes; None: it may.
        Returns:
            The worker's answer.
        Raises:
            TaskStopped: `stop` was called.
            WorkerDied: The process died.
            VisionGenError: What the worker reports, in one sentence.
        """
        with self._busy:
            self._stopping.clear()
            self._number += 1
            process = self._started()
            too_long = threading.Event()
            limit = threading.Timer(seconds or 0, lambda: (too_long.set(), process.kill()))
            limit.daemon = True
            if seconds is not None:
                limit.start()
            watch = MemoryWatch(process.pid, growth, process.kill)
            try:
                with watch:
                    return self._exchange(process, {**task, "task": self._number}, on_event)
            except WorkerDied as error:
                if watch.was_exceeded:
                    raise VisionGenError(
                        f"this took more than {growth >> 20} MB of memory and was given up; try a smaller file"
                    ) from error
                if too_long.is_set():
                    raise VisionGenError(f"this took longer than {seconds:.0f} s and was given up; try less") from error
                raise
            finally:
                limit.cancel()
                if self._killer is not None:
                    self._killer.cancel()
                    self._killer = None

    def _exchange(self, process: subprocess.Popen, task: dict, on_event: Callable | None) -> dict[str, Any]:
        try:
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                kind, _ = message.pop("event"), message.pop("task")
                if kind == "answer":
                    return message
                if kind == "stopped":
                    raise TaskStopped("stopped")
                if kind == "error":
                    raise VisionGenError(message["message"])
                if on_event is not None:
                    on_event({"event": kind, **message})
        except (OSError, ValueError):  # a broken pipe, half a line: it is dying
            process.kill()
        code = process.wait()
        if self._stopping.is_set():
            raise TaskStopped("stopped")
        raise WorkerDied(self._why(code))

    def _why(self, code: int) -> str:
        how = f"exit status {code}"
        if code < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-code).name
        hint = " (often: memory ran out; use a smaller size or a shorter piece)" if code == -9 else ""
        return f"the {self._name} process ended unexpectedly, {how}{hint}; the studio lives on, so try again"

    def _started(self) -> subprocess.Popen:
        if self._process is not None and self._process.poll() is None:
            return self._process
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "studio.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    **surroundings(),
                )
        except OSError as error:
            raise VisionGenError(f"the {self._name} process cannot be started: {shortage(error) or error}") from error
        return self._process

    def stop(self) -> None:
        """Stops the running task: asks first, and kills the process if it does not listen in `GRACE` seconds."""
        process, number = self._process, self._number
        if process is None or not self._busy.locked() or self._stopping.is_set():
            return
        self._stopping.set()
        with contextlib.suppress(OSError, ValueError):
            process.stdin.write(json.dumps({"do": "stop", "task": number}) + "\n")
            process.stdin.flush()
        self._killer = threading.Timer(GRACE, self._kill, (process, number))
        self._killer.daemon = True
        self._killer.start()

    def _kill(self, process: subprocess.Popen, number: int) -> None:
        """Ends a process that is still at the task it should have stopped."""
        if self._busy.locked() and self._number == number:
            process.kill()

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()

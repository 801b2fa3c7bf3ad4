"""A worker process seen from outside: started when needed, asked in JSON lines, replaced when it dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from visiongen import blas
from visiongen.cores import SHARE_VARIABLE, cores
from visiongen.errors import VisionGenError
from visiongen.memory_watch import MemoryWatch
from visiongen.shortages import shortage

GRACE = 4.0
"""Seconds a worker has to stop by itself before it is killed."""


class TaskStopped(VisionGenError):
    """The task was cancelled."""


class WorkerFailed(VisionGenError):
    """The process died, took too long or too much, or met something that may have passed at the next attempt."""


class WorkerDied(WorkerFailed):
    """The process ended in the middle of a task; the next task gets a new one."""


def share_of_cores(workers: int) -> int:
    """CPU threads for each of so many workers."""
    return max(1, cores() // max(1, workers))


def gpus() -> list[str]:
    """Numbers of the CUDA devices that may be used, found without loading PyTorch; [] where there are none."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip() not in ("", "-1")]
    with contextlib.suppress(OSError):
        return [str(number) for number, _ in enumerate(sorted(os.listdir("/proc/driver/nvidia/gpus")))]
    return []


def surroundings(threads: int | None = None, gpu: str | None = None) -> dict[str, str]:
    """Environment of a worker with so many CPU threads (None: as many as it likes), on one GPU.

    Python is told not to look for modules in the working folder, which may be any, one of downloads for example.
    """
    root = str(Path(__file__).resolve().parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    found = {**blas.LIMIT, **os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}
    if threads is not None:
        found |= {SHARE_VARIABLE: str(threads), "OPENCV_FOR_THREADS_NUM": str(threads)}
    return found | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})


class WorkerProcess:
    """One child process that runs `visiongen.worker_loop.serve`; one task at a time."""

    def __init__(
        self,
        name: str,
        *,
        module: str = "visiongen.worker",
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        advice: str = "",
    ) -> None:
        """
        Args:
            name: For messages.
            module: What the child runs, ``python -m module``.
            folder: Working folder of the child; None: that of this process.
            environment: Of the child; None: as of `surroundings` for a worker that has all cores.
            log: Where the child's standard error goes; None: nowhere.
            advice: What to do when it dies, for messages.
        """
        self._name, self._module, self._folder, self._log, self._advice = name, module, folder, log, advice
        self._environment = dict(environment or surroundings(cores()))
        self._busy, self._stopping = threading.Lock(), threading.Event()
        self._process: subprocess.Popen | None = None
        self._killer: threading.Timer | None = None
        self._number = 0
        self.starts = 0
        """How often a process was started."""

    @property
    def pid(self) -> int | None:
        """Of the process that is alive, None where there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def run(
        self,
        task: Mapping[str, Any],
        on_event: Callable[[dict[str, Any]], None] | None = None,
        *,
        seconds: float | None = None,
        growth: int | None = None,
    ) -> dict[str, Any]:
        """Has a task done and waits for it.

        Args:
            task: ``{"do": name, ...}``, plain JSON values; see the module that the child runs.
            on_event: Called with every event the worker tells on the way.
            seconds: The process is ended when the task takes longer; None: it may take as long as it does.
            growth: The process is ended when the task makes it larger by more bytes; None: it may.
        Returns:
            The worker's answer.
        Raises:
            TaskStopped: `stop` was called.
            WorkerDied: The process died.
            WorkerFailed: It was too slow or too large, or failed in a way that may have passed the next time.
            VisionGenError: What the worker reports, in one sentence.
        """
        with self._busy:
            self._stopping.clear()
            self._number += 1
            process = self._started()
            try:
                with _within(process, seconds, growth):
                    return self._exchange(process, {**task, "task": self._number}, on_event)
            finally:
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
                    raise (WorkerFailed if message["again"] else VisionGenError)(message["message"])
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
        hint = " (often: memory ran out; use fewer workers, a smaller size or a shorter piece)" if code == -9 else ""
        advice = f"; {self._advice}" if self._advice else ""
        return f"the process {self._name} was ended during this job, {how}{hint}{advice}"

    def _started(self) -> subprocess.Popen:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self.close()
        log: Any = subprocess.DEVNULL
        try:
            with contextlib.ExitStack() as stack:
                if self._log is not None:
                    self._log.parent.mkdir(parents=True, exist_ok=True)
                    log = stack.enter_context(self._log.open("ab"))
                self._process = subprocess.Popen(
                    [sys.executable, "-m", self._module],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    cwd=self._folder,
                    env=self._environment,
                    start_new_session=True,  # Ctrl-C is for whoever started it, who stops it in order
                )
        except OSError as error:
            raise VisionGenError(f"the process {self._name} cannot be started: {shortage(error) or error}") from error
        self.starts += 1
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
        """Ends the process; the next task gets a new one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()


@contextlib.contextmanager
def _within(process: subprocess.Popen, seconds: float | None, growth: int | None) -> Iterator[None]:
    """Ends a process that takes too long or too much memory in this block, and says so."""
    too_long = threading.Event()
    limit = threading.Timer(seconds or 0, lambda: (too_long.set(), process.kill()))
    limit.daemon = True
    if seconds is not None:
        limit.start()
    watch = MemoryWatch(process.pid, growth, process.kill)
    try:
        with watch:
            yield
    except WorkerDied as error:
        if watch.was_exceeded:
            text = f"it took more than {growth >> 20} MB of memory and was given up; try a smaller file"
            raise WorkerFailed(text) from error
        if too_long.is_set():
            text = f"it took longer than {seconds:g} s and was given up; try a shorter piece or a smaller size"
            raise WorkerFailed(text) from error
        raise
    finally:
        limit.cancel()

"""Who does the jobs of a batch: processes of this machine, or another engine of the same shape."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from visiongen.batch.manifest import Row
from visiongen.errors import VisionGenError
from visiongen.workers import TaskStopped, WorkerFailed, WorkerProcess, gpus, share_of_cores, surroundings


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a job."""

    row: Row
    state: str
    """begun, done or failed."""
    seconds: float = 0.0
    """Of the last attempt, with what it waited for."""
    attempts: int = 1
    error: str = ""
    """One sentence."""
    made: dict[str, Any] = field(default_factory=dict)
    """What `visiongen.batch.work.perform` tells."""


@dataclass(frozen=True, kw_only=True)
class Crew:
    """How many workers there are, and how they are treated."""

    workers: int = 1
    retries: int = 1
    """Further attempts at a job that was killed, ran out of memory or met something unexpected."""
    recycle: int = 100
    """Jobs after which a worker is replaced by a fresh process."""
    job_seconds: float | None = None
    """A job that takes longer is given up."""
    cpu: bool = False
    """No GPU is used."""

    def __post_init__(self) -> None:
        least = {"workers": 1, "retries": 0, "recycle": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise VisionGenError(f"--{name} is {getattr(self, name)}, but must be at least {low}")
        if self.job_seconds is not None and self.job_seconds <= 0:
            raise VisionGenError(f"--job-seconds is {self.job_seconds:g}, but must be more than 0")


class Engine(Protocol):
    """Does jobs in any order and tells of each twice: when it begins and when it has ended."""

    def outcomes(self, rows: Sequence[Row]) -> Iterator[Outcome]:
        """Begun and ended jobs, as they come. Closing the iterator stops what is at work and leaves the rest undone."""


class LocalEngine:
    """Worker processes on this machine, each with its share of the cores and, where there are GPUs, on one of them."""

    def __init__(self, crew: Crew, *, logs: Path | None = None) -> None:
        """
        Args:
            crew: See `Crew`.
            logs: Folder for what workers print; None: nowhere.
        """
        self._crew, self._logs = crew, logs
        self._told: queue.Queue[Outcome | BaseException | None] = queue.Queue()
        self._stopped = threading.Event()

    def outcomes(self, rows: Sequence[Row]) -> Iterator[Outcome]:
        """See `Engine`."""
        waiting: queue.SimpleQueue[Row] = queue.SimpleQueue()
        for row in rows:
            waiting.put(row)
        count = min(self._crew.workers, len(rows))
        workers = [self._worker(number, count) for number in range(count)]
        threads = [threading.Thread(target=self._work, args=(one, waiting), daemon=True) for one in workers]
        for thread in threads:
            thread.start()
        try:
            running = len(threads)
            while running:
                told = self._told.get()
                if isinstance(told, BaseException):
                    raise told
                if told is None:
                    running -= 1
                else:
                    yield told
        finally:
            self._stopped.set()
            for worker in workers:
                worker.stop()
            for thread in threads:
                thread.join()
            for worker in workers:
                worker.close()

    def _worker(self, number: int, count: int) -> WorkerProcess:
        found = [] if self._crew.cpu else gpus()
        environment = surroundings(share_of_cores(count), found[number % len(found)] if found else None)
        log = self._logs / f"worker-{number + 1}.log" if self._logs else None
        return WorkerProcess(str(number + 1), log=log, environment=environment)

    def _work(self, worker: WorkerProcess, waiting: queue.SimpleQueue[Row]) -> None:
        try:
            done = 0
            while not self._stopped.is_set():
                try:
                    row = waiting.get_nowait()
                except queue.Empty:
                    break
                self._told.put(Outcome(row=row, state="begun"))
                self._told.put(self._attempted(worker, row))
                done += 1
                if done % self._crew.recycle == 0:
                    worker.close()
        except TaskStopped:
            pass
        except BaseException as error:  # a fault of ours: whoever follows shall hear of it
            self._told.put(error)
        finally:
            self._told.put(None)

    def _attempted(self, worker: WorkerProcess, row: Row) -> Outcome:
        for attempt in range(1, self._crew.retries + 2):
            begun = time.monotonic()
            if self._stopped.is_set():
                raise TaskStopped("stopped")
            try:
                task = {"do": "animate", "values": dict(row.values)}
                made = worker.run(task, lambda _: self._end_if_stopped(worker), seconds=self._crew.job_seconds)
                return Outcome(row=row, state="done", seconds=time.monotonic() - begun, attempts=attempt, made=made)
            except TaskStopped:
                raise
            except WorkerFailed as error:
                problem = str(error)
                worker.close()  # after a shortage, begin with nothing
            except VisionGenError as error:
                problem = str(error)
                break
        seconds = time.monotonic() - begun
        return Outcome(row=row, state="failed", seconds=seconds, attempts=attempt, error=problem)

    def _end_if_stopped(self, worker: WorkerProcess) -> None:
        """For a task that began just when all were told to stop."""
        if self._stopped.is_set():
            worker.stop()

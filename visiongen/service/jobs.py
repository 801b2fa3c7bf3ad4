"""The jobs of the service: a queue, worker processes, and the deletion of what is old."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from visiongen.errors import VisionGenError
from visiongen.service.settings import ServiceSettings
from visiongen.workers import TaskStopped, WorkerFailed, WorkerProcess, gpus, share_of_cores, surroundings

ACTIVE = ("queued", "running")
_LANDMARKS_SHARE = 0.3
"""Of the time of a job, roughly, before its first frame is rendered."""
_SWEEP = 20.0
CHECK_SECONDS = 60.0


class Busy(VisionGenError):
    """There is no room for another job now."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """How far a job is: a snapshot that does not change."""

    id: str
    client: str
    folder: Path
    values: dict[str, Any]
    state: str = "queued"
    """queued, running, done, failed or cancelled."""
    stage: str = ""
    progress: float = 0.0
    """0 to 1."""
    created: float = 0.0
    """Monotonic time, s; so are the others."""
    begun: float | None = None
    ended: float | None = None
    error: str = ""
    made: dict[str, Any] | None = None
    """What `visiongen.batch.work.perform` tells."""

    @property
    def out(self) -> Path:
        """The result."""
        return Path(self.values["out"])

    def eta(self, now: float) -> float | None:
        """Seconds left, estimated; None: not known yet."""
        if self.begun is None or self.ended is not None or self.progress < 0.02:
            return None
        return (now - self.begun) * (1 - self.progress) / self.progress


class JobQueue:
    """First come, first served; done by worker processes, each followed by a thread. Close it at the end."""

    def __init__(self, settings: ServiceSettings, folder: Path) -> None:
        """
        Args:
            settings: Limits, and how many workers.
            folder: For uploads and results; empty.
        """
        self._settings, self.folder = settings, folder
        self._lock = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[str] = deque()
        self._reserved: Counter[str] = Counter()
        self._at_work: dict[str, WorkerProcess] = {}
        self._closed = threading.Event()
        self.ended: Counter[str] = Counter()
        """State -> jobs that ended in it, since the start."""
        self.frames = 0
        """Rendered since the start."""
        self.work_seconds = 0.0
        """Spent on jobs since the start."""
        self._workers = [self._worker(number) for number in range(settings.workers)]
        threads = surroundings(1, "" if settings.device == "cpu" else None)
        self._checker = WorkerProcess("check", environment=threads)
        self._threads = [threading.Thread(target=self._work, args=(one,), daemon=True) for one in self._workers]
        self._threads.append(threading.Thread(target=self._sweep_often, daemon=True))
        for thread in self._threads:
            thread.start()

    def _worker(self, number: int) -> WorkerProcess:
        found = [] if self._settings.device == "cpu" else gpus()
        gpu = found[number % len(found)] if found else None
        return WorkerProcess(str(number + 1), environment=surroundings(share_of_cores(self._settings.workers), gpu))

    # -- asking --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reserved(self, client: str) -> Iterator[None]:
        """Holds a place in the queue while the upload comes in.

        Raises:
            Busy: There is none.
        """
        with self._lock:
            active = [job for job in self._jobs.values() if job.state in ACTIVE]
            own = sum(job.client == client for job in active) + self._reserved[client]
            if own >= self._settings.most_per_client:
                raise Busy(f"{own} of your jobs are waiting or at work already; wait for one, or delete it")
            if len(active) + self._reserved.total() >= self._settings.most_waiting:
                raise Busy("the queue of this service is full; try again in a while")
            self._reserved[client] += 1
        try:
            yield
        finally:
            with self._lock:
                self._reserved[client] -= 1
                self._reserved += Counter()  # forgets clients that hold no place

    def new_folder(self) -> Path:
        """Where the files of a new job go; its name is the job's id, and nobody can guess it."""
        folder = self.folder / secrets.token_urlsafe(18)
        folder.mkdir(mode=0o700)
        return folder

    def check(self, task: dict[str, Any]) -> dict[str, Any]:
        """Has uploads looked at; see `visiongen.service.checks`.

        Raises:
            VisionGenError: They cannot be used; one sentence.
        """
        try:
            return self._checker.run({"do": "check", **task}, seconds=CHECK_SECONDS)
        except WorkerFailed as error:
            raise VisionGenError(f"the files could not be looked at: {error}; try others") from error

    def submit(self, folder: Path, values: dict[str, Any], client: str) -> Job:
        """Queues a job."""
        job = Job(id=folder.name, client=client, folder=folder, values=values, created=time.monotonic())
        with self._lock:
            self._jobs[job.id] = job
            self._waiting.append(job.id)
            self._lock.notify()
        return job

    def get(self, job_id: str) -> Job | None:
        """How far a job is; None where there is none of this id (any more)."""
        with self._lock:
            return self._jobs.get(job_id)

    def ahead(self, job_id: str) -> int:
        """Jobs that will be begun before this one."""
        with self._lock:
            return self._waiting.index(job_id) if job_id in self._waiting else 0

    def delete(self, job_id: str) -> bool:
        """Stops a job and deletes its files; False where there is none of this id."""
        with self._lock:
            job = self._jobs.pop(job_id, None)
            if job is None:
                return False
            if job.state == "queued":
                self._waiting.remove(job_id)
            if job.state in ACTIVE:
                self.ended["cancelled"] += 1
            worker = self._at_work.get(job_id)
        if worker is not None:
            worker.stop()  # its thread removes the files when nobody writes to them any more
        else:
            shutil.rmtree(job.folder, ignore_errors=True)
        return True

    def numbers(self) -> dict[str, int]:
        """State -> jobs that are in it now."""
        with self._lock:
            return dict(Counter(job.state for job in self._jobs.values()))

    @property
    def keep_seconds(self) -> float:
        """Finished jobs are deleted after so many seconds."""
        return self._settings.keep

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [one.pid for one in [*self._workers, self._checker] if one.pid is not None]

    @property
    def worker_starts(self) -> int:
        """How often a worker process was started."""
        return sum(one.starts for one in [*self._workers, self._checker])

    # -- working -------------------------------------------------------------------------------------------------------

    def _work(self, worker: WorkerProcess) -> None:
        with contextlib.suppress(VisionGenError):  # the first job shall not wait for libraries
            worker.run({"do": "warm"})
        while (job := self._next(worker)) is not None:
            ended: dict[str, Any] = {"state": "failed", "error": "the service failed to follow this job; try again"}
            try:
                task = {"do": "animate", "values": job.values}
                made = worker.run(task, self._follower(job.id, worker), seconds=self._settings.job_seconds)
                ended = {"state": "done", "made": made, "progress": 1.0, "error": ""}
            except TaskStopped:
                ended = {"state": "cancelled", "error": ""}
            except VisionGenError as error:
                ended["error"] = plain(str(error), job.folder)
            finally:
                self._end(job, ended)

    def _next(self, worker: WorkerProcess) -> Job | None:
        """Waits for a job; None at the end."""
        with self._lock:
            while not self._waiting and not self._closed.is_set():
                self._lock.wait()
            if self._closed.is_set():
                return None
            job = self._jobs[self._waiting.popleft()]
            job = self._jobs[job.id] = replace(job, state="running", begun=time.monotonic(), stage="starting")
            self._at_work[job.id] = worker
            return job

    def _follower(self, job_id: str, worker: WorkerProcess) -> Any:
        def follow(event: dict[str, Any]) -> None:
            with self._lock:
                job = self._jobs.get(job_id)
                if job is not None:
                    share = min(1.0, event["done"] / event["total"]) if event["total"] else 0.0
                    done = _LANDMARKS_SHARE + (1 - _LANDMARKS_SHARE) * share
                    now = done if event["stage"] == "render" else _LANDMARKS_SHARE * share
                    self._jobs[job_id] = replace(job, stage=event["stage"], progress=max(job.progress, now))
            if job is None or self._closed.is_set():  # deleted before the worker had it
                worker.stop()

        return follow

    def _end(self, job: Job, found: dict[str, Any]) -> None:
        now = time.monotonic()
        for name in ("portrait", "driving"):
            Path(job.values[name]).unlink(missing_ok=True)
        with self._lock:
            self._at_work.pop(job.id, None)
            self.work_seconds += now - (job.begun or now)
            kept = job.id in self._jobs
            if kept:
                self.ended[found["state"]] += 1
                self.frames += (found.get("made") or {}).get("frames", 0)
                self._jobs[job.id] = replace(self._jobs[job.id], ended=now, **found)
        if not kept:
            shutil.rmtree(job.folder, ignore_errors=True)

    # -- forgetting ----------------------------------------------------------------------------------------------------

    def _sweep_often(self) -> None:
        while not self._closed.wait(min(_SWEEP, self._settings.keep / 4)):
            self.sweep()

    def sweep(self) -> int:
        """Deletes finished jobs that are too old or too many, and gives their number."""
        now = time.monotonic()
        with self._lock:
            ended = sorted((job for job in self._jobs.values() if job.ended is not None), key=lambda job: job.ended)
        many = len(ended) - self._settings.most_kept
        old = [job for number, job in enumerate(ended) if number < many or now - job.ended > self._settings.keep]
        return sum(self.delete(job.id) for job in old)

    def close(self) -> None:
        """Ends all workers; jobs at work are lost."""
        self._closed.set()
        with self._lock:
            self._lock.notify_all()
        for worker in [*self._workers, self._checker]:
            worker.close()
        for thread in self._threads:
            thread.join(timeout=10)


def plain(text: str, folder: Path) -> str:
    """A sentence about files of a job without the folder they are in."""
    return text.replace(f"{folder}/", "").replace(str(folder), "the job")

"""Renders in the background: queued in the server, done in a worker process, followed by any page of any session."""

from __future__ import annotations

import atexit
import base64
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.desk import Desk
from studio.limits import check_jobs, check_room
from studio.processes import studio_worker
from studio.retention import make_room, remove_leftovers, sweep
from studio.servers import ServerMark
from studio.settings import Settings
from studio.store import ACTIVE, Run, Store
from visiongen.errors import MediaError, VisionGenError
from visiongen.workers import GRACE, TaskStopped

logger = logging.getLogger(__name__)
_REMEMBERED = 20
_SWEEP_SECONDS = 3600.0
"""So often what is too old is looked for, also where nobody renders."""
CHECK_GROWTH = 2 << 30
"""Bytes that looking at an upload may take."""
_ROOM = 64 << 20
"""Bytes a render is expected to need at least."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """How far a render is: a snapshot that does not change."""

    id: str
    session: str
    state: str = "queued"
    """queued, running, done, failed or stopped."""
    stage: str = ""
    """What is being done, for people."""
    done: int = 0
    total: int | None = None
    """Frames of this stage; None: not known."""
    frames_per_second: float = 0.0
    eta: float | None = None
    """Seconds left; None: not known yet."""
    device: str = ""
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    series: Mapping[str, list[float]] = field(default_factory=dict)
    """Metric -> values of the frames so far (NaN: not known)."""
    message: str = ""
    """Why it failed, in one sentence."""
    ahead: int = 0
    """Jobs in the queue before this one."""
    preview: int = 0
    """Counts the previews written to ``preview.jpg``."""

    @property
    def is_active(self) -> bool:
        """Waiting or at work."""
        return self.state in ACTIVE


class JobQueue:
    """One render at a time, first come first served, and a second worker for what cannot wait.

    Both processes start when first needed and keep their models. What kills one costs only its task.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._cancelled: set[str] = set()
        self._waiting: queue.Queue[str | None] = queue.Queue()
        self._render_worker = studio_worker("render", store.root / "logs")
        self._quick_worker = studio_worker("preview", store.root / "logs")
        self._mark = ServerMark(store.root)
        self._end_orphans()
        self.desk = Desk(self.ask)
        """For questions that no page waits for."""
        self._thread = threading.Thread(target=self._work, name="studio-jobs", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def _end_orphans(self) -> None:
        """Runs whose studio was closed or killed have failed; those of another studio that lives go on."""
        for run in self._store.runs(states=ACTIVE):
            if not self._mark.is_alive(run.server):
                remove_leftovers(run.folder)
                with contextlib.suppress(VisionGenError):
                    problem = "the studio was closed during this render; render it again"
                    self._store.update(run.id, state="failed", problem=problem)

    # -- asking --------------------------------------------------------------------------------------------------------

    def submit(self, settings: Settings, session: str, title: str = "") -> str:
        """Queues a render; the id of its job, which is the id of its run.

        Raises:
            VisionGenError: Too many renders wait already, see `studio.limits`, or the disk is full.
        """
        with self._lock:
            check_jobs(self.active(), session)
            check_room(self._store.root, "this render", _ROOM)
            run = self._store.create(settings, session, title, server=self._mark.id)
            self._jobs[run.id] = Job(id=run.id, session=session, stage="Waiting")
        self._waiting.put(run.id)
        return run.id

    def job(self, job_id: str) -> Job:
        """How far a job is; of a run from before a restart, what became of it.

        Raises:
            VisionGenError: There is no such run.
        """
        with self._lock:
            if job_id in self._jobs:
                return replace(self._jobs[job_id], ahead=self._ahead(job_id))
        run = self._store.get(job_id)
        return Job(id=run.id, session=run.session, state=run.state, done=run.frames, total=run.frames,
                   frames_per_second=run.frames_per_second, device=run.device, stage_seconds=run.stage_seconds,
                   message=run.problem or "")  # fmt: skip

    def _ahead(self, job_id: str) -> int:
        ids = [one.id for one in self._jobs.values() if one.is_active]
        return ids.index(job_id) if job_id in ids else 0

    def active(self, session: str | None = None) -> list[Job]:
        """Jobs that wait or are at work, the oldest first; of one session or of all."""
        with self._lock:
            found = [one for one in self._jobs.values() if one.is_active and session in (None, one.session)]
        return [self.job(one.id) for one in found]

    def cancel(self, job_id: str) -> None:
        """Stops a job; nothing happens where it has ended."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or not job.is_active:
                return
            if job.state == "queued":
                self._end(job_id, "stopped")
                return
            self._cancelled.add(job_id)
        self._render_worker.stop()

    def warm_up(self) -> None:
        """Starts the second worker and has it load its models, so that the first page does not wait long."""
        self.desk.ask({"do": "warm"}, slot="warm")

    @property
    def is_warm(self) -> bool:
        """The second worker has loaded its models."""
        return not self.desk.ask({"do": "warm"}, slot="warm").is_open

    def stop_if_cancelled(self, job_id: str) -> None:
        """Stops the worker for a job that was cancelled before the worker had it."""
        if job_id in self._cancelled:
            self._cancelled.discard(job_id)
            self._render_worker.stop()

    def preview(self, settings: Settings, frame: int = 0) -> bytes:
        """One frame of what `settings` would give, as PNG; the second one of the same inputs is quick.

        Args:
            settings: What would be rendered.
            frame: Number of the frame in the used piece.
        Raises:
            VisionGenError: It cannot be made; one sentence.
        """
        answer = self.ask({"do": "preview", "settings": settings.to_dict(), "frame": frame})
        return base64.b64decode(answer["png"])

    def ask(
        self,
        task: dict[str, Any],
        *,
        seconds: float | None = None,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Has a quick task done by the second worker and waits for it; see `studio.worker`.

        Args:
            task: ``{"do": name, ...}``.
            seconds: Longer it may not take; None: as long as it takes.
            on_event: Called with what the worker tells on the way.
        Raises:
            VisionGenError: What the worker says, in one sentence, or that it took too long.
        """
        growth = CHECK_GROWTH if seconds is not None else None  # a user's file is looked at
        return self._quick_worker.run({"root": str(self._store.root), **task}, on_event, seconds=seconds, growth=growth)

    @property
    def worker_pids(self) -> dict[str, int | None]:
        """Process ids of the workers that are alive, by what they do."""
        return {"render": self._render_worker.pid, "preview": self._quick_worker.pid}

    def close(self) -> None:
        """Ends the worker processes; jobs that were at work fail."""
        self.desk.close()
        self._waiting.put(None)
        self._render_worker.close()
        self._quick_worker.close()
        self._mark.close()

    def forget(self, session: str | None) -> None:
        """Stops the renders of a client (None: of all) and has the workers forget what they keep in memory."""
        for job in self.active(session):
            self.cancel(job.id)
        until = time.monotonic() + GRACE + 1
        while self.active(session) and time.monotonic() < until:
            time.sleep(0.05)
        if not self.active():
            self._render_worker.close()
        self._quick_worker.close()

    # -- working -------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            try:
                job_id = self._waiting.get(timeout=_SWEEP_SECONDS)
            except queue.Empty:
                self._sweep()
                continue
            if job_id is None:
                return
            try:
                self._render(job_id)
            except Exception:
                logger.exception("job %s", job_id)
                with contextlib.suppress(Exception):
                    self._end(job_id, "failed", "the studio failed to follow this render; try again")
            self._sweep()

    def _sweep(self) -> None:
        with contextlib.suppress(VisionGenError, OSError):
            sweep(self._store)

    def _render(self, job_id: str) -> None:
        with self._lock:
            if self._jobs[job_id].state != "queued":
                return
            self._change(job_id, state="running", stage="Starting")
        follower = _Follower(self, job_id)
        try:
            run = self._store.update(job_id, state="running")
            answer = self._render_worker.run(self._task(run), follower)
        except TaskStopped:
            self._end(job_id, "stopped")
        except VisionGenError as error:
            self._end(job_id, "failed", str(error))
        else:
            self._end(job_id, "done", **answer)

    def _task(self, run: Run) -> dict[str, Any]:
        settings = run.settings.to_dict()
        return {"do": "render", "root": str(self._store.root), "folder": str(run.folder), "settings": settings}

    def _change(self, job_id: str, **fields: Any) -> None:
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], **fields)

    def _write_end(self, job_id: str, **fields: Any) -> None:
        """Writes what became of a run; nothing happens where it was deleted meanwhile.

        On a full disk room is made first: by the cache, and by what a failed render had written.

        Raises:
            MediaError: It cannot be written.
        """
        for attempt in range(2):
            if self._store.find(job_id) is None:
                return
            try:
                self._store.update(job_id, **fields)
                return
            except MediaError:
                if attempt:
                    raise
                make_room(self._store, None if fields["state"] == "done" else job_id)

    def _end(self, job_id: str, state: str, message: str = "", **answer: Any) -> None:
        """Writes what became of a run, then tells those who follow the job."""
        from fractions import Fraction

        fields: dict[str, Any] = {name: answer[name] for name in ("frames", "device", "frames_per_second",
                                  "stage_seconds", "summary") if name in answer}  # fmt: skip
        if "fps" in answer:
            fields |= {"fps": Fraction(answer["fps"]), "size": tuple(answer["size"])}
            fields |= {"warnings": tuple(answer["warnings"])}
        if state != "done":
            remove_leftovers(self._store.root / "runs" / job_id)
        try:
            self._write_end(job_id, state=state, problem=message or None, **fields)
        except VisionGenError as error:  # those who follow the job shall hear it all the same
            state, message = "failed", message or str(error)
        shown = {name: fields[name] for name in ("device", "frames_per_second", "stage_seconds") if name in fields}
        self._change(job_id, state=state, message=message, eta=None, **shown)
        with self._lock:  # what has ended is in the store; only the newest are remembered with their series
            ended = [one.id for one in self._jobs.values() if not one.is_active]
            for old in ended[:-_REMEMBERED]:
                del self._jobs[old]


class _Follower:
    """Turns the events of a render into the state of its job."""

    def __init__(self, jobs: JobQueue, job_id: str) -> None:
        self._jobs, self._id = jobs, job_id
        self._begun = time.monotonic()
        self._stage = "Starting"
        self._seconds: dict[str, float] = {}
        self._series: dict[str, list[float]] = {}
        self._previews = 0

    def __call__(self, event: dict[str, Any]) -> None:
        """One event; see `studio.worker`."""
        self._jobs.stop_if_cancelled(self._id)
        kind = event["event"]
        if kind == "stage":
            self._next_stage(event["name"])
        elif kind == "progress":
            self._progress(event["done"], event["total"])
        elif kind == "series":
            for name, values in event["values"].items():
                self._series[name] = self._series.get(name, []) + [float("nan") if v is None else v for v in values]
            self._jobs._change(self._id, series=dict(self._series))
        elif kind == "preview":
            self._previews += 1
            self._jobs._change(self._id, preview=self._previews)
        elif kind == "device":
            self._jobs._change(self._id, device=event["name"])

    def _next_stage(self, name: str) -> None:
        now = time.monotonic()
        self._seconds[self._stage] = self._seconds.get(self._stage, 0.0) + now - self._begun
        self._stage, self._begun = name, now
        self._jobs._change(
            self._id, stage=name, done=0, total=None, eta=None, frames_per_second=0.0, stage_seconds=dict(self._seconds)
        )

    def _progress(self, done: int, total: int | None) -> None:
        seconds = max(time.monotonic() - self._begun, 1e-6)
        rate = done / seconds
        left = (total - done) / rate if total and done else None
        now = {**self._seconds, self._stage: self._seconds.get(self._stage, 0.0) + seconds}
        self._jobs._change(self._id, done=done, total=total, frames_per_second=rate, eta=left, stage_seconds=now)

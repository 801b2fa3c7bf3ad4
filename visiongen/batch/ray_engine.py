"""The jobs of a batch as warm actors of a Ray cluster. Every node must see inputs and results under the same names."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from visiongen import blas
from visiongen.batch.engines import Crew, Outcome
from visiongen.batch.manifest import Row
from visiongen.errors import VisionGenError
from visiongen.workers import share_of_cores

_EVERY = 1.0


class _Actor:
    """What runs in a process of the cluster."""

    def animate(self, values: dict[str, Any]) -> dict[str, Any]:
        """See `visiongen.batch.work.perform`; what fails comes back as ``error`` and ``again``."""
        from visiongen.batch.work import JobFailed, perform

        try:
            return {"made": perform(values)}
        except VisionGenError as error:
            return {"error": str(error), "again": isinstance(error, JobFailed)}
        except Exception as error:
            return {"error": f"unexpected failure, {type(error).__name__}: {error}", "again": True}


class _Post:
    """A place for an actor, and the job it is at."""

    def __init__(self) -> None:
        self.actor: Any = None
        self.done = 0
        self.row: Row | None = None
        self.attempt = 0
        self.begun = 0.0


class RayEngine:
    """Does jobs on Ray; see `visiongen.batch.engines.Engine`."""

    def __init__(self, crew: Crew, *, address: str | None = None) -> None:
        """
        Args:
            crew: Its `workers` are actors.
            address: Of a cluster; None: one is started on this machine, and ended afterwards.
        Raises:
            VisionGenError: Ray is not installed, or the cluster does not answer.
        """
        try:
            import ray
        except ImportError as error:
            raise VisionGenError(
                "--engine ray needs Ray: pip install 'visiongen[ray]' (or use --engine local)"
            ) from error
        self._ray, self._crew, self._address = ray, crew, address

    def _connect(self) -> None:
        try:
            self._ray.init(
                address=self._address, ignore_reinit_error=True, include_dashboard=False if not self._address else None,
                log_to_driver=False, logging_level="ERROR",
            )  # fmt: skip
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise VisionGenError(f"the Ray cluster {self._address or 'here'} cannot be used: {error}") from error

    def outcomes(self, rows: Sequence[Row]) -> Iterator[Outcome]:
        """See `visiongen.batch.engines.Engine`."""
        if not rows:
            return
        self._connect()
        waiting = deque(rows)
        posts = [_Post() for _ in range(min(self._crew.workers, len(rows)))]
        at_work: dict[Any, _Post] = {}
        try:
            for post in posts:
                yield from self._next(post, waiting, at_work)
            while at_work:
                ready, _ = self._ray.wait(list(at_work), num_returns=1, timeout=_EVERY)
                for reference in ready or self._late(at_work):
                    post = at_work.pop(reference)
                    outcome = self._outcome(reference, post, late=not ready)
                    if outcome is None:
                        self._begin(post, at_work)
                        continue
                    yield outcome
                    yield from self._next(post, waiting, at_work)
        finally:
            for post in posts:
                self._retire(post)
            if self._address is None:
                self._ray.shutdown()

    def _late(self, at_work: dict[Any, _Post]) -> list[Any]:
        """Jobs that take longer than they may."""
        most, now = self._crew.job_seconds, time.monotonic()
        return [reference for reference, post in at_work.items() if most is not None and now - post.begun > most]

    def _next(self, post: _Post, waiting: deque[Row], at_work: dict[Any, _Post]) -> Iterator[Outcome]:
        """Gives a post its next job, if there is one."""
        if post.done >= self._crew.recycle:
            self._retire(post)
        if waiting:
            post.row, post.attempt = waiting.popleft(), 0
            yield Outcome(row=post.row, state="begun")
            self._begin(post, at_work)

    def _begin(self, post: _Post, at_work: dict[Any, _Post]) -> None:
        if post.actor is None:
            post.actor, post.done = self._hired(), 0
        post.attempt += 1
        post.begun = time.monotonic()
        at_work[post.actor.animate.remote(dict(post.row.values))] = post

    def _hired(self) -> Any:
        threads = str(share_of_cores(self._crew.workers))
        has_gpu = not self._crew.cpu and self._ray.cluster_resources().get("GPU", 0) > 0
        needs = {"num_gpus": 1} if has_gpu else {"num_cpus": 1}
        environment = {"env_vars": {**blas.LIMIT, "OMP_NUM_THREADS": threads, "OPENCV_FOR_THREADS_NUM": threads}}
        return self._ray.remote(_Actor).options(runtime_env=environment, max_restarts=0, **needs).remote()

    def _retire(self, post: _Post) -> None:
        if post.actor is not None:
            self._ray.kill(post.actor)
            post.actor = None

    def _outcome(self, reference: Any, post: _Post, *, late: bool) -> Outcome | None:
        """What became of a job; None where it is tried again."""
        if late:
            found = {"error": f"it took longer than {self._crew.job_seconds:g} s and was given up", "again": True}
        else:
            try:
                found = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                reason = str(error).strip().split("\n", 1)[0]
                found = {"error": f"the actor was ended during this job: {reason}", "again": True}
        post.done += 1
        if "error" in found and found["again"]:
            self._retire(post)
            if post.attempt <= self._crew.retries:
                return None
        seconds = time.monotonic() - post.begun
        how = {"row": post.row, "seconds": seconds, "attempts": post.attempt}
        if "error" in found:
            return Outcome(state="failed", error=found["error"], **how)
        return Outcome(state="done", made=found["made"], **how)

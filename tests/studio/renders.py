"""Short renders of the sample media, shared by the studio's tests."""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from studio.jobs import Job, JobQueue  # noqa: E402
from studio.settings import Part, Settings  # noqa: E402
from visiongen.samples import sample  # noqa: E402


def sample_settings(**changes) -> Settings:
    """A short piece of the sample media, moved without a network."""
    given = {
        "portrait": str(sample("cartoon.png")),
        "driving": str(sample("driving.mp4")),
        "generator": Part(name="warp"),
        "end": 0.6,
        "size": 256,
    }
    return Settings(**{**given, **changes})


def wait_for(queue: JobQueue, job_id: str, *, seconds: float = 200) -> Job:
    """The job when it has ended."""
    until = time.monotonic() + seconds
    while (job := queue.job(job_id)).is_active:
        assert time.monotonic() < until, f"still {job.stage} after {seconds} s"
        time.sleep(0.05)
    return job

"""A studio with a folder of its own, and one finished run made by the real worker, shared by the tests."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from studio.jobs import Job, JobQueue  # noqa: E402
from studio.settings import Part, Settings  # noqa: E402
from studio.store import DATA_VARIABLE, Run, Store  # noqa: E402
from visiongen.samples import sample  # noqa: E402

MAIN = ROOT / "studio" / "main.py"


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


@pytest.fixture(scope="session")
def studio_root(tmp_path_factory) -> Path:
    """The data folder of all studio tests of this run."""
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="session")
def store(studio_root) -> Store:
    """A store of its own."""
    return Store(studio_root)


@pytest.fixture(scope="session")
def job_queue(store):
    """A queue with real worker processes."""
    queue = JobQueue(store)
    yield queue
    queue.close()


@pytest.fixture(scope="session")
def finished_run(store, job_queue) -> Run:
    """15 frames of the cartoon moved by the sample clip."""
    job = wait_for(job_queue, job_queue.submit(sample_settings(), "tests", "Cartoon"))
    assert job.state == "done", job.message
    return store.get(job.id)


@pytest.fixture
def studio(studio_root, store, job_queue, monkeypatch):
    """AppTest of the studio on the shared store and queue: ``studio()`` opens it, ``studio("app_pages/x.py")`` a page."""
    from streamlit.testing.v1 import AppTest

    from studio import session

    monkeypatch.setenv(DATA_VARIABLE, str(studio_root))
    monkeypatch.setattr(session, "_queue_at", lambda root: job_queue)
    monkeypatch.setattr(session, "_store_at", lambda root: store)

    def open_page(file: str | None = None, *, run: str | None = None, **state) -> AppTest:
        app = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in {**state, **({"run": run} if run else {})}.items():
            app.session_state[name] = value
        app.run()
        if file:
            app.switch_page(file).run()
        return app

    return open_page

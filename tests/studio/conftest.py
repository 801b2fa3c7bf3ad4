"""A studio with a folder of its own, and one finished run made by the real worker, shared by the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from renders import ROOT, sample_settings, wait_for

from studio.jobs import JobQueue
from studio.store import DATA_VARIABLE, Run, Store

MAIN = ROOT / "studio" / "main.py"


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a browser test that fails, says what its page showed."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and hasattr(page, "inner_text"):
        try:
            shown = f"{page.url}\n{page.inner_text('body', timeout=5000)[:4000]}"
        except Exception as error:  # a page that does not even answer is worth knowing, too
            shown = f"it does not answer: {error}"
        report.sections.append(("what the page showed", shown))
    return report

"""What is loaded before somebody waits for it: modules in the server, kinds of widgets in the browser."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading

import pytest
from renders import ROOT

from studio import early, early_widgets


@pytest.fixture
def thawed():
    """Leaves no frozen objects behind."""
    yield
    gc.unfreeze()


def test_nothing_is_loaded_while_somebody_waits(monkeypatch, thawed):
    free, loaded = threading.Event(), threading.Event()
    monkeypatch.setattr(early, "load_pages", loaded.set)
    monkeypatch.setattr(early, "_STEP", 0.01)
    thread = early.load_early(free.is_set)
    assert not loaded.wait(0.1)
    free.set()
    thread.join(20)
    assert loaded.is_set()
    assert gc.get_freeze_count() > 10_000, "modules are left out of what every page's collection looks at"


def test_what_pages_import_is_there_before_they_are_opened():
    code = (
        "import sys; from studio.early import load_pages; load_pages(); before = set(sys.modules)\n"
        "import studio.compare_data, studio.failure_cards, studio.figures_flow, studio.figures_metrics, studio.inspect_views\n"
        "import pandas, plotly.subplots, pyarrow\n"
        "new = set(sys.modules) - before; assert not new, new; assert 'torch' not in before"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def unseen(app) -> list[str]:
    """Keys of switches that nobody sees."""
    return [one.key for one in app.toggle if one.key.startswith("early.")]


@pytest.mark.parametrize("file", [None, "app_pages/about.py"])
def test_no_page_waits_for_widgets_of_other_pages(studio, file):
    app = studio(file)
    assert not unseen(app)
    app.run()
    assert not unseen(app), "the browser has not said that it rests"


def test_kinds_of_widgets_are_fetched_once(studio, monkeypatch):
    monkeypatch.setattr(early_widgets, "browser_is_idle", lambda *, key: True)
    app = studio()
    assert unseen(app)
    app.run()
    assert not unseen(app)

"""Pages without anything to show: what they say, and the example that they start."""

from __future__ import annotations

import pytest

from studio import session
from studio.store import Store

EMPTY = {
    "app_pages/inspect_frames.py": ("Look inside a result, frame by frame", ["vae-gan"]),
    "app_pages/compare.py": ("Two results, side by side", ["vae-gan", "warp"]),
    "app_pages/metrics.py": ("How good is a result?", ["vae-gan"]),
    "app_pages/rate.py": ("Which one looks better?", ["vae-gan", "warp"]),
    "app_pages/gallery.py": ("Everything you have rendered", ["vae-gan"]),
    "app_pages/verify.py": ("Give a film or a picture above", ["vae-gan"]),
}


@pytest.fixture
def empty(tmp_path, studio, monkeypatch, job_queue) -> Store:
    """A store without runs, in which renders are noted and not made."""
    store = Store(tmp_path)
    monkeypatch.setattr(session, "_store_at", lambda root: store)
    monkeypatch.setattr(job_queue, "_store", store)
    monkeypatch.setattr(job_queue, "submit", lambda settings, owner, title: _noted(store, settings, owner, title))
    return store


def _noted(store, settings, owner, title) -> str:
    run = store.create(settings, owner, title)
    store.update(run.id, state="failed", problem="the models are on holiday")
    return run.id


@pytest.mark.parametrize("page", EMPTY)
def test_an_empty_page_says_what_it_is_for_and_renders_an_example(studio, empty, page):
    title, generators = EMPTY[page]
    shown = studio(page)
    assert not shown.exception and not shown.error
    assert title in [one.value for one in shown.subheader]
    shown.button(key="start_example").click().run()
    assert sorted(run.settings.generator.name for run in empty.runs()) == generators
    assert {run.settings.end for run in empty.runs()} == {2.0}
    assert not shown.exception


def test_an_example_that_fails_says_so_and_can_be_started_again(studio, empty):
    shown = studio("app_pages/inspect_frames.py")
    shown.button(key="start_example").click().run()
    assert [one.value for one in shown.error] == ["The example could not be rendered: the models are on holiday"]
    shown.button(key="start_example").click().run()
    assert len(empty.runs()) == 2

"""The page Rate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.opinions import CRITERIA
from studio.settings import Part
from studio.store import Store

PAGE = "app_pages/rate.py"


@pytest.fixture
def rated_store(finished_run, tmp_path, studio, monkeypatch):
    """A store with two films of one input, which the page uses."""
    import shutil

    from studio import session

    store = Store(tmp_path)
    for name in ("warp", "vae-gan"):
        settings = finished_run.settings.replace(generator=Part(name=name))
        run = store.create(settings, "tests", "Film")
        for file in ("result.mp4", "portrait.png"):
            shutil.copy(finished_run.folder / file, run.folder / file)
        store.update(run.id, state="done", fps=finished_run.fps, frames=finished_run.frames, size=finished_run.size)
    monkeypatch.setattr(session, "_store_at", lambda root: store)
    return store


def scored(page, values):
    """Chooses a score for each question."""
    for side, score in zip("AB", values):
        for criterion in CRITERIA:
            turn = page.session_state["rate.turn"]
            page.session_state[f"rate {turn} {criterion} {side}"] = score
    return page.run()


def button(page, start: str):
    return next(one for one in page.button if one.label.startswith(start))


def words(page) -> str:
    return " ".join(one.value for one in [*page.markdown, *page.success, *page.caption, *page.info])


def test_who_made_it_is_told_only_after_the_rating(studio, rated_store):
    page = studio(PAGE)
    assert not page.exception
    assert button(page, "Save").disabled
    assert "warp" not in words(page) and "vae-gan" not in words(page)
    left, right = page.session_state["rate.pair"]
    page = scored(page, (5, 2))
    assert not button(page, "Save").disabled
    page = button(page, "Save").click().run()
    assert "warp" in words(page) and "vae-gan" in words(page)
    ratings = {one.run_id: one for one in rated_store.ratings()}
    assert ratings[left].scores == dict.fromkeys(CRITERIA, 5) and ratings[left].opponent == right
    assert ratings[right].scores == dict.fromkeys(CRITERIA, 2)
    assert Store(rated_store.root).ratings(left) == rated_store.ratings(left), "they outlive the studio"
    page = button(page, "Next pair").click().run()
    assert button(page, "Save").label == "Save (6 to go)"


def test_nothing_is_saved_before_all_questions_are_answered(studio, rated_store):
    page = studio(PAGE)
    page = scored(page, (4,))
    assert button(page, "Save").label == "Save (3 to go)" and button(page, "Save").disabled
    assert rated_store.ratings() == []


def test_a_film_deleted_meanwhile_is_no_problem(studio, rated_store):
    page = studio(PAGE)
    rated_store.delete(page.session_state["rate.pair"][0])
    page.run()
    assert not page.exception and not page.error
    assert button(page, "Render an example pair")


def test_ratings_of_a_deleted_run_go_with_it(rated_store):
    a, b = rated_store.runs()
    rated_store.add_rating(a.id, dict.fromkeys(CRITERIA, 3), session="x", opponent=b.id)
    assert replace(rated_store.ratings()[0], created=0).scores["realism"] == 3
    rated_store.delete(a.id)
    assert rated_store.ratings() == []

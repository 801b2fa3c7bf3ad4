"""The page Failure cases: cards, filters, remedies, examples."""

from __future__ import annotations

import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from opened import opened
from renders import sample_settings, wait_for

from studio import session
from studio.failure_cards import before_and_after, grade, map_figure, picture_at, settings_after
from studio.failure_examples import failure_examples
from studio.jobs import Job
from studio.store import Run, Store
from visiongen.diagnostics import KINDS, Problem, Remedy, save_problems
from visiongen.media import probe, read_frames

PAGE = "app_pages/failures.py"
FILL = Remedy(label="Fill in frames 4 to 6", fill=(4, 6))
CALM = Remedy(label="Mouth at 0.7", settings={"mouth": 0.7}, automatic=False)


def problem(kind: str, first: int, last: int, severity: float, remedy: Remedy | None = None) -> Problem:
    words = {"seen": f"{kind} was seen.", "why": "It matters.", "change": "Change it."}
    return Problem(kind=kind, first=first, last=last, peak=last, severity=severity, remedy=remedy, **words)


@pytest.fixture
def troubled(finished_run, tmp_path, studio, monkeypatch) -> Run:
    """A finished run with three failure cases, in a store of its own that the page uses."""
    store = Store(tmp_path)
    run = store.create(finished_run.settings, "tests", "Troubled")
    shutil.copytree(finished_run.folder, run.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run.json"))
    found = [
        problem("fast-motion", 1, 2, 0.2), problem("occluded", 4, 6, 0.9, FILL), problem("mouth-opened", 8, 11, 0.5, CALM),
    ]  # fmt: skip
    save_problems(found, run.folder / "problems.json")
    monkeypatch.setattr(session, "_store_at", lambda root: store)
    return store.update(run.id, state="done", fps=finished_run.fps, frames=finished_run.frames, size=finished_run.size)


def headings(page) -> list[str]:
    return [one.value.removeprefix("#### ") for one in page.markdown if one.value.startswith("#### ")]


def test_cards_come_by_severity_and_say_what_why_and_what_to_do(studio, troubled):
    page = studio(PAGE, run=troubled.id)
    assert not page.exception and not page.error
    assert headings(page) == ["Face covered", "Mouth opened from closed", "Fast movement"]
    text = " ".join(one.value for one in page.markdown)
    assert all(
        word in text for word in ("occluded was seen.", "It matters.", "Change it.", "severe · 90%", "frames 4–6")
    )
    labels = [one.label for one in page.button]
    assert FILL.label in labels and CALM.label in labels and labels.count("Open in Inspect") == 3


def test_cards_can_be_ordered_by_time_and_filtered_by_kind(studio, troubled):
    page = studio(PAGE, run=troubled.id)
    page.session_state["failures.order"] = "time"
    page.run()
    assert headings(page) == ["Fast movement", "Face covered", "Mouth opened from closed"]
    page.session_state["failures.kinds"] = ["occluded"]
    page.run()
    assert headings(page) == ["Face covered"]


def test_one_click_renders_with_the_remedy(studio, troubled, job_queue, monkeypatch):
    submitted = []
    monkeypatch.setattr(job_queue, "submit", lambda *given: submitted.append(given) or troubled.id)
    page = studio(PAGE, run=troubled.id)
    next(one for one in page.button if one.label == FILL.label).click().run()
    assert not page.exception
    settings, _, title = submitted[0]
    assert settings.fills == ((4, 6),) and settings.motion == troubled.settings.motion
    assert title == "Troubled (remedied)"
    animate = page.switch_page("app_pages/animate.py").run()  # which goes on from there
    assert [tuple(one) for one in animate.session_state["wanted"]["fills"]] == [(4, 6)]


def test_an_example_is_shown_when_it_is_done_though_another_run_was_shown(studio, troubled, job_queue, monkeypatch):
    store = session._store_at("")
    example = store.create(sample_settings(), "tests", "Example: face covered")
    monkeypatch.setattr(job_queue, "submit", lambda *given: example.id)
    monkeypatch.setattr(job_queue, "job", lambda one: Job(id=one, session="tests", state=store.get(one).state))
    page = studio(PAGE, run=troubled.id)
    opened(page, "failures.examples").button(key="example occluded").click().run()
    assert page.selectbox(key="inspect_run").value == troubled.id, "it is not done yet"
    shutil.copytree(troubled.folder, example.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run.json"))
    store.update(example.id, state="done", fps=troubled.fps, frames=troubled.frames, size=troubled.size)
    page.run()
    assert page.selectbox(key="inspect_run").value == example.id
    page.selectbox(key="inspect_run").set_value(troubled.id).run()
    assert page.selectbox(key="inspect_run").value == troubled.id, "opened once, not again and again"


@pytest.mark.slow
def test_a_remedied_run_is_really_rendered(store, job_queue, finished_run):
    settings = finished_run.settings.with_remedy(FILL, finished_run.fps)
    job = wait_for(job_queue, job_queue.submit(settings, "tests", "Remedied"))
    assert job.state == "done", job.message
    before, after = finished_run.tracks()["target"], store.get(job.id).tracks()["target"]
    changed = np.abs(after - before).mean((1, 2))
    assert changed[5] > 3 * changed[[0, 1, 12, 13]].max()


def test_open_in_inspect_goes_to_the_worst_frame(studio, troubled):
    page = studio(PAGE, run=troubled.id)
    next(one for one in page.button if one.label == "Open in Inspect").click().run()
    assert page.session_state["run"] == troubled.id and page.session_state["frame"] == 6


def test_a_run_without_problems_says_so_and_one_not_looked_at_too(studio, troubled):
    save_problems([], troubled.folder / "problems.json")
    page = studio(PAGE, run=troubled.id)
    assert "No failure case" in page.success[0].value
    (troubled.folder / "problems.json").unlink()
    page = studio(PAGE, run=troubled.id)
    assert "not looked through" in page.warning[0].value


def test_an_empty_studio_offers_example_clips(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "_store_at", lambda root: Store(tmp_path / "empty"))
    page = studio(PAGE)
    assert not page.exception and page.subheader[0].value == "What went wrong, and what to do about it"
    labels = [one.label.lower() for one in page.button]
    assert all(example.title in labels for example in failure_examples())


def test_examples_are_of_known_kinds_and_can_be_rendered():
    for example in failure_examples():
        assert example.kind in KINDS and example.path().is_file()
        assert probe(example.path()).num_frames > 20


def test_the_picture_of_a_frame_is_that_frame(finished_run):
    path = finished_run.folder / "driving.mp4"
    frames = [frame for batch in read_frames(probe(path)) for frame in batch.pixels]
    for number in (0, 7, len(frames) - 1):
        data = picture_at(str(path), number)
        shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
        size = shown.shape[1::-1]
        off = [np.abs(cv2.resize(frame, size, interpolation=cv2.INTER_AREA) - shown).mean() for frame in frames]
        assert int(np.argmin(off)) == number
    assert picture_at(str(path), 10_000) is None and picture_at("nowhere.mp4", 0) is None


def test_all_remedies_together_take_the_stronger_setting():
    weaker, stronger = Remedy(label="a", settings={"pose": 0.8}), Remedy(label="b", settings={"pose": 0.6})
    problems = [problem("occluded", 4, 6, 0.9, FILL), problem("extreme-pose", 1, 2, 0.8, stronger),
                problem("unseen-side", 1, 2, 0.4, weaker), problem("mouth-opened", 8, 9, 0.3, CALM)]  # fmt: skip
    changed = settings_after(sample_settings(), problems, 25)
    assert changed.motion.pose == 0.6 and changed.fills == ((4, 6),)
    assert changed.motion.mouth == 1.0, "what only a person can want is left alone"


def test_what_a_remedy_did_is_told(troubled, tmp_path):
    shutil.copytree(troubled.folder, tmp_path / "after")
    after = replace(troubled, folder=tmp_path / "after")
    save_problems([problem("occluded", 4, 6, 0.3)], after.folder / "problems.json")
    assert "3 cases before, 1 now" in before_and_after(troubled, after)
    assert "less in all" in before_and_after(troubled, after)
    assert "more in all" in before_and_after(after, troubled)


def test_grades_and_map():
    assert [grade(one)[0] for one in (1.0, 0.66, 0.5, 0.1)] == ["severe", "severe", "noticeable", "slight"]
    figure = map_figure([problem("occluded", 5, 9, 0.9), problem("blur", 0, 4, 0.2)], 25, 25.0)
    assert [(bar.base[0], bar.x[0]) for bar in figure.data] == [(0.2, 0.2), (0.0, 0.2)]


@pytest.mark.parametrize("example", failure_examples(), ids=lambda one: one.kind)
def test_the_picture_of_an_example_can_be_made_out(example):
    shown = cv2.imdecode(np.frombuffer(picture_at(str(example.path()), example.worst), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown.mean() > 25 and shown.std() > 8

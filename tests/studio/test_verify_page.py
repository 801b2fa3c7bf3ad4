"""The page Verify, and the marks of what the studio renders."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from opened import opened
from renders import sample_settings, wait_for

from studio.heard import is_unsigned
from studio.jobs import JobQueue
from studio.settings import Settings
from studio.uploads import upload_folder
from studio.verifying import verify_upload
from visiongen.errors import MediaError, VisionGenError
from visiongen.marking.certificates import CREDENTIALS_VARIABLE
from visiongen.marking.credentials import read_credentials
from visiongen.marking.settings import CORNERS

PAGE = "app_pages/verify.py"


def test_a_render_of_the_studio_is_signed_and_marked(finished_run, studio, store, job_queue):
    result = finished_run.folder / "result.mp4"
    statement = read_credentials(result).settings["settings"]
    assert statement["portrait"]["name"] == finished_run.settings.portrait_name and statement["frames_sha256"]
    answer = verify_upload(result.read_bytes(), "../my film.mp4", store=store, session="verifies", ask=job_queue.ask)
    assert answer["generated"] and answer["findings"]["watermark"]["payload"] == statement["watermark"]
    assert answer["sentences"][0].startswith("my film.mp4 was made") and json.dumps(answer["findings"])
    assert not list(upload_folder(store, "verifies").glob("*"))  # nothing of it is kept
    page = studio(PAGE, verify_key="x")
    assert not page.exception and "Give a film or a picture" in page.subheader[0].value


def test_other_formats_of_a_run_are_signed_too(finished_run, job_queue):
    task = {"do": "convert", "folder": str(finished_run.folder), "exporter": "gif"}
    file = Path(job_queue.ask({**task, "settings": finished_run.settings.to_dict()})["file"])
    made = read_credentials(file)
    assert made.proves_generation and made.settings["settings"]["seed"] == finished_run.settings.seed


@pytest.mark.slow
def test_a_result_that_could_not_be_signed_says_so(tmp_path, monkeypatch, studio, store, job_queue):
    """A folder without certificates: the film is worth having, and every page that shows it tells."""
    monkeypatch.setenv(CREDENTIALS_VARIABLE, str(tmp_path / "none"))
    with closing(JobQueue(store)) as queue:
        job = wait_for(queue, queue.submit(sample_settings(end=0.2), "tests", "Unsigned"))
        task = {"do": "convert", "folder": str(store.get(job.id).folder), "exporter": "gif"}
        answer = queue.ask({**task, "settings": store.get(job.id).settings.to_dict()})
    run = store.get(job.id)
    assert job.state == "done" and read_credentials(run.folder / "result.mp4") is None
    assert is_unsigned(run.warnings) and is_unsigned(answer["warnings"]) and "result.gif" in answer["warnings"][0]
    page = studio(run=run.id, view="Result")
    (told,) = [one.value for one in page.warning if "Not signed" in one.value]
    assert "chain.pem" in told and "put" in told
    gallery = studio("app_pages/gallery.py")
    assert any("not signed" in one.value for one in gallery.caption)
    store.delete(run.id)


def test_the_page_shows_what_is_found_in_a_film_that_was_made_here(studio, finished_run):
    page = studio(PAGE, **{"verify.run": finished_run.id})
    assert not page.exception and not page.error
    texts = [one.value for one in page.markdown]
    assert any(finished_run.title in one for one in texts) and "**Invisible mark**" in texts
    assert page.success[0].value == "example.mp4 was made, or changed, by a machine: at least one sign says so."


@pytest.mark.parametrize(
    "name, data, words", [("a.exe", b"x", "of no kind"), ("a.mp4", b"", "0 bytes"), ("a.mp4", b"no", "a.mp4")]
)
def test_what_is_no_film_is_one_sentence(name, data, words, store, job_queue):
    with pytest.raises(MediaError, match=words) as error:
        verify_upload(data, name, store=store, session="verifies", ask=job_queue.ask)
    assert str(store.root) not in str(error.value)
    assert not list(upload_folder(store, "verifies").glob("*"))


def test_mark_and_consent_travel_with_settings():
    made = Settings(portrait="a.png", driving="b.mp4", mark="top-left", consent="own face")
    assert Settings.from_dict(made.to_dict()) == made
    assert "--mark top-left --consent 'own face'" in made.command_line()
    old = {name: value for name, value in made.to_dict().items() if name not in ("mark", "consent")}
    assert Settings.from_dict(old).mark == CORNERS[0]
    with pytest.raises(VisionGenError, match="mark"):
        Settings.from_dict({**made.to_dict(), "mark": "middle"})


def test_the_form_offers_the_mark(studio):
    app = studio()
    box = opened(app, "more_settings").selectbox(key="mark")
    assert box.value == CORNERS[0]
    box.select("top-left").run()
    assert app.session_state["wanted"]["mark"] == "top-left"

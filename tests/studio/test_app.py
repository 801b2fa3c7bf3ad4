"""The pages as users work with them: every page opens, and Animate and Gallery do what they say."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
from opened import opened
from PIL import Image
from renders import ROOT, sample_settings

from studio.navigation import present_pages
from studio.settings import Part, Settings
from visiongen.samples import sample

ANIMATE, GALLERY = "app_pages/animate.py", "app_pages/gallery.py"


def settled(app, ready, *, seconds: float = 200):
    """Runs the page, as its fragments do in a browser, until something is there."""
    end = time.monotonic() + seconds
    while not ready(app):
        assert not app.exception, app.exception
        assert time.monotonic() < end, [one.value for one in (*app.error, *app.info, *app.caption)]
        time.sleep(1)
        app.run()
    return app


def has_preview(app) -> bool:
    """The preview is there and is that of the settings as they are now."""
    waiting = any("Making the preview" in one.value for one in app.caption)
    return "last_preview" in app.session_state and not waiting


def wanted(app) -> Settings:
    """What the Render button of the page would render."""
    return Settings.from_dict(app.session_state["wanted"])


def test_every_page_opens(studio, finished_run):
    app = studio(run=finished_run.id)
    for page in present_pages():
        app.switch_page(page.file).run()
        assert not app.exception, (page.file, app.exception)
        assert not app.error, (page.file, [one.value for one in app.error])


def test_navigation_lists_what_is_there():
    listed = {entry.file for entry in present_pages()}
    assert {ANIMATE, GALLERY} <= listed
    assert listed == {str(path.relative_to(ROOT / "studio")) for path in (ROOT / "studio/app_pages").glob("[a-z]*.py")}


def test_the_first_page_has_a_working_demo(studio):
    app = studio()
    assert app.session_state["portrait"].name == "astronaut.jpg"
    assert app.session_state["driving"].name == "driving.mp4"
    assert not app.button(key="render").disabled
    settings = wanted(app)
    assert settings.generator.name == "vae-gan" and settings.motion == sample_settings().motion
    app.selectbox(key="generator").set_value("warp")
    app.slider(key="piece").set_value((0.0, 0.4)).run()
    settled(app, has_preview)


def test_controls_and_what_a_page_switch_leaves_of_them(studio):
    app = studio()
    # Presets first, sliders after.
    app.button_group(key="preset").set_value("Calm").run()
    assert wanted(app).motion.pose == 0.6 and wanted(app).motion.scale == "lock"
    opened(app, "fine_tune").slider(key="motion.pose").set_value(0.35).run()
    assert wanted(app).motion.pose == 0.35 and app.session_state["preset"] is None
    app.button_group(key="preset").set_value("Natural").run()
    assert wanted(app).motion == sample_settings().motion
    # Components, in the order they were chosen, with their options.
    opened(app, "fine_tune").slider(key="motion.mouth").set_value(1.5).run()
    app.selectbox(key="generator").set_value("warp")
    app.selectbox(key="exporter").set_value("gif")
    app.button_group(key="sample_portrait").set_value("Statue")
    app.slider(key="piece").set_value((1.0, 2.0))
    app.multiselect(key="enhancers").set_value(["sharpen", "deflicker"]).run()
    app.slider(key="enhancer.sharpen.amount").set_value(0.2)
    app.slider(key="exporter.gif.colours").set_value(16).run()
    before = wanted(app)
    assert before.generator == Part(name="warp") and before.exporter.options == {"colours": 16}
    assert [one.name for one in before.enhancers] == ["sharpen", "deflicker"]
    assert before.enhancers[0].options == {"amount": 0.2}
    assert before.portrait_name == "statue.png" and before.start == 1.0 and before.motion.mouth == 1.5
    app.switch_page(GALLERY).run()
    app.switch_page(ANIMATE).run()
    assert wanted(app) == before
    assert not [one for one in app.slider if one.key == "motion.mouth"], "closed, and still what was chosen"


def test_own_media_need_consent(studio):
    app = studio(ANIMATE)
    app.button_group(key="portrait_source").set_value("Upload").run()
    data = sample("cartoon.png").read_bytes()
    app.file_uploader(key="portrait_upload").set_value(("me.png", data, "image/png")).run()
    assert app.session_state["portrait"].name == "me.png"
    assert app.button(key="render").disabled
    app.checkbox(key="consent").check().run()
    assert not app.button(key="render").disabled
    assert Path(wanted(app).portrait).read_bytes() == data


def test_a_bad_upload_is_told_and_changes_nothing(studio):
    app = studio()
    app.button_group(key="driving_source").set_value("Upload").run()
    app.file_uploader(key="driving_upload").set_value(("clip.mp4", b"no film", "video/mp4")).run()
    assert "clip.mp4" in app.error[0].value and app.session_state["driving"].name == "driving.mp4"
    app.button_group(key="driving_source").set_value("Sample").run()
    assert not app.error and not app.button(key="render").disabled


def test_a_picture_without_a_face(studio):
    app = studio()
    picture = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(picture, "PNG")
    app.button_group(key="portrait_source").set_value("Upload").run()
    app.file_uploader(key="portrait_upload").set_value(("noise.png", picture.getvalue(), "image/png")).run()
    settled(app, lambda app: app.error)
    assert "noise.png: no face was found" in app.error[0].value and app.button(key="render").disabled


def test_the_clips_own_frame_as_the_portrait(studio):
    app = studio()
    app.button_group(key="portrait_source").set_value("Clip").run()
    settings = wanted(app)
    assert settings.self_reenactment and settings.portrait_name == "driving at 0.00 s"
    opened(app, "more_settings").button_group(key="framing").set_value("Face crop").run()
    assert not wanted(app).self_reenactment, "a crop cannot be compared with the clip pixel by pixel"
    assert any("not compared with the clip" in one.value for one in app.caption)


def test_render_follow_and_result(studio, store):
    app = studio()
    app.selectbox(key="generator").set_value("warp").run()
    app.slider(key="piece").set_value((0.0, 0.4)).run()
    app.button(key="render").click().run()
    run_id = app.session_state["run"]
    assert app.session_state["view"] == "Result" and store.get(run_id).settings.end == 0.4
    settled(app, lambda app: store.get(run_id).state == "done")
    app.run()
    assert not app.exception and not app.error
    assert {one.label for one in app.metric} >= {"Stability", "Likeness (proxy)", "Frames"}
    assert any("visiongen animate" in one.value and "--generator warp" in one.value for one in app.code)
    assert "Motion" in {one.label for one in app.get("download_button")}
    again = studio(run=run_id, view="Result")
    assert "Frames" in {one.label for one in again.metric}, "another session can look at it"


def test_cancel_from_the_page(studio, store):
    app = studio()
    app.selectbox(key="generator").set_value("warp").run()
    app.button(key="render").click().run()
    run_id = app.session_state["run"]
    app.button(key="cancel_job").click().run()
    settled(app, lambda app: store.get(run_id).state == "stopped")
    app.run()
    assert "This render was stopped" in [one.value for one in app.subheader]
    assert not app.button(key="render").disabled


def test_gallery_restores_and_deletes(studio, store, finished_run):
    run = store.create(sample_settings(motion=type(finished_run.settings.motion)(pose=0.2)), "tests", "To be removed")
    store.update(run.id, state="stopped")
    app = studio(GALLERY, gallery_shown=1000)  # other tests' runs are newer
    assert {store.get(finished_run.id).title, "To be removed"} <= {one.label for one in app.checkbox}
    app.button(key=f"restore {run.id}").click().run()
    settings = wanted(app)
    assert settings.motion.pose == 0.2 and settings.end == 0.6 and settings.portrait == run.settings.portrait
    app = studio(GALLERY, gallery_shown=1000)
    app.button(key=f"delete {run.id}").click().run()
    assert store.find(run.id) is None and "To be removed" not in {one.label for one in app.checkbox}


def test_runs_chosen_for_a_project_stay_chosen_while_another_page_is_looked_at(studio, finished_run):
    app = studio(GALLERY, gallery_shown=1000)
    app.checkbox(key=f"choose {finished_run.id}").check().run()
    app.switch_page(ANIMATE).run()
    app.switch_page(GALLERY).run()
    assert app.checkbox(key=f"choose {finished_run.id}").value and app.session_state[f"choose {finished_run.id}"]


def test_a_run_that_made_nothing_shows_its_portrait(studio, store):
    run = store.update(store.create(sample_settings(), "tests", "stopped early").id, state="stopped")
    gone = store.update(store.create(sample_settings(portrait="/gone.png"), "tests", "gone").id, state="failed")
    app = studio(GALLERY, gallery_shown=1000)
    assert not app.exception and not app.error
    shown = len(app.get("image"))
    for one in (run, gone):
        store.delete(one.id)
    assert shown - len(studio(GALLERY, gallery_shown=1000).get("image")) == 1


def test_gallery_restores_the_clip_and_picture_of_an_example(studio, store):
    clip, picture = sample("problem_turned.mp4"), sample("statue_turned.png")
    settings = sample_settings(driving=str(clip), portrait=str(picture), end=None)
    run = store.update(store.create(settings, "tests", "Example").id, state="stopped")
    app = studio(GALLERY, gallery_shown=1000)
    app.button(key=f"restore {run.id}").click().run()
    assert (wanted(app).driving, wanted(app).portrait) == (str(clip), str(picture))
    assert not app.exception and any("free to use" in one.value for one in app.caption)


def test_gallery_takes_a_project(studio, store, finished_run, tmp_path):
    data = store.export_project([finished_run.id], tmp_path / "p.zip").read_bytes()
    app = studio(GALLERY)
    before = len(store.runs())
    app.file_uploader(key="project_upload").set_value(("p.zip", data, "application/zip")).run()
    assert len(store.runs()) == before + 1
    app.file_uploader(key="project_upload").set_value(("bad.zip", b"bad", "application/zip")).run()
    assert "not a project" in app.error[0].value and len(store.runs()) == before + 1


def test_a_failing_page_shows_one_sentence(studio, monkeypatch):
    monkeypatch.setattr("studio.restoring.begin_page", lambda: 1 / 0)
    app = studio()
    assert not app.exception and "ZeroDivisionError" in app.error[0].value


def test_plugins_switched_off_are_not_offered(studio):
    from visiongen import plugins

    app = studio(disabled_plugins={plugins.enhancers()["sharpen"].plugin})
    assert "sharpen" not in app.multiselect(key="enhancers").options

"""The page Compare: two runs of the real worker against each other."""

from __future__ import annotations

import dataclasses
import html
import re

import numpy as np
import pytest
from shown_charts import shown_charts

from studio.compare_data import (
    cut_out,
    difference_picture,
    pixel_difference,
    same_input,
    score_rows,
    settings_that_differ,
    strip_picture,
    telling_frames,
)
from studio.components.compare import focus_on
from studio.frame_pack import frame_pack
from studio.settings import Part
from visiongen import MotionSettings

PAGE = "app_pages/compare.py"


def problems(app) -> list[str]:
    """Everything a page complains about."""
    return [one.value for one in [*app.exception, *app.error]]


@pytest.fixture(scope="module")
def second_run(store, job_queue, finished_run):
    """The same input with the head held still."""
    import time

    settings = finished_run.settings.replace(motion=MotionSettings(pose=0.0))
    job = job_queue.submit(settings, "tests", "Cartoon, still head")
    until = time.monotonic() + 90
    while job_queue.job(job).is_active:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert job_queue.job(job).state == "done", job_queue.job(job).message
    yield store.get(job)
    store.delete(job)


def tables(app) -> list[list[list[str]]]:
    """Cells of the tables of a page."""
    pages = [one.proto.body for one in app.get("html") if "<table" in one.proto.body]
    rows = [re.findall(r"<tr[^>]*>(.*?)</tr>", page) for page in pages]
    cells = [[re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table] for table in rows]
    return [[[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in row] for row in table] for table in cells]


def test_two_runs_side_by_side(studio, finished_run, second_run):
    app = studio(PAGE, run=finished_run.id)
    assert not problems(app) and not app.warning
    assert (app.selectbox(key="compare_a").value, app.selectbox(key="compare_b").value) == (
        finished_run.id,
        second_run.id,
    )
    differing, scores = tables(app)
    assert differing[1:] == [["Pose", "1", "0"]]
    assert scores[0] == ["Score", "A", "B", "B − A", "Better"]
    expected = score_rows(finished_run, second_run)
    assert scores[1::2] == [[row["Score"], *(row[head] for head in scores[0][1:])] for row in expected]
    assert scores[2::2] == [[row["Meaning"]] for row in expected]
    assert len(shown_charts(app)) == 1
    assert len(app.get("bidi_component")) == 3  # the comparison, its chart, and what waits for the browser to rest


def test_a_frame_of_the_strip_is_gone_to(studio, finished_run, second_run):
    app = studio(PAGE, run=finished_run.id)
    button = next(one for one in app.button if one.label.startswith("Go to "))
    button.click().run()
    assert not problems(app)
    assert app.session_state["frame"] == int(button.label.removeprefix("Go to "))


def test_another_motion_is_rendered_and_becomes_b(studio, store, job_queue, finished_run, second_run):
    import time

    app = studio(PAGE, run=finished_run.id)
    app.selectbox(key="variant_generator").set_value("warp").run()
    app.selectbox(key="variant_motion").set_value("Follow").run()
    next(one for one in app.button if one.label == "Render and compare").click().run()
    assert not problems(app)
    job = app.session_state["compare_jobs"][0]
    until = time.monotonic() + 90
    while job_queue.job(job).is_active:
        assert time.monotonic() < until
        time.sleep(0.1)
    try:
        app.run()
        assert not problems(app)
        assert app.selectbox(key="compare_b").value == job
        assert store.get(job).settings.motion.mode == "absolute"
        assert same_input(store.get(job), finished_run)
    finally:
        store.delete(job)


def test_what_a_is_already_cannot_be_rendered_again(studio, finished_run, second_run):
    app = studio(PAGE, run=finished_run.id)
    app.selectbox(key="variant_generator").set_value(finished_run.settings.generator.name).run()
    assert next(one for one in app.button if one.label == "Render and compare").disabled
    app.selectbox(key="variant_motion").set_value("Calm").run()
    assert not next(one for one in app.button if one.label == "Render and compare").disabled


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_a_film_does_not_differ_from_itself_and_differs_from_another(finished_run, second_run):
    first, second = (frame_pack(run.folder / "result.mp4") for run in (finished_run, second_run))
    same = pixel_difference(first, first)
    assert len(same.mean) == finished_run.frames and not same.mean.any() and not same.spots.any()
    apart = pixel_difference(first, second)
    assert apart.spots.max() > 0.05
    assert (apart.spots >= apart.mean).all()
    frame = int(np.argmax(apart.mean))
    picture = difference_picture(first, second, frame, amplify=1)
    assert picture.max(-1).mean() / 255 == pytest.approx(apart.mean[frame], rel=0.02)
    assert difference_picture(first, second, frame, amplify=8).mean() > picture.mean()
    strip = strip_picture(first, second, frame, (0.5, 0.5, 2.0), amplify=8)
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    assert strip.shape == (height, 3 * width + 4, 3)
    assert (strip[:, -width:] == cut_out(difference_picture(first, second, frame, amplify=8), (0.5, 0.5, 2.0))).all()


def test_damaged_arrays_cost_only_what_is_made_from_them(studio, finished_run, second_run):
    tracks = finished_run.folder / "tracks.npz"
    whole = tracks.read_bytes()
    try:
        tracks.write_bytes(b"damaged")
        app = studio(PAGE, run=finished_run.id)
        assert not app.exception and ["damaged" in one.value for one in app.error] == [True]
        assert {"Scores", "Frame by frame"} <= {one.value for one in app.subheader}
    finally:
        tracks.write_bytes(whole)


def test_settings_that_differ_are_named(finished_run):
    settings = finished_run.settings
    assert settings_that_differ(settings, settings) == {}
    other = settings.replace(
        generator=Part(name="vae-gan", options={"batch": 2}), enhancers=(Part(name="sharpen"),), size=None
    )
    found = settings_that_differ(settings, other)
    assert found == {
        "Generator": ("warp", "vae-gan"),
        "vae-gan batch": ("default", "2"),
        "Enhancers": ("none", "sharpen"),
        "Longer side, px": ("256", "as the picture"),
    }
    # Files are told by the names the user knows, not by where they are kept.
    other = settings.replace(portrait="/kept/ab12.png", portrait_name="me.png", driving="/kept/cd34.mp4")
    found = settings_that_differ(settings, other)
    assert found == {"Portrait": ("cartoon.png", "me.png"), "Driving clip": ("driving.mp4", "another driving.mp4")}


def test_the_better_run_is_named_by_the_direction_of_a_score(finished_run):
    def run(**summary):
        return dataclasses.replace(finished_run, summary=summary)

    first = run(ssim=0.9, akd=1.0, motion_ratio=0.8, ksr=0.5)
    rows = {row["Score"]: row for row in score_rows(first, run(ssim=0.8, akd=0.5, motion_ratio=1.3, detection=1.0))}
    better = {name.split(",")[0].split(" ")[0]: row["Better"] for name, row in rows.items()}
    assert better["SSIM"] == "A" and better["AKD"] == "B" and better["KSR"] == ""
    ratio = next(row for name, row in rows.items() if "otion ratio" in name)
    assert ratio["Better"] == "A"  # 0.8 is nearer to 1 than 1.3
    assert next(row for name, row in rows.items() if name.startswith("SSIM"))["B − A"] == "-0.100"


def test_telling_frames_are_the_worst_and_not_all_from_one_moment():
    difference = np.zeros(100)
    difference[40:50] = 1.0
    difference[80] = 0.5
    chosen = telling_frames(difference, 4)
    assert chosen == sorted(chosen) and len(chosen) == 4
    assert 40 in chosen and 80 in chosen
    assert np.diff(chosen).min() >= 12
    assert telling_frames(np.zeros(3), 6) == [0, 1, 2] and telling_frames(np.zeros(0), 6) == []


def test_a_focus_holds_all_points_and_stays_in_the_picture():
    points = np.array([[10.0, 20], [60, 90], [np.nan, np.nan]])
    x, y, zoom = focus_on(points, (400, 300))
    low, high = np.array([x, y]) - 0.5 / zoom, np.array([x, y]) + 0.5 / zoom
    assert (low >= -1e-9).all() and (high <= 1 + 1e-9).all()
    assert (low * [300, 400] <= [10, 20]).all() and (high * [300, 400] >= [60, 90]).all()
    picture = np.zeros((400, 300, 3), np.uint8)
    picture[20:91, 10:61] = 255
    assert cut_out(picture, (x, y, zoom)).sum() == picture.sum()
    assert focus_on(points[2:], (400, 300)) == (0.5, 0.5, 1.0)

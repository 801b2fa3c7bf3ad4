"""The page Inspect, and what it shows of a run: on a run that the real worker made."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from renders import sample_settings, wait_for
from shown_charts import shown_charts

from studio.figures_face import SEEN_FROM
from studio.inspect_data import marks, panels, run_data
from studio.inspect_views import VIEWS, follow
from studio.looking_inside import Insides, dense_motion, displacement, scene_of
from studio.settings import Part
from visiongen import prepare_portrait
from visiongen.datatypes import NOT_DRAWN
from visiongen.errors import MediaError
from visiongen.flow import pixel_centres
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.samples import sample

PAGE = "app_pages/inspect_frames.py"


def problems(app) -> list[str]:
    """Everything a page complains about."""
    return [one.value for one in [*app.exception, *app.error]]


@pytest.fixture(scope="module")
def motion_only(store, finished_run):
    """The same run without its result, as one that was stopped."""
    run = dataclasses.replace(
        finished_run, id="motion-only", title="Motion only", state="stopped", folder=store.root / "runs" / "motion-only"
    )
    shutil.copytree(finished_run.folder, run.folder)
    (run.folder / "result.mp4").unlink()
    (run.folder / ".result.frames").unlink(missing_ok=True)
    tracks = run.tracks()
    np.savez(run.folder / "tracks.npz", **{**tracks, "generated": np.full_like(tracks["target"], np.nan)})
    (run.folder / "series.npz").unlink()
    store.adopt(run)
    yield run
    store.delete(run.id)


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", [view for view in VIEWS if view != "Inside the generator"])
def test_every_view_draws(studio, finished_run, view):
    app = studio(PAGE, run=finished_run.id, inspect_view=view, frame=5)
    assert not problems(app)
    assert app.selectbox(key="inspect_run").value == finished_run.id
    assert len(shown_charts(app)) == (2 if view == "Dense motion" else 1)


def test_a_threshold_that_was_chosen_for_another_run_is_kept_within_this_one(studio, finished_run):
    app = studio(PAGE, run=finished_run.id, vectors_least_target=1e6)
    assert not problems(app)
    slider = app.slider(key="vectors_least_target")
    assert slider.value == slider.max


def test_the_side_a_face_is_seen_from_stays_from_frame_to_frame(studio, finished_run):
    app = studio(PAGE, run=finished_run.id, inspect_view="3D face", frame=5)
    app.selectbox(key="mesh_seen_from").select("above").run()

    def eye():
        return shown_charts(app)[0]["figure"]["layout"]["scene"]["camera"]["eye"]

    before = eye()
    assert before["z"] > 0.5
    app.session_state["frame"] = 6
    app.run()
    assert not problems(app) and eye() == before


def test_a_face_turned_by_hand_stays_so_until_a_side_is_chosen(studio, finished_run):
    app = studio(PAGE, run=finished_run.id, inspect_view="3D face", frame=5)
    turned = {
        "eye": {"x": 0.3, "y": -1.2, "z": 0.9},
        "center": {"x": 0, "y": 0, "z": 0},
        "up": {"x": 0, "y": 0, "z": 1},
    }
    app.session_state["mesh_camera"] = turned
    app.session_state["frame"] = 6
    app.run()

    def camera():
        return shown_charts(app)[0]["figure"]["layout"]["scene"]["camera"]

    assert not problems(app) and camera() == turned
    app.selectbox(key="mesh_seen_from").select("below").run()
    assert not problems(app) and camera()["eye"] == dict(zip("xyz", SEEN_FROM["below"]))


@pytest.mark.parametrize("view", ["Motion vectors", "Pose", "3D face", "Dense motion", "Quality"])
def test_views_work_without_a_result(studio, motion_only, view):
    app = studio(PAGE, run=motion_only.id, inspect_view=view)
    assert not problems(app)
    assert "stopped" in app.warning[0].value
    if view == "Quality":
        assert "No metrics" in app.info[0].value


def test_a_frame_beyond_the_end_is_the_last_one(studio, finished_run):
    app = studio(PAGE, run=finished_run.id, frame=10**6)
    assert not problems(app)
    assert app.session_state["frame"] == finished_run.frames - 1


def test_a_generator_without_insides_says_so(studio, finished_run):
    app = studio(PAGE, run=finished_run.id, inspect_view="Inside the generator")
    assert not problems(app)
    assert "does not show its insides" in app.info[0].value


def test_a_run_whose_files_are_damaged_is_told_and_the_page_lives(studio, store, finished_run):
    run = dataclasses.replace(finished_run, id="damaged", folder=store.root / "runs" / "damaged")
    shutil.copytree(finished_run.folder, run.folder)
    store.adopt(run)
    try:
        (run.folder / "tracks.npz").write_bytes(b"PK not a zip")
        app = studio(PAGE, run=run.id)
        assert not app.exception
        assert "damaged" in app.error[0].value
    finally:
        store.delete(run.id)


def test_a_landmark_is_followed_and_let_go(studio, finished_run):
    app = studio(PAGE, run=finished_run.id, inspect_view="Trajectories")
    app.multiselect(key="landmarks").set_value([1, 13, 300]).run()
    assert not problems(app)
    chart = shown_charts(app)[0]["figure"]
    assert {trace["legendgroup"] for trace in chart["data"]} == {"1", "13", "300"}


def test_clicking_landmarks_adds_takes_out_and_keeps_a_few(monkeypatch):
    import streamlit as st

    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    follow(100)
    assert state["landmarks"][-1] == 100
    follow(100)
    assert 100 not in state["landmarks"]
    for landmark in range(200, 230):
        follow(landmark)
    assert len(state["landmarks"]) == 8 and state["landmarks"][-1] == 229


# -- what is shown -----------------------------------------------------------------------------------------------------


def test_panels_are_portrait_driver_and_result(finished_run):
    data = run_data(finished_run)
    portrait, driver, result = panels(data)
    assert [portrait.label, driver.label, result.label] == ["Portrait", "Driver", "Result"]
    assert portrait.picture is not None and portrait.frames is None
    assert len(driver.frames) == len(result.frames) == data.frames == finished_run.frames
    assert list(result.tracks) == ["wanted", "found"]
    # Points lie in the picture they are drawn on.
    for panel in (portrait, driver, result):
        for points in panel.tracks.values():
            inside = (points[..., :2] > 0) & (points[..., :2] < [panel.size[1], panel.size[0]])
            assert inside[np.isfinite(points[..., 0])].mean() > 0.95


def test_the_portrait_keeps_its_landmarks_where_the_result_is_a_piece_of_it(store, job_queue):
    job = wait_for(job_queue, job_queue.submit(sample_settings(full=False, end=0.2), "tests", "Crop"))
    assert job.state == "done", job.message
    run = store.get(job.id)
    portrait, *_ = panels(run_data(run))
    points = portrait.tracks["portrait"]
    assert portrait.size == (640, 640) and np.abs(points - prepare_portrait(sample("cartoon.png")).landmarks).max() < 1
    assert np.abs(points - run.tracks()["reference"]).max() > 20, "those of the crop are elsewhere"


def test_panels_without_a_result_show_the_motion_over_the_portrait(motion_only):
    *_, last = panels(run_data(motion_only))
    assert last.label == "Wanted motion" and last.frames is None
    assert last.picture == motion_only.file("portrait.png")
    assert list(last.tracks) == ["wanted"]


def test_failure_cases_become_marks_inside_the_clip(finished_run):
    for mark in marks(finished_run, finished_run.frames):
        assert 0 <= mark.first <= mark.last < finished_run.frames
        assert mark.label


def test_the_result_follows_what_was_wanted(finished_run):
    data = run_data(finished_run)
    assert set(data.names) == {"target", "generated", "driving"}
    found = data.angles
    both = np.isfinite(found["found in the result"]).all(1)
    assert both.mean() > 0.8
    assert np.abs(found["found in the result"][both] - found["wanted"][both]).mean() < 5


# -- looking inside ----------------------------------------------------------------------------------------------------


def test_the_scene_of_a_run_is_what_its_generator_got(finished_run):
    scene, tracks = scene_of(finished_run), finished_run.tracks()
    assert len(scene) == finished_run.frames
    back = scene.portrait.landmarks
    scale = scene.portrait.image.shape[1] / tracks["result_size"][1]
    assert np.abs(back[:, :2] - tracks["reference"][:, :2] * scale).max() < 0.03 * scene.portrait.image.shape[1]


def test_a_run_that_shows_only_the_face_is_put_back_into_its_picture(finished_run, tmp_path):
    whole = scene_of(finished_run)
    shutil.copytree(finished_run.folder, tmp_path / "run")
    tracks = finished_run.tracks()
    moved = {name: (tracks[name] - [40, 30, 0]) * 1.5 for name in ("target", "reference")}
    np.savez(tmp_path / "run" / "tracks.npz", **{**tracks, **moved, "result_size": np.array([200, 200])})
    part = scene_of(dataclasses.replace(finished_run, folder=tmp_path / "run"))
    assert np.abs(part.portrait.landmarks[:, :2] - whole.portrait.landmarks[:, :2]).max() < 1.0
    there, here = (target_landmarks(scene.portrait, scene.motion) for scene in (whole, part))
    assert np.abs(here[..., :2] - there[..., :2]).max() < 0.01


def test_neighbours_of_the_face_are_in_the_scene_too(finished_run, tmp_path):
    assert finished_run.tracks()["others"].shape == (0, 478, 3), "the sample shows one person"
    shutil.copytree(finished_run.folder, tmp_path / "run")
    tracks = finished_run.tracks()
    neighbours = np.stack([tracks["portrait"] + [shift, 0, 0] for shift in (200, -200)]).astype(np.float32)
    np.savez(tmp_path / "run" / "tracks.npz", **{**tracks, "others": neighbours})
    scene = scene_of(dataclasses.replace(finished_run, folder=tmp_path / "run"))
    assert np.array_equal(scene.portrait.others, neighbours)
    assert not len(scene_of(finished_run).portrait.others)


def test_what_is_drawn_is_known_to_the_scene(finished_run, tmp_path):
    drawn = prepare_portrait(finished_run.file("portrait.png")).drawn
    assert drawn.face, "the run is of the cartoon"
    assert scene_of(finished_run).portrait.drawn == drawn
    shutil.copytree(finished_run.folder, tmp_path / "run")
    older = {name: array for name, array in finished_run.tracks().items() if name != "drawn"}
    np.savez(tmp_path / "run" / "tracks.npz", **older)
    assert scene_of(dataclasses.replace(finished_run, folder=tmp_path / "run")).portrait.drawn == NOT_DRAWN


def test_dense_motion_takes_landmarks_back_to_the_portrait(finished_run):
    scene = scene_of(finished_run)
    frame = finished_run.frames - 1
    moved = displacement(dense_motion(scene, frame))
    source, target = source_landmarks(scene.portrait), target_landmarks(scene.portrait, scene.motion)[frame]
    nose = target[1, :2]
    row, column = (nose[::-1] * len(moved)).astype(int)
    assert np.abs(moved[row, column] + pixel_centres(len(moved))[row, column] - source[1, :2]).max() < 0.02


def test_the_network_shows_its_insides(finished_run):
    scene = scene_of(finished_run)
    insides = Insides(Part(name="vae-gan"), device="cpu")
    assert insides.can_explain
    maps = {one.name: one for one in insides.maps(scene, finished_run.frames - 1)}
    blend = [one.values for name, one in maps.items() if name.startswith("Blend")]
    assert len(blend) == 3
    assert np.allclose(sum(blend), 1, atol=1e-3)
    weights = [maps[name].values for name in ("Follows the head", "Stays still", "Shifts along")]
    assert np.allclose(sum(weights), 1, atol=1e-3)
    for one in maps.values():
        assert one.text and one.values.ndim == (2 if one.kind == "share" else 3)
        if one.kind == "share":
            assert one.values.min() >= 0 and one.values.max() <= 1
    # The picture of the mesh's motion is that of the geometry, and the network changes it.
    assert np.allclose(
        maps["Motion of the mesh"].values, displacement(dense_motion(scene, finished_run.frames - 1)), atol=1e-4
    )
    assert np.abs(maps["Motion, corrected"].values - maps["Motion of the mesh"].values).max() > 1e-3
    # A head that does not move is taken from where it is.
    assert maps["Follows the head"].values[64, 64] > 0.5


def test_a_run_without_files_is_told(tmp_path, finished_run):
    with pytest.raises(MediaError, match="render it again"):
        scene_of(dataclasses.replace(finished_run, folder=tmp_path))

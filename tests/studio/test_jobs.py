"""Jobs: real renders in real worker processes, cancelled, killed, followed by two sessions."""

from __future__ import annotations

import io
import json
import os
import signal
import time

import av
import numpy as np
import pytest
from PIL import Image
from renders import sample_settings, wait_for

from studio.jobs import JobQueue
from studio.settings import Part
from studio.store import Store
from visiongen import MotionSettings, load_motion
from visiongen.errors import VisionGenError
from visiongen.marking.badge import badge_place
from visiongen.media import probe, read_frames
from visiongen.samples import sample


def frame_count(path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def until(condition, *, seconds: float = 200):
    """Waits for something true and returns it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
    return found


def test_a_finished_run_has_all_its_files(finished_run):
    run = finished_run
    assert run.state == "done" and run.frames == 15 and run.size == (256, 256) and run.fps == 25
    for name in ("portrait.png", "driving.mp4", "result.mp4", "thumbnail.jpg", "preview.jpg", "problems.json"):
        assert run.file(name), name
    assert frame_count(run.file("result.mp4")) == frame_count(run.file("driving.mp4")) == 15
    assert json.loads((run.folder / "run.json").read_text())["state"] == "done"
    assert {"Reading the clip", "Rendering"} <= set(run.stage_seconds) and run.frames_per_second > 0
    assert run.device in ("cpu", "cuda")


def test_tracks_of_a_run_fit_its_pictures(finished_run):
    tracks = finished_run.tracks()
    for name in ("driving", "target", "generated"):
        assert tracks[name].shape == (15, 478, 3), name
    assert tracks["times"].shape == (15,) and tracks["rotation"].shape == (15, 3, 3)
    assert tracks["result_size"].tolist() == [256, 256]
    # What was found in the result is where it should be: within a hundredth of the picture.
    error = np.linalg.norm(tracks["generated"][:, :468, :2] - tracks["target"][:, :468, :2], axis=-1)
    assert np.nanmean(error) < 2.6
    # At rest the reference is the portrait itself.
    rest = np.linalg.norm(tracks["target"][:, :468, :2] - tracks["reference"][:468, :2], axis=-1).mean(1)
    assert rest.min() < 2.6


def test_series_of_another_persons_clip(finished_run):
    series = finished_run.series()
    assert {"stability", "identity_proxy", "ksr"} <= set(series)
    assert not {"ssim", "l1", "psnr", "akd"} & set(series), "the clip does not show what should come out"
    assert all(values.shape == (15,) and values.dtype == np.float32 for values in series.values())
    assert 0 < finished_run.summary["identity_proxy"] <= 1


def test_self_reenactment_crop_and_another_format(store, job_queue, tmp_path):
    """The portrait is the clip's own frame; a second format is written while the frames pass; the charts grow."""
    portrait = tmp_path / "own.png"
    job_queue.ask({"do": "frame", "path": sample_settings().driving, "time": 0.0, "out": str(portrait)})
    settings = sample_settings(
        portrait=str(portrait), self_reenactment=True, size=None, exporter=Part(name="gif"),
        enhancers=(Part(name="sharpen"),),
    )  # fmt: skip
    job_id = job_queue.submit(settings, "tests")
    lengths = set()

    def ended():
        job = job_queue.job(job_id)
        lengths.add(len(job.series.get("ssim", ())))
        return not job.is_active

    until(ended)
    run = store.get(job_id)
    assert run.state == "done", run.problem
    assert 15 in lengths and len(lengths - {0, 15}) >= 1, f"the series did not grow: {lengths}"
    assert {"ssim", "ksr", "akd", "l1", "psnr"} <= set(run.series())
    assert run.series()["ssim"][0] > 0.9 and 0.5 < run.summary["ssim"] < 1
    assert run.file("result.gif") and frame_count(run.file("result.gif")) == 15 and run.warnings == ()


def test_face_crop_of_a_template(store, job_queue, finished_run):
    task = {"do": "template", "folder": str(finished_run.folder), "settings": finished_run.settings.to_dict()}
    template = job_queue.ask(task)["file"]
    assert len(load_motion(template)) == 15
    settings = sample_settings(driving=str(template), end=None, full=False, size=96)
    job = wait_for(job_queue, job_queue.submit(settings, "tests"))
    assert job.state == "done", job.message
    run = store.get(job.id)
    assert run.size == (96, 96) and run.file("driving.mp4") is None and run.tracks()["driving"].shape == (15, 478, 3)
    inside = run.tracks()["target"][:, :468, :2]
    assert (inside > 0).mean() > 0.99 and (inside < 96).mean() > 0.99
    # What the player sets beside it: the portrait as it is in the result, of the whole picture the picture itself.
    first = next(iter(read_frames(probe(run.file("result.mp4"))))).pixels[0]
    assert np.abs(opened(run.still()) - first).mean() < 20
    assert finished_run.still() == finished_run.file("portrait.png")


def test_preview_is_a_frame_of_the_result(finished_run, job_queue):
    png = job_queue.preview(finished_run.settings, 8)
    shown = opened(io.BytesIO(png))
    with av.open(str(finished_run.file("result.mp4"))) as container:
        frames = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)]
    errors = [np.abs(shown - frame).mean() for frame in frames]
    assert int(np.argmin(errors)) == 8 and errors[8] < 3


@pytest.mark.slow
def test_the_preview_of_a_frame_of_the_clip_is_registered_as_the_render_is(store, job_queue, tmp_path):
    """A portrait that is a frame of its own driving clip moves by the clip's own pixels, in the preview, too."""
    own = tmp_path / "own.png"
    driving = str(sample("driving.mp4"))
    job_queue.ask({"do": "frame", "path": driving, "time": 0.0, "out": str(own)})
    settings = sample_settings(
        portrait=str(own), driving=driving, generator=Part(name="vae-gan"), size=None, full=False, mark="none",
        exporter=Part(name="mp4", options={"crf": 8}), motion=MotionSettings(mode="absolute"),
    )  # fmt: skip
    job = wait_for(job_queue, job_queue.submit(settings, "tests"))
    assert job.state == "done", job.message
    with av.open(str(store.get(job.id).file("result.mp4"))) as container:
        rendered = [frame.to_ndarray(format="rgb24").astype(float) for frame in container.decode(video=0)][10]
    shown = opened(io.BytesIO(job_queue.preview(settings, 10)))
    alone = settings.replace(generator=Part(name="vae-gan", options={"register": False}))
    apart = np.abs(opened(io.BytesIO(job_queue.preview(alone, 10))) - rendered).mean()
    assert np.abs(shown - rendered).mean() < 0.5 * apart, "but for the encoder and the invisible mark, the same frame"


def test_every_preview_carries_the_visible_mark(finished_run, job_queue):
    def shown(mark):
        return opened(io.BytesIO(job_queue.preview(finished_run.settings.replace(mark=mark), 8)))

    marked, plain = shown("bottom-right"), shown("none")
    place = badge_place(marked.shape, "bottom-right")
    changed = np.abs(marked - plain).max(-1) > 0
    assert changed[place].mean() > 0.8
    changed[place] = False
    assert not changed.any()
    during = opened(finished_run.file("preview.jpg"))[place]
    assert np.abs(during - marked[place]).mean() < 0.3 * np.abs(during - plain[place]).mean()


def opened(file):
    """(H, W, 3) float of a picture file."""
    return np.asarray(Image.open(file).convert("RGB")).astype(float)


def test_previews_follow_the_settings(finished_run, job_queue):
    still = finished_run.settings.replace(motion=type(finished_run.settings.motion)(pose=0, mouth=0, eyes=0, brows=0))
    assert job_queue.preview(still, 14) != job_queue.preview(finished_run.settings, 14)


def test_other_formats_are_made_when_asked_for(finished_run, job_queue):
    for exporter, name in (("webp", "result.webp"), ("png", "result-png.zip")):
        task = {"do": "convert", "folder": str(finished_run.folder), "settings": finished_run.settings.to_dict()}
        answer = job_queue.ask({**task, "exporter": exporter})
        assert answer["file"].endswith(name) and os.path.getsize(answer["file"]) > 1000


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"driving": "/nowhere/clip.mp4"}, "clip.mp4 does not exist"),
        ({"driving": "/kept/5f2c.mp4", "driving_name": "holiday.mp4"}, "holiday.mp4 does not exist"),
        ({"face": 5}, "no face number 5"),
        ({"generator": Part(name="nothing")}, "no generator named 'nothing'"),
        ({"start": 50.0, "end": 51.0}, "6.00 s long"),
    ],
)
def test_a_job_that_cannot_be_done_says_why(store, job_queue, changes, says):
    job = wait_for(job_queue, job_queue.submit(sample_settings(**changes), "tests"))
    assert job.state == "failed" and says in job.message
    assert says in store.get(job.id).problem


def test_cancel_while_rendering_and_while_waiting(store, job_queue):
    long = sample_settings(end=None)
    first, second, third = (job_queue.submit(one, "tests") for one in (long, long, sample_settings()))
    assert job_queue.job(third).ahead == 2
    until(lambda: job_queue.job(first).stage == "Rendering" and job_queue.job(first).done > 0)
    job_queue.cancel(second)
    assert job_queue.job(second).state == "stopped"
    job_queue.cancel(first)
    assert wait_for(job_queue, first).state == "stopped"
    assert store.get(first).file("result.mp4") is None, "nothing half-written stays"
    assert wait_for(job_queue, third).state == "done", "the next one is not touched"


@pytest.mark.slow
def test_a_killed_worker_costs_only_its_job(store, job_queue):
    job_id = job_queue.submit(sample_settings(end=None), "tests")
    until(lambda: job_queue.job(job_id).done > 0)
    os.kill(job_queue.worker_pids["render"], signal.SIGKILL)
    job = wait_for(job_queue, job_id)
    assert job.state == "failed" and "SIGKILL" in job.message and "memory" in job.message
    assert wait_for(job_queue, job_queue.submit(sample_settings(), "tests")).state == "done"


@pytest.mark.slow
def test_two_sessions_at_once(store, job_queue):
    ids = {who: job_queue.submit(sample_settings(seed=number), who) for number, who in enumerate(("anna", "ben"))}
    assert {one.session for one in job_queue.active("anna")} <= {"anna"}
    assert len(job_queue.preview(sample_settings(), 3)) > 1000, "previews do not wait for renders"
    for who, job_id in ids.items():
        assert wait_for(job_queue, job_id).state == "done"
        assert store.get(job_id).session == who
    assert job_queue.active() == []


def test_after_a_restart(tmp_path):
    """A run that was at work when the studio was closed is told as failed, and the others are as they were."""
    store = Store(tmp_path)
    run = store.create(sample_settings(), "me")
    store.update(run.id, state="running")
    queue = JobQueue(Store(tmp_path))
    try:
        job = queue.job(run.id)
        assert job.state == "failed" and "closed during this render" in job.message
        with pytest.raises(VisionGenError):
            queue.job("nobody")
    finally:
        queue.close()

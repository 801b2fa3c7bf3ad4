"""The cameras of the page Animate in a real browser: a picture for the portrait, a recording for the driving clip."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest
from lists import pick
from started import started_studio

from studio.live_pictures import jpeg_of
from studio.store import Store
from visiongen.media import probe, read_frames
from visiongen.samples import sample

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(900)]
MP4 = "[class*=st-key-download-mp4] button"


@pytest.fixture
def camera_film(tmp_path) -> Path:
    """What the camera sees: motion JPEG, 640 x 480, a face in the middle."""
    path = tmp_path / "camera.mjpeg"
    with path.open("wb") as film:
        for batch in read_frames(probe(sample("driving.mp4"), end=3.0)):
            for frame in batch.pixels:
                face = cv2.resize(frame, (480, 480))
                film.write(jpeg_of(cv2.copyMakeBorder(face, 0, 0, 80, 80, cv2.BORDER_CONSTANT, value=(90,) * 3)))
    return path


@pytest.fixture
def page(tmp_path, camera_film):
    """The studio's first page in a browser with a camera and a microphone."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome") or pytest.skip("no browser is installed")
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
             f"--use-file-for-fake-video-capture={camera_film}"]  # fmt: skip
    with started_studio(tmp_path) as server, playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=program, args=flags)
        context = browser.new_context(
            viewport={"width": 1440, "height": 900}, permissions=["camera", "microphone"], accept_downloads=True
        )
        page = context.new_page()
        page.set_default_timeout(240_000)
        page.goto(server.address)
        yield page
        browser.close()


def choose(page, key: str, label: str) -> None:
    """Presses one button of a row."""
    page.locator(f".st-key-{key} button", has_text=label).first.click()


def test_a_camera_gives_portrait_and_driving_clip(page, tmp_path):
    # The portrait: one picture of the camera, in which the face is found.
    choose(page, "portrait_source", "Camera")
    shutter = page.get_by_test_id("stCameraInputButton")
    shutter.wait_for()
    page.wait_for_function("() => [...document.querySelectorAll('video')].some(one => one.videoWidth > 0)")
    shutter.click()
    # As the camera gave it, not as small as its column on the screen; until then the sample is there.
    page.get_by_text("camera.jpg, 640\u00a0×\u00a0480; the frame shows the crop").wait_for()

    # The driving clip: recorded, stopped, and taken like an upload.
    choose(page, "driving_source", "Record")
    recorder = page.locator(".recorder")
    recorder.get_by_role("button", name="Turn the camera on").click()
    recorder.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_timeout(4000)
    assert "Recording: " in recorder.locator(".note").inner_text()
    recorder.get_by_role("button", name="Stop").click()
    page.get_by_text("recording.").first.wait_for()
    assert "of at most" not in recorder.locator(".note").inner_text()

    # Both together make a film.
    page.locator(".st-key-consent label").first.click()
    pick(page, "generator", "warp")
    page.locator(".st-key-render button:not([disabled])").click()
    page.locator(MP4).wait_for()
    (run,) = Store(tmp_path / "data").runs()
    assert run.state == "done", run.problem
    driving, result = (probe(run.folder / name) for name in ("driving.mp4", "result.mp4"))
    assert (driving.width, driving.height) == (640, 480) and driving.num_frames == result.num_frames == run.frames
    assert 2 < run.frames / float(run.fps) < 30, "what was recorded, and no more than a recording may be"
    assert run.settings.driving.endswith(".webm") and run.settings.consent and run.summary["detection_rate"] > 0.9

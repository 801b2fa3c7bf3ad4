"""The page Live: tickets, origins, the process behind a camera, recordings, and the camera of a real browser."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import uvicorn
from renders import ROOT, sample_settings
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from studio import live_route
from studio.live_measuring import joined
from studio.live_pictures import as_jpeg, jpeg_of, picture_of
from studio.live_protocol import CameraPicture, MovedPicture, read_message
from studio.live_recording import Recording, at_constant_rate
from studio.live_route import PATH, is_same_origin, is_unfinished, issue_ticket, routes, ticket, update_ticket
from studio.live_worker import LatestPicture
from studio.store import Store
from visiongen import MotionSettings, extract_motion, fit_motion, place, prepare_portrait
from visiongen.landmarks import FaceMesh
from visiongen.media import probe, read_frames
from visiongen.motion import piece
from visiongen.samples import sample

PAGE = "app_pages/live.py"


@pytest.fixture(scope="module")
def camera() -> list[bytes]:
    """JPEGs as a browser sends them."""
    clip = probe(sample("driving.mp4"), end=2.0)
    frames = [frame for batch in read_frames(clip) for frame in batch.pixels]
    return [jpeg_of(cv2.resize(frame, (240, 240))) for frame in frames]


@contextlib.contextmanager
def served():
    """A real server with the route of the page: its port."""
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes()), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def port():
    with served() as found:
        yield found


def live_settings(**changes):
    return sample_settings(driving="camera.mp4", end=None, size=None, full=False, **changes)


def opened(port: int, key: str, *, origin: str | None = None):
    return connect(f"ws://127.0.0.1:{port}{PATH}?ticket={key}", origin=origin or f"http://127.0.0.1:{port}")


def event(link, *names: str) -> dict:
    """The next of these events; pictures in between are passed over."""
    until = time.monotonic() + 90
    while time.monotonic() < until:
        message = link.recv(timeout=90)
        if isinstance(message, str) and (found := json.loads(message))["event"] in (*names, "error"):
            return found
    raise AssertionError(f"none of {names} came")


# -- without a process -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin, host, right",
    [
        ("http://127.0.0.1:8501", "127.0.0.1:8501", True),
        ("http://LOCALHOST:8501", "localhost:8501", True),
        ("https://studio.example", "studio.example", True),
        ("http://evil.example", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8502", "127.0.0.1:8501", False),
        ("http://127.0.0.1:8501.evil.example", "127.0.0.1:8501", False),
        ("null", "127.0.0.1:8501", False),
        (None, "127.0.0.1:8501", False),
        ("file://127.0.0.1:8501", "127.0.0.1:8501", False),
    ],
)
def test_only_the_studios_own_pages_may_connect(origin, host, right):
    assert is_same_origin(origin, host) is right


@pytest.mark.parametrize("wrong", ["origin", "ticket"])
def test_strangers_are_refused_before_anything_starts(port, store, wrong):
    key = issue_ticket(live_settings(), session="tests", store=store)
    before = live_route._open_sessions
    with pytest.raises(InvalidStatus, match="403"):
        opened(port, "guess" if wrong == "ticket" else key, origin="http://evil.example" if wrong == "origin" else None)
    assert live_route._open_sessions == before


def test_tickets_are_secret_differ_and_can_be_changed(store):
    first, second = (issue_ticket(live_settings(), session="tests", store=store) for _ in range(2))
    assert first != second and len(first) >= 32
    update_ticket(first, live_settings(motion=MotionSettings(pose=0.5)))
    assert ticket(first).settings.motion.pose == 0.5 and ticket(second).settings.motion.pose == 1
    assert ticket("") is None


def test_messages_survive_the_pipe():
    picture = CameraPicture(7, 1.25, b"\xff\xd8abc")
    assert CameraPicture.unpack(picture.pack()) == picture
    moved = MovedPicture(number=9, visible=True, recording=True, milliseconds=(1.0, 2.0, 3.5), jpeg=b"xy")
    assert MovedPicture.unpack(moved.pack()) == moved
    for kind in (CameraPicture, MovedPicture):
        with pytest.raises(ValueError):
            kind.unpack(b"ab")


def test_a_broken_pipe_is_noticed(tmp_path):
    path = tmp_path / "pipe"
    path.write_bytes(b"\x00\x00\x00\x05Jab")
    with path.open("rb") as pipe:
        assert read_message(pipe) is None
    path.write_bytes(b"GARBAGE IN THE PIPE")
    with path.open("rb") as pipe, pytest.raises(ValueError, match="no message"):
        read_message(pipe)


def test_of_waiting_pictures_the_newest_is_used():
    latest = LatestPicture()
    one, two = CameraPicture(1, 0.0, b"a"), CameraPicture(2, 0.1, b"b")
    assert latest.put(one) is None
    assert latest.put(two) is one
    assert latest.take() is two


@pytest.mark.parametrize("data", [b"", b"no jpeg", b"\xff\xd8broken", b"\x89PNG\r\n"])
def test_what_is_no_jpeg_is_no_picture(data):
    assert picture_of(data) is None


def planes_of(pixels: np.ndarray) -> bytes:
    """A camera's picture (H, W, 3) as a browser gives its planes."""
    height, width = pixels.shape[:2]
    return (
        b"YU"
        + width.to_bytes(2, "big")
        + height.to_bytes(2, "big")
        + cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420).tobytes()
    )


def test_planes_are_the_mirrored_picture(camera):
    picture = picture_of(camera[0])
    given = planes_of(picture[:, ::-1].copy())
    assert np.abs(picture_of(given).astype(int) - picture).mean() < 3, "colours are kept at half the size"
    kept = as_jpeg(given)
    assert kept[:2] == b"\xff\xd8" and np.abs(picture_of(kept).astype(int) - picture).mean() < 4
    assert as_jpeg(camera[0]) is camera[0]


@pytest.mark.parametrize("change", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:4], lambda b: b[:2] + b"\xff" * 4,
                                    lambda b: b[:2] + bytes(4), lambda b: b[:3] + b"\xef" + b[4:]])  # fmt: skip
def test_planes_that_do_not_fit_their_size_are_no_picture(camera, change):
    assert picture_of(change(planes_of(picture_of(camera[0])))) is None


def test_a_huge_picture_is_left_out():
    assert picture_of(jpeg_of(np.zeros((40, 2000, 3), np.uint8))) is None


def test_a_film_of_constant_rate_shows_the_newest_picture_there_is():
    times = np.array([10.0, 10.1, 10.3, 10.31])
    numbers = at_constant_rate(times)
    assert len(numbers) == 9 and list(numbers) == [0, 0, 0, 1, 1, 1, 1, 1, 3]


def test_a_recording_without_pictures_says_so(tmp_path):
    with pytest.raises(Exception, match="no pictures"):
        Recording().save(tmp_path, live_settings(), prepare_portrait(sample("cartoon.png")))
    assert not list(tmp_path.iterdir())


# -- with the real process ---------------------------------------------------------------------------------------------


def test_a_camera_moves_the_portrait_and_is_recorded(port, store, camera):
    key = issue_ticket(live_settings(), session="tests", store=store, size=128)
    with opened(port, key) as link:
        ready = event(link, "ready")
        assert ready == {"event": "ready", "size": 128, "generator": "warp"}
        still = MovedPicture.unpack(link.recv(timeout=30))
        assert still.number == 0
        link.send(json.dumps({"do": "record"}))
        moved = []
        for number in range(1, 31):
            # Browsers send the one or the other.
            data = camera[number] if number % 2 else planes_of(picture_of(camera[number])[:, ::-1].copy())
            link.send(CameraPicture(number, number / 25, data).pack())
            moved.append(MovedPicture.unpack(link.recv(timeout=60)))
        assert [one.number for one in moved] == list(range(1, 31)), "one answer for each picture, in order"
        assert all(one.visible and not one.dropped for one in moved)
        assert not moved[0].calibrated and moved[-1].calibrated and moved[-1].recording
        assert max(moved[-1].milliseconds) > 0
        pictures = [picture_of(one.jpeg) for one in moved]
        assert pictures[0].shape == (128, 128, 3)
        assert max(np.abs(one.astype(int) - pictures[0]).mean() for one in pictures) > 1, "it moves"
        link.send(json.dumps({"do": "stop-recording"}))
        recorded = event(link, "recorded", "not-recorded")
        assert recorded["event"] == "recorded", recorded
        assert is_unfinished(recorded["run"]), "its film is there, its landmarks are not yet"
        measured = event(link, "measured")
    assert measured["run"] == recorded["run"] and not is_unfinished(recorded["run"])
    run = store.get(recorded["run"])
    assert run.state == "done" and run.session == "tests" and run.size == (128, 128)
    assert run.device in ("cpu", "cuda") and run.frames_per_second == pytest.approx(25)  # as the pictures' times say
    result, driving = (probe(run.folder / name) for name in ("result.mp4", "driving.mp4"))
    assert result.num_frames == driving.num_frames == run.frames
    assert run.settings.driving == str(run.folder / "driving.mp4")
    assert {"portrait.png", "thumbnail.jpg", "run.json"} <= {path.name for path in run.folder.iterdir()}
    assert_is_a_full_run(run)
    comment = subprocess.run(["strings", "-n", "8", run.folder / "result.mp4"], capture_output=True, text=True)
    if comment.returncode == 0:
        assert "synthetic" in comment.stdout.lower()


def assert_is_a_full_run(run):
    """Inspect and Compare find in a recording what they find in any other run."""
    tracks, frames = run.tracks(), run.frames
    for name in ("driving", "target", "generated"):
        assert tracks[name].shape == (frames, 478, 3) and not np.isnan(tracks[name]).any(), name
    assert tracks["result_size"].tolist() == [128, 128] and tracks["driving_size"].tolist() == [240, 240]
    assert tracks["driver_rotation"].shape == tracks["rotation"].shape == (frames, 3, 3)
    # What was wanted came out, and the driver's landmarks are on the driver: both within 2 % of the picture.
    error = np.linalg.norm(tracks["generated"][:, :468, :2] - tracks["target"][:, :468, :2], axis=-1)
    assert error.mean() < 2.6
    with FaceMesh(max_faces=1) as mesh:
        seen = mesh(next(read_frames(probe(run.folder / "driving.mp4"))).pixels[0])[0]
    assert np.abs(seen - tracks["driving"][0])[:, :2].mean() < 2
    assert np.ptp(tracks["target"], axis=0).max() > 1, "it moves"
    assert {"stability", "identity_proxy", "ksr"} <= set(run.series()) and run.summary["identity_proxy"] > 0
    assert all(problem.kind != "poor-reference" for problem in run.problems()) and not run.warnings
    assert run.id in [one.id for one in Store(run.folder.parents[1]).runs() if one.file("tracks.npz")]


@pytest.mark.slow
def test_a_recording_is_kept_when_its_page_goes(port, store, camera):
    """Who leaves while recording finds in the Gallery what was recorded until then."""
    before = {run.id for run in store.runs()}
    with opened(port, issue_ticket(live_settings(), session="leaves", store=store, size=128)) as link:
        event(link, "ready")
        link.recv(timeout=30)
        link.send(json.dumps({"do": "record"}))
        for number in range(1, 9):
            link.send(CameraPicture(number, number / 25, camera[number]).pack())
            link.recv(timeout=60)
    until = time.monotonic() + 90
    while live_route._open_sessions and time.monotonic() < until:
        time.sleep(0.05)
    (run,) = [one for one in store.runs("leaves") if one.id not in before]
    assert run.state == "done" and run.frames >= 7 and run.file("tracks.npz"), run.problem


@pytest.mark.parametrize("absolute", [False, True])
def test_frames_without_a_face_hold_the_portrait_as_it_was(absolute):
    portrait = prepare_portrait(sample("cartoon.png"))
    clip = probe(sample("driving.mp4"), end=0.1)
    settings = MotionSettings(mode="absolute" if absolute else "relative")
    moved = fit_motion(portrait, extract_motion(clip.path, end=0.1), settings)[1]
    one, two = piece(moved, slice(0, 1)), piece(moved, slice(1, 2))
    track = joined([None, one, None, two], portrait, np.arange(4) / 25)
    assert track.visible.tolist() == [False, True, False, True]
    points = place(track).points
    assert np.abs(points[0] - portrait.landmarks).max() < 1, "the portrait itself, before anything was seen"
    assert np.abs(points[[1, 3]] - place(moved).points[:2]).max() < 0.1
    assert np.array_equal(points[2], points[1])


@pytest.mark.slow
def test_a_crowd_of_pictures_does_not_lengthen_the_delay(port, store, camera):
    """All pictures are answered, most of them as left out, and the newest is always among the drawn ones."""
    key = issue_ticket(live_settings(), session="tests", store=store, size=128)
    with opened(port, key) as link:
        event(link, "ready")
        link.recv(timeout=30)
        for number in range(1, 41):
            link.send(CameraPicture(number, number / 25, camera[number]).pack())
        answers = [MovedPicture.unpack(link.recv(timeout=60)) for _ in range(40)]
        assert sorted(one.number for one in answers) == list(range(1, 41))
        drawn = [one.number for one in answers if not one.dropped]
        assert drawn == sorted(drawn) and drawn[-1] == 40 and len(drawn) < 30
        link.send(b"no picture")  # the connection ends, the studio lives on
        with pytest.raises(ConnectionClosed):
            for _ in range(50):
                link.recv(timeout=30)
    until = time.monotonic() + 15
    while live_route._open_sessions and time.monotonic() < until:
        time.sleep(0.05)
    assert live_route._open_sessions == 0, "its place is free again"


def test_a_portrait_without_a_face_is_told_in_one_sentence(port, store, tmp_path):
    path = tmp_path / "wall.png"
    cv2.imwrite(str(path), np.full((200, 200, 3), 120, np.uint8))
    key = issue_ticket(live_settings(portrait=str(path), portrait_name="holiday.png"), session="tests", store=store)
    with opened(port, key) as link:
        found = event(link, "ready")
    assert found["event"] == "error" and "no face was found" in found["message"]
    assert "holiday.png" in found["message"] and "wall.png" not in found["message"]


def test_more_sessions_than_there_is_room_for_are_told(port, store, monkeypatch):
    monkeypatch.setattr(live_route, "MOST_SESSIONS", 0)
    with opened(port, issue_ticket(live_settings(), session="tests", store=store)) as link:
        assert "running" in event(link, "ready")["message"]


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_page_offers_samples_presets_and_generators(studio):
    page = studio(PAGE)
    assert not page.exception and not page.error
    assert page.title[0].value == "Live"
    assert "warp" in page.selectbox(key="live.generator").options
    assert page.session_state["live.held"]["version"] == 0


def test_a_preset_changes_the_running_session_and_another_portrait_starts_a_new_one(studio):
    page = studio(PAGE)
    first = page.session_state["live.held"]["key"]
    page.session_state["live.preset"] = "Calm"
    page.slider(key="live.motion.pose").set_value(0.5).run()
    held = page.session_state["live.held"]
    assert held["key"] == first and held["version"] == 1
    assert ticket(first).settings.motion.pose == 0.5
    page.session_state["live.portrait"] = "Statue"
    page.run()
    assert page.session_state["live.held"]["key"] != first
    assert ticket(page.session_state["live.held"]["key"]).settings.portrait_name == "statue.png"


# -- a browser ---------------------------------------------------------------------------------------------------------

CHROMIUM = "/usr/bin/chromium"


def camera_film(path: Path) -> Path:
    """A motion JPEG that Chromium takes for a camera."""
    clip = probe(sample("driving.mp4"), end=3.0)
    with path.open("wb") as film:
        for batch in read_frames(clip):
            for frame in batch.pixels:
                wide = cv2.copyMakeBorder(
                    cv2.resize(frame, (480, 480)), 0, 0, 80, 80, cv2.BORDER_CONSTANT, value=(90,) * 3
                )
                film.write(jpeg_of(wide))
    return path


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
@pytest.mark.parametrize("missing", ["", "MediaStreamTrackProcessor", "VideoFrame"])  # as in other browsers
def test_a_browsers_camera_moves_the_portrait(tmp_path, missing):
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path(CHROMIUM).exists():
        pytest.skip("no system Chromium")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        number = one.getsockname()[1]
    film = camera_film(tmp_path / "camera.mjpeg")
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "studio" / "app.py"), "--server.port", str(number)]
    environment = {**os.environ, "VISIONGEN_STUDIO_DATA": str(tmp_path / "data")}
    server = subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for_server(number)
        flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                 f"--use-file-for-fake-video-capture={film}"]  # fmt: skip
        with sync_api.sync_playwright() as player:
            browser = player.chromium.launch(executable_path=CHROMIUM, args=flags)
            page = browser.new_context(permissions=["camera"]).new_page()
            page.set_default_timeout(200_000)
            page.add_init_script(f"delete window.{missing or 'nothing'}")
            page.goto(f"http://127.0.0.1:{number}/live")
            page.get_by_role("button", name="Start camera").click()
            page.locator(".live[data-frames]").wait_for(state="attached")
            root = page.locator(".live")
            first = int(root.get_attribute("data-frames"))
            page.get_by_role("button", name="Record").click()
            page.wait_for_timeout(2500)
            assert int(root.get_attribute("data-frames")) > first
            assert page.locator(".live .fps").inner_text().endswith("/s")
            mirrored = page.locator(".live .mirror").evaluate(
                "one => [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]"
            )
            assert np.std(np.reshape(mirrored, (180, 240, 4))[..., :3]) > 30
            before = root.get_attribute("data-frames")
            page.locator(".live .device").evaluate("one => one.onchange()")  # as if another camera was chosen
            while int(root.get_attribute("data-frames")) < int(before) + 5:  # two were under way already
                page.wait_for_timeout(100)
            page.get_by_role("button", name="Stop recording").click()
            page.get_by_text("Last recording").wait_for()
            page.get_by_role("button", name="Stop camera").click()
            page.get_by_role("button", name="Start camera").wait_for()
            browser.close()
    finally:
        server.terminate()
        server.wait(20)
    runs = list((tmp_path / "data" / "runs").glob("*/result.mp4"))
    assert len(runs) == 1 and probe(runs[0]).num_frames > 10


def _wait_for_server(number: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", number), 1):
            return
        time.sleep(0.2)
    raise AssertionError("the studio did not start")

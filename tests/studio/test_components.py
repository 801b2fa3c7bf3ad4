"""The studio's own components: what they send to the browser, and the scrubber at work in one."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from studio.components.scrubber import MISSING, Panel, encoded, face_box, first_sight, packed
from studio.frame_pack import frame_pack, prepare_packs
from studio.regions import mesh_edges, region_of, regions
from studio.store import DATA_VARIABLE
from visiongen import FrameBatch, Provenance, choose, load
from visiongen.errors import MediaError

ROOT = Path(__file__).parents[2]
COMPONENTS = ROOT / "studio" / "components"
CHROMIUM = "/usr/bin/chromium"


def film(path: Path, *, num_frames: int, height: int = 48, width: int = 64) -> Path:
    """A real film; frame n is grey of 10 n."""
    pixels = np.repeat(np.arange(num_frames, dtype=np.uint8) * 10, height * width * 3).reshape(-1, height, width, 3)
    batches = iter([FrameBatch(pixels=pixels, times=np.arange(num_frames) / 25)])
    load(choose("exporter", "mp4")).export(
        batches, path, fps=Fraction(25), sound=None, provenance=Provenance(software="test")
    )
    return path


def number(picture: np.ndarray) -> int:
    """Which frame of `film` it is."""
    return round(float(picture.mean()) / 10)


def decoded(codes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The inverse of `encoded`, as the browser does it."""
    shares = codes.astype(np.float64) / (MISSING - 1) * 2 - 0.5
    return np.where(codes == MISSING, np.nan, shares * [size[1], size[0]])


# -- points ------------------------------------------------------------------------------------------------------------


def test_points_come_back_to_a_fiftieth_of_a_pixel():
    size = (720, 1280)
    points = np.random.default_rng(0).uniform([-0.4 * 1280, -0.4 * 720], [1.4 * 1280, 1.4 * 720], (50, 2))
    assert np.abs(decoded(encoded(points, size), size) - points).max() < 0.02


def test_points_that_were_not_seen_stay_unseen_and_those_far_outside_stay_at_the_edge():
    points = np.array([[np.nan, np.nan], [5.0, np.nan], [-1e6, 1e6]])
    codes = encoded(points, (100, 100))
    assert (codes[:2] == MISSING).all()
    assert codes[2].tolist() == [0, MISSING - 1]


def test_the_layout_says_where_every_track_is():
    rng = np.random.default_rng(1)
    film, still = rng.uniform(0, 90, (7, 478, 3)), rng.uniform(0, 90, (478, 3))
    panels = [
        Panel(label="Portrait", size=(100, 80), tracks={"portrait": still}),
        Panel(label="Result", size=(100, 80), tracks={"wanted": film, "found": film + 1}, origin=still),
    ]
    layout, data = packed(panels)
    codes = np.frombuffer(data, "<u2")
    assert codes.size == 2 * 478 * (1 + 7 + 7 + 1)
    for entry, points in ((layout[0]["tracks"][0], still[None]), (layout[1]["tracks"][1], film + 1)):
        part = codes[entry["at"] : entry["at"] + 2 * 478 * entry["frames"]].reshape(-1, 478, 2)
        assert np.allclose(decoded(part, (100, 80)), points[..., :2], atol=0.01)
    assert layout[0]["origin"] is None
    assert layout[1]["ratio"] == pytest.approx(0.8)


def test_the_box_holds_the_face_of_every_frame_and_is_a_square_of_the_picture():
    rng = np.random.default_rng(2)
    for height, width in ((100, 300), (300, 100), (256, 256)):
        centre = rng.uniform([0.3 * width, 0.3 * height], [0.7 * width, 0.7 * height])
        reach = 0.2 * min(height, width)
        film = centre + rng.uniform(-reach, reach, (5, 478, 2))
        film[3] = np.nan
        panel = Panel(label="Result", size=(height, width), tracks={"wanted": film, "found": film[:1]})
        left, top, right, bottom = face_box(panel)
        assert 0 <= left < right <= 1 + 1e-9 and 0 <= top < bottom <= 1 + 1e-9
        assert (right - left) * width == pytest.approx((bottom - top) * height)
        low, high = np.nanmin(film, (0, 1)), np.nanmax(film, (0, 1))
        assert (low >= [left * width, top * height]).all() and (high <= [right * width, bottom * height]).all()


def test_a_panel_without_a_face_is_shown_whole():
    unseen = np.full((4, 478, 3), np.nan)
    assert face_box(Panel(label="Driver", size=(90, 160), tracks={"seen": unseen})) is None
    assert face_box(Panel(label="Driver", size=(90, 160))) is None


def test_what_is_seen_first_is_the_frame_that_was_asked_for(tmp_path):
    rng = np.random.default_rng(3)
    points, still = rng.uniform(0, 90, (7, 478, 3)), rng.uniform(0, 90, (478, 3))
    pack = frame_pack(film(tmp_path / "film.mp4", num_frames=7))
    panels = [
        Panel(label="Portrait", size=(100, 80), tracks={"portrait": still}),
        Panel(label="Result", size=(100, 80), frames=pack, tracks={"wanted": points, "found": points + 1}),
    ]
    first = first_sight(panels, 4)
    assert first["frame"] == 4 and first["pictures"][0] is None
    assert base64.b64decode(first["pictures"][1]) == pack.jpeg(4)
    codes = np.frombuffer(base64.b64decode(first["points"]), "<u2").reshape(3, 478, 2)
    for found, wanted in zip(codes, (still, points[4], points[4] + 1), strict=True):
        assert np.allclose(decoded(found, (100, 80)), wanted[:, :2], atol=0.01)
    pack.path.unlink()
    assert first_sight(panels, 4)["pictures"] == [None, None], "the page lives on"


def test_five_hundred_frames_are_small_enough_to_send_at_once():
    points = np.zeros((500, 478, 3), np.float32)
    panels = [Panel(label=name, size=(512, 512), tracks={"one": points}) for name in "ab"]
    assert len(packed(panels)[1]) < 2 << 20


# -- regions -----------------------------------------------------------------------------------------------------------


def test_every_landmark_is_in_one_region():
    points = [point for region in regions() for point in region.points]
    assert sorted(points) == list(range(478))
    assert {region_of()[33].name, region_of()[13].name, region_of()[468].name} == {"eyes", "lips", "irises"}


def test_the_mesh_is_drawn_once():
    edges = mesh_edges()
    assert (edges[:, 0] < edges[:, 1]).all()
    assert len(np.unique(edges, axis=0)) == len(edges)
    # A disc of triangles (the face) has vertices - edges + triangles = 1.
    assert 468 - len(edges) + 898 == 1


# -- frames ------------------------------------------------------------------------------------------------------------


def test_a_pack_gives_every_frame_of_a_film(tmp_path):
    seen: list[int] = []
    pack = frame_pack(film(tmp_path / "film.mp4", num_frames=23), progress=lambda done, total: seen.append(done))
    assert len(pack) == 23
    assert [number(pack.picture(i)) for i in range(23)] == list(range(23))
    assert number(pack.picture(99)) == 22
    assert seen == sorted(seen) and seen[-1] == 23


def test_a_pack_is_made_once_and_again_when_the_film_is_newer(tmp_path):
    path = film(tmp_path / "film.mp4", num_frames=3)
    first = frame_pack(path).path.stat().st_mtime_ns
    assert frame_pack(path).path.stat().st_mtime_ns == first
    path.unlink()
    film(path, num_frames=5)
    os.utime(path, ns=(first + 10**9, first + 10**9))
    assert len(frame_pack(path)) == 5


def test_a_large_film_is_packed_small(tmp_path):
    assert frame_pack(film(tmp_path / "film.mp4", num_frames=2, height=480, width=960)).picture(0).shape == (
        240,
        480,
        3,
    )


def test_a_damaged_pack_is_told(tmp_path):
    path = film(tmp_path / "film.mp4", num_frames=3)
    pack = frame_pack(path).path
    pack.write_bytes(pack.read_bytes()[:-10])
    with pytest.raises(MediaError, match="cut off"):
        frame_pack(path)


# -- source ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["scrubber", "compare"])
def test_components_fetch_nothing_from_outside(name):
    for path in COMPONENTS.glob(f"{name}*"):
        assert not re.search(r"https?://", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize("name", ["scrubber", "compare"])
def test_every_control_has_a_name(name):
    html = (COMPONENTS / f"{name}.html").read_text(encoding="utf-8")
    for tag in re.findall(r"<(?:input|select)[^>]*>", html):
        assert "aria-label=" in tag or 'type="checkbox"' in tag, tag
    for tag, text in re.findall(r"<button([^>]*)>(.*?)</button>", html):
        assert "aria-label=" in tag or re.sub(r"<.*?>", "", text).strip(), tag


# -- in a browser ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(studio_root, finished_run):
    """The studio, served; its address."""
    if importlib.util.find_spec("playwright") is None or not Path(CHROMIUM).exists():
        pytest.skip("needs playwright and chromium")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "studio" / "app.py"), "--server.port", str(port)]
    server = subprocess.Popen(
        command, env={**os.environ, DATA_VARIABLE: str(studio_root)}, cwd=ROOT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture
def page(served):
    """A page of a browser, at the studio."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(240_000)
        yield page
        browser.close()


def canvas_pixels(page, number: int) -> np.ndarray:
    """What is drawn on one of the scrubber's canvases, (H, W, 4)."""
    png = page.locator(".scrubber canvas").nth(number).screenshot()
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_the_scrubber_goes_through_the_frames_and_tells_where_it_stops(page, served, finished_run):
    page.goto(f"{served}/inspect_frames?run={finished_run.id}")
    page.wait_for_selector(".scrubber[data-state=ready]")
    time_line, scrubber = page.locator(".scrubber .time"), page.locator(".scrubber")
    last = finished_run.frames - 1
    first = canvas_pixels(page, 2)

    time_line.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector('.scrubber[data-frame="3"]')
    page.keyboard.press("End")
    page.wait_for_selector(f'.scrubber[data-frame="{last}"]')
    page.wait_for_timeout(500)
    moved = canvas_pixels(page, 2)
    assert np.abs(moved.astype(int) - first).mean() > 0.5  # the result is another frame

    # Without pictures and points the canvas is empty; points alone are drawn in the colours of their regions.
    page.locator(".scrubber [data-layer=picture]").click()
    page.locator(".scrubber [data-layer=points]").click()
    page.wait_for_timeout(300)
    assert np.ptp(canvas_pixels(page, 2)[20:-20, 20:-20], axis=(0, 1)).max() < 3
    page.locator(".scrubber [data-layer=points]").click()
    page.wait_for_timeout(300)
    drawn = canvas_pixels(page, 2).reshape(-1, 3)
    lips = next(region.colour for region in regions() if region.name == "lips")
    wanted = [int(lips[i : i + 2], 16) for i in (5, 3, 1)]  # BGR
    assert (np.abs(drawn.astype(int) - wanted).max(1) < 12).sum() > 20

    # The server knows where the user stopped: what it draws anew does not send the scrubber elsewhere.
    page.get_by_text("Pose", exact=True).first.click()
    page.wait_for_selector(".js-plotly-plot .main-svg")
    assert scrubber.get_attribute("data-frame") == str(last)


DRAWS = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  plot.draws = 0;
  plot.on('plotly_afterplot', () => { plot.draws += 1; });
}"""
POINT = """() => {
  const plot = document.querySelector('.js-plotly-plot'), { xaxis, yaxis } = plot._fullLayout, line = plot._fullData[0];
  const box = plot.querySelector('.nsewdrag[data-subplot=xy]').getBoundingClientRect();
  return [box.left + xaxis.l2p(line.x[8]), box.top + yaxis.l2p(line.y[8])];
}"""
MOVED = """() => [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')].some(
  (one) => +(one.shadowRoot.querySelector('.scrubber')?.dataset.frame ?? 0) === 8)"""
COLOURS = """() => [getComputedStyle(document.querySelector('.vg-chart')).getPropertyValue('--st-text-color').trim(),
  document.querySelector('.js-plotly-plot')._fullLayout.font.color]"""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_click_on_a_chart_goes_to_the_frame(page, served, finished_run):
    page.goto(f"{served}/inspect_frames?run={finished_run.id}")
    page.wait_for_selector(".scrubber[data-state=ready]")
    page.get_by_text("Pose", exact=True).first.click()
    page.wait_for_selector(".st-key-pose_chart .js-plotly-plot .main-svg")
    page.evaluate(DRAWS)
    own = page.evaluate_handle("document.querySelector('.js-plotly-plot')")
    page.mouse.move(*page.evaluate(POINT))
    page.wait_for_selector(".st-key-pose_chart .hoverlayer text")
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function(MOVED)
    page.wait_for_function("() => document.querySelector('.js-plotly-plot').draws === 1")
    page.wait_for_timeout(500)
    assert page.evaluate("document.querySelector('.js-plotly-plot').draws") == 1, "drawn once for a frame"
    assert page.evaluate("one => one === document.querySelector('.js-plotly-plot')", own), "and in the same place"

    buttons = page.locator(".st-key-pose_chart .modebar-btn")
    titles = [one.get_attribute("data-title") for one in buttons.all()]
    assert "Full screen" in titles and not any("hare" in title for title in titles), "nothing is uploaded anywhere"

    # The legend works, and the theme is the page's.
    page.locator(".st-key-pose_chart .legendtoggle").first.click(delay=20)
    page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot').data.some((one) => one.visible === 'legendonly')"
    )
    colours = page.evaluate(COLOURS)
    assert colours[0] and colours[0] == colours[1]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_page_that_is_opened_while_the_browser_says_that_it_rests_is_not_lost(page, served, finished_run):
    # Else it may have asked, been heard and gone before it is seen here.
    page.add_init_script(
        "const real = window.requestIdleCallback.bind(window);"
        " window.requestIdleCallback = (then, how) => how?.timeout === 3000 ? 0 : real(then, how);"
    )
    page.goto(f"{served}/?run={finished_run.id}")
    page.locator(".st-key-render button").wait_for()
    page.locator(".idle").first.wait_for(state="attached")
    page.evaluate(
        "() => { const find = (root) => root.querySelector('.idle') ??"
        "  [...root.querySelectorAll('*')].map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);"
        " window.idle = find(document); const tell = window.idle.tell, link = [...document.querySelectorAll("
        "  '[data-testid=stTopNavLink]')].find((one) => one.textContent.includes('Inspect'));"
        " const told = window.told = []; let pressed;"
        " window.idle.tell = () => { told.push(performance.now() - pressed); tell(); };"
        " setTimeout(() => { pressed = performance.now(); link.click(); window.idle.ask(); }, 0); }"
    )
    page.wait_for_selector(".scrubber[data-state=ready]")
    assert not [told for told in page.evaluate("window.told") if told < 950], "it rests no sooner than a second after"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(600)
def test_playing_moves_on_and_stops(page, served, finished_run):
    page.goto(f"{served}/inspect_frames?run={finished_run.id}")
    page.wait_for_selector(".scrubber[data-state=ready]")
    page.locator(".scrubber .play").click()
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')];"
        "return all.some((one) => +(one.shadowRoot.querySelector('.scrubber')?.dataset.frame ?? 0) > 2); }"
    )
    page.get_by_label("Pause").click()
    stopped = page.locator(".scrubber").get_attribute("data-frame")
    page.wait_for_timeout(400)
    assert page.locator(".scrubber").get_attribute("data-frame") == stopped


def test_packs_are_ready_before_a_page_asks_for_them(tmp_path):
    for name in ("driving.mp4", "result.mp4"):
        film(tmp_path / name, num_frames=4)
    (tmp_path / "result.mp4").write_bytes(b"no film")
    prepare_packs(tmp_path)
    assert (tmp_path / ".driving.frames").is_file() and not (tmp_path / ".result.frames").exists()
    prepare_packs(tmp_path / "deleted meanwhile")

"""The studio in a real browser: from two uploads to a downloaded film, by way of every page that looks at it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import av
import pytest
from lists import pick
from started import started_studio

from studio.store import Store
from visiongen.media import probe, read_frames
from visiongen.samples import sample

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FRAMES = 75
MP4 = "[class*=st-key-download-mp4] button"
SLOW = 240_000
"""ms; a machine that does other things besides must not fail this test."""


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium of the system."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as starter:
        found = starter.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A studio of its own, started as a user starts it."""
    with started_studio(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def clip(tmp_path) -> Path:
    """The first seconds of the sample clip as a file of its own, without sound."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        for batch in read_frames(probe(sample("driving.mp4"), end=FRAMES / 25)):
            for pixels in batch.pixels:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def page(browser, started):
    """The studio's first page; everything that goes to another host is noted."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(SLOW)
    page.outside = []
    own = started.address.rstrip("/").split("//")[1]
    page.on("request", lambda request: page.outside.append(request.url) if not _is_own(request.url, own) else None)
    page.goto(started.address)
    yield page
    context.close()


def _is_own(url: str, host: str) -> bool:
    return url.startswith((f"http://{host}/", f"ws://{host}/", "data:", "blob:"))


def choose(page, key: str, label: str) -> None:
    """Presses one button of a row."""
    page.locator(f".st-key-{key} button", has_text=label).first.click()


def upload(page, card: str, path: Path, title: str) -> None:
    """Gives a file to a card of the page and waits until it is used."""
    choose(page, f"{card}_source", "Upload")
    page.locator(f'.st-key-{card}_upload [data-testid="stFileUploaderDropzoneInput"]').set_input_files(str(path))
    page.get_by_text(title).first.wait_for()


def render(page) -> int:
    """Renders with the keyboard and gives how many shapes the line of a chart had on the way."""
    page.locator(".st-key-render button:not([disabled])").wait_for()
    page.keyboard.press("Control+Enter")
    page.locator(".st-key-cancel_job button").wait_for()
    shapes: dict[int, set[str]] = {}
    line = page.locator(".js-plotly-plot .scatterlayer path.js-line")
    until = time.monotonic() + SLOW / 1000
    while page.locator(".st-key-cancel_job button").count():
        for number, shape in enumerate(line.evaluate_all("all => all.map(one => one.getAttribute('d'))")):
            shapes.setdefault(number, set()).add(shape)
        assert time.monotonic() < until, "the render did not end"
        page.wait_for_timeout(150)
    page.locator(MP4).wait_for()
    return max((len(one) for one in shapes.values()), default=0)


def open_page(page, title: str) -> None:
    """Goes to another page by the navigation."""
    page.get_by_role("link").filter(has_text=title).first.click()


def no_failure(page) -> None:
    """Nothing on the page says that it failed."""
    assert not page.locator('[data-testid="stException"]').count()
    assert not page.get_by_text("This page failed").count()


def test_from_uploads_to_a_film(page, clip, tmp_path):
    # Two files of the user's, consent, and the quick generator.
    upload(page, "driving", clip, f"clip.mp4: {FRAMES} of {FRAMES} frames")
    upload(page, "portrait", sample("cartoon.png"), "cartoon.png, 640")
    page.locator(".st-key-consent label").first.click()
    pick(page, "generator", "warp")
    page.locator(".st-key-preview_slot img").wait_for()

    # The charts grow while it renders.
    assert render(page) >= 2, "the charts did not grow"
    no_failure(page)

    # The film that comes down is the film that was rendered.
    with page.expect_download() as coming:
        page.locator(MP4).click()
    film = tmp_path / "film.mp4"
    coming.value.save_as(film)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 640, 640)
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
        assert "synthetic" in container.metadata.get("comment", "")

    # After a reload it is still there.
    page.reload()
    page.locator(MP4).wait_for()

    # Inspect: frame by frame with the keyboard.
    page.locator("[class*=st-key-open-app_pages-inspect_frames] button").click()
    scrubber = page.locator(".scrubber")
    scrubber.locator("input.time").wait_for()
    before = scrubber.locator(".clock").inner_text()
    scrubber.locator("input.time").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => [...document.querySelectorAll('*')].some(one => one.shadowRoot && "
        "[...one.shadowRoot.querySelectorAll('.scrubber .clock')].some(clock => clock.innerText !== before)) || "
        "[...document.querySelectorAll('.scrubber .clock')].some(clock => clock.innerText !== before)",
        arg=before,
    )
    assert scrubber.locator("canvas").count() >= 2
    no_failure(page)

    # Failure cases of the same run.
    open_page(page, "Failure cases")
    page.get_by_role("heading", name="Failure cases").or_(page.get_by_text("failure case")).first.wait_for()
    no_failure(page)

    # Another way to move, and both side by side.
    open_page(page, "Animate")
    choose(page, "preset", "Face only")
    page.locator(".st-key-consent label").first.click()  # asked for again since the reload
    render(page)
    open_page(page, "Compare")
    page.locator(".compare .stage").wait_for()
    no_failure(page)
    open_page(page, "Gallery")
    page.locator("[class*=st-key-card-]").nth(1).wait_for()
    no_failure(page)

    # Back goes through the pages, press by press.
    page.go_back()
    page.locator(".compare .stage").wait_for(timeout=60_000)
    page.go_back()
    page.locator(".st-key-preset").wait_for(timeout=60_000)
    no_failure(page)
    assert page.outside == [], "the page asked another host"


def test_a_bad_file_is_told_in_one_sentence(page, tmp_path):
    page.locator(".st-key-render button:not([disabled])").wait_for()  # all of the page is there, its styles too
    page.get_by_test_id("stTopNavLink").last.focus()
    page.keyboard.press("Shift+Tab")  # in the navigation, too, the keyboard's place has to be seen
    page.wait_for_function(
        "() => { const at = document.activeElement;"
        " return at.dataset.testid === 'stTopNavLink' && getComputedStyle(at).outlineStyle === 'solid'; }"
    )
    bad = tmp_path / "holiday.mp4"
    bad.write_bytes(b"this is no film")
    choose(page, "driving_source", "Upload")
    page.locator('.st-key-driving_upload [data-testid="stFileUploaderDropzoneInput"]').set_input_files(str(bad))
    alert = page.locator('[data-testid="stAlert"]', has_text="holiday.mp4")
    alert.first.wait_for()
    assert len(alert.first.inner_text()) < 400 and "Traceback" not in page.content()


@pytest.mark.parametrize("how", ["keyboard", "mouse"])
def test_what_was_typed_last_is_rendered(page, started, how):
    page.locator(".st-key-render button:not([disabled])").wait_for()
    page.get_by_text("Result size, mark, device, seed").click()
    seed = {"keyboard": 4711, "mouse": 4712}[how]
    page.locator(".st-key-seed input").fill(str(seed))
    if how == "keyboard":
        page.keyboard.press("Control+Enter")
    else:
        page.locator(".st-key-render button").click()
    page.locator(".st-key-cancel_job button").click()
    page.get_by_text("This render was stopped").wait_for()
    assert Store(started.data).runs()[0].settings.seed == seed


def test_the_keyboard_renders_after_a_click_on_a_preset(page):
    page.locator(".st-key-render button:not([disabled])").wait_for()
    choose(page, "preset", "Calm")
    page.get_by_text("smaller").first.wait_for()
    page.keyboard.press("Control+Enter")
    page.locator(".st-key-cancel_job button").click()
    page.get_by_text("This render was stopped").wait_for()


def test_what_other_pages_need_is_fetched_before_they_are_opened(page):
    fetched = "performance.getEntriesByType('resource').some((one) => one.name.includes('/NumberInput.'))"
    page.locator(".st-key-render button").wait_for()
    page.wait_for_function(fetched, timeout=SLOW)
    page.wait_for_function("globalThis.Plotly?.version", timeout=SLOW)
    assert not page.locator(".st-key-early").is_visible()

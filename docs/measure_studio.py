"""Measures how quick the studio feels in a real browser, and writes docs/studio-speed.md.

    python docs/measure_studio.py [--repeats 5] [--live-seconds 20]

A studio of its own on this machine, the system's Chromium without a window, 1440 x 900. **First paint**: from asking for the
address until the browser paints the first content, and until the Render button can be seen; a new browser profile each time;
for scale, the same of a page of Streamlit's with one button and nothing else.
**Page switch**: from the click in the navigation until the last change of what the page shows, after which it has its own
address, nothing runs any more and nothing changed for 300 ms; every page, first and second visit. (Not counted: Streamlit's
sign that something runs, which stays on screen for another 200 ms when all is there, the clocks of players, and charts.)
**Straight to Inspect**: in a new browser profile each time, where the first thing done is that switch, some seconds after the
first paint; until the frames and their landmarks can be seen, the controls below are there, and the chart of motion vectors is
drawn. Both in tabs without developer tools, as users have them: where they listen, as in all tabs that Playwright opens, the
browser reads the script of charts several times over to tell them where in it something happened, a second and more.
**Scrubbing**: how many different frames the scrubber draws in a second while its slider is dragged over the clip, asked once
per screen refresh (a browser without a window refreshes 60 times a second). **Live**: what the page shows after a while with
a film as the camera.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
from page_section import put
from playwright.sync_api import Browser, Page, sync_playwright

from visiongen.media import probe, read_frames
from visiongen.samples import sample

HERE = Path(__file__).parent
PAGE = HERE / "studio-speed.md"
PAGES = (
    "Failure cases",
    "Compare",
    "Metrics",
    "Rate",
    "Live",
    "Gallery",
    "Plugins",
    "Verify",
    "About",
    "Inspect",
    "Animate",
)
FIRST_WAITS = (2.0, 3.0, 6.0)
"""s between the first paint and the first click."""
SEEN = (("frames seen", "< 0.5 s"), ("controls there", ""), ("chart drawn", ""))
SETTLED = 8.0
"""s until what the studio loads before it is asked for is there."""
STRAIGHT = """
new Promise((done) => {
  const inside = (selector) => document.querySelector(selector) ?? [...document.querySelectorAll(
    '[data-testid=stBidiComponentIsolated]')].map((one) => one.shadowRoot?.querySelector(selector)).find(Boolean);
  let clicked;
  const found = {};
  const look = () => {
    const now = performance.now(), first = performance.getEntriesByName('first-contentful-paint')[0];
    const links = [...document.querySelectorAll('[data-testid=stTopNavLink]')];
    const link = links.find((one) => one.textContent.includes('Inspect'));
    if (!clicked && first && link && now > first.startTime + WAIT) { clicked = now; link.click(); }
    if (clicked && inside('.scrubber[data-seen]')) found.usable ??= (now - clicked) / 1000;
    if (clicked && document.querySelector('[class*=st-key-vectors_details]')) found.controls ??= (now - clicked) / 1000;
    if (clicked && document.querySelector('.st-key-vectors_chart .main-svg')) found.chart ??= (now - clicked) / 1000;
    if (found.usable && found.chart) done([found.usable, found.controls, found.chart]); else requestAnimationFrame(look);
  };
  look();
})
"""
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCH = """
new Promise((done) => {
  const main = () => document.querySelector('[data-testid=stMain]'), before = location.href;
  const shows = (one) => main()?.contains(one) && !one.closest('[data-testid^=stBidiComponent]');
  let changed = Infinity;
  new MutationObserver((all) => {
    if (all.some(({ target }) => shows(target.closest ? target : target.parentElement))) changed = performance.now();
  }).observe(document.body, { subtree: true, childList: true, characterData: true });
  const links = [...document.querySelectorAll('[data-testid=stTopNavLink]')];
  const clicked = performance.now();
  links.find((one) => one.textContent.includes('NAME')).click();
  const look = () => {
    const runs = document.querySelector('[data-testid=stStatusWidget], [data-stale=true]');
    const isThere = location.href !== before && !runs && main()?.querySelector('p');
    isThere && performance.now() - changed > 300 ? done((changed - clicked) / 1000) : setTimeout(look, 20);
  };
  look();
})
"""
SCRUB = """
async (seconds) => {
  const find = (root) => root.querySelector('.scrubber') ??
    [...root.querySelectorAll('*')].map((one) => one.shadowRoot && find(one.shadowRoot)).find(Boolean);
  const root = find(document), range = root.querySelector('input.time'), last = Number(range.max);
  const drawn = Number(root.dataset.draws), seen = new Set(), begun = performance.now();
  let refreshes = 0, at = 0, changes = 0, before = root.dataset.frame;
  while (performance.now() - begun < 1000 * seconds) {
    at = (at + 1) % (2 * last);
    range.value = at <= last ? at : 2 * last - at;
    range.dispatchEvent(new Event('input', { bubbles: true }));
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done, 0));
    refreshes += 1;
    changes += root.dataset.frame !== before;
    before = root.dataset.frame;
    seen.add(before);
  }
  const spent = (performance.now() - begun) / 1000;
  return { drawn: (Number(root.dataset.draws) - drawn) / spent, changes: changes / spent, refreshes: refreshes / spent,
           frames: seen.size };
}
"""


BARE = """import streamlit as st
st.button("Render", key="render")
"""


@contextlib.contextmanager
def studio(folder: Path, app: Path = HERE.parent / "studio" / "app.py") -> Iterator[str]:
    """The address of a studio of its own, or of another application of Streamlit's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(app),
        "--server.port",
        str(port),
    ]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "VISIONGEN_STUDIO_DATA": str(folder / "data")},
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def first_paint(browser: Browser, address: str, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds to the first content, and to the Render button; the very first visit, which loads the studio, is apart."""
    paints, usable = [], []
    for _ in range(repeats + 1):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        begun = time.perf_counter()
        page.goto(address, wait_until="commit")
        page.locator(".st-key-render button").wait_for(timeout=120_000)
        usable.append(time.perf_counter() - begun)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"))
        context.close()
    return paints, usable


def first_paint_of_a_button(browser: Browser, folder: Path, repeats: int) -> tuple[float, float]:
    """What of the first paint is Streamlit's: medians of both for a page of one button."""
    app = folder / "bare.py"
    app.write_text(BARE, encoding="utf-8")
    with studio(folder, app) as address:
        paints, usable = first_paint(browser, address, repeats)
    return statistics.median(paints[1:]), statistics.median(usable[1:])


def rendered(page: Page, address: str) -> None:
    """A short run of the samples, so that all pages have something to show."""
    page.goto(address)
    page.locator(".st-key-render button:not([disabled])").wait_for()
    page.get_by_role("heading", name="Movement").click()
    page.keyboard.press("Control+Enter")
    page.locator("[class*=st-key-download-mp4] button").wait_for(timeout=600_000)


class PlainTab:
    """A tab of a profile of its own, to which Playwright does not listen."""

    def __init__(self, browser: Browser) -> None:
        self._session = browser.new_browser_cdp_session()
        self._answers: dict[int, dict] = {}
        self._session.on("Target.receivedMessageFromTarget", self._received)
        self._profile = self._session.send("Target.createBrowserContext")["browserContextId"]
        tab = {"url": "about:blank", "browserContextId": self._profile, "width": 1440, "height": 900}
        target = self._session.send("Target.createTarget", tab)["targetId"]
        self._tab = self._session.send("Target.attachToTarget", {"targetId": target, "flatten": False})["sessionId"]
        self._asked = 0

    def _received(self, event: dict) -> None:
        answer = json.loads(event["message"])
        self._answers[answer.get("id", 0)] = answer

    def ask(self, method: str, **parameters: object) -> dict:
        """The answer to a command of the browser's protocol."""
        self._asked += 1
        message = json.dumps({"id": self._asked, "method": method, "params": parameters})
        self._session.send("Target.sendMessageToTarget", {"sessionId": self._tab, "message": message})
        while self._asked not in self._answers:
            time.sleep(0.05)
            self._session.send("Browser.getVersion")  # lets answers in
        return self._answers.pop(self._asked)["result"]

    def value(self, script: str) -> Any:
        """What a promise that a script makes comes to."""
        return self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)["result"]["value"]

    def close(self) -> None:
        """With its profile."""
        self._session.send("Target.disposeBrowserContext", {"browserContextId": self._profile})
        self._session.detach()


def straight_to_inspect(browser: Browser, address: str, repeats: int, wait: float) -> list[list[float]]:
    """Seconds of the switch to Inspect `wait` s after the first paint, until what `SEEN` names is there."""
    found = []
    for _ in range(repeats):
        tab = PlainTab(browser)
        tab.ask("Page.navigate", url=address)
        found.append(tab.value(STRAIGHT.replace("WAIT", str(1000 * wait))))
        tab.close()
    return [list(taken) for taken in zip(*found, strict=True)]


def switches(browser: Browser, address: str) -> dict[str, list[float]]:
    """Page -> seconds until it is there, two visits each."""
    found: dict[str, list[float]] = {name: [] for name in PAGES}
    tab = PlainTab(browser)
    tab.ask("Page.navigate", url=address)
    time.sleep(SETTLED)
    for _ in range(2):
        for name in PAGES:
            found[name].append(tab.value(SWITCH.replace("NAME", name)))
            time.sleep(0.5)
    tab.close()
    return found


def scrubbing(page: Page) -> dict[str, float]:
    """Frames a second while the slider is dragged, after the frames have come."""
    page.get_by_role("link").filter(has_text="Inspect").first.click()
    page.locator(".scrubber[data-state=ready]").wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    page.evaluate(SCRUB, 2)  # decodes what is near
    return page.evaluate(SCRUB, 4)


def camera_film(path: Path) -> Path:
    """The sample clip as the Motion-JPEG that Chromium takes for a camera."""
    with path.open("wb") as film:
        for batch in read_frames(probe(sample("driving.mp4"))):
            for pixels in batch.pixels:
                bgr = cv2.cvtColor(cv2.resize(pixels, (480, 480)), cv2.COLOR_RGB2BGR)
                wide = cv2.copyMakeBorder(bgr, 0, 0, 80, 80, cv2.BORDER_CONSTANT, value=(90, 90, 90))
                film.write(cv2.imencode(".jpg", wide)[1].tobytes())
    return path


def live(page: Page, address: str, seconds: float) -> tuple[float, float]:
    """Frames a second and 95th percentile of the delay (ms) that the page Live shows."""
    page.goto(f"{address}live")
    page.get_by_role("button", name="Start camera").click()
    page.locator(".live[data-frames]").wait_for(state="attached", timeout=120_000)
    page.wait_for_timeout(1000 * seconds)
    shown = page.locator(".live").evaluate("one => ({ ...one.dataset })")
    return float(shown["fps"]), float(shown["p95"])


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--live-seconds", type=float, default=20)
    asked = parser.parse_args()
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with tempfile.TemporaryDirectory() as name, studio(Path(name)) as address, sync_playwright() as starter:
        folder = Path(name)
        browser = starter.chromium.launch(executable_path=program, args=["--no-sandbox"])
        paints, usable = first_paint(browser, address, asked.repeats)
        bare_paint, bare_usable = first_paint_of_a_button(browser, folder, asked.repeats)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        rendered(page, address)
        pages = switches(browser, address)
        straight = {wait: straight_to_inspect(browser, address, asked.repeats, wait) for wait in FIRST_WAITS}
        scrub = scrubbing(page)
        browser.close()
        flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                 f"--use-file-for-fake-video-capture={camera_film(folder / 'camera.mjpeg')}"]  # fmt: skip
        browser = starter.chromium.launch(executable_path=program, args=flags)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(120_000)
        rate, delay = live(page, address, asked.live_seconds)
        browser.close()
    firsts, seconds = ([visits[i] for visits in pages.values()] for i in (0, 1))
    worst = max(pages, key=lambda one: pages[one][1])
    rows = [
        "| what | target | measured |",
        "|---|---|---|",
        f"| first paint, median of {asked.repeats} (first visit of a fresh studio) | < 2 s | "
        f"{statistics.median(paints[1:]):.2f} s ({paints[0]:.2f} s) |",
        f"| the same of a page with one button | | {bare_paint:.2f} s |",
        f"| Render button there | | {statistics.median(usable[1:]):.2f} s ({usable[0]:.2f} s) |",
        f"| the same of a page with one button | | {bare_usable:.2f} s |",
        f"| page switch, second visit, median of {len(pages)} pages (worst: {worst}) | < 0.5 s | "
        f"{statistics.median(seconds):.2f} s ({max(seconds):.2f} s) |",
        f"| page switch, first visit | | {statistics.median(firsts):.2f} s ({max(firsts):.2f} s) |",
        *(
            f"| straight to Inspect, {wait:g} s after the first paint, median of {asked.repeats}: {what} | {target} | "
            f"{statistics.median(taken):.2f} s ({max(taken):.2f} s) |"
            for wait, all_taken in straight.items()
            for (what, target), taken in zip(SEEN, all_taken, strict=True)
        ),
        f"| scrubbing, frames drawn a second | 60 | {scrub['changes']:.0f} of {scrub['refreshes']:.0f} refreshes |",
        f"| live, frames a second | >= 20 | {rate:.1f} |",
        f"| live, delay, 95th percentile | <= 120 ms | {delay:.0f} ms |",
    ]
    rows += ["", "Pages, first and second visit, s: "
             + "; ".join(f"{one} {a:.2f}, {b:.2f}" for one, (a, b) in pages.items()) + "."]  # fmt: skip
    print(*rows, sep="\n")
    put(PAGE, "measured", "\n".join(rows))


if __name__ == "__main__":
    main()

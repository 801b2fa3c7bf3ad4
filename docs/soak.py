"""An hour of mixed jobs, and whether memory, files, threads and processes stay flat: ``python docs/soak.py --minutes 60``.

Two streams take turns: jobs of the library in this process (generators, formats, faults on purpose), and renders in a
studio of its own on 127.0.0.1, pressed in headless Chromium, where a new browser takes over every few jobs. After every
job the process trees are looked at while they rest. Written are a plot, the samples (CSV) and a table with slopes: Theil
and Sen's, over the part after the warm-up, with a 95 % interval from a moving-block bootstrap.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from slopes import slope

from visiongen.marking.credentials import manifest_beside

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 0.28
SIZE = 128
BROWSER_JOBS = 8
"""After so many renders a new browser takes over."""
WARM_UP = 0.25
"""Share of the samples before slopes are taken: caches and allocators fill first."""
MEASURED = ("rss_mb", "files", "threads", "processes", "temporary")
UNITS = {"rss_mb": "MB", "files": "", "threads": "", "processes": "", "temporary": ""}
NAMES = {"rss_mb": "resident memory, MB", "files": "open files", "threads": "threads", "processes": "processes",
         "temporary": "temporary and half-written files"}  # fmt: skip


# --- looking at processes ---------------------------------------------------------------------------------------------


def tree(pid: int) -> list[int]:
    """A process and all below it, without what is a browser."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(stat.parent.name))
    found, wanted = [], [pid]
    while wanted:
        now = wanted.pop()
        with contextlib.suppress(OSError):
            name = (Path("/proc") / str(now) / "comm").read_text().strip()
            if now != pid and ("chrom" in name or name in ("node", "cat")):
                continue
            found.append(now)
            wanted += parents.get(now, [])
    return found


def looked_at(pid: int, folders: list[Path]) -> dict[str, float]:
    """What a process and its children take, and how many files lie where none should stay."""
    pids = tree(pid)
    rss = files = threads = 0
    for one in pids:
        with contextlib.suppress(OSError, StopIteration):
            place = Path("/proc") / str(one)
            rss += int((place / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            files += len(list((place / "fd").iterdir()))
            lines = (place / "status").read_text().splitlines()
            threads += int(next(line for line in lines if line.startswith("Threads:")).split()[1])
    left = sum(1 for folder in folders for _ in folder.iterdir()) if folders else 0
    values = (rss / 2**20, files, threads, len(pids), left)
    return dict(zip(MEASURED, values, strict=True))


# --- jobs of the library ----------------------------------------------------------------------------------------------


def library_jobs(folder: Path) -> Iterator[Callable[[], str]]:
    """Jobs without end: what is done and what should come of it, as a function that gives its name."""
    from visiongen.samples import sample

    generators, endings = ("warp", "vae-gan"), (".mp4", ".gif", ".webp", ".webm", "")
    portraits = ("cartoon.png", "astronaut.jpg")
    plain = list(itertools.product(generators, endings))
    for number in itertools.count():
        if number % 12 == 10:
            yield lambda: failing(folder, sample("driving.mp4"))
        elif number % 12 == 11:
            yield lambda: stopped(folder, sample("driving.mp4"))
        else:
            generator, ending = plain[number % len(plain)]
            portrait = sample(portraits[number // len(plain) % 2])
            yield lambda g=generator, e=ending, p=portrait: finished(folder, p, sample("driving.mp4"), g, e)


def finished(folder: Path, portrait: Path, driving: Path, generator: str, ending: str) -> str:
    """A job that ends well."""
    import visiongen

    out = folder / f"out{ending}"
    done = visiongen.animate(portrait, driving, out, generator=generator, end=SECONDS, size=SIZE, device="cpu")
    assert done.num_frames == round(SECONDS * 25) and out.exists()
    shutil.rmtree(out) if out.is_dir() else out.unlink()
    if beside := manifest_beside(out):
        beside.unlink()
    return f"library: {generator} to {ending or 'a folder'}"


def failing(folder: Path, driving: Path) -> str:
    """A job that cannot be done: a picture without a face."""
    import visiongen

    try:
        visiongen.animate(np.full((96, 96, 3), 90, np.uint8), driving, folder / "out.mp4", end=SECONDS, device="cpu")
    except visiongen.NoFaceError:
        assert not list(folder.iterdir())
        return "library: no face"
    raise AssertionError("a grey wall was taken for a face")


def stopped(folder: Path, driving: Path) -> str:
    """A job that is stopped half-way."""
    import visiongen
    from visiongen.samples import sample

    def progress(stage: str, done: int, total: int | None) -> None:
        if stage == "render":
            raise KeyboardInterrupt

    try:
        visiongen.animate(sample("cartoon.png"), driving, folder / "out.mp4", generator="warp", end=SECONDS, size=SIZE,
                          device="cpu", progress=progress)  # fmt: skip
    except KeyboardInterrupt:
        assert not list(folder.iterdir())
        return "library: stopped"
    raise AssertionError("it was not stopped")


# --- the studio -------------------------------------------------------------------------------------------------------


class Studio:
    """A studio of its own, and a browser that presses its button."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        from playwright.sync_api import sync_playwright

        sys.path.insert(0, str(ROOT))
        from studio.settings import Part, Settings
        from studio.store import DATA_VARIABLE, Store
        from visiongen.samples import sample

        self.data = folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/"
        with (folder / "studio.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "studio" / "launch.py"), "--server.port", str(port)], cwd=folder,
                env={**os.environ, DATA_VARIABLE: str(self.data), "TMPDIR": str(temporary)}, stdout=log, stderr=log,
            )  # fmt: skip
        self._await_start()
        self.store = Store(self.data)
        settings = Settings(portrait=str(sample("cartoon.png")), driving=str(sample("driving.mp4")), end=SECONDS,
                            generator=Part(name="warp"), size=SIZE)  # fmt: skip
        self.first = self.store.create(settings, "soak", "settings of the soak").id
        self.store.update(self.first, state="stopped")
        self._starter = sync_playwright().start()
        program = next(p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p)
        self._browser = self._starter.chromium.launch(executable_path=program, args=["--no-sandbox"])
        self._context, self._page, self._jobs = None, None, 0

    def _await_start(self) -> None:
        until = time.monotonic() + 120
        while True:
            assert self.process.poll() is None and time.monotonic() < until, "the studio does not start"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.address, timeout=5).close()
                return
            time.sleep(0.2)

    def _new_browser(self) -> None:
        if self._context is not None:
            self._context.close()
        self._context = self._browser.new_context(viewport={"width": 1440, "height": 900})
        self._page = self._context.new_page()
        self._page.set_default_timeout(900_000)
        self._page.goto(f"{self.address}?run={self.first}")

    def forget_browser(self) -> None:
        """The next render gets a new browser."""
        self._jobs = 0

    def render(self) -> str:
        """One render, pressed and waited for; its run is deleted afterwards."""
        if self._jobs % BROWSER_JOBS == 0:
            self._new_browser()
        self._jobs += 1
        before = {run.id for run in self.store.runs()}
        self._page.locator(".st-key-render button:not([disabled])").click()
        until = time.monotonic() + 900
        while True:
            new = [run for run in self.store.runs() if run.id not in before]
            if new and new[0].state not in ("queued", "running"):
                break
            assert time.monotonic() < until, "a render in the studio did not end"
            time.sleep(0.1)
        assert new[0].state == "done", new[0].problem
        self._page.locator("[class*=st-key-download-mp4] button").wait_for()
        self.store.delete(new[0].id)
        return "studio: render"

    def leftovers(self) -> list[Path]:
        """Folders in which nothing may pile up, besides the temporary one."""
        return [self.data / name for name in ("runs", "uploads", "servers") if (self.data / name).is_dir()]

    def close(self) -> None:
        """Ends browser and studio."""
        self._browser.close()
        self._starter.stop()
        self.process.terminate()
        self.process.wait(30)


# --- writing ----------------------------------------------------------------------------------------------------------


def write(samples: list[dict], counts: dict[str, int], minutes: float, out: Path) -> None:
    """Samples, plot and page."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(samples[0]))
        writer.writeheader()
        writer.writerows(samples)
    plot(samples, out.with_suffix(".png"))
    out.with_suffix(".md").write_text(page(samples, counts, minutes, out.stem), encoding="utf-8")


def plot(samples: list[dict], path: Path) -> None:
    """Every quantity of both streams over the jobs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, rows = plt.subplots(len(MEASURED), 1, figsize=(7.5, 8), sharex=True, layout="constrained")
    for axis, name in zip(rows, MEASURED, strict=True):
        for stream, colour in (("library", "#3f51d8"), ("studio", "#d87a3f")):
            kept = [one for one in samples if one["stream"] == stream]
            axis.plot([one["job"] for one in kept], [one[name] for one in kept], color=colour, lw=1, label=stream)
        axis.set_title(NAMES[name], fontsize=9, loc="left")
        axis.set_ylim(bottom=0)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
    rows[0].legend(fontsize=8, loc="lower right")
    rows[-1].set_xlabel("jobs so far", fontsize=9)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def page(samples: list[dict], counts: dict[str, int], minutes: float, stem: str) -> str:
    """The table in Markdown."""
    lines = [
        "# Soak: resources over many jobs",
        "",
        f"{len(samples)} jobs in {minutes:.0f} minutes, mixed: library jobs in one process, and renders in a studio on "
        "127.0.0.1, pressed in headless Chromium, a new browser every "
        f"{BROWSER_JOBS} renders. {round(SECONDS * 25)} frames each, {SIZE} px. Every job is checked: those that should end "
        "well did, those that fail on purpose or are stopped left nothing"
        f"{f', but for {failed}' if (failed := sum(n for what, n in counts.items() if 'FAILED' in what)) else ''}.",
        "",
        f"![resources over jobs]({stem}.png)",
        "",
        f"Slopes after the first {WARM_UP:.0%} of the samples (warm-up), per 100 jobs of all kinds: Theil and Sen's, with "
        "the 95 % interval of a moving-block bootstrap. Processes and files are those of a process with its children "
        "(the studio's server and its workers), looked at after every job. Temporary files: what lies in the system's "
        "temporary folder and, of the studio, in its folders. Freed memory is given back to the system before memory is "
        "looked at (the studio's workers do so by themselves): what the allocator keeps is no leak. Threads share two of its "
        "pools (`visiongen.memory.few_arenas`).",
        "",
        "| stream | quantity | at the begin of the slope | at the end | slope per 100 jobs [95 %] |",
        "|---|---|---|---|---|",
    ]
    for stream in ("library", "studio"):
        kept = [one for one in samples if one["stream"] == stream]
        kept = kept[int(len(kept) * WARM_UP) :]
        if len(kept) < 8:
            lines.append(f"| {stream} | too few samples | | | |")
            continue
        jobs = np.array([one["job"] for one in kept], float)
        for name in MEASURED:
            values = np.array([one[name] for one in kept], float)
            found = slope(jobs, values)
            few = max(1, len(values) // 10)
            ends = [f"{np.median(part):.4g}" for part in (values[:few], values[-few:])]
            interval = f"{found.value:+.3g} [{found.low:+.3g}, {found.high:+.3g}] {UNITS[name]}".rstrip()
            lines.append(f"| {stream} | {NAMES[name]} | {ends[0]} | {ends[1]} | {interval} |")
    lines += ["", "| jobs | number |", "|---|---|", *(f"| {name} | {n} |" for name, n in sorted(counts.items()))]
    lines += [
        "",
        f"Made by `python docs/soak.py --minutes {minutes:.0f}`; the samples are in [{stem}.csv]({stem}.csv).",
        "",
    ]
    return "\n".join(lines)


def soak(minutes: float, out: Path, pause: float, studio_every: int) -> None:
    """Runs jobs until the time is over, then writes."""
    from visiongen.memory import give_back_memory

    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folders = [Path(name) / one for one in ("results", "studio", "tmp-library", "tmp-studio")]
        results, home, own, theirs = folders
        for folder in folders:
            folder.mkdir()
        tempfile.tempdir = str(own)
        studio = Studio(home, theirs) if studio_every else None
        samples, counts = [], {}
        jobs, begun = library_jobs(results), time.monotonic()
        try:
            for number in itertools.count():
                if time.monotonic() - begun > minutes * 60:
                    break
                in_studio = studio is not None and number % studio_every == studio_every - 1
                stream = "studio" if in_studio else "library"
                try:
                    what = studio.render() if in_studio else next(jobs)()
                except Exception as error:  # told at the end; one of hundreds shall not cost the others
                    what = f"{stream}: FAILED, {type(error).__name__}: {' '.join(str(error).split())[:150]}"
                    print(what, flush=True)
                    if in_studio:
                        studio.forget_browser()
                counts[what] = counts.get(what, 0) + 1
                give_back_memory()  # what was freed and is only kept for the next job is no leak
                time.sleep(pause)
                pid, left = (studio.process.pid, [theirs, *studio.leftovers()]) if in_studio else (os.getpid(), [own])
                seconds = round(time.monotonic() - begun, 1)
                found = {key: round(value, 2) for key, value in looked_at(pid, left).items()}
                if not in_studio and studio is not None:  # the studio is a child of this process
                    found = _without(found, looked_at(studio.process.pid, []))
                samples.append({"job": number + 1, "seconds": seconds, "stream": stream, "what": what, **found})
                if number % 20 == 0:
                    print(f"{seconds:7.0f} s  {number + 1:4d} jobs  {what}: {found}", flush=True)
        finally:
            if studio is not None:
                studio.close()
        write(samples, counts, (time.monotonic() - begun) / 60, out)
        print(out.with_suffix(".md").read_text(encoding="utf-8"))


def _without(whole: dict[str, float], part: dict[str, float]) -> dict[str, float]:
    return {name: round(value - part[name], 2) for name, value in whole.items()}


def main() -> None:
    """Parses and runs."""
    # Speed is not measured, and threads that wait by spinning would take the machine from whoever else works on it.
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default: %(default)s)")
    out = ROOT / "docs" / "robustness-soak"
    parser.add_argument("--out", type=Path, default=out, help="files to write, without ending (default: %(default)s)")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds of rest after a job (default: %(default)s)")
    parser.add_argument("--studio-every", type=int, default=3, help="every so many-th job in the studio; 0: none")
    given = parser.parse_args()
    soak(given.minutes, given.out, given.pause, given.studio_every)


if __name__ == "__main__":
    main()

"""Measures how time and memory grow with clip length, resolution, number of jobs and workers: docs/growth.md, .json, .png.

    python docs/measure_growth.py                     # all of it, with the default generator
    python docs/measure_growth.py --tiny --out /tmp/growth.md

Every point is a ``visiongen batch`` in a process of its own. Before what is measured a job of half a second warms the
workers up, so that seconds of a job do not hold the loading of libraries. Memory is that of the command and its workers
together (shared pages counted once, where the system tells), looked at every tenth of a second.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tyro

from visiongen import FrameBatch, Provenance, choose, load
from visiongen.cores import cores
from visiongen.media import probe, read_frames
from visiongen.samples import DRIVING, PORTRAIT, sample
from visiongen.scratch import scratch_folder

OUT = Path(__file__).with_name("growth.md")
WARM_SECONDS = 0.5
SERIES = {
    "length": ("clip length, s", "one job of one worker, at the size of --size"),
    "size": ("longer side, px", "one job of one worker, of --seconds s"),
    "jobs": ("jobs", "one worker, jobs of --seconds s"),
    "workers": ("workers", "the most --jobs, jobs of --seconds s, the cores shared among the workers"),
}
"""What grows -> axis, what stays the same."""


@dataclass(frozen=True, kw_only=True)
class GrowthSettings:
    """What is measured."""

    generator: str = "vae-gan"
    """Of all jobs."""
    lengths: tuple[float, ...] = (5.0, 15.0, 30.0, 60.0, 120.0)
    """Seconds of driving clip."""
    sizes: tuple[int, ...] = (256, 512, 1024, 2048)
    """Longer sides of the whole picture, px."""
    jobs: tuple[int, ...] = (2, 8, 32)
    """Numbers of jobs."""
    workers: tuple[int, ...] = (1, 2, 4)
    """Numbers of workers."""
    size: int = 256
    """Where it does not grow, px."""
    seconds: float = 2.0
    """Length of a clip where it does not grow."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run."""
    out: Path = OUT
    """Page; .json and .png are written beside it."""
    tiny: bool = False
    """Only to see that everything runs: no figure of it means anything."""


TINY = {"generator": "warp", "lengths": (0.3, 0.6), "sizes": (64, 96), "jobs": (1, 2), "workers": (1, 2), "size": 64,
        "seconds": 0.3, "device": "cpu"}  # fmt: skip


def long_clip(path: Path, seconds: float) -> None:
    """Writes the sample clip forwards and backwards again and again until it is `seconds` long."""
    clip = probe(sample(DRIVING))
    pixels = np.concatenate([batch.pixels for batch in read_frames(clip)])
    order = [*range(len(pixels)), *range(len(pixels) - 2, 0, -1)]
    count = round(seconds * clip.fps)

    def frames() -> Iterator[FrameBatch]:
        for number in range(count):
            yield FrameBatch(pixels=pixels[order[number % len(order)]][None], times=[float(number / clip.fps)])

    about = Provenance(software="docs/measure_growth.py", synthetic=False)
    load(choose("exporter", "mp4")).export(frames(), path, fps=clip.fps, sound=None, provenance=about)


def measured(work: Path, settings: GrowthSettings, clip: Path, **job: Any) -> dict[str, Any]:
    """One batch of ``job["jobs"]`` equal jobs, after one that warms up each worker."""
    workers, count = job.get("workers", 1), job.get("jobs", 1)
    common = {"portrait": str(sample(PORTRAIT)), "driving": str(clip), "generator": settings.generator}
    common |= {"size": job.get("size", settings.size), "device": settings.device, "overwrite": True}
    warm = [{**common, "out": f"warm-{number}.mp4", "end": WARM_SECONDS} for number in range(workers)]
    seconds = job.get("length", settings.seconds)
    rows = [{**common, "out": f"{number}.mp4", "end": seconds} for number in range(count)]
    manifest = work / "jobs.json"
    manifest.write_text(json.dumps(warm + rows), encoding="utf-8")
    for old in work.glob("jobs.report.*"):
        old.unlink()
    words = [sys.executable, "-m", "visiongen.cli", "batch", str(manifest), "--outside", "--workers", str(workers)]
    with subprocess.Popen([*words, "--retries", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, tree_memory_mb(process.pid))
            time.sleep(0.1)
        told = process.stderr.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{told}")
    done = json.loads((work / "jobs.report.json").read_text())["jobs"][workers:]
    memory = [one["memory_mb"] for one in done]
    spent = sum(one["seconds"] for one in done) / min(workers, count)
    frames = sum(one["frames"] for one in done)
    return {
        "frames": frames, "job_seconds": float(np.mean([one["seconds"] for one in done])),
        "frames_per_second": frames / spent, "jobs_per_hour": 3600 * count / spent, "peak_mb": peak,
        "worker_mb_first": memory[0], "worker_mb_last": memory[-1], "device": done[0]["device"],
    }  # fmt: skip


def tree_memory_mb(pid: int) -> float:
    """Memory of a process and those it has started, MB; 0 where the system does not tell."""
    total, waiting = 0.0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            for task in Path(f"/proc/{one}/task").glob("*/children"):
                waiting += [int(child) for child in task.read_text().split()]
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1024
        except (OSError, ValueError):  # it has just ended
            continue
    return total


def points(settings: GrowthSettings) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Series, value, and what is given to `measured`."""
    yield from (("length", value, {"length": value}) for value in settings.lengths)
    yield from (("size", value, {"size": value}) for value in settings.sizes)
    yield from (("jobs", value, {"jobs": value}) for value in settings.jobs)
    most = max(settings.jobs)
    yield from (("workers", value, {"jobs": most, "workers": value}) for value in settings.workers)


def page(settings: GrowthSettings, rows: list[dict[str, Any]], picture: str | None) -> str:
    """Markdown."""
    device = rows[0]["device"]
    lines = [
        "# Growth",
        "",
        f"Made by `python docs/measure_growth.py`: generator {settings.generator}, {cores()} CPU cores, "
        f"{platform.machine()}, device {device}; size {settings.size} px and {settings.seconds:g} s of driving clip where "
        "they do not grow; the whole picture is written (MP4). Figures of one machine in one run: compare rows, not runs.",
        "",
        "Job: mean seconds of a job in a warm worker, file to file. Peak: memory of the command and all workers together. "
        "Worker: memory of a worker after the first and after the last job.",
    ]
    if picture:
        lines += ["", f"![time and memory]({picture})"]
    for name, (axis, fixed) in SERIES.items():
        lines += ["", f"## {axis.split(',')[0].capitalize()}", "", f"{fixed[0].upper()}{fixed[1:]}.", ""]
        lines += [f"| {axis} | frames | job, s | frames/s | jobs/h | peak, MB | worker, MB |", "|---" * 7 + "|"]
        for row in rows:
            if row["series"] == name:
                lines.append(
                    f"| {row['value']:g} | {row['frames']} | {row['job_seconds']:.2f} | {row['frames_per_second']:.1f} | "
                    f"{row['jobs_per_hour']:.0f} | {row['peak_mb']:.0f} | {row['worker_mb_first']:.0f} → "
                    f"{row['worker_mb_last']:.0f} |"
                )
    return "\n".join(lines) + "\n"


def plot(rows: list[dict[str, Any]], path: Path) -> bool:
    """Writes a picture; False where matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, len(SERIES), figsize=(13, 5.5), layout="constrained")
    for column, (name, (axis, _)) in enumerate(SERIES.items()):
        found = [row for row in rows if row["series"] == name]
        upper = (
            ("jobs_per_hour", "jobs an hour") if name in ("jobs", "workers") else ("job_seconds", "seconds of a job")
        )
        for row, (what, label) in enumerate((upper, ("peak_mb", "peak memory, MB"))):
            one = axes[row, column]
            one.plot([point["value"] for point in found], [point[what] for point in found], "o-")
            most = max(point[what] for point in found)
            one.set(xlabel=axis, ylabel=label, ylim=(0, 1.1 * most or 1), xlim=(0, None))
            one.grid(alpha=0.3)
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    return True


def main() -> None:
    """Measures and writes."""
    settings = tyro.cli(GrowthSettings)
    settings = replace(settings, **TINY) if settings.tiny else settings
    rows = []
    with scratch_folder() as work:
        clip = work / "clip.mp4"
        long_clip(clip, max(*settings.lengths, settings.seconds, WARM_SECONDS))
        for series, value, job in points(settings):
            rows.append({"series": series, "value": value, **measured(work, settings, clip, **job)})
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    picture = settings.out.with_suffix(".png")
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    settings.out.with_suffix(".json").write_text(json.dumps(rows, indent=1) + os.linesep, encoding="utf-8")
    text = page(settings, rows, picture.name if plot(rows, picture) else None)
    settings.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

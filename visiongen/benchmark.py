"""Speed and memory of a whole job, file to file, each in a process of its own; figures are compared within one run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from visiongen.errors import MediaError, VisionGenError


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """What to measure and where to write."""

    portrait: Path | None = None
    """Picture; default: the sample portrait."""
    driving: Path | None = None
    """Driving video; default: the sample clip."""
    generators: tuple[str, ...] = ("warp", "vae-gan")
    """Generators to compare; ratios are to the first."""
    sizes: tuple[int, ...] = (256, 512)
    """Sides of the face crop that is written, px."""
    seconds: float = 6.0
    """Length of the driving clip that is used, s."""
    out: Path | None = None
    """Markdown file to write; default: only print."""
    device: str = "auto"
    """auto, cpu or cuda."""


def benchmark(config: BenchmarkConfig) -> str:
    """Measures and returns (and writes) a Markdown table.

    Raises:
        VisionGenError: A job failed.
        MediaError: The table cannot be written.
    """
    rows = [_measured(config, generator, size) for size in config.sizes for generator in config.generators]
    lines = [
        "# Speed and memory",
        "",
        f"Made by `visiongen bench`: a whole job, file to file, {config.seconds:g} s of driving video at most, every job in a "
        f"fresh process; crop output at the size named. {os.cpu_count()} CPU cores, {platform.machine()}, device "
        f"{rows[0]['device']}. Figures of one machine in one run: compare rows, not runs.",
        "",
        "Frames a second: landmarks (decoding and face mesh, all cores), render (geometry, network, composition, encoding), "
        "and the whole job without start-up. First: seconds from process start to the first rendered frame with its batch. "
        "Peak: resident memory of the whole process.",
        "",
        "| size | generator | frames | landmarks /s | render /s | whole /s | ratio | first, s | peak, MB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    base = {row["size"]: row["whole"] for row in reversed(rows)}
    for row in rows:
        lines.append(
            f"| {row['size']} | {row['generator']} | {row['frames']} | {row['landmarks']:.1f} | {row['render']:.1f} "
            f"| {row['whole']:.1f} | {row['whole'] / base[row['size']]:.2f} | {row['first']:.1f} | {row['peak']:.0f} |"
        )
    text = "\n".join(lines) + "\n"
    if config.out:
        try:
            config.out.parent.mkdir(parents=True, exist_ok=True)
            config.out.write_text(text)
        except OSError as error:
            raise MediaError(f"{config.out}: cannot be written ({error.strerror}); choose another --out") from error
    return text


def _measured(config: BenchmarkConfig, generator: str, size: int) -> dict:
    from visiongen.samples import sample

    job = {
        "portrait": str(config.portrait or sample("astronaut.jpg")),
        "driving": str(config.driving or sample("driving.mp4")),
        "generator": generator,
        "size": size,
        "end": config.seconds,
        "device": config.device,
    }
    command = [sys.executable, "-m", "visiongen.benchmark", json.dumps(job)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(run.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise VisionGenError(f"the job of {generator} at {size} failed: {run.stderr.strip()[-400:]}") from error


def _one_job(job: dict) -> dict:
    """Runs one job in this process, which was made for it."""
    import resource

    from visiongen.pipeline import animate

    started = time.perf_counter()
    stages: dict[str, list[float]] = {}

    def progress(stage: str, done: int, total: int | None) -> None:
        now = time.perf_counter()
        first = stages.setdefault(stage, [now, done, now, done])
        first[2:] = [now, done]

    with tempfile.TemporaryDirectory() as folder:
        result = animate(
            job["portrait"],
            job["driving"],
            Path(folder) / "out.mp4",
            generator=job["generator"],
            full=False,
            size=job["size"],
            end=job["end"],
            device=job["device"],
            progress=progress,
        )
    rates = {
        stage: (last_done - done) / max(last - begin, 1e-9) for stage, (begin, done, last, last_done) in stages.items()
    }
    return {
        "size": job["size"],
        "generator": job["generator"],
        "frames": result.num_frames,
        "landmarks": rates["landmarks"],
        "render": rates["render"],
        "whole": 1 / (1 / rates["landmarks"] + 1 / rates["render"]),
        "first": stages["render"][0] - started,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "device": result.provenance.settings["device"],
    }


if __name__ == "__main__":
    print(json.dumps(_one_job(json.loads(sys.argv[1]))))

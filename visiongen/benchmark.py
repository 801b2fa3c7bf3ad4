"""Speed and memory: every stage and whole jobs, each in a process of its own; figures are compared within one run."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from visiongen.benchmark_page import STAGES, page
from visiongen.cores import SHARE_VARIABLE, cores
from visiongen.errors import MediaError, VisionGenError
from visiongen.scratch import scratch_folder

logger = logging.getLogger(__name__)
_PRECISION = "precision"
"""The option of generators that can be told which numbers to compute in."""
REFERENCE = "fomm"
"""The generator that speeds are told relative to, where it is installed."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Measure the speed of all stages and of whole jobs, and their memory."""

    portrait: Path | None = None
    """Picture; default: a sample that shows somebody else than the clip. One that is a frame of the clip takes longer: it is
    registered with every frame."""
    driving: Path | None = None
    """Driving video; default: the sample clip."""
    generators: tuple[str, ...] = ()
    """Generators to compare; default: warp, vae-gan, and fomm where it is installed."""
    sizes: tuple[int, ...] = (256, 512, 1024)
    """Longer sides of the whole picture, px."""
    threads: tuple[int, ...] = ()
    """Numbers of CPU threads (and cores) to try at the first size; default: 1, 2, 4 ... up to all cores."""
    seconds: float = 4.0
    """Length of the driving clip that is used, s."""
    quick: bool = False
    """Only a second of the clip, at the first size, with all cores and in float32: to see that everything runs."""
    quality: Path = Path("docs/quality.json")
    """Figures of `visiongen evaluate` for the table against the paper; left out where the file is missing."""
    out: Path | None = None
    """Markdown file to write, the figures beside it as .json; default: only print."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: the CPU, and a GPU where there is one."""

    def __post_init__(self) -> None:
        if not self.sizes or min(self.sizes) < 32:
            raise VisionGenError("--sizes needs at least one size, of 32 px or more")
        if self.seconds <= 0:
            raise VisionGenError(f"--seconds is {self.seconds:g}, but must be more than 0")
        if any(count < 1 for count in self.threads):
            raise VisionGenError("--threads are numbers of CPU cores, at least 1")


def compared_generators(config: BenchmarkConfig) -> tuple[str, ...]:
    """Names of the generators that are measured."""
    from visiongen import plugins

    installed = plugins.generators()
    return config.generators or tuple(name for name in ("warp", "vae-gan", REFERENCE) if name in installed)


def benchmark(config: BenchmarkConfig, *, options: Mapping[tuple[str, str], Any] | None = None) -> str:
    """Measures and returns (and writes) a Markdown page.

    Args:
        config: What to measure and where to write.
        options: ("generator", name) -> its options, where they are not the defaults.
    Raises:
        VisionGenError: A generator is not installed, or every job failed.
        MediaError: The page cannot be written.
    """
    chosen = {name: asdict(found) for (kind, name), found in (options or {}).items() if kind == "generator"}
    jobs = [_with_options(job, chosen.get(job["generator"])) for job in _jobs(config)]
    rows, failures = [], []
    for number, job in enumerate(jobs, 1):
        try:
            rows.append(_measured(job))
            logger.info("%d/%d %s: %.1f frames/s", number, len(jobs), _title(job), rows[-1]["frames_per_second"])
        except VisionGenError as error:
            failures.append(f"{_title(job)}: {error}")
            logger.warning("%d/%d %s", number, len(jobs), failures[-1])
    if not rows:
        raise VisionGenError(f"no job could be measured; the first: {failures[0]}")
    text = page(rows, failures, quality=config.quality, reference=REFERENCE, first=first_of_command())
    if config.out:
        try:
            config.out.parent.mkdir(parents=True, exist_ok=True)
            figures = [
                row | {name: Path(row[name]).name for name in ("portrait", "driving") if name in row} for row in rows
            ]
            config.out.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            config.out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise MediaError(f"{config.out}: cannot be written ({error.strerror}); choose another --out") from error
    return text


def first_of_command() -> float | None:
    """Seconds from the start of ``visiongen animate --demo``, as a process of its own, until it has its first frame; the
    better of two, since the first may find the disk cold. None where it fails."""
    found = []
    for _ in range(2):
        with scratch_folder() as folder:
            begun = time.time()
            command = [sys.executable, "-c", _FIRST_FRAME, "animate", "--demo", "--out", str(folder / "demo.mp4")]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        try:
            found.append(float(run.stdout.split()[0]) - begun)
        except (IndexError, ValueError):
            logger.warning("the command's first frame was not measured: %s", run.stderr.strip()[-300:])
    return min(found, default=None)


_FIRST_FRAME = """
import sys, time
from visiongen import cli, progress

class Told(progress.ProgressBar):
    def __call__(self, stage, done, total):
        if stage == "render":
            print(time.time(), flush=True)
            raise KeyboardInterrupt

progress.ProgressBar = Told
cli.main(sys.argv[1:])
"""


# -- what is measured --------------------------------------------------------------------------------------------------


def _jobs(config: BenchmarkConfig) -> Iterator[dict[str, Any]]:
    from visiongen import plugins
    from visiongen.pipeline import resolve_device
    from visiongen.samples import sample

    names = compared_generators(config)
    for name in names:
        plugins.choose("generator", name)
    own = cores()
    best = resolve_device(config.device)
    devices = dict.fromkeys((best, "cpu") if config.device == "auto" else (best,))
    common = {
        "portrait": str(config.portrait or sample("cartoon.png")),
        "driving": str(config.driving or sample("driving.mp4")),
        "seconds": 1.0 if config.quick else config.seconds,
    }
    reduced = [name for name in names if _PRECISION in _option_names(name)]
    counts = config.threads or tuple(2**i for i in range(8) if 2**i < own)
    for device in devices:
        base = common | {"device": device, "threads": own, "precision": "float32"}
        for size in config.sizes[: 1 if config.quick else None]:
            yield from (base | {"size": size, "generator": name} for name in names)
            if not config.quick:
                yield from (base | {"size": size, "generator": name, "precision": "bfloat16"} for name in reduced)
        if device == "cpu" and not config.quick:
            for count in sorted(set(counts) - {own}):
                yield from (base | {"size": config.sizes[0], "generator": name, "threads": count} for name in names)


def _option_names(generator: str) -> set[str]:
    from visiongen import plugins

    return {option.name for option in fields(plugins.choose("generator", generator).options)}


def _with_options(job: dict[str, Any], chosen: dict[str, Any] | None) -> dict[str, Any]:
    """The job, with the options of its generator; None: the defaults."""
    if _PRECISION in _option_names(job["generator"]):
        chosen = (chosen or {}) | {_PRECISION: job["precision"]}
    return job | {"options": chosen}


def _title(job: dict[str, Any]) -> str:
    return f"{job['generator']} at {job['size']}, {job['threads']} threads, {job['precision']}, {job['device']}"


def _measured(job: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, "-m", "visiongen.benchmark", json.dumps(job)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return job | json.loads(run.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError) as error:
        reason = (run.stderr.strip().splitlines() or [f"it ended with exit code {run.returncode}"])[-1]
        raise VisionGenError(f"failed: {reason[-300:]}") from error


def _one_job(job: dict[str, Any]) -> dict[str, Any]:
    """Runs one job in this process, which was made for it."""
    _use_cores(job["threads"])
    from visiongen import media, plugins
    from visiongen.evaluation.films import Drive
    from visiongen.evaluation.inputs import Job

    clip = Path(job["driving"])
    asked = Job(name="benchmark", clip=clip, portrait=Path(job["portrait"]), end=job["seconds"])
    drive = Drive(asked, frames=round(job["seconds"] * float(media.probe(clip).fps)) + 1, portrait_size=job["size"])
    _use_threads(job["threads"])

    def load(name: str) -> Any:
        component = plugins.choose("generator", name)
        options = component.options(**job["options"]) if job["options"] else None
        return plugins.load(component, options, device=job["device"])

    with scratch_folder() as folder:
        speed = drive.film(job["generator"], load, folder / "film.mp4")
    ms = {stage: speed["ms"].get(stage) for stage in STAGES}
    whole = sum(found["mean"] for found in ms.values() if found)
    height, width = drive.picture.shape[:2]
    return {
        "frames": speed["frames"],
        "pixels": [width, height],
        "ms": ms,
        "frames_per_second": 1000 / whole,
        "first_ms": speed["first"],
        "peak_mb": _peak_memory(),
        "gpu_peak_mb": _gpu_peak_memory(job["device"]),
        "cpu": _cpu_instructions(),
        "gpu": _gpu_name(job["device"]),
    }


def _use_cores(count: int) -> None:
    """Only so many cores for this process; before anything starts threads."""
    os.environ[SHARE_VARIABLE] = str(count)
    try:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    except (AttributeError, OSError):  # not Linux, or not allowed: the libraries' own limits have to do
        logger.debug("cores cannot be limited here")


def _use_threads(count: int) -> None:
    """As many threads in the libraries as there are cores."""
    import cv2
    import torch

    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def _peak_memory() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _gpu_peak_memory(device: str) -> float | None:
    if device != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_allocated() / 2**20


def _cpu_instructions() -> str:
    """The widest instructions that PyTorch uses here: with AVX512 it is about twice as fast as with AVX2."""
    import torch

    return torch.backends.cpu.get_cpu_capability()


def _gpu_name(device: str) -> str | None:
    if device != "cuda":
        return None
    import torch

    return torch.cuda.get_device_name()


if __name__ == "__main__":
    print(json.dumps(_one_job(json.loads(sys.argv[1]))))

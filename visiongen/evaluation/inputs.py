"""What is evaluated: a folder of clips or a manifest, and perhaps portraits."""

from __future__ import annotations

import csv
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from visiongen.errors import MediaError, VisionGenError

COPY = "copy"
"""The method that does nothing: the portrait, repeated."""
CEILING = "ceiling"
"""The clip itself, written and read like a generated film: what the detector's and the encoder's noise leave of scores."""
STANDARD_METRICS = ("l1", "psnr", "ssim", "ms-ssim", "sharpness", "akd", "ksr", "motion", "steadiness", "pose",
                    "pose-relative", "expression", "expression-relative", "tof", "detection", "identity-proxy",
                    "frechet")  # fmt: skip
"""Those that need nothing beyond the package."""
_CLIPS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_LARGEST_MANIFEST = 64 << 20
_LONGEST_NAME = 180
"""Bytes; names of files are made of it, and they may have 255."""
_FIELDS = ("name", "clip", "portrait", "class", "start", "end")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Judge generators: every clip drives its own first frame, or portraits of others, and the results are measured."""

    clips: Path
    """Folder of clips, one face each, or a manifest: a CSV or JSON file with a column `clip` and, as you like, `portrait`
    (a picture that the clip drives), `name`, `class`, `start` and `end` (s). Its paths are relative to its own folder."""
    outside: bool = False
    """Let the manifest name files outside of its own folder. Only for manifests that you trust."""
    portraits: Path | None = None
    """A picture or a folder of pictures, each driven by each clip, instead of the clips' own first frames."""
    methods: tuple[str, ...] = (COPY, "warp", "vae-gan")
    """Generators to compare; `copy` repeats the portrait."""
    metrics: tuple[str, ...] = STANDARD_METRICS
    """Metrics to measure."""
    also: tuple[str, ...] = ()
    """More metrics, such as identity, lpips, fid, or those of plugins; see `visiongen plugins`."""
    out: Path = Path("evaluation")
    """A folder for all results (report.html, figures.json, figures.csv, table.md and the films); or a file ending in
    .html or .md, with the figures beside it as .json and .csv (.md: only .json)."""
    work: Path | None = None
    """Keep generated films and their figures here; what is there already is not made again. Default: `films` in the
    folder `out`; where `out` is a file, nothing is kept."""
    judge: Path | None = None
    """A script `JUDGE REAL GENERATED` that prints one JSON line of scores, in place of the metrics."""
    limit: int | None = None
    """Only the first so many clips (or pairs)."""
    frames: int = 400
    """At most so many frames of a clip."""
    workers: int = 1
    """Clips worked on at once, each in a process of its own. Speeds are only worth something with 1."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where networks run; auto takes a GPU if there is one."""
    portrait_size: int = 512
    """Portraits that others drive are brought to this many px on their longer side."""
    skip_ceiling: bool = False
    """Do not measure the clips themselves, written like the others: the ceiling that KSR can reach."""
    title: str = "Quality"
    """Heading of report and table."""

    def __post_init__(self) -> None:
        for name in ("frames", "workers", "portrait_size"):
            if getattr(self, name) < 1:
                raise VisionGenError(f"--{name.replace('_', '-')} is {getattr(self, name)}, but must be at least 1")
        if not self.methods:
            raise VisionGenError("--methods names no generator; give at least one, such as vae-gan")
        if self.out.suffix.lower() not in ("", ".md", ".html"):
            raise VisionGenError(f"--out {self.out}: give a folder, or a file that ends in .html or .md")

    @property
    def all_metrics(self) -> tuple[str, ...]:
        """`metrics` and `also`, each once."""
        return tuple(dict.fromkeys((*self.metrics, *self.also)))


@dataclass(frozen=True, kw_only=True)
class Job:
    """One clip, and what it drives."""

    name: str
    """Unique in an evaluation; a valid file name."""
    clip: Path
    portrait: Path | None = None
    """None: the clip's own first frame."""
    group: str | None = None
    """Class in the tables; None: by the movement of the clip."""
    start: float = 0.0
    end: float | None = None
    """The piece of the clip, s."""

    @property
    def is_self(self) -> bool:
        """Self-reenactment: the clip is the truth."""
        return self.portrait is None

    def described(self) -> dict[str, Any]:
        """Plain JSON values, file names without folders."""
        found = asdict(self) | {"clip": self.clip.name, "portrait": self.portrait.name if self.portrait else None}
        return {"class" if name == "group" else name: value for name, value in found.items()}


def read_jobs(config: EvaluationConfig) -> list[Job]:
    """All jobs of an evaluation.

    Raises:
        MediaError: There are no clips, or a file that the manifest names is missing.
        VisionGenError: The manifest cannot be read.
    """
    if config.clips.is_dir():
        jobs = [Job(name=path.stem, clip=path) for path in _files(config.clips, _CLIPS)]
        if not jobs:
            raise MediaError(
                f"{config.clips}: no video clips in this folder; give one with .mp4, .mov, .mkv or .webm files"
            )
    elif config.clips.suffix.lower() in (".csv", ".json"):
        jobs = _manifest(config.clips, outside=config.outside)
    elif config.clips.is_file():
        jobs = [Job(name=config.clips.stem, clip=config.clips)]
    else:
        raise MediaError(f"{config.clips}: not found; give a folder of clips, or a manifest (.csv or .json)")
    if config.portraits is not None:
        jobs = _pairs(jobs, config.portraits)
    return _with_unique_names(jobs)[: config.limit]


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def _pairs(jobs: list[Job], portraits: Path) -> list[Job]:
    if portraits.is_dir():
        pictures = _files(portraits, _PICTURES)
    else:
        pictures = [portraits] if portraits.is_file() else []
    if not pictures:
        raise MediaError(f"{portraits}: no pictures there; give a picture, or a folder with .jpg or .png files")
    return [
        Job(
            name=f"{picture.stem}+{job.name}",
            clip=job.clip,
            portrait=picture,
            group=job.group,
            start=job.start,
            end=job.end,
        )
        for picture in pictures
        for job in jobs
    ]


def _with_unique_names(jobs: list[Job]) -> list[Job]:
    from dataclasses import replace

    used: dict[str, int] = {}
    unique = []
    for job in jobs:
        name = job.name
        while name in used:
            used[job.name] += 1
            name = f"{job.name}-{used[job.name]}"
        used[name] = 1
        unique.append(replace(job, name=name))
    return unique


def _manifest(path: Path, *, outside: bool) -> list[Job]:
    try:
        if (size := path.stat().st_size) > _LARGEST_MANIFEST:
            raise ValueError(f"it has {size >> 20} MB, but a manifest has at most {_LARGEST_MANIFEST >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines())) if path.suffix.lower() == ".csv" else json.loads(text)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error, RecursionError) as error:
        raise VisionGenError(f"{path}: cannot be read as a manifest: {error}") from error
    rows = rows.get("clips") if isinstance(rows, dict) else rows
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise VisionGenError(f"{path}: holds no rows; give a header and a line per clip (JSON: a list of objects)")
    problems: list[str] = []
    jobs = []
    for number, row in enumerate(rows, 1):
        try:
            jobs.append(_job(path, row, outside=outside))
        except VisionGenError as error:
            problems.append(f"row {number}: {error}")
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise MediaError(f"{path}: {'; '.join(problems[:3])}{more}")
    return jobs


def _job(manifest: Path, row: dict[str, Any], *, outside: bool) -> Job:
    row = {str(name).strip().lower(): value for name, value in row.items() if value not in (None, "")}
    if unknown := sorted(set(row) - set(_FIELDS)):
        raise VisionGenError(f"unknown column {unknown[0][:80]!r}; there are: {', '.join(_FIELDS)}")
    if "clip" not in row:
        raise VisionGenError("no clip; every row needs the column `clip`")
    files = {name: _file(manifest, name, str(row[name]), outside) for name in ("clip", "portrait") if name in row}
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if end is not None and end <= (start or 0.0):
        raise VisionGenError(f"it ends at {end:g} s, before it starts; give an end after the start")
    name = str(row.get("name") or "+".join(file.stem for file in reversed(files.values())))
    return Job(
        name=_file_name(name),
        clip=files["clip"],
        portrait=files.get("portrait"),
        group=None if row.get("class") is None else str(row["class"])[:80],
        start=start or 0.0,
        end=end,
    )


def _file_name(text: str) -> str:
    """`text` as a name that every file system takes."""
    name = "".join(c if c.isalnum() or c in "-_.+ " else "_" for c in text)
    name = name.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore")
    return name if name.strip(". ") else f"_{name}"


def _file(manifest: Path, name: str, given: str, outside: bool) -> Path:
    """A file that a manifest names."""
    path = manifest.parent / given
    # Links count as what they are called: whoever laid them meant it.
    if not outside and not Path(os.path.abspath(path)).is_relative_to(os.path.abspath(manifest.parent)):
        raise VisionGenError(
            f"{name} {given[:200]} is outside of the manifest's folder; copy it there, or add --outside if you trust this file"
        )
    try:
        found = path.is_file()
    except (ValueError, OSError):  # a zero byte, or a name that is too long
        found = False
    if not found:
        raise VisionGenError(f"{name} {given[:200]} not found")
    return path


def _seconds(row: dict[str, Any], name: str) -> float | None:
    """A time of a manifest, s; None where it is not given."""
    if name not in row:
        return None
    try:
        seconds = float(row[name])
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds < math.inf or isinstance(row[name], bool):
        raise VisionGenError(f"start and end are seconds, not {str(row[name])[:80]!r}")
    return seconds

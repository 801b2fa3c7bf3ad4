"""``visiongen batch``: its flags, and what it does with them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, Suppress, arg

from visiongen.animate_command import AnimateFlags, Switch, parser_type
from visiongen.batch.engines import Crew, Engine, LocalEngine
from visiongen.batch.manifest import read_manifest
from visiongen.batch.report import counts
from visiongen.batch.run import Places, run_batch
from visiongen.batch.values import Known, is_path, known_options
from visiongen.console import show_log

_OWN = (
    "manifest",
    "workers",
    "engine",
    "ray_address",
    "retries",
    "recycle",
    "job_seconds",
    "report",
    "outside",
    "demo",
)


@dataclass(frozen=True, kw_only=True)
class BatchFlags(AnimateFlags):
    """Make many animations from one list. Done jobs are skipped when the same command is given again.

    MANIFEST is a CSV file with a header, or JSON (a list of objects). Columns are portrait, driving, out and any option of
    `visiongen animate`, such as size, enhancers or vae-gan.feedback; paths are relative to the manifest's folder. The
    flags of `visiongen animate` given here count for all rows that do not say otherwise.
    """

    manifest: Positional[Annotated[Path, arg(metavar="MANIFEST")]]
    """CSV or JSON file, a job a row."""
    portrait: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="(default: as the rows say)")] = None
    """Picture for rows that name none."""
    driving: Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="(default: as the rows say)")] = None
    """Video or motion template for rows that name none."""
    out: Suppress[Path | None] = None
    save_motion: Suppress[Path | None] = None
    demo: Suppress[bool] = False
    workers: Annotated[int, arg(metavar="N")] = 1
    """Jobs done at once, each in a process of its own that shares the cores, and on one GPU where there are some."""
    engine: Literal["local", "ray"] = "local"
    """local: processes on this machine. ray: actors of a Ray cluster that sees the same files (pip install ray)."""
    ray_address: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="(default: a local one)")] = None
    """Ray cluster, such as auto or ray://host:10001."""
    retries: Annotated[int, arg(metavar="N")] = 1
    """Further attempts at a job whose process was killed, that ran out of memory, or that met something unexpected."""
    recycle: Annotated[int, arg(metavar="N")] = 100
    """Replace a worker by a fresh process after so many jobs."""
    job_seconds: Annotated[float | None, arg(metavar="SECONDS", help_behavior_hint="(default: no limit)")] = None
    """Give a job up that takes longer."""
    report: Annotated[
        Path | None, arg(metavar="FILE.json", help_behavior_hint="(default: MANIFEST with the ending .report.json)")
    ] = None
    """The report; the same as .csv and the journal (.journal.jsonl) are written beside it."""
    outside: Switch = False
    """Let the manifest name files outside of its own folder. Only for manifests that you trust."""


def run(arguments: list[str]) -> int:
    """Does a batch, prints one line; 0 if every job is done, 1 if some failed."""
    known = known_options()
    flags = tyro.cli(parser_type(known.groups, BatchFlags), prog="visiongen batch", args=arguments)
    show_log("INFO")
    crew = Crew(
        workers=flags.workers,
        retries=flags.retries,
        recycle=flags.recycle,
        job_seconds=flags.job_seconds,
        cpu=flags.device == "cpu",
    )
    places = Places(report=flags.report or flags.manifest.with_suffix(".report.json"))
    rows = read_manifest(flags.manifest, defaults=defaults_of(flags, known), known=known, outside=flags.outside)
    about = {"manifest": str(flags.manifest), "engine": flags.engine, "workers": flags.workers}
    jobs = run_batch(rows, _engine(flags, crew), places, about=about)
    print(places.report)
    return 1 if counts(jobs)["failed"] else 0


def _engine(flags: Any, crew: Crew) -> Engine:
    if flags.engine == "ray":
        from visiongen.batch.ray_engine import RayEngine

        return RayEngine(crew, address=flags.ray_address)
    return LocalEngine(crew)


def defaults_of(flags: Any, known: Known) -> dict[str, Any]:
    """What was given on the command line for all rows, as converted values; see `visiongen.batch.values`."""
    groups = {group.field: group for group in known.groups}
    found: dict[str, Any] = {}
    for field in dataclasses.fields(flags):
        value = getattr(flags, field.name)
        if field.name in _OWN or value == field.default:
            continue
        if field.name in groups:
            for option in dataclasses.fields(value):
                if getattr(value, option.name) != getattr(field.default, option.name):
                    found[f"{groups[field.name].prefix}.{option.name}"] = getattr(value, option.name)
        else:
            path = is_path(known.types[field.name])
            found[field.name] = str(value.absolute()) if path else list(value) if isinstance(value, tuple) else value
    return found

"""The report of a batch: JSON for programs, CSV for tables, one line for people."""

from __future__ import annotations

import csv
import io
import json
import os
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

from visiongen.errors import MediaError

COLUMNS = ("row", "out", "state", "seconds", "frames", "width", "height", "fps", "device", "attempts", "memory_mb",
           "error", "warnings")  # fmt: skip
"""Of the CSV; JSON has the same fields."""
STATES = ("done", "skipped", "failed", "stopped")
"""done now; skipped: done by an earlier run; failed; stopped: not done when the batch was stopped."""


def counts(jobs: list[dict[str, Any]]) -> dict[str, int]:
    """How many jobs are in each state."""
    found = Counter(job["state"] for job in jobs)
    return {state: found[state] for state in STATES}


def in_short(jobs: list[dict[str, Any]], seconds: float) -> str:
    """One line."""
    frames = sum(job.get("frames") or 0 for job in jobs if job["state"] == "done")
    states = ", ".join(f"{number} {state}" for state, number in counts(jobs).items() if number)
    rate = f", {frames} frames, {frames / seconds:.1f}/s" if frames and seconds else ""
    return f"{len(jobs)} jobs: {states}; {seconds:.1f} s{rate}"


def write_report(path: Path, jobs: list[dict[str, Any]], **about: Any) -> None:
    """Writes ``path`` (JSON) and the same jobs beside it as CSV.

    Args:
        path: Ends in .json.
        jobs: One object each, with the fields of `COLUMNS`.
        about: Of the batch as a whole; plain JSON values.
    Raises:
        MediaError: They cannot be written.
    """
    software = f"VisionGen 3D {metadata.version('visiongen')}"
    text = json.dumps({"software": software, **about, "counts": counts(jobs), "jobs": jobs}, indent=1)
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for job in jobs:
        shown = {name: _cell(value) for name, value in job.items()}
        writer.writerow(shown | {"warnings": "; ".join(job.get("warnings", ()))})
    for target, content in ((path, text + "\n"), (path.with_suffix(".csv"), table.getvalue())):
        part = target.with_name(f".{target.name}.part")
        try:
            part.write_text(content, encoding="utf-8")
            os.replace(part, target)
        except OSError as error:
            raise MediaError(f"the report {target} cannot be written ({error.strerror}); see --report") from error


def _cell(value: Any) -> Any:
    """Spreadsheets take a text that begins like a formula for one."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@" and value else value

"""The whole of a batch: manifest, what is done already, the rest by an engine, one report."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visiongen.batch.engines import Engine, Outcome
from visiongen.batch.journal import Journal, job_key
from visiongen.batch.manifest import Row
from visiongen.batch.report import in_short, write_report
from visiongen.errors import MediaError, VisionGenError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Places:
    """What a batch writes besides its results."""

    report: Path
    """JSON; beside it the same as .csv, and the journal as .journal.jsonl."""

    def __post_init__(self) -> None:
        if self.report.suffix.lower() != ".json":
            raise VisionGenError(f"--report {self.report}: give a name that ends in .json; a .csv is written beside it")

    @property
    def table(self) -> Path:
        """The report as CSV."""
        return self.report.with_suffix(".csv")

    @property
    def journal(self) -> Path:
        """What is done, for the next run."""
        return self.report.with_suffix(".journal.jsonl")


def run_batch(rows: Sequence[Row], engine: Engine, places: Places, *, about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Does all jobs that are not done yet.

    Args:
        rows: From `visiongen.batch.manifest.read_manifest`.
        engine: Who does them.
        places: Where report and journal go.
        about: What the report shall say of the batch as a whole.
    Returns:
        The jobs as in the report, in the order of the rows.
    Raises:
        MediaError: Report or journal cannot be written, or a result would overwrite them.
        KeyboardInterrupt: It was stopped; the report is written all the same.
    """
    _check_places(rows, places)
    begun = time.monotonic()
    jobs: dict[int, dict[str, Any]] = {}
    with Journal(places.journal) as journal:
        try:
            _do(rows, engine, journal, jobs)
        finally:
            shown = [jobs.get(row.number) or _entry(row, state="stopped") for row in rows]
            seconds = time.monotonic() - begun
            write_report(places.report, shown, **about, seconds=round(seconds, 3))
            logger.info("%s", in_short(shown, seconds))
    return shown


def _check_places(rows: Sequence[Row], places: Places) -> None:
    own = {path.resolve() for path in (places.report, places.table, places.journal)}
    for row in rows:
        if row.out.resolve() in own:
            raise MediaError(f"row {row.number}: out {row.out} is where the report goes; choose another --report")


def _do(rows: Sequence[Row], engine: Engine, journal: Journal, jobs: dict[int, dict[str, Any]]) -> None:
    waiting, keys = [], {}
    for row in rows:
        try:
            key = keys[row.number] = job_key(row.values)
        except MediaError as error:
            jobs[row.number] = _entry(row, state="failed", error=str(error))
            continue
        if (entry := journal.is_done(row.out, key)) is not None:
            kept = {name: entry[name] for name in ("frames", "width", "height", "fps", "seconds") if name in entry}
            jobs[row.number] = _entry(row, state="skipped", **kept)
        else:
            mine = journal.is_ours(row.out) or row.values.get("overwrite", False)
            waiting.append(Row(number=row.number, values={**row.values, "overwrite": mine}))
    if skipped := len(rows) - len(waiting) - sum(job["state"] == "failed" for job in jobs.values()):
        logger.info("%d of %d jobs were done before and are skipped", skipped, len(rows))
    begun, ended = time.monotonic(), 0
    for outcome in engine.outcomes(waiting):
        row = outcome.row
        if outcome.state == "begun":
            journal.begin(row.out, keys[row.number])
            continue
        ended += 1
        jobs[row.number] = _entry(row, state=outcome.state, **_found(outcome))
        kept = {name: value for name, value in _found(outcome).items() if name not in ("memory_mb", "device")}
        journal.end(row.out, keys[row.number], outcome.state, **kept)
        left = (time.monotonic() - begun) / ended * (len(waiting) - ended)
        logger.info("%d/%d %s: %s (%.0f s left)", ended, len(waiting), row.out.name, _line(outcome), left)


def _found(outcome: Outcome) -> dict[str, Any]:
    found = {**outcome.made, "seconds": round(outcome.seconds, 3), "attempts": outcome.attempts}
    return found | ({"error": outcome.error} if outcome.error else {})


def _line(outcome: Outcome) -> str:
    if outcome.state == "done":
        return f"{outcome.made['frames']} frames in {outcome.seconds:.1f} s"
    tried = f" after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    return f"failed{tried}: {outcome.error}"


def _entry(row: Row, **found: Any) -> dict[str, Any]:
    return {"row": row.number, "out": str(row.out), **found}

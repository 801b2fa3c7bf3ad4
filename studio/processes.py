"""The studio's child processes: their surroundings, and the workers, which `visiongen.workers` starts and replaces."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from visiongen import workers

_ROOT = Path(__file__).resolve().parents[1]


def surroundings() -> dict[str, Any]:
    """Working folder and environment of a child process, for `subprocess.Popen`.

    ``python -m`` looks for modules in the working folder first, and that may be any folder, one of downloads for example:
    the child's is that of the program itself, and Python is told not to look there at all.
    """
    return {"cwd": _ROOT, "env": workers.surroundings()}


def studio_worker(name: str, logs: Path) -> workers.WorkerProcess:
    """A worker process of the studio, see `studio.worker`; not started yet.

    Args:
        name: For messages and its log.
        logs: Folder for what it prints; what an earlier one of this name printed goes.
    """
    log = logs / f"worker-{name}.log"
    with contextlib.suppress(OSError):
        log.unlink(missing_ok=True)
    where = surroundings()
    return workers.WorkerProcess(
        name, module="studio.worker", folder=where["cwd"], environment=where["env"], log=log,
        advice="the studio lives on, so try again",
    )  # fmt: skip

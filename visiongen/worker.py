"""The child process ``python -m visiongen.worker``: makes animations and keeps what they need in memory.

See `visiongen.worker_loop` for how it is asked, and `TASKS` for what. It tells ``{"event": "progress", "stage", "done",
"total"}`` on the way.
"""

from __future__ import annotations

from typing import Any

from visiongen.batch.work import JobFailed, perform
from visiongen.worker_loop import Teller, serve


def _animate(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    return perform(task["values"], teller.progress)


def _check(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    from visiongen.service.checks import check_upload

    return check_upload(task, teller.progress)


def _warm(task: dict[str, Any], teller: Teller) -> dict[str, Any]:
    """Loads what nearly every job needs."""
    from visiongen import animate_command
    from visiongen.landmarks import FaceMesh

    FaceMesh(max_faces=1).close()
    return {"ready": animate_command.__name__}


TASKS = {"animate": _animate, "check": _check, "warm": _warm}
"""What can be asked for."""


def main() -> None:
    """Works until standard input closes."""
    serve(TASKS, passing=(JobFailed,))


if __name__ == "__main__":
    main()

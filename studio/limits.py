"""How much one client may ask for, so that nobody takes the whole machine. A client is a browser, known by its cookie."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from visiongen.errors import MediaError, VisionGenError

if TYPE_CHECKING:
    from studio.jobs import Job

MOST_JOBS, MOST_JOBS_IN_ALL = 12, 40
"""Renders that wait or are at work: of one client, and of all together."""
MOST_UPLOAD_BYTES = 2 << 30
"""Of one client, kept at the same time."""
LEAST_FREE_BYTES = 512 << 20
"""So much of the disk stays free: what is being rendered needs it."""


def check_jobs(active: Sequence[Job], session: str) -> None:
    """Does nothing if a client may queue one more render.

    Raises:
        VisionGenError: Too many wait already.
    """
    own = sum(job.session == session for job in active)
    if own >= MOST_JOBS:
        raise VisionGenError(f"{own} of your renders are waiting already; wait for one or cancel it, then render again")
    if len(active) >= MOST_JOBS_IN_ALL:
        raise VisionGenError(f"{len(active)} renders are waiting in this studio; try again when some have ended")


def check_upload(folder: Path, name: str, size: int) -> None:
    """Does nothing if a client may keep one more upload.

    Args:
        folder: Where the uploads of this client are.
        name: What the user calls the new one.
        size: Its bytes.
    Raises:
        MediaError: It would be too much for the client or for the disk.
    """
    kept = _bytes_below(folder)
    if kept + size > MOST_UPLOAD_BYTES:
        raise MediaError(
            f"{name} is not kept: your uploads have {kept >> 20} MB, and at most {MOST_UPLOAD_BYTES >> 20} MB are kept; "
            "remove them in the Gallery (My uploads, Delete my data)"
        )
    check_room(folder, name, size)


def check_room(folder: Path, name: str, size: int) -> None:
    """Does nothing if the disk of `folder` has room for `size` bytes more.

    Raises:
        MediaError: It has not.
    """
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    free = shutil.disk_usage(there).free
    if free - size < LEAST_FREE_BYTES:
        raise MediaError(
            f"{name} is not kept: the studio's disk has only {free >> 20} MB left; make room on it, or delete runs"
        )


def _bytes_below(folder: Path) -> int:
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(where, name), follow_symlinks=False).st_size
            except OSError:  # removed a moment ago
                continue
    return total

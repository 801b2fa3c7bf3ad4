"""How long things are kept, and how they are deleted: by age, at a user's wish, and what killed processes left."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from studio.store import ACTIVE, Store
from studio.uploads import DAY, clean_up, forget_session
from visiongen.errors import VisionGenError

KEEP_VARIABLE = "VISIONGEN_STUDIO_KEEP_DAYS"
"""Environment variable: runs older than so many days are deleted. Not set: they are kept until somebody deletes them."""


def keep_days() -> float | None:
    """Days that runs are kept; None: as long as nobody deletes them.

    Raises:
        VisionGenError: The variable holds no positive number.
    """
    text = os.environ.get(KEEP_VARIABLE, "").strip()
    if not text:
        return None
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 < days < 1e6:
        raise VisionGenError(f"{KEEP_VARIABLE} is {text!r}, but must be a number of days above 0")
    return days


def sweep(store: Store, *, now: float | None = None) -> int:
    """Deletes what is too old: uploads and caches that no run needs, runs beyond `keep_days`, leftovers.

    Args:
        store: Whose.
        now: Unix time, s; for tests.
    Returns:
        How many runs, files and leftovers were removed.
    """
    now = time.time() if now is None else now
    removed = 0
    if (days := keep_days()) is not None:
        for run in store.runs():
            if run.state not in ACTIVE and now - run.created > days * DAY:
                store.delete(run.id)
                removed += 1
    for folder in (store.root / "runs").glob("*"):
        if folder.is_dir():
            removed += _remove_old_leftovers(folder, now)
    return removed + clean_up(store, now=now)


def _remove_old_leftovers(folder: Path, now: float) -> int:
    """Of one run: half-written files that nobody finished in a day, and a folder that never became a run."""
    with suppress(OSError):
        if not (folder / "run.json").exists() and now - folder.stat().st_mtime > DAY:
            shutil.rmtree(folder, ignore_errors=True)
            return 1
    return remove_leftovers(folder, older_than=now - DAY)


def remove_leftovers(folder: Path, *, older_than: float | None = None) -> int:
    """Removes what was half-written in a run's folder (all of it is hidden) and gives the number.

    Args:
        folder: Of a run that nobody works on.
        older_than: Only what was last written before this Unix time, s.
    """
    removed = 0
    for path in folder.glob(".*"):
        with suppress(OSError):
            if older_than is not None and path.stat().st_mtime >= older_than:
                continue
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            removed += 1
    return removed


def make_room(store: Store, run_id: str | None) -> None:
    """Removes the cache, and the files of a render that failed anyway, so that at least that can be written down."""
    shutil.rmtree(store.root / "cache", ignore_errors=True)
    if run_id is None:
        return
    for path in (store.root / "runs" / run_id).glob("*"):
        if path.name != "run.json":
            with suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """What was removed."""

    runs: int
    ratings: int


def delete_data(store: Store, session: str | None) -> Deleted:
    """Deletes the runs, uploads and ratings of a client, and all caches: they hold landmarks of faces.

    Args:
        store: Whose.
        session: The client; None: all clients, everything there is.
    """
    runs = store.runs(session=session)
    for run in runs:
        store.delete(run.id)
    ratings = store.delete_ratings(session)
    shutil.rmtree(store.root / "cache", ignore_errors=True)
    if session is None:
        for name in ("uploads", "logs"):
            shutil.rmtree(store.root / name, ignore_errors=True)
    else:
        forget_session(store, session)
    return Deleted(runs=len(runs), ratings=ratings)

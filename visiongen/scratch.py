"""Temporary folders that do not pile up: what a killed process left in the system's folder is removed by the next one."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from visiongen.claims import claim

_PREFIX, _LOCK = "visiongen-work-", ".lock"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for the block, removed at its end; first, those of this user's processes that were killed are.

    Raises:
        OSError: It cannot be made.
    """
    remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        with claim(Path(name) / _LOCK) or contextlib.nullcontext():
            yield Path(name)


def remove_leftovers(parent: Path) -> int:
    """Removes scratch folders of this user in `parent` whose process has died, and gives their number."""
    removed = 0
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if _is_ours(folder) and (folder / _LOCK).is_file() and (mine := claim(folder / _LOCK)) is not None:
                with mine:
                    shutil.rmtree(folder, ignore_errors=True)
                removed += 1
    return removed


def _is_ours(folder: Path) -> bool:
    """A folder, not a link to one, and not another user's."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and (not hasattr(os, "getuid") or found.st_uid == os.getuid())

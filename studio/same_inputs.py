"""Whether two runs move the same picture by the same clip: files are told by what is in them, not by where they are kept."""

from __future__ import annotations

import os
from functools import lru_cache

from visiongen.media import sha256


def content_of(path: str) -> str:
    """The same text for equal files; of one that is gone, its path. Every run of a project that was opened has its own copies
    of its inputs."""
    try:
        status = os.stat(path)
        return _digest(path, status.st_size, status.st_mtime_ns)
    except OSError:
        return path


@lru_cache(maxsize=4096)
def _digest(path: str, size: int, changed: int) -> str:
    """Read once as long as `size` and `changed` stay."""
    return sha256(path)

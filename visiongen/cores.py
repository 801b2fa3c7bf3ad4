"""How many processor cores this process may use, and how many of them it was told to."""

from __future__ import annotations

import os

SHARE_VARIABLE = "OMP_NUM_THREADS"
"""Environment: the libraries' threads, and so the share of the cores that this process was given; the libraries read it too."""


def cores() -> int:
    """Processor cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def own_cores() -> int:
    """Of these, how many it shall use: fewer where several workers share them (`SHARE_VARIABLE`)."""
    try:
        told = int(os.environ.get(SHARE_VARIABLE, ""))
    except ValueError:
        return cores()
    return max(1, min(told, cores()))

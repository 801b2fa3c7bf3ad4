"""From a number per frame to runs of frames, and to problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.problems import Problem, Remedy

JOIN_SECONDS, JOIN_MORE_SECONDS = 0.2, 0.8
"""Runs with a shorter pause between them are one; the second, of what a head or a mouth does again and again."""


@dataclass(frozen=True)
class Run:
    """Consecutive frames, both ends included, and the worst one."""

    first: int
    last: int
    peak: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def runs(level: np.ndarray, *, on: float, rate: float, least: int = 1, join: float = JOIN_SECONDS) -> list[Run]:
    """Runs in which `level` (T,) reaches `on`; NaN never does.

    Args:
        level: A number per frame.
        on: Where a run begins and ends.
        rate: Frames per second.
        least: Shorter runs are left out.
        join: Runs with a shorter pause between them are one, s.
    """
    level = np.nan_to_num(level, nan=-np.inf)
    frames = np.flatnonzero(level >= on)
    if not len(frames):
        return []
    pause = max(1, round(join * rate))
    pieces = np.split(frames, np.flatnonzero(np.diff(frames) > pause) + 1)
    pieces = [piece for piece in pieces if len(piece) >= least]
    return [Run(int(p[0]), int(p[-1]), int(p[np.argmax(level[p])])) for p in pieces]


def frame_rate(motion: MotionTrack) -> float:
    """Frames per second of a motion."""
    return 1 / max(float(np.median(np.diff(motion.times))), 1e-3) if len(motion) > 1 else 25.0


def share(value: float, low: float, high: float) -> float:
    """0 at `low` and below, 1 at `high` and above."""
    return float(np.clip((value - low) / (high - low), 0, 1))


def graded(value: float, mild: float, grave: float) -> float:
    """Severity: 0.2 at `mild`, where a problem begins to be one, 1 at `grave`."""
    return 0.2 + 0.8 * share(value, mild, grave)


def problems_from(
    kind: str,
    found: list[Run],
    *,
    severity: Callable[[Run], float],
    seen: Callable[[Run], str],
    why: str,
    change: str,
    remedy: Callable[[Run], Remedy | None] = lambda run: None,
) -> Iterator[Problem]:
    """One problem for each run."""
    for run in found:
        yield Problem(
            kind=kind,
            first=run.first,
            last=run.last,
            peak=run.peak,
            severity=round(severity(run), 3),
            seen=seen(run),
            why=why,
            change=change,
            remedy=remedy(run),
        )


def frames_text(run: Run) -> str:
    """How the frames of a run are called."""
    return f"frame {run.first}" if run.first == run.last else f"frames {run.first} to {run.last}"

"""A motion template, ``.npz``: what `visiongen.save_motion` wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from visiongen.datatypes import MotionTrack
from visiongen.errors import MediaError
from visiongen.motion import load_motion, piece


class TemplateSource:
    """A `MotionSource`, see above; the motion knows no clip."""

    def extract(
        self,
        path: Path,
        *,
        start: float,
        end: float | None,
        progress: Callable[[int, int | None], None] | None,
    ) -> MotionTrack:
        """The saved motion, or a piece of it."""
        motion = motion_between(load_motion(path), start, end, name=path.name)
        if progress:
            progress(len(motion), len(motion))
        return motion


def motion_between(motion: MotionTrack, start: float, end: float | None, *, name: str) -> MotionTrack:
    """The piece of `motion` from `start` to `end`, s; its times count from 0.

    Args:
        motion: T frames, times from 0.
        start, end: None: to the end.
        name: Of the file, for the message.
    Raises:
        MediaError: There is nothing in it.
    """
    inside = (motion.times >= start - 1e-9) & (motion.times < (np.inf if end is None else end) - 1e-9)
    if not inside.any():
        asked = f"from {start:g} s to {'the end' if end is None else f'{end:g} s'}"
        raise MediaError(
            f"{name}: it is {motion.times[-1]:.2f} s long, so it has nothing {asked}; give a start within it"
        )
    part = piece(motion, inside)
    return replace(part, times=part.times - part.times[0])

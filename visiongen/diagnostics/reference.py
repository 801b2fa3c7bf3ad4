"""The driving frame that stands for the portrait: what is wrong with it is wrong in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from visiongen.datatypes import MotionTrack, Portrait
from visiongen.diagnostics.problems import Problem, Remedy
from visiongen.diagnostics.runs import graded
from visiongen.retarget import MotionSettings, portrait_motion, reference_distances, reference_of

UNLIKE = 0.25
"""Radians, and ratios of openings: so much further from the portrait than the best frame, and a better one is proposed."""
_SPOILING = ("occluded", "blur", "face-lost", "fast-motion", "out-of-frame")


def poor_reference(
    motion: MotionTrack, portrait: Portrait, settings: MotionSettings, found: Sequence[Problem]
) -> Iterator[Problem]:
    """A reference frame whose landmarks cannot be trusted, or that is unlike the portrait, where there is a better one.

    Args:
        motion: The driver's, as observed.
        portrait: Whose face shall move.
        settings: Theirs is the reference frame, chosen or found.
        found: What else is wrong with the driver's frames.
    """
    own = portrait_motion(portrait)
    reference = reference_of(motion, own, settings)
    spoiled = ~motion.visible
    for problem in found:
        if problem.kind in _SPOILING:
            spoiled[problem.first : problem.last + 1] = True
    if spoiled.all() or not 0 <= reference < len(motion):
        return
    distance = reference_distances(motion, own)
    best = int(np.argmin(np.where(spoiled, np.inf, distance)))
    further = float(distance[reference] - distance[best])
    if spoiled[reference]:
        worst = [p for p in found if p.kind in _SPOILING and p.first <= reference <= p.last]
        severity = max((p.severity for p in worst), default=1.0)
        seen = (
            f"Frame {reference} stands for the portrait, but {worst[0].title if worst else 'no face'} is what it shows."
        )
    elif settings.mode == "relative" and further > UNLIKE:
        severity = graded(further, UNLIKE, 1.0)
        seen = (
            f"Frame {reference} stands for the portrait, but its head or expression is unlike it ({further:.2f} further "
            f"off than frame {best}; the limit is {UNLIKE:g})."
        )
    else:
        return
    yield Problem(
        kind="poor-reference",
        first=0,
        last=len(motion) - 1,
        peak=reference,
        severity=round(severity, 3),
        seen=seen,
        why="All movement counts from the reference frame: what is wrong with it is wrong in every frame of the result.",
        change=f"Let a frame that is like the portrait stand for it: {{reference_frame}} {best}.",
        remedy=Remedy(label=f"Let frame {best} stand for the portrait", settings={"reference_frame": best}),
    )

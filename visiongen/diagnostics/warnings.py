"""Problems in a few sentences, for a log."""

from __future__ import annotations

from collections.abc import Sequence

from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.problems import Problem

LEAST_SEVERITY = {
    "face-lost": 0.0,
    "extreme-pose": 0.0,
    "out-of-frame": 0.25,
    "fast-motion": 0.5,
    "folded-field": 0.5,
    "unseen-side": 0.7,
}
"""Kinds worth a warning in any job, and from which severity on; the others are there for those who ask."""


def warnings(problems: Sequence[Problem], motion: MotionTrack) -> list[str]:
    """One sentence for each kind of problem that is worth a warning, worst first.

    Args:
        problems: As `diagnose` gives them.
        motion: The driver's.
    """
    total = len(motion)
    grave = [problem for problem in problems if problem.severity >= LEAST_SEVERITY.get(problem.kind, 2)]
    found = []
    for kind in dict.fromkeys(problem.kind for problem in grave):
        alike = [problem for problem in grave if problem.kind == kind]
        worst = alike[0]
        if kind == "face-lost":
            lost = int((~motion.visible).sum())
            text = f"no face was seen in {lost} of {total} frames; their motion is filled in from the frames around"
        else:
            count = sum(problem.num_frames for problem in alike)
            text = f"{worst.title} in {count} of {total} frames: {_sentence(worst.seen)}; {_sentence(worst.advice)}"
        found.append(text)
    return found


def _sentence(text: str) -> str:
    """Within another sentence."""
    return text[0].lower() + text[1:].rstrip(".")

"""Problems that only the frames show: covered face, blur, other faces."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.movement import fill_remedy
from visiongen.diagnostics.problems import Problem, Remedy
from visiongen.diagnostics.runs import JOIN_SECONDS, Run, frame_rate, graded, problems_from, runs
from visiongen.diagnostics.sight import Sight

COVERED = 0.04
"""Share of the visible face that is covered before it counts: a finger or two."""
LEAST_WIDTH = 48.0
"""Width of a face, px, below which nothing is said about what covers it: there is too little to see."""
BLURRED = 0.55
"""Fine detail of the face against the sharpest tenth of the clip, below which a frame counts as blurred."""
TOO_BLURRED = 0.45
"""The same, below which nothing is said about what covers a face: defocus looks like a smooth thing before it. Hands, cups and
phones leave 0.75 and more."""
LONGEST_FILL = 2.0
"""Seconds; longer pieces are not filled in: what the face does in the meantime matters more."""
_PARTS = (("forehead", 0.0, 0.3), ("eyes", 0.3, 0.48), ("nose and cheeks", 0.48, 0.68), ("mouth and chin", 0.68, 1.0))
"""Parts of the unwrapped face from top to bottom."""


def covered_share(sight: Sight) -> np.ndarray:
    """(T,) share of the visible face that is covered."""
    weight = np.where(sight.facing > 0.3, sight.facing, 0).astype(np.float32)
    hidden = np.clip(
        (sight.hidden.astype(np.float32) - 0.35) / 0.3, 0, 1
    )  # doubts of many cells must not add up to a hand
    return (weight * hidden).sum((1, 2)) / np.maximum(weight.sum((1, 2)), 1e-6)


def covered_face(sight: Sight, motion: MotionTrack) -> Iterator[Problem]:
    """Something is before the face."""
    rate, total = frame_rate(motion), len(motion)
    wide_enough = motion.scale * motion.face_width >= LEAST_WIDTH
    share = smoothed(covered_share(sight), motion.visible & wide_enough & ~(detail_ratio(sight) < TOO_BLURRED))

    def seen(run: Run) -> str:
        return (
            f"{100 * share[run.peak]:.0f} % of the face is covered at frame {run.peak}, mostly "
            f"{_where(sight.hidden[run.peak], sight.facing[run.peak])} (for {len(run) / rate:.1f} s)."
        )

    yield from problems_from(
        "occluded",
        runs(share, on=COVERED, rate=rate, least=3, join=2 * JOIN_SECONDS),
        severity=lambda run: graded(share[run.peak], COVERED, 0.5),
        seen=seen,
        why="Landmarks behind a hand or an object are guessed: mouth and eyes of the result tremble or make faces.",
        change="Let the motion of these frames be filled in with {remedy}, or leave them out with {piece}.",
        remedy=lambda run: fill_remedy(run, total) if len(run) <= LONGEST_FILL * rate else None,
    )


def smoothed(share: np.ndarray, told: np.ndarray) -> np.ndarray:
    """(T,) median of three frames: nothing covers a face in a single one but the noise of the finder; 0 but where `told`."""
    padded = np.r_[share[:1], share, share[-1:]]
    result = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    result[~told] = 0
    return result


def _where(hidden: np.ndarray, facing: np.ndarray) -> str:
    """The part of the face that is covered most."""
    count = len(hidden)
    weight = hidden * np.maximum(facing, 0)
    shares = [weight[int(a * count) : int(b * count)].sum() for _, a, b in _PARTS]
    rows = [max(int(b * count) - int(a * count), 1) for _, a, b in _PARTS]
    return _PARTS[int(np.argmax(np.array(shares) / rows))][0]


def detail_ratio(sight: Sight) -> np.ndarray:
    """(T,) fine detail of the face against the sharpest tenth of the clip; NaN where no face is seen."""
    known = sight.sharpness[~np.isnan(sight.sharpness)]
    return sight.sharpness / max(float(np.quantile(known, 0.9)) if len(known) else 1.0, 1e-9)


def blurred(sight: Sight, motion: MotionTrack) -> Iterator[Problem]:
    """Frames that are far less sharp than the clip's good ones."""
    rate, total = frame_rate(motion), len(motion)
    ratio = detail_ratio(sight)
    if np.isnan(ratio).all():
        return

    def remedy(run: Run) -> Remedy | None:
        if len(run) <= 0.2 * rate:
            return fill_remedy(run, total, margin=0)
        return Remedy(label="Smooth the movement more", settings={"smoothing": 0.7})

    yield from problems_from(
        "blur",
        runs(-ratio, on=-BLURRED, rate=rate),
        severity=lambda run: graded(-ratio[run.peak], -BLURRED, -0.2),
        seen=lambda run: (
            f"Frame {run.peak} shows {100 * ratio[run.peak]:.0f} % of the fine detail of the clip's sharp frames (the limit "
            f"is {100 * BLURRED:.0f} %)."
        ),
        why="In a blurred face landmarks wander, lids and lips most of all.",
        change="Raise {smoothing} to 0.7; film with more light and a calmer camera.",
        remedy=remedy,
    )


def several_faces(sight: Sight, motion: MotionTrack) -> Iterator[Problem]:
    """More faces than one, and changes from one to another."""
    rate = frame_rate(motion)
    others = np.nan_to_num(sight.others)
    found = runs(others, on=1, rate=rate)
    yield from problems_from(
        "several-faces",
        found,
        severity=lambda run: 0.3,
        seen=lambda run: (
            f"{int(others[run.peak]) + 1} faces are in the clip at frame {run.peak}; the largest of the first frame is "
            "followed."
        ),
        why="When faces cross or one is lost, the motion of another person may go on in its place.",
        change="Crop the clip to one person, or leave these frames out with {piece}.",
    )

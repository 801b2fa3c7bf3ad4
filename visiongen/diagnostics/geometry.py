"""Problems of a motion on a portrait: what the picture does not show, and where the motion field folds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from visiongen.datatypes import MotionTrack, Portrait
from visiongen.diagnostics.movement import DAMPED_LIMIT, damped
from visiongen.diagnostics.problems import Problem, Remedy
from visiongen.diagnostics.runs import JOIN_MORE_SECONDS, frame_rate, graded, problems_from, runs
from visiongen.landmarks import INNER_LIPS, LEFT_EYE, RIGHT_EYE
from visiongen.motion import blocks
from visiongen.pose import face_model
from visiongen.retarget import portrait_motion

FOLDED = 0.04
"""Share of the face's surface that may be turned over by its expression."""
UNSEEN = 0.08
"""Share of what the result shows of the face that the portrait does not show."""
CLOSED, OPENED = 0.02, 0.06
"""Gaps of the lips in face widths: a portrait below the first is closed; a result above the second shows its inside."""
_GRAZING = 0.12
"""Cosine to the camera below which a picture shows of a triangle nothing that can be used."""
_LIPS = ((13, 14), (82, 87), (312, 317))


@cache
def _surface() -> np.ndarray:
    """(M, 3) triangles of the face without the openings of mouth and eyes, which fold whenever they close."""
    triangles = face_model().triangles
    openings = [np.isin(triangles, ring).all(1) for ring in (INNER_LIPS, LEFT_EYE, RIGHT_EYE)]
    return triangles[~np.any(openings, axis=0)]


def _cosines(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of (..., 478, 3): cosine of the triangles' normals to the camera, and their area as seen, both (..., M)."""
    corners = points[..., _surface(), :]
    a, b = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    normal = np.cross(a, b)
    length = np.linalg.norm(normal, axis=-1)
    return normal[..., 2] / np.maximum(length, 1e-12), np.abs(normal[..., 2])


def shares(portrait: Portrait, fitted: MotionTrack) -> tuple[np.ndarray, np.ndarray]:
    """Per frame, (T,) each: share of the surface that is folded over, and share that the portrait never showed."""
    rest = face_model().points
    own = portrait_motion(portrait)
    own_head = rest + own.offsets[0]
    seen_at_all = _cosines(own_head @ own.rotation[0].T)[0] > _GRAZING
    folded, unseen = [], []
    for part in blocks(len(fitted), 64):
        turn = fitted.rotation[part].swapaxes(1, 2)  # of rows from the left
        turned, as_portrait = (rest + fitted.offsets[part]) @ turn, own_head @ turn
        cosine, area = _cosines(turned)
        own_cosine, own_area = _cosines(as_portrait)
        over = (cosine < 0) & (own_cosine > 2 * _GRAZING)
        folded.append((own_area * over).sum(1) / own_area.sum(1))
        shown = cosine > 2 * _GRAZING
        unseen.append((area * (shown & ~seen_at_all)).sum(1) / (area * (cosine > 0)).sum(1))
    return np.concatenate(folded), np.concatenate(unseen)


def folded_field(folded: np.ndarray, fitted: MotionTrack) -> Iterator[Problem]:
    """Frames in which the mesh, and with it the motion field, folds over itself."""
    yield from problems_from(
        "folded-field",
        runs(folded, on=FOLDED, rate=frame_rate(fitted)),
        severity=lambda run: graded(folded[run.peak], FOLDED, 0.25),
        seen=lambda run: (
            f"{100 * folded[run.peak]:.0f} % of the face's surface is turned over at frame {run.peak} (the limit is "
            f"{100 * FOLDED:.0f} %)."
        ),
        why="Where the motion folds, one piece of the picture is drawn twice and another not at all: creases and smears.",
        change="Lower {mouth}, {eyes} and {brows}, or choose a {reference_frame} in which the driver's expression is the "
        "portrait's.",
        remedy=lambda run: Remedy(label="Move mouth and brows less", settings={"mouth": 0.7, "brows": 0.7}),
    )


def unseen_side(unseen: np.ndarray, fitted: MotionTrack) -> Iterator[Problem]:
    """Frames that show what is hidden in the portrait."""
    yield from problems_from(
        "unseen-side",
        runs(unseen, on=UNSEEN, rate=frame_rate(fitted), join=JOIN_MORE_SECONDS),
        severity=lambda run: graded(unseen[run.peak], UNSEEN, 0.4),
        seen=lambda run: (
            f"{100 * unseen[run.peak]:.0f} % of the face shown at frame {run.peak} is turned away in the portrait (the "
            f"limit is {100 * UNSEEN:.0f} %)."
        ),
        why="The picture does not show this side of the face: it is made from the other side, mirrored, or invented.",
        change="Use a portrait that looks to the camera, choose another {reference_frame}, or damp turns with "
        f"{{pose_limit}} {DAMPED_LIMIT:g}.",
        remedy=lambda run: damped(),
    )


def opened_mouth(portrait: Portrait, fitted: MotionTrack) -> Iterator[Problem]:
    """A mouth that is closed in the portrait and shows its inside in the result."""
    own = portrait_motion(portrait)
    if _lip_gap(own)[0] > CLOSED:
        return
    gap = _lip_gap(fitted)
    yield from problems_from(
        "mouth-opened",
        runs(gap, on=OPENED, rate=frame_rate(fitted), join=JOIN_MORE_SECONDS),
        severity=lambda run: graded(gap[run.peak], OPENED, 0.35),
        seen=lambda run: (
            f"The mouth is closed in the portrait and opens {100 * gap[run.peak]:.0f} % of the face's width at frame "
            f"{run.peak}."
        ),
        why="Teeth and tongue are not in the picture: the inside of the mouth is invented.",
        change="Use a portrait with the lips a little apart, or lower {mouth}.",
        remedy=lambda run: Remedy(label="Open the mouth less", settings={"mouth": 0.7}, automatic=False),
    )


def _lip_gap(motion: MotionTrack) -> np.ndarray:
    """(T,) mean gap of the inner lips, face widths."""
    head = face_model().points + motion.offsets
    return np.mean([head[:, lower, 1] - head[:, upper, 1] for upper, lower in _LIPS], axis=0)

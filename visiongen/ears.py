"""Ears: surfaces of their own, which stand off the head behind the sides of the face.

A portrait that looks to the camera shows an ear nearly edge-on, between the oval of the face and the silhouette. Drawn as a
part of the head it would be torn where the silhouette is not its own, or lost. It is a plane that begins at the oval, as wide
as the portrait says and as deep as ears are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from visiongen.landmarks import FACE_OVAL
from visiongen.rotations import gaussian_over_time

_SIDES = (((162, 127, 234, 93, 132, 58), -1.0), ((389, 356, 454, 323, 361, 288), 1.0))
"""Points of the oval from temple to jaw, on the face's own right and left, and which way is outward."""
_TRAGUS = 2
"""Which of these is before the middle of an ear."""
_UP, _DOWN, _ROWS = 0.2, 0.32, 11
"""Face widths above and below it within which an ear is looked for, and in how many rows."""
_FAR, _STEPS = 0.3, 25
"""Face widths outward, and steps, at which is looked."""
_LEAST, _MOST = 0.03, 0.26
"""Width of an ear in the portrait: what is narrower is none that could be shown, what is wider is something else."""
_DEEP = 0.3
"""How far behind the oval it ends, face widths."""
_STEEPEST = 3.5
"""Its depth is at most so many times its width: of less nothing can be drawn but streaks."""
_HIDDEN = 0.5
"""Share of hair over it from which on there is none."""
_ACROSS, _MOST_DEPTH = 0.5, 0.8
"""Cosine of the portrait's own turn below which nothing is known of ears, and how much of what it shows of one is depth at
most."""
_ROUND = 1.25
"""It is no wider anywhere than an ellipse that is so many times as wide as its middle."""
_SMOOTH = 1.15
"""...and nowhere wider than its neighbours by more than this."""
_AWAY = -0.2
"""Sine of the portrait's own turn to the other side, from which on it is not looked for."""
_SEAM = 0.3
"""Share of its width up to which a row is no ear any more, but joins it to the head."""
_COLUMNS = 3
_BACK = 0.03
"""Face widths of an ear's back behind its rim."""
_MIDDLE = slice(_ROWS // 2 - 2, _ROWS // 2 + 3)
"""Rows whose width is the ear's."""
_BEFORE, _BEHIND = 0.3, 2.0
"""By so many face widths an ear counts as nearer than it is where it is seen, since nothing of the head is before it, and as
farther where its back is."""


class _Ear(NamedTuple):
    """One ear, head frame, face widths."""

    hinge: np.ndarray
    """(R, 3) from top to bottom where it begins."""
    rim: np.ndarray
    """(R, 3) where it ends."""
    left: bool
    """It is the subject's left one."""

    @property
    def apart(self) -> slice:
        """Rows of what is more than the seam at which it joins the head."""
        width = np.linalg.norm(self.rim - self.hinge, axis=1)
        rows = np.flatnonzero(width > _SEAM * width.max())
        return slice(int(rows[0]), int(rows[-1]) + 1)

    @property
    def points(self) -> np.ndarray:
        """(R, 3, 3) hinge, rim and back of every row."""
        away = self.rim - self.hinge[_ROWS // 2]
        away *= _BACK / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), _BACK)
        return np.stack([self.hinge, self.rim, self.rim + away], axis=1)


class Ears:
    """Those that a portrait shows: two, one or none."""

    def __init__(self, ears: Sequence[_Ear] = ()) -> None:
        self._ears, marks = ears, [mark for ear in ears for mark in _SIDES[ear.left][0][1:5]]
        self.beside = np.isin(FACE_OVAL, marks)
        """(36,) bool: vertices of the oval beside which there is one."""
        self._apart = [(ear.apart, _SIDES[ear.left][1]) for ear in ears]
        points = [ear.points for ear in ears]
        self.points = np.concatenate([np.empty((0, 3)), *(each.reshape(-1, 3) for each in points)])
        """(E, 3) head frame."""
        self.turned_in = np.zeros_like(self.points)
        """(E, 3) steps by which the colours of these are taken from elsewhere when the head has turned: of the back of an ear
        from the middle of its hinge. Between an ear and what is behind it a motion between pixels then passes over the ear, and
        not over the background beside it."""
        for ear, each, steps in zip(ears, points, self.turned_in.reshape(-1, _ROWS, _COLUMNS, 3)):
            steps[:, -1] = ear.hinge[_ROWS // 2] - each[:, -1]
        parts = [_triangles(ear.left) + number * _ROWS * _COLUMNS for number, ear in enumerate(ears)]
        self.triangles = np.concatenate([np.empty((0, 3), np.int32), *parts])
        """(M, 3) of `points`, clockwise on the screen where an ear is seen."""

    def behind(self, reach: np.ndarray) -> np.ndarray:
        """How far a head, whose silhouette is at `reach` (36,) from the oval, reaches without them: behind an ear as above and
        below it."""
        if not self.beside.any():
            return reach
        known = np.flatnonzero(~self.beside)
        return np.minimum(reach, np.interp(np.arange(len(reach)), known, reach[known], period=len(reach)))

    def seen(self, posed: np.ndarray) -> tuple[np.ndarray, ...]:
        """Lines (P, 2) round those that face the camera, from above to below, of `points` in a pose (E, 3)."""
        lines = []
        columns = posed[:, :2].reshape(-1, _ROWS, _COLUMNS, 2).swapaxes(1, 2)
        for (apart, outward), (hinge, rim, _) in zip(self._apart, columns):
            (across, down), (x, y) = (rim - hinge)[_ROWS // 2], hinge[-1] - hinge[0]
            if (across * y - down * x) * outward > 0:
                lines.append(rim[apart])
        return tuple(lines)

    @property
    def outlines(self) -> list[np.ndarray]:
        """Polygons (P, 3) round each, head frame."""
        return [np.concatenate([ear.hinge, ear.rim[::-1]]) for ear in self._ears]


@cache
def _triangles(left: bool) -> np.ndarray:
    corner = np.arange(_ROWS * _COLUMNS).reshape(_ROWS, _COLUMNS)
    if not left:
        corner = corner[:, ::-1]
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]))
    return np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)]).astype(np.int32)


def in_order(depth: np.ndarray, away: np.ndarray, scale: float) -> np.ndarray:
    """Depths (M,), crop units, by which the triangles of ears are drawn: those whose normals point `away` (M,) from the camera
    are behind all of the head, and the others before it."""
    return depth + np.where(away > 0, _BEHIND, -_BEFORE) * scale


def find_ears(
    oval: np.ndarray,
    pose: tuple[np.ndarray, np.ndarray, float],
    person: Callable[[np.ndarray], np.ndarray],
    hides: tuple[float, float],
) -> Ears:
    """The ears that a portrait shows.

    Args:
        oval: (36, 3) `visiongen.landmarks.FACE_OVAL`, head frame.
        pose: Rotation, translation and scale of the portrait's head.
        person: Gives for points (A, B, 2), crop units, which are the person's, (A, B) bool.
        hides: How surely hair hides them, see `visiongen.hair.Hair`.
    """
    where = dict(zip(FACE_OVAL, oval))
    found = [
        _find(np.array([where[mark] for mark in marks]), sign, pose, person)
        for (marks, sign), hidden in zip(_SIDES, hides)
        if hidden <= _HIDDEN
    ]
    return Ears([ear for ear in found if ear])


def _find(side: np.ndarray, sign: float, pose, person) -> _Ear | None:
    rotation, translation, scale = pose
    height = side[_TRAGUS, 1] + np.linspace(-_UP, _DOWN, _ROWS)
    side = side[np.argsort(side[:, 1])]
    hinge = np.stack([np.interp(height, side[:, 1], side[:, axis]) for axis in range(3)], axis=1)
    hinge[:, 1] = height
    outward = sign * rotation[:2, 0]
    across = float(np.linalg.norm(outward))
    outward /= max(across, 1e-9)
    shown = float(rotation[:2, 2] @ outward)  # how much of its depth is seen
    if across < _ACROSS or shown < _AWAY:
        return None
    steps = np.linspace(0, _FAR, _STEPS)
    places = (hinge @ rotation.T * scale + translation)[:, None, :2] + steps[:, None] * scale * outward
    there = person(places) & ((places > 0) & (places < 1)).all(-1)
    inside = np.logical_and.accumulate(there, axis=1)  # up to where the background begins
    width = steps[np.maximum(inside.sum(1) - 1, 0)]
    usual = float(np.median(width[_MIDDLE]))
    if not _LEAST <= usual <= _MOST:
        return None
    width = np.minimum(width, _ROUND * usual * np.sqrt(1 - np.linspace(-1, 1, _ROWS) ** 2))
    width = np.minimum(width, _SMOOTH * gaussian_over_time(width, 1.0))
    depth = min(_DEEP, _STEEPEST * usual) * np.sqrt(width / max(float(width.max()), 1e-6))
    if shown > 0:
        depth = np.minimum(depth, _MOST_DEPTH * width / shown)
    flat = (width - depth * shown) / across
    way = np.stack([sign * flat, np.zeros(_ROWS), depth], axis=1)
    return _Ear(hinge, hinge + way, sign > 0)

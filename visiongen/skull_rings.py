"""The rings of vertices that continue the face mesh to a skull: where they are, and how they are joined.

Every ring has a vertex for each of the oval's, in its order. Two lie between the oval and the silhouette of the head, four
behind the silhouette. Everything in face widths, in the head frame; set by eye on portraits with short and long hair.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from visiongen.landmarks import FACE_OVAL
from visiongen.oval import by_direction, outward
from visiongen.pose import euler_angles, face_model
from visiongen.ramps import rising

OUT = (0.5, 1.0)
"""Rings between oval and silhouette, as shares of the way."""
BEHIND = ((0.04, 0.06, 0.15), (0.16, 0.45, 0.3), (0.5, 0.72, 0.3), (0.97, 0.78, 0.3))
"""Rings behind the silhouette: share of the way to the head's axis, depth behind the silhouette, and where the portrait
shows their colour, as a share of the way from the silhouette back to the oval."""
FIRST_OF_EARS = 468 + (len(OUT) + len(BEHIND)) * len(FACE_OVAL)
"""Of the vertices."""
_DEEP_UP, _DEEP_SIDE = 1.25, 0.9
"""These depths are so many times as large straight up, and at the height of the ears: a head is longest above them."""
_REACH_UP, _REACH_SIDE, _REACH_DOWN = 0.5, 0.3, 0.12
"""How far the silhouette is from the oval where nothing measures it: hair is high above a face and near its chin."""
_NECK = (0.1, 0.5)
"""Downward share of a direction from which, and to which, the neck takes the place of the skull."""
_CLOSED = (0.1, 0.6)
"""How free of the neck a direction is, of 1, from which, and from where on wholly, there is hair behind the head."""
_JAW_MOVES = (12.0, 28.0)
"""Degrees of turn to the side, or of a head that is lifted, between which a jaw leaves the neck behind."""


@cache
def ring_triangles() -> np.ndarray:
    """(M, 3) int32: the face's, then the skull's, ring by ring."""
    found, inner, count = [face_model().triangles], np.array(FACE_OVAL), len(FACE_OVAL)
    after = np.roll(np.arange(count), -1)
    skull = free() > 0
    for ring in range(len(OUT) + len(BEHIND)):
        outer = 468 + ring * count + np.arange(count)
        there = np.full(count, True) if ring < len(OUT) else skull | skull[after]  # no skull behind the neck
        found.append(np.stack([inner, outer, inner[after]], axis=1)[there])
        found.append(np.stack([inner[after], outer, outer[after]], axis=1)[there])
        inner = outer
    return np.concatenate(found).astype(np.int32)


@cache
def usual_reach() -> np.ndarray:
    """(36,) how far the silhouette is from the oval where nothing measures it."""
    return by_direction(_REACH_UP, _REACH_SIDE, _REACH_DOWN)


@cache
def depths() -> np.ndarray:
    """(36,) by how much the depths of `BEHIND` are larger in each direction."""
    return by_direction(_DEEP_UP, _DEEP_SIDE, 1.0)


@cache
def free() -> np.ndarray:
    """(36,) in [0, 1], how little of what is beyond a vertex of the oval is neck."""
    share = np.clip((_NECK[1] - outward()[:, 1]) / (_NECK[1] - _NECK[0]), 0, 1)
    return share * share * (3 - 2 * share)


@cache
def hair_behind() -> np.ndarray:
    """(36,) in [0, 1], how much of hair's colours the skull has behind the silhouette: none where it is as good as closed,
    where all of the hair would be a dot at an ear lobe."""
    return rising(free(), _CLOSED)


def ring_of(vertices: np.ndarray, number: int) -> np.ndarray:
    """(36, ...) the vertices of one ring, a view."""
    first = 468 + number * len(FACE_OVAL)
    return vertices[first : first + len(FACE_OVAL)]


def silhouette(vertices: np.ndarray) -> np.ndarray:
    """(36, 2) of vertices (N, 3) or (N, 2): the ring where the head is widest."""
    return ring_of(vertices, len(OUT) - 1)[:, :2]


def off_the_neck(own: np.ndarray, rotation: np.ndarray) -> float:
    """In [0, 1], how far a head turned by `rotation` (3, 3) has moved its jaw from where the neck is below it in a portrait
    turned by `own` (3, 3)."""
    turn = euler_angles(own.T @ rotation)
    return float(rising(float(np.degrees(np.hypot(turn[0], max(-turn[1], 0)))), _JAW_MOVES))


def by_side(right: float, left: float) -> np.ndarray:
    """(36,) of every vertex the value of its side of the face."""
    return np.where(outward()[:, 0] < 0, right, left)

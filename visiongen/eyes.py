"""Exact motion round the eyes, at the picture's own resolution.

An eye is a few cells high on the grid of the dense motion: lids that meet there still leave a slit. Here the triangles of lids
and eyeball are drawn at full resolution, so that an eye closes to the pixel and the gaze keeps its edge. And the rim of an
upper lid keeps its height: a lid that closes unrolls from its fold, and lashes do not grow with it.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from visiongen.drawing import box_round
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.pose import face_model
from visiongen.rasterise import affine_maps, rasterise

_REACH = 0.075
"""How far from the eye's outline the motion is made exact, face widths; at the rim it fades over half of it."""
_LEAST_AREA = 1e-6
"""Of a triangle, crop units squared."""
_MOST_CHANGE = 0.08
"""Largest correction of the motion, face widths."""
LIDS = (
    ((33, 246, 161, 160, 159, 158, 157, 173, 133), (130, 247, 30, 29, 27, 28, 56, 190, 243)),
    ((263, 466, 388, 387, 386, 385, 384, 398, 362), (359, 467, 260, 259, 257, 258, 286, 414, 463)),
)
"""Edge of each upper lid from the outer corner to the inner one, and the points of the mesh above it."""
_EDGES, _ABOVE = ([mark for pair in LIDS for mark in pair[part]] for part in (0, 1))
"""Of both eyes."""
LASHES, MOST_OF_LID = 0.03, 0.6
"""How high its rim is, with the lashes, face widths, but no more than such a share of the way to the points above."""


@cache
def _triangles() -> np.ndarray:
    """(M, 3) triangles of the face mesh round both eyes; between lids and the points above them two for one, with the rims of
    `_with_rims` in between."""
    model = face_model()
    edges = model.points[[*RIGHT_EYE, *LEFT_EYE], :2]
    distance = np.linalg.norm(model.points[:468, None, :2] - edges, axis=-1).min(1)
    found = model.triangles[(distance < _REACH)[model.triangles].all(1)]
    rims = []
    for number, (lid, above) in enumerate(LIDS):
        found = found[~(np.isin(found, lid + above).all(1) & np.isin(found, above).any(1))]
        rim = len(model.points) + number * len(lid) + np.arange(len(lid))
        for lower, upper in ((np.array(lid), rim), (rim, np.array(above))):
            rims += [np.stack([lower[:-1], upper[:-1], upper[1:]], 1), np.stack([lower[:-1], upper[1:], lower[1:]], 1)]
    new = np.concatenate(rims)
    seen = _area(_with_rims(model.points, np.full(len(_EDGES), 0.5)), new) > 0
    return np.concatenate([found, np.where(seen[:, None], new, new[:, ::-1])]).astype(np.int32)


def _with_rims(points: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(478 + 18, 3) landmarks and rims of the upper lids, at shares (18,) of the way to the points above."""
    lid = points[_EDGES]
    return np.concatenate([points, lid + share[:, None] * (points[_ABOVE] - lid)])


def _heights(points: np.ndarray) -> np.ndarray:
    """(18,) distance on the screen from the lids to the points above, face widths."""
    return np.linalg.norm((points[_ABOVE] - points[_EDGES])[:, :2], axis=1) / np.linalg.norm(points[234] - points[454])


def with_exact_eyes(
    flow: np.ndarray, source: np.ndarray, target: np.ndarray, *, units: tuple[float, float] = (1.0, 0.0)
) -> np.ndarray:
    """A dense motion made exact round the eyes.

    Args:
        flow: (S, S, 2) float32, at the resolution of the picture.
        source, target: (478, 3) landmarks of the portrait and of the frame, crop units.
        units: Scale and offset from crop units to those of `flow`.
    Returns:
        The same array, changed in place.
    """
    side = flow.shape[0]
    own, now = (np.maximum(_heights(points), 1e-6) for points in (source, target))
    rim = np.minimum(LASHES, MOST_OF_LID * np.minimum(own, now))
    source, target = _with_rims(source, rim / own), _with_rims(target, rim / now)
    triangles = _triangles()
    # What turns away, in the portrait or now, and lids that have met, have no pixels to give or to take.
    triangles = triangles[(_area(source, triangles) > _LEAST_AREA) & (_area(target, triangles) > _LEAST_AREA)]
    if not len(triangles):
        return flow
    x, y, depth = np.take(target.T, triangles.T, axis=1)  # each (3, M)
    corners = np.stack([x, y]) * side - 0.5
    box = box_round(corners.reshape(2, -1).T, side, before=1, after=2)
    if box is None:
        return flow
    left, top, right, bottom = box
    if right - left < 4 or bottom - top < 4:
        return flow
    corners -= np.array([left, top])[:, None, None]
    # By depth: a nose may hide an eye.
    index = rasterise(corners.T, depth.mean(0), (bottom - top, right - left))
    affine, _ = affine_maps(target, source, triangles)
    scale, offset = units
    affine = affine * np.float32(scale) + np.float32([0, 0, offset])
    # Each (2, rows, columns); of -1, unused, the last.
    a, b, c = np.take(np.moveaxis(affine, 0, -1), index, axis=2).swapaxes(0, 1)
    x = (np.arange(left, right, dtype=np.float32) + 0.5) / side
    y = (np.arange(top, bottom, dtype=np.float32)[:, None] + 0.5) / side
    part = flow[top:bottom, left:right]
    step = a * x + b * y + c - np.moveaxis(part, -1, 0)
    drawn = np.zeros((bottom - top + 2, right - left + 2), np.uint8)
    drawn[1:-1, 1:-1] = index >= 0
    fade = cv2.distanceTransform(drawn, cv2.DIST_L2, 3)[1:-1, 1:-1]
    width = np.linalg.norm(target[234] - target[454])
    weight = np.minimum(fade / np.float32(max(1.0, 0.5 * _REACH * width * side)), 1)
    # The coarse motion is right to a few cells; what is further off is a sliver seen edge-on.
    weight *= np.maximum(*np.abs(step)) < _MOST_CHANGE * width * scale
    for axis in range(2):
        part[..., axis] += weight * step[axis]
    return flow


def _area(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(M,) signed area on the screen, crop units squared; > 0 where the camera sees the outside."""
    (ax, bx, cx), (ay, by, cy) = np.take(points[:, :2].T, triangles.T, axis=1)
    return ((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)) / 2

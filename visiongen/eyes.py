"""Exact motion round the eyes, at the picture's own resolution.

An eye is a few cells high on the grid of the dense motion: lids that meet there still leave a slit. Here the triangles of lids
and eyeball are drawn at full resolution, so that an eye closes to the pixel and the gaze keeps its edge.
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


@cache
def _triangles() -> np.ndarray:
    """(M, 3) triangles of the face mesh round both eyes."""
    model = face_model()
    rims = model.points[[*RIGHT_EYE, *LEFT_EYE], :2]
    distance = np.linalg.norm(model.points[:468, None, :2] - rims, axis=-1).min(1)
    return model.triangles[(distance < _REACH)[model.triangles].all(1)]


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

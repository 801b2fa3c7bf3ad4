"""Exact motion round the eyes, at the picture's own resolution.

An eye is a few cells high on the grid of the dense motion: lids that meet there still leave a slit. Here the triangles of lids
and eyeball are drawn at full resolution, so that an eye closes to the pixel and the gaze keeps its edge.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from visiongen.flow import affine_maps, apply_affine
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.pose import face_model

_REACH = 0.075
"""How far from the eye's outline the motion is made exact, face widths; at the rim it fades over half of it."""
_SUBPIXEL = 4
_LEAST_AREA = 1e-6
"""Of a triangle, crop units squared."""
_MOST_CHANGE = 0.08
"""Largest correction of the motion, face widths."""


@cache
def _triangles() -> tuple[np.ndarray, ...]:
    """(M, 3) triangles of the face mesh round the right and the left eye."""
    model = face_model()
    found = []
    for ring in (RIGHT_EYE, LEFT_EYE):
        distance = np.linalg.norm(model.points[:468, None, :2] - model.points[list(ring), :2], axis=-1).min(1)
        found.append(model.triangles[(distance < _REACH)[model.triangles].all(1)])
    return tuple(found)


def with_exact_eyes(flow: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """A dense motion made exact round the eyes.

    Args:
        flow: (S, S, 2) float32 crop units, at the resolution of the picture.
        source, target: (478, 3) landmarks of the portrait and of the frame, crop units.
    Returns:
        The same array, changed in place.
    """
    side = flow.shape[0]
    for triangles in _triangles():
        # What turns away, in the portrait or now, and lids that have met, have no pixels to give or to take.
        triangles = triangles[(_area(source, triangles) > _LEAST_AREA) & (_area(target, triangles) > _LEAST_AREA)]
        if not len(triangles):
            continue
        corners = target[triangles, :2] * side - 0.5
        low = np.floor(corners.min((0, 1))).astype(int) - 1
        high = np.ceil(corners.max((0, 1))).astype(int) + 2
        left, top = np.clip(low, 0, side)
        right, bottom = np.clip(high, 0, side)
        if right - left < 4 or bottom - top < 4:
            continue
        index = np.full((bottom - top, right - left), -1, np.int32)
        fixed = np.round((corners - [left, top]) * 2**_SUBPIXEL).astype(np.int32)
        order = np.argsort(-target[triangles, 2].mean(1))  # far ones first, as where a nose hides an eye
        for i, polygon in zip(order.tolist(), fixed[order]):
            cv2.fillConvexPoly(index, polygon, i, cv2.LINE_8, _SUBPIXEL)
        covered = index >= 0
        affine, _ = affine_maps(target, source, triangles)
        rows, columns = np.nonzero(covered)
        here = np.stack([columns + left + 0.5, rows + top + 0.5], axis=-1).astype(np.float32) / side
        exact = apply_affine(affine[index[covered]], here)
        fade = cv2.distanceTransform(np.pad(covered.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        width = np.linalg.norm(target[234] - target[454])
        weight = np.clip(fade / max(1.0, 0.5 * _REACH * width * side), 0, 1)[covered][:, None]
        part = flow[top:bottom, left:right]
        step = exact - part[covered]
        # The coarse motion is right to a few cells; what is further off is a sliver seen edge-on.
        weight = weight * (np.abs(step).max(-1, keepdims=True) < _MOST_CHANGE * width)
        part[covered] += weight * step
    return flow


def _area(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(M,) signed area on the screen, crop units squared; > 0 where the camera sees the outside."""
    a, b, c = (points[triangles[:, i], :2] for i in range(3))
    return ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / 2

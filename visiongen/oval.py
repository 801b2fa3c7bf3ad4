"""The oval that ends the face mesh, of the canonical face: which way is outward, what lies near it, where the cheeks are.

Its vertices are the 36 of `visiongen.landmarks.FACE_OVAL`, in their order; lengths are face widths in the head frame.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from visiongen.landmarks import FACE_OVAL, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from visiongen.pose import face_model

_CLEAR = 0.05
"""Of brows and eyes."""
_CHEEK, _CHEEK_WIDTH = 0.08, 0.16
"""How far inward, at the rim, and over what distance that fades."""


@cache
def outward() -> np.ndarray:
    """(36, 2) unit vectors away from the middle, x to the subject's left, y down."""
    outline = face_model().points[list(FACE_OVAL), :2]
    outline = outline - outline.mean(0)
    return outline / np.linalg.norm(outline, axis=1, keepdims=True)


def by_direction(up: float, side: float, down: float) -> np.ndarray:
    """(36,) of every vertex what lies between the values straight up, to the side and down."""
    x, y = outward().T
    return np.where(y < 0, up, down) * y**2 + side * x**2


@cache
def _depth() -> np.ndarray:
    """(468,) how far within the oval each point of the mesh is, < 0 outside of it."""
    points = face_model().points[:468, :2]
    oval = points[list(FACE_OVAL)].astype(np.float32)
    return np.array([cv2.pointPolygonTest(oval, (float(x), float(y)), True) for x, y in points])


def rim(width: float) -> np.ndarray:
    """Indices of the mesh points that are on the oval, or less than `width` within it."""
    return np.flatnonzero(_depth() < width)


@cache
def cheeks() -> np.ndarray:
    """(468,) how far inward a point takes its colour from in a head that is turned far: at the sides of the face, and no
    farther than to brows and eyes, which would be drawn out in their turn."""
    points = face_model().points[:468]
    direction = points[:, :2] - points[list(FACE_OVAL), :2].mean(0)
    side = np.abs(direction[:, 0]) / np.maximum(np.linalg.norm(direction, axis=1), 1e-9)
    near = np.clip(1 - _depth() / _CHEEK_WIDTH, 0, 1)
    step = _CHEEK * near * near * np.clip((side - 0.5) / 0.3, 0, 1)
    features = points[[*RIGHT_BROW, *LEFT_BROW, *RIGHT_EYE, *LEFT_EYE], :2]
    clear = np.linalg.norm(points[:, None, :2] - features, axis=-1).min(1) - _CLEAR
    return np.minimum(step, np.maximum(clear, 0) / 2)

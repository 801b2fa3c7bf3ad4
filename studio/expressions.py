"""Landmarks over time as curves with a meaning: how far eyes and mouth are open, where the head points."""

from __future__ import annotations

import numpy as np

from visiongen.landmarks import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from visiongen.pose import euler_angles, fit_head

ANGLES = ("Yaw", "Pitch", "Roll")
_LIDS = {"Right eye": ((159, 145), (33, 133)), "Left eye": ((386, 374), (263, 362))}
_BROWS = {"Right brow": ((105, 66, 63), RIGHT_EYE), "Left brow": ((334, 296, 293), LEFT_EYE)}
CURVES = {
    "Mouth open": "height of the mouth's opening, in face widths",
    "Mouth wide": "distance between the corners of the mouth, in face widths",
    "Right eye": "opening between the lids over the eye's width; the subject's own right",
    "Left eye": "opening between the lids over the eye's width; the subject's own left",
    "Right brow": "height of the brow over the eye, in face widths",
    "Left brow": "height of the brow over the eye, in face widths",
    "Gaze sideways": "place of the irises between the corners of the eyes; 0 is the middle, plus the picture's right",
}
"""Expression curves and what they measure."""


def degrees(rotation: np.ndarray) -> np.ndarray:
    """(T, 3) yaw, pitch and roll of head rotations (T, 3, 3), degrees; turns beyond 180 are continued."""
    return np.rad2deg(np.unwrap(euler_angles(rotation.astype(np.float64)), axis=0))


def head_frame(points: np.ndarray) -> np.ndarray:
    """Landmarks (T, 478, 3) px with the head's own motion taken out: head axes, face widths; NaN stays NaN."""
    result = np.full(points.shape, np.nan, np.float32)
    seen = ~np.isnan(points).any((1, 2))
    if seen.any():
        shown = points[seen].astype(np.float64)
        rotation, translation, scale = fit_head(shown)
        result[seen] = np.einsum("tji,tnj->tni", rotation, shown - translation[:, None]) / scale[:, None, None]
    return result


def expression_curves(points: np.ndarray) -> dict[str, np.ndarray]:
    """`CURVES` of landmarks (T, 478, 3) px: name -> (T,), NaN where no face was seen."""
    head = head_frame(points)

    def apart(a: int, b: int) -> np.ndarray:
        return np.linalg.norm(head[:, a] - head[:, b], axis=-1)

    curves = {"Mouth open": apart(13, 14), "Mouth wide": apart(61, 291)}
    for name, (lids, corners) in _LIDS.items():
        curves[name] = apart(*lids) / np.maximum(apart(*corners), 1e-6)
    for name, (brow, eye) in _BROWS.items():
        curves[name] = head[:, list(eye), 1].mean(1) - head[:, list(brow), 1].mean(1)
    looks = []
    for iris, corners in ((RIGHT_IRIS, (33, 133)), (LEFT_IRIS, (362, 263))):
        left, right = (head[:, corner, 0] for corner in corners)
        looks.append((head[:, iris[0], 0] - (left + right) / 2) / np.maximum(right - left, 1e-6))
    curves["Gaze sideways"] = np.mean(looks, axis=0)
    return {name: curves[name].astype(np.float32) for name in CURVES}


def first_seen(points: np.ndarray) -> np.ndarray | None:
    """(478, 3) of the first frame of (T, 478, 3) that shows a face."""
    seen = np.flatnonzero(~np.isnan(points).any((1, 2)))
    return points[seen[0]] if len(seen) else None

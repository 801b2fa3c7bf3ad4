"""Head pose: a similarity between the rest face and observed landmarks.

The rest face is our own mean over many fitted faces (`visiongen.training.rest_face` makes it), in the head frame:
x to the picture's right, y down, z away from the camera, origin at the middle of the expression-stable points, unit one
face width (between landmarks 234 and 454).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np


@dataclass(frozen=True, eq=False)
class FaceModel:
    """What is known of every face beforehand."""

    points: np.ndarray
    """(478, 3) float32, the rest face, face widths."""
    stability: np.ndarray
    """(478,) float32 >= 0, weight of a landmark in the fit: large where expressions hardly move it; 0 for the iris."""
    triangles: np.ndarray
    """(898, 3) int32, the closed face mesh (mouth and eyes filled), clockwise on the screen when facing the camera."""
    mirror: np.ndarray
    """(478,) int32, index of the same point on the other side of the face."""


@cache
def face_model() -> FaceModel:
    """The shipped face model."""
    with (
        resources.as_file(resources.files("visiongen") / "data" / "face_model.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        return FaceModel(data["points"], data["stability"], data["triangles"], data["mirror"])


def fit_similarity(
    target: np.ndarray, source: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least-squares ``target = scale * rotation @ source + translation`` for every frame.

    Args:
        target: (T, N, D) observed points.
        source: (N, D) model points.
        weights: (N,) >= 0.
    Returns:
        rotation (T, D, D), orthonormal with determinant 1; translation (T, D); scale (T,). float64.
    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991, eq. 39-43.
    """
    w = np.asarray(weights, np.float64) / np.sum(weights)
    source_mean = w @ source
    target_mean = w @ target
    centred = (source - source_mean) * w[:, None]
    covariance = (target - target_mean[:, None]).swapaxes(1, 2) @ centred
    u, singular, vt = np.linalg.svd(covariance)
    sign = np.ones_like(singular)
    sign[:, -1] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    variance = np.sum(centred * (source - source_mean))
    scale = np.sum(singular * sign, axis=1) / variance
    translation = target_mean - scale[:, None] * (rotation @ source_mean)
    return rotation, translation, scale


def fit_head(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Head pose of observed faces.

    Args:
        points: (T, 478, 3) px, without NaN.
    Returns:
        rotation (T, 3, 3); translation (T, 3) px; scale (T,) px per face width.
    """
    model = face_model()
    return fit_similarity(points, model.points, model.stability)


def euler_angles(rotation: np.ndarray) -> np.ndarray:
    """Yaw, pitch and roll of head rotations.

    Args:
        rotation: (..., 3, 3).
    Returns:
        (..., 3) radians: yaw > 0 looks to the picture's right, pitch > 0 looks down, roll > 0 turns clockwise.
    """
    forward = -rotation[..., :, 2]  # the nose points at the camera, against z
    side = rotation[..., :, 0]
    yaw = np.arctan2(forward[..., 0], -forward[..., 2])
    pitch = np.arcsin(np.clip(forward[..., 1], -1, 1))
    roll = np.arctan2(side[..., 1], side[..., 0])
    return np.stack([yaw, pitch, roll], axis=-1)

"""Rotation matrices to vectors and back, their mean, and a Gaussian over time: the little of SciPy that every job needs.

SciPy's own are as exact; importing them takes a third of a second, which is a tenth of the time to a first frame.
"""

from __future__ import annotations

import numpy as np


def rotation_vectors(matrices: np.ndarray) -> np.ndarray:
    """(T, 3) axis times angle, radians in [0, pi], of rotation matrices (T, 3, 3).

    Source: Markley, "Unit quaternion from rotation matrix", 2008.
    """
    m = np.moveaxis(np.asarray(matrices, np.float64), 0, -1)  # (3, 3, T)
    trace = m[0, 0] + m[1, 1] + m[2, 2]
    # Four ways to the quaternion (x, y, z, w), each exact where its own part is the largest.
    ways = np.array(
        [
            [1 - trace + 2 * m[0, 0], m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] - m[1, 2]],
            [m[1, 0] + m[0, 1], 1 - trace + 2 * m[1, 1], m[2, 1] + m[1, 2], m[0, 2] - m[2, 0]],
            [m[2, 0] + m[0, 2], m[2, 1] + m[1, 2], 1 - trace + 2 * m[2, 2], m[1, 0] - m[0, 1]],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1 + trace],
        ]
    )
    best = np.argmax([m[0, 0], m[1, 1], m[2, 2], trace], axis=0)
    quaternion = ways[best, :, np.arange(len(best))]
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)
    quaternion *= np.where(quaternion[:, 3:] < 0, -1, 1)
    half_sine = np.linalg.norm(quaternion[:, :3], axis=1, keepdims=True)
    angle = 2 * np.arctan2(half_sine, quaternion[:, 3:])
    return quaternion[:, :3] * np.where(half_sine > 1e-9, angle / np.maximum(half_sine, 1e-9), 2.0)


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """(T, 3, 3) of rotation vectors (T, 3): the inverse of `rotation_vectors`, by Rodrigues' formula."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=1)[:, None, None]
    x, y, z = vectors.T
    nought = np.zeros_like(x)
    cross = np.array([[nought, -z, y], [z, nought, -x], [-y, x, nought]]).transpose(2, 0, 1)
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)


def mean_rotation(matrices: np.ndarray) -> np.ndarray:
    """(3, 3) the rotation with the least sum of squared differences from (T, 3, 3)."""
    u, _, vt = np.linalg.svd(np.asarray(matrices, np.float64).mean(0))
    return u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt


def gaussian_over_time(values: np.ndarray, sigma: float, *, circle: bool = False) -> np.ndarray:
    """(T,) float64: values (T,) smoothed with a deviation of `sigma` samples, out to four of them.

    Args:
        values: (T,).
        sigma: Samples, more than 0.
        circle: The end is followed by the beginning; else by the last value.
    """
    reach = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 / sigma**2 * np.arange(-reach, reach + 1) ** 2)
    padded = np.pad(np.asarray(values, np.float64), reach, mode="wrap" if circle else "edge")
    return np.convolve(padded, kernel / kernel.sum(), "valid")

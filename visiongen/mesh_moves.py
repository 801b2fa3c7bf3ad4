"""Moves parts of a face mesh to where a picture shows them, and what is around goes along."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import cv2
import numpy as np

from visiongen.pose import face_model

_REACH = 0.28
"""Face widths from what is moved up to which the skin goes along."""


def with_rings(
    landmarks: np.ndarray,
    rings: dict[tuple[int, ...], np.ndarray],
    *,
    beside: Sequence[tuple[int, int]] = (),
    kept: Collection[int] = (),
) -> np.ndarray:
    """Landmarks of which some are where they shall be. The skin around goes along: every point stays the same mean of its
    neighbours, by mean value coordinates (Floater 2003), whose weights are positive, so that hardly a triangle folds.

    Args:
        landmarks: (478, 3) px.
        rings: Of points of the mesh (N), their places (N, 2) px.
        beside: Pairs of such a point and a next one that goes exactly as it does.
        kept: Points that stay where they are.
    """
    flat = face_model().points[:, :2]
    weights = _mean_values(landmarks[:, :2].astype(np.float64))
    given = [mark for ring in rings for mark in ring]
    fixed = np.linalg.norm(flat[:, None] - flat[given], axis=-1).min(1) > _REACH
    fixed[468:] = True
    fixed[list(kept)] = True
    step = np.zeros((len(landmarks), 2))
    step[given] = np.concatenate(list(rings.values())) - landmarks[given, :2]
    fixed[given] = True
    # The mean of a round lid's points lies inside of it: what is next to a lid goes as it does.
    for own, beyond in beside:
        if own in given:
            step[beyond], fixed[beyond] = step[own], True
    free = ~fixed
    step[free] = np.linalg.solve(
        np.diag(weights[free].sum(1)) - weights[np.ix_(free, free)], weights[np.ix_(free, fixed)] @ step[fixed]
    )
    moved = landmarks.copy()
    moved[:, :2] += step
    return moved


def _mean_values(points: np.ndarray) -> np.ndarray:
    """(N, N) weights of every point's neighbours in the face mesh, points (N, 2)."""
    triangles, weights = face_model().triangles, np.zeros((len(points),) * 2)
    for i in range(3):
        own, *others = triangles[:, i], triangles[:, (i + 1) % 3], triangles[:, (i + 2) % 3]
        ways = [points[other] - points[own] for other in others]
        lengths = [np.maximum(np.linalg.norm(way, axis=1), 1e-6) for way in ways]
        cosine = (ways[0] * ways[1]).sum(1) / (lengths[0] * lengths[1])
        half = np.sqrt(np.clip(1 - cosine, 0, None) / np.clip(1 + cosine, 1e-6, None))  # tangent of half the angle
        for other, length in zip(others, lengths):
            np.add.at(weights, (own, other), half / length)
    return weights


def ring_round(mask: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """A ring of points round a mask, from its one corner along its upper edge to the other, and back along the lower one.

    Args:
        mask: (H, W) in [0, 1].
        shares: (2 N,) how far along each point is, from the one corner, 0, to the other, 1, which has the index N.
    Returns:
        (2 N, 2) px.
    """
    high = mask.sum(0)
    open_columns = np.flatnonzero(high > 0.5)
    first, last = open_columns[0], open_columns[-1] + 1
    rows, columns = (np.arange(size) + 0.5 for size in mask.shape)
    middle = (mask * rows[:, None]).sum(0)[open_columns] / high[open_columns]
    half, corner = high[open_columns] / 2, len(shares) // 2
    x = first + (last - first) * shares
    x[0], x[corner] = first, last
    way = np.zeros(len(shares))
    way[1:corner], way[corner + 1 :] = -1, 1
    at = columns[open_columns]
    return np.stack([x, np.interp(x, at, middle) + way * np.interp(x, at, half)], 1)


def shares_along(ring: np.ndarray) -> np.ndarray:
    """(2 N,) of a ring (2 N, 2) px the `shares` that `ring_round` needs."""
    width = ring[len(ring) // 2, 0] - ring[0, 0]
    return np.clip((ring[:, 0] - ring[0, 0]) / (width if abs(width) > 1e-6 else 1.0), 0.03, 0.97)


def filled(ring: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) bool: inside a ring (N, 2) px."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(np.clip(ring - 0.5, -1000, 1000)).astype(np.int32)], 1)
    return mask > 0

"""A face as a small picture in which every landmark has its fixed place, whatever the head does."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from visiongen.pose import face_model

SIDE = 64
"""Rows and columns of the picture."""
CELLS = 16
"""Rows and columns in which it is said what is covered."""
_FACE_PIXELS = 96
"""A face wider than this is made smaller before it is read, so that nothing is skipped between cells, px."""


@cache
def _cells() -> tuple[np.ndarray, np.ndarray]:
    """Triangle under every cell, (SIDE, SIDE) int32, -1 outside the face; its barycentric coordinates (SIDE, SIDE, 3)."""
    points = face_model().points[:468, :2].astype(np.float64)
    low, high = points.min(0), points.max(0)
    flat = (points - low) / (high - low) * (SIDE - 2) + 1
    axis = np.arange(SIDE) + 0.5
    place = np.stack(np.meshgrid(axis, axis), axis=-1)
    index = np.full((SIDE, SIDE), -1, np.int32)
    weights = np.zeros((SIDE, SIDE, 3))
    triangles = face_model().triangles
    for number in np.argsort(-face_model().points[triangles, 2].mean(1)):  # far ones first, near ones over them
        corners = flat[triangles[number]]
        edges = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=-1)
        if abs(np.linalg.det(edges)) < 1e-9:
            continue
        b, c = np.moveaxis((place - corners[0]) @ np.linalg.inv(edges).T, -1, 0)
        inside = (b >= -1e-9) & (c >= -1e-9) & (b + c <= 1 + 1e-9)
        index[inside] = number
        weights[inside] = np.stack([1 - b - c, b, c], axis=-1)[inside]
    return index, weights


@cache
def face_cells() -> np.ndarray:
    """(SIDE, SIDE) bool: which cells belong to the face."""
    return _cells()[0] >= 0


def unwrapped(image: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The face of a picture, unwrapped.

    Args:
        image: (H, W, 3) or (H, W) uint8.
        points: (478, 3) landmarks, px.
    Returns:
        (SIDE, SIDE, 3) or (SIDE, SIDE) uint8, and (SIDE, SIDE) float32: how much the cell's surface faces the camera, as
        a cosine; 0 where it is turned away or outside the picture or the face.
    """
    index, weights = _cells()
    triangles = face_model().triangles
    place = np.einsum("yxk,yxkc->yxc", weights, points[triangles[index], :2].astype(np.float64))
    height, width = image.shape[:2]
    inside = ((place > 0) & (place < [width, height])).all(-1) & (index >= 0)
    left, top = np.floor(points[:468, :2].min(0) - 4).astype(int).clip(0)
    right, bottom = np.ceil(points[:468, :2].max(0) + 4).astype(int).clip(0)
    part = image[top:bottom, left:right]
    if not part.size:
        return np.zeros((SIDE, SIDE, *image.shape[2:]), np.uint8), np.zeros((SIDE, SIDE), np.float32)
    shrink = min(1.0, _FACE_PIXELS / max(right - left, 1))
    if shrink < 1:
        size = (max(1, round(part.shape[1] * shrink)), max(1, round(part.shape[0] * shrink)))
        scale = np.array([size[0] / part.shape[1], size[1] / part.shape[0]])
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    else:
        scale = np.ones(2)
    grid = ((place - [left, top]) * scale - 0.5).astype(np.float32)
    texture = cv2.remap(part, grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    corners = points[triangles].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    cosine = np.maximum(normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12), 0)
    facing = np.where(inside, cosine[index], 0).astype(np.float32)
    texture[~inside] = 0
    return texture, facing

"""Square pieces of a picture, upright on the line through the eyes, for small networks to look at."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from visiongen.faces import warped_square
from visiongen.landmarks import FACE_OVAL, LEFT_EYE


class Patch(NamedTuple):
    """A piece of a picture; one of a left eye is mirrored."""

    pixels: np.ndarray
    """(side, side, 3) uint8."""
    linear: np.ndarray
    """(2, 2)"""
    shift: np.ndarray
    """(2,): px of the picture to px of the patch, from outer corners."""

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2+), px of the picture, as px of the patch."""
        return points[..., :2] @ self.linear.T + self.shift

    def picture(self, points: np.ndarray) -> np.ndarray:
        """The way back."""
        return (points - self.shift) @ np.linalg.inv(self.linear).T


def eye_patch(image: np.ndarray, landmarks: np.ndarray, eye: tuple[int, ...], *, side: int, extent: float) -> Patch:
    """The surroundings of an eye.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) px.
        eye: Ring of its lids; a left one is mirrored.
        side: px of the patch.
        extent: Its side, face widths.
    """
    return _patch(image, landmarks, eye, side=side, extent=extent, mirrored=eye == LEFT_EYE)


def face_patch(image: np.ndarray, landmarks: np.ndarray, *, side: int, extent: float) -> Patch:
    """A face, with the middle of its oval in the middle; arguments as of `eye_patch`."""
    return _patch(image, landmarks, FACE_OVAL, side=side, extent=extent, mirrored=False)


def _patch(
    image: np.ndarray, landmarks: np.ndarray, ring: tuple[int, ...], *, side: int, extent: float, mirrored: bool
) -> Patch:
    points = landmarks[:, :2].astype(np.float64)
    across = points[263] - points[33]
    x, y = across / max(np.linalg.norm(across), 1e-6)
    linear = np.array([[x, y], [-y, x]]) * side / (extent * max(np.linalg.norm(points[234] - points[454]), 1e-6))
    if mirrored:
        linear[0] *= -1
    middle = points[list(ring)].mean(0)
    shift = side / 2 - linear @ middle
    scale = np.sqrt(abs(np.linalg.det(linear)))
    reach = side / scale  # more than half of the patch's diagonal
    low, high = (np.clip(middle + way, 0, image.shape[1::-1]).astype(int) for way in (-reach, reach))
    part = image[low[1] : high[1] + 1, low[0] : high[0] + 1]
    if not part.size:
        part, low = image, np.zeros(2)
    matrix = np.c_[linear, shift + linear @ low]
    pixels = warped_square(part, matrix, side, cv2.BORDER_REPLICATE, flags=cv2.INTER_LINEAR)
    return Patch(pixels, linear, shift)

"""Maps of what is small in a face and moves most: its mouth, its eyes, its irises."""

from __future__ import annotations

import math

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, box_round, fixed
from visiongen.landmarks import INNER_LIPS, LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

LEVELS = np.arange(256, dtype=np.float32) / 255
"""Of what is drawn in 8 bits."""
_FINER = 4
"""Times finer, small openings are drawn before they are averaged."""


def draw_features(points: np.ndarray, maps: np.ndarray) -> None:
    """Draws a face's features.

    Args:
        points: (478, 3) landmarks, crop units.
        maps: (3, G, G) float32, written: inside of the mouth, openings of the eyes, irises, each in [0, 1].
    """
    side = maps.shape[-1]
    flat = points[:, :2]
    drawn = np.zeros(maps.shape, np.uint8)
    for channel, rings in ((0, (INNER_LIPS,)), (1, (RIGHT_EYE, LEFT_EYE))):
        for ring in rings:
            _draw_small(drawn[channel], flat[list(ring)])
    for iris in (RIGHT_IRIS, LEFT_IRIS):
        centre, *rim = flat[list(iris)].tolist()
        radius = sum(math.dist(centre, point) for point in rim) / len(rim) * side
        if math.isfinite(radius):
            at = fixed(np.array([centre]) * side)[0, 0]
            cv2.circle(drawn[2], at, max(1, round(radius * 2**SUBPIXEL)), 255, -1, cv2.LINE_AA, shift=SUBPIXEL)
    cv2.LUT(drawn.reshape(1, -1), LEVELS, maps.reshape(1, -1))
    maps[2] *= maps[1]  # lids cover the iris


def _draw_small(target: np.ndarray, ring: np.ndarray) -> None:
    """Adds a small opening (N, 2), crop units, to (G, G) uint8. OpenCV also fills the outline: a closed eye would keep half
    an open one's area. Finer pixels, finer outline; only where the opening is."""
    side = len(target)
    box = box_round(ring * side, side, before=1, after=1)
    if box is None:
        return
    left, top, right, bottom = box
    fine = np.zeros((_FINER * (bottom - top), _FINER * (right - left)), np.uint8)
    corners = fixed(ring * (_FINER * side)) - np.array([left, top], np.int32) * (_FINER << SUBPIXEL)
    cv2.fillPoly(fine, [corners], 255, cv2.LINE_8, shift=SUBPIXEL)
    part = target[top:bottom, left:right]
    np.maximum(part, cv2.resize(fine, part.shape[::-1], interpolation=cv2.INTER_AREA), out=part)

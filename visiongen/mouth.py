"""The inside of a mouth that the portrait shows closed: drawn, because there is nothing to move there.

Stretching closed lips over an open mouth is the commonest fault of warping, and a network trained on averages paints
lip-coloured mist. This draws what open mouths look like in the median (dark corners, a band of teeth, the tongue), in
the light of the portrait's own lips, and only as far as the portrait lacks it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import cv2
import numpy as np

from visiongen.landmarks import INNER_LIPS, OUTER_LIPS
from visiongen.pose import fit_head

SIDE = 256
"""Rows and columns in which the inside is drawn."""
ROWS, COLUMNS = 8, 13
"""Grid of the median mouth, upper to lower lip and corner to corner."""
_UPPER = INNER_LIPS[:11]  # from the right corner over the upper lip to the left corner
_LOWER = (INNER_LIPS[0], *INNER_LIPS[:9:-1])
_SUBPIXEL = 4
# In face widths: a gap below the first shows nothing, one above the second everything.
_NARROW, _WIDE = 0.012, 0.045
_CONTRAST, _PIVOT = 1.8, 0.85
"""The median of many mouths is flatter than any one of them; this gives back what it lost."""
_LIGHT = (0.12, 1.5)
"""Darkest and brightest share of the lips' light that is drawn."""
_SATURATION = 0.55
"""Colourfulness of the inside in that of the lips: teeth are nearly grey. A statue's mouth stays marble."""


@cache
def _median_mouth() -> tuple[np.ndarray, np.ndarray]:
    """(2, ROWS, COLUMNS) shares of the lips' light, and the two openings they belong to, face widths."""
    with (
        resources.as_file(resources.files("visiongen") / "data" / "mouth.npz") as path,
        np.load(path, allow_pickle=False) as data,
    ):
        relative = (data["relative"].mean(-1) - _PIVOT) * _CONTRAST + _PIVOT
        return np.clip(relative, *_LIGHT), data["openings"]


class MouthInterior:
    """Draws the inside of one portrait's mouth at any opening."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        self._lips = lip_colour(crop, source)
        self._opening = _opening(source)

    def __call__(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """What to lay over a frame, or None where the portrait itself shows enough.

        Args:
            target: (478, 3) landmarks, crop units.
        Returns:
            Colour (SIDE, SIDE, 3) float32 in [0, 255] and weight (SIDE, SIDE) float32 in [0, 1].
        """
        opening = _opening(target)
        wide = np.clip((opening - _NARROW) / (_WIDE - _NARROW), 0, 1)
        lacking = np.clip(1 - 1.5 * self._opening / max(opening, 1e-6), 0, 1)
        strength = float(wide * wide * (3 - 2 * wide) * lacking)
        if strength < 0.02:
            return None
        upper, lower = gap_lines(target, COLUMNS + 1)  # borders of the grid's cells
        colour, inside = self._drawn(upper, lower, opening)
        softness = max(0.6, 0.1 * float(np.linalg.norm(lower - upper, axis=1).max()) * SIDE)
        covered = np.maximum(cv2.GaussianBlur(inside, (0, 0), softness), 1e-3)[..., None]
        colour = cv2.GaussianBlur(colour, (0, 0), softness) / covered  # blurred among themselves, not with the outside
        return colour, strength * cv2.GaussianBlur(inside, (0, 0), 0.7)

    def _drawn(self, upper: np.ndarray, lower: np.ndarray, opening: float) -> tuple[np.ndarray, np.ndarray]:
        medians, openings = _median_mouth()
        share = np.clip((opening - openings[0]) / (openings[1] - openings[0]), 0, 1)
        grey = self._lips.mean()
        tint = grey + _SATURATION * (self._lips - grey)
        cells = np.clip(((1 - share) * medians[0] + share * medians[1])[..., None] * tint, 0, 245)
        down = np.linspace(0, 1, ROWS + 1)[:, None, None]
        corners = (upper * (1 - down) + lower * down) * SIDE - 0.5  # (ROWS + 1, COLUMNS + 1, 2)
        corners = np.round(np.clip(corners, -SIDE, 2 * SIDE) * 2**_SUBPIXEL).astype(np.int32)
        colour, inside = np.zeros((SIDE, SIDE, 3), np.float32), np.zeros((SIDE, SIDE), np.float32)
        for row in range(ROWS):
            for column in range(COLUMNS):
                a, b = corners[row, column : column + 2], corners[row + 1, column : column + 2][::-1]
                cell = np.concatenate([a, b])[:, None]
                cv2.fillConvexPoly(colour, cell, cells[row, column].tolist(), cv2.LINE_8, _SUBPIXEL)
                cv2.fillConvexPoly(inside, cell, 1.0, cv2.LINE_8, _SUBPIXEL)
        return colour, inside


def gap_lines(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower border of the mouth's opening, (count, 2) each, from corner to corner, in the units of `points`."""
    at, known = np.linspace(0, 10, count), np.arange(11)
    lines = (points[list(ring), :2] for ring in (_UPPER, _LOWER))
    upper, lower = (np.stack([np.interp(at, known, line[:, axis]) for axis in (0, 1)], axis=-1) for line in lines)
    return upper, lower


def _opening(points: np.ndarray) -> float:
    """Largest gap of the inner lips, face widths."""
    scale = fit_head(np.asarray(points, np.float64)[None])[2][0]
    upper, lower = points[list(_UPPER), :2], points[list(_LOWER), :2]
    return float(np.linalg.norm(upper - lower, axis=1).max() / scale)


def lip_colour(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(3,) mean colour of the lips of a square picture, without what is between them; landmarks in crop units."""
    side = picture.shape[0]
    masks = []
    for ring in (OUTER_LIPS, INNER_LIPS):
        mask = np.zeros((side, side), np.uint8)
        cv2.fillPoly(mask, [np.round(points[list(ring), :2] * side - 0.5).astype(np.int32)[:, None]], 1)
        masks.append(mask)
    lips = (masks[0] > 0) & (masks[1] == 0)
    return np.maximum(picture[lips].mean(0), 8.0) if lips.any() else np.array([150.0, 90.0, 85.0])


def lay_over(frame: np.ndarray, inside: tuple[np.ndarray, np.ndarray] | None) -> np.ndarray:
    """`frame` (S, S, 3) uint8 with the inside of the mouth in it."""
    if inside is None:
        return frame
    colour, weight = inside
    rows, columns = (np.flatnonzero(weight.any(axis)) for axis in (1, 0))
    if not len(rows):
        return frame
    # Only the mouth's own rectangle is touched, with two pixels to spare for the interpolation.
    side = frame.shape[0]
    scale = side / SIDE
    top, left = (max(0, int((x[0] - 2) * scale)) for x in (rows, columns))
    bottom, right = (min(side, int((x[-1] + 3) * scale) + 1) for x in (rows, columns))
    size, shift = (right - left, bottom - top), np.array([left, top])
    # (p + 0.5 + shift) / scale - 0.5 is where a pixel of the rectangle lies in the drawing.
    matrix = np.c_[np.eye(2) / scale, (0.5 + shift) / scale - 0.5]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colour, weight = (cv2.warpAffine(x, matrix, size, flags=flags) for x in (colour, weight))
    part = frame[top:bottom, left:right].astype(np.float32)
    frame = frame.copy()
    frame[top:bottom, left:right] = np.clip(part + weight[..., None] * (colour - part) + 0.5, 0, 255).astype(np.uint8)
    return frame

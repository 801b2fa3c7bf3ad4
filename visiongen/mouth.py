"""The inside of a mouth that the portrait shows closed: drawn, because there is nothing to move there.

Stretching closed lips over an open mouth is the commonest fault of warping, and a network trained on averages paints
lip-coloured mist. This draws what open mouths look like in the median (dark corners, a band of teeth, the tongue), in
the light of the portrait's own lips, and only as far as the portrait lacks it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NamedTuple

import cv2
import numpy as np

from visiongen.landmarks import INNER_LIPS, OUTER_LIPS
from visiongen.pose import fit_head

SIDE = 256
"""Rows and columns of the crop, for which the inside is drawn."""
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


class Inside(NamedTuple):
    """What is drawn of a mouth: a rectangle of the crop, brought to `SIDE` rows and columns."""

    colour: np.ndarray
    """(h, w, 3) float32 in [0, 255]."""
    weight: np.ndarray
    """(h, w) float32 in [0, 1]."""
    corner: tuple[int, int]
    """Column and row of its top-left pixel."""


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

    def __call__(self, target: np.ndarray) -> Inside | None:
        """What to lay over a frame, or None where the portrait itself shows enough.

        Args:
            target: (478, 3) landmarks, crop units.
        """
        opening = _opening(target)
        wide = np.clip((opening - _NARROW) / (_WIDE - _NARROW), 0, 1)
        lacking = np.clip(1 - 1.5 * self._opening / max(opening, 1e-6), 0, 1)
        strength = float(wide * wide * (3 - 2 * wide) * lacking)
        if strength < 0.02:
            return None
        upper, lower = (line * SIDE - 0.5 for line in gap_lines(target, COLUMNS + 1))  # borders of the grid's cells
        softness = max(0.6, 0.1 * float(np.linalg.norm(lower - upper, axis=1).max()))
        # Only the mouth's own rectangle is drawn, and a rim in which the blur of its inside ends.
        both, rim = np.concatenate([upper, lower]), 2 * softness + 4
        left, top = np.clip(np.floor(both.min(0) - rim), 0, SIDE).astype(int)
        right, bottom = np.clip(np.ceil(both.max(0) + rim) + 1, 0, SIDE).astype(int)
        if right <= left or bottom <= top:
            return None
        drawn = self._drawn(upper - [left, top], lower - [left, top], opening, (bottom - top, right - left))
        blurred = cv2.GaussianBlur(drawn, (0, 0), softness)
        colour = blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-3)  # blurred among themselves, not with the outside
        weight = strength * cv2.GaussianBlur(np.ascontiguousarray(drawn[..., 3]), (0, 0), 0.7)
        return Inside(colour, weight, (int(left), int(top)))

    def _drawn(self, upper: np.ndarray, lower: np.ndarray, opening: float, size: tuple[int, int]) -> np.ndarray:
        """(rows, columns, 4) float32: colour, and 1 where the inside is."""
        medians, openings = _median_mouth()
        share = np.clip((opening - openings[0]) / (openings[1] - openings[0]), 0, 1)
        grey = self._lips.mean()
        tint = grey + _SATURATION * (self._lips - grey)
        cells = np.clip(((1 - share) * medians[0] + share * medians[1])[..., None] * tint, 0, 245)
        values = np.concatenate([cells, np.ones((ROWS, COLUMNS, 1))], axis=-1).tolist()
        down = np.linspace(0, 1, ROWS + 1)[:, None, None]
        corners = np.clip(upper * (1 - down) + lower * down, -SIDE, 2 * SIDE)  # (ROWS + 1, COLUMNS + 1, 2)
        corners = np.round(corners * 2**_SUBPIXEL).astype(np.int32)
        across = np.stack([corners[:, :-1], corners[:, 1:]], axis=2)  # (ROWS + 1, COLUMNS, 2, 2)
        outlines = np.concatenate([across[:-1], across[1:, :, ::-1]], axis=2)
        drawn = np.zeros((*size, 4), np.float32)
        for row in range(ROWS):
            for column in range(COLUMNS):
                cv2.fillConvexPoly(drawn, outlines[row, column], values[row][column], cv2.LINE_8, _SUBPIXEL)
        return drawn


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


def lay_over(frame: np.ndarray, inside: Inside | None) -> np.ndarray:
    """`frame` (S, S, 3) uint8 with the inside of the mouth in it."""
    if inside is None:
        return frame
    side = frame.shape[0]
    scale = side / SIDE
    corner = np.array(inside.corner)
    left, top = (max(0, int((x - 2) * scale)) for x in corner)
    right, bottom = (
        min(side, int((x + length + 2) * scale) + 1)
        for x, length in zip(corner, inside.weight.shape[::-1], strict=True)
    )
    size, shift = (right - left, bottom - top), np.array([left, top])
    # (p + 0.5 + shift) / scale - 0.5 - corner is where a pixel of the rectangle lies in the drawing.
    matrix = np.c_[np.eye(2) / scale, (0.5 + shift) / scale - 0.5 - corner]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    colour, weight = (cv2.warpAffine(x, matrix, size, flags=flags) for x in (inside.colour, inside.weight))
    part = frame[top:bottom, left:right].astype(np.float32)
    frame = frame.copy()
    frame[top:bottom, left:right] = np.clip(part + weight[..., None] * (colour - part) + 0.5, 0, 255).astype(np.uint8)
    return frame

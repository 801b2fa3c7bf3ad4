"""What is drawn into a frame because the portrait does not show it: pieces, where they go, and the colours to draw with."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from visiongen.landmarks import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS

SUBPIXEL = 4
"""Fractional bits of OpenCV's polygon corners."""
_FINE = 512
"""Things are drawn as if the crop had at least so many rows, so that small pictures have edges too."""
_WHITE = 0.12
"""Most saturation of the white of an eye: more is a lid."""
_CHEEKS = (50, 280, 101, 330, 205, 425)


class Piece(NamedTuple):
    """What is laid over a rectangle of the crop."""

    colour: np.ndarray
    """(h, w, 3) float32 in [0, 255]."""
    weight: np.ndarray
    """(h, w) float32 in [0, 1]."""
    corner: tuple[int, int]
    """Column and row of its top-left pixel."""


class Canvas(NamedTuple):
    """A rectangle round a ring of points, to be drawn finely and then brought to the crop's pixels."""

    corner: np.ndarray
    """(2,) column and row of its top-left pixel in the crop."""
    width: int
    """Columns, px of the crop."""
    height: int
    side: int
    """Of the crop, px."""
    finer: int
    """How many times as fine as the crop it is drawn."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the drawing."""
        return self.finer * self.height, self.finer * self.width

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2 or 3), crop units, as (..., 2) px of the drawing, from the outer corner."""
        return (points[..., :2] * self.side - self.corner) * self.finer

    def piece(self, colour: np.ndarray, weight: np.ndarray) -> Piece:
        """The drawing (h, w, 3) and its weight (h, w) float32, at the crop's resolution."""
        size = (self.width, self.height)
        colour, weight = (cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (colour, weight))
        return Piece(np.float32(colour), weight, (int(self.corner[0]), int(self.corner[1])))


def canvas_round(ring: np.ndarray, side: int) -> Canvas | None:
    """The rectangle of a crop with `side` rows in which a ring (N, 2 or 3), crop units, lies; None: outside of it."""
    box = box_round(ring[:, :2] * side, side, before=2, after=2)
    if box is None:
        return None
    left, top, right, bottom = box
    return Canvas(np.array([left, top]), right - left, bottom - top, side, max(1, round(_FINE / side)))


def box_round(corners: np.ndarray, side: int, *, before: int, after: int) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom (half-open), px, of what of a square of `side` px lies round corners (N, 2), px.

    Args:
        before, after: Pixels more to the left of and above the corners, to the right of and below them.
    Returns:
        None where all of it is outside, or a corner is nowhere (NaN) or infinitely far.
    """
    low, high = corners.min(0).tolist(), corners.max(0).tolist()  # plain numbers: NumPy takes longer for so few
    if not all(map(math.isfinite, low + high)):
        return None
    left, top = (min(max(math.floor(at) - before, 0), side) for at in low)
    right, bottom = (min(max(math.ceil(at) + after, 0), side) for at in high)
    return (left, top, right, bottom) if right > left and bottom > top else None


def fixed(pixels: np.ndarray) -> np.ndarray:
    """(N, 1, 2) int32 of (N, 2) px from the outer corner: OpenCV's fixed-point corners, which count from pixel centres."""
    near = np.minimum(np.maximum(pixels - 0.5, -2000), 4000)  # np.clip's way there takes longer than all of this
    return np.rint(near * 2**SUBPIXEL).astype(np.int32)[..., None, :]


def covered(pixels: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A ring (N, 2), px: its inside as (h, w) uint8, 0 or 255, and how deep in it a pixel is, (h, w) float32 px."""
    bordered = np.zeros((shape[0] + 2, shape[1] + 2), np.uint8)
    mask = bordered[1:-1, 1:-1]
    cv2.fillPoly(mask, [fixed(pixels)], 255, cv2.LINE_8, SUBPIXEL)
    return mask, cv2.distanceTransform(bordered, cv2.DIST_L2, 3)[1:-1, 1:-1]


def lay_over(frame: np.ndarray, pieces: Iterable[Piece]) -> np.ndarray:
    """`frame` (S, S, 3) uint8 with pieces laid over it; the same array where there are none."""
    pieces = list(pieces)
    if not pieces:
        return frame
    frame = frame.copy()
    draw_over(frame, pieces)
    return frame


def draw_over(frame: np.ndarray, pieces: Iterable[Piece]) -> None:
    """Lays pieces over `frame` (S, S, 3) uint8, which is changed."""
    for colour, weight, (left, top) in pieces:
        height, width = weight.shape
        part = frame[top : top + height, left : left + width].astype(np.float32)
        mixed = part + weight[..., None] * (colour - part) + 0.5
        frame[top : top + height, left : left + width] = np.clip(mixed, 0, 255).astype(np.uint8)


def within(picture: np.ndarray, points: np.ndarray, ring: tuple[int, ...]) -> np.ndarray:
    """(S, S) bool, inside a ring of landmarks of a square picture; points (478, 3), crop units."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    corners = np.clip(points[list(ring), :2] * picture.shape[0] - 0.5, -(10**4), 10**4)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)[:, None]], 1)
    return mask > 0


def cheek_colour(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(3,) median colour of the cheeks of a square picture; points (478, 3), crop units."""
    side = picture.shape[0]
    at = np.clip(points[list(_CHEEKS), :2] * side, 0, side - 1).astype(int)
    return np.maximum(np.median([picture[y, x] for x, y in at], axis=0), 8.0)


def eye_white(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(3,) colour of the white of the eyes; of closed ones, a guess from the cheeks'. The picture's light, without its skin."""
    white = np.zeros(picture.shape[:2], bool)
    for eye, iris in ((RIGHT_EYE, RIGHT_IRIS), (LEFT_EYE, LEFT_IRIS)):
        white |= within(picture, points, eye) & ~within(picture, points, iris[1:])
    if white.sum() < 12:
        skin = 1.15 * cheek_colour(picture, points)
        return 0.75 * skin.mean() + 0.25 * skin
    eyes = picture[white].astype(np.float64)
    light = eyes.mean(-1)
    bright = np.maximum(eyes[light >= np.quantile(light, 0.8)].mean(0), 8.0)
    grey, saturation = bright.mean(), float(np.ptp(bright) / bright.max())
    return grey + min(1.0, _WHITE / max(saturation, 1e-6)) * (bright - grey)

"""The visible mark: a small translucent "AI" in a corner of every frame."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from visiongen.marking.settings import CORNERS, Corner

_SHARE, _LEAST = 0.065, 14
"""Height of the badge over the shorter side of the frame, and its least height, px."""
_MOST_OF_FRAME = 0.33
"""Of the shorter side: in tiny frames the badge stays a corner mark, even where it can hardly be read."""
_MARGIN = 0.35
"""Distance from the edges, in heights of the badge."""
_PLATE, _LETTERS = 0.45, 0.92
"""How much of the picture the dark plate and the white letters hide."""
_FINE = 8
"""The badge is drawn so many times larger first: that is how its edges become smooth."""


class Badge:
    """Draws the mark into frames of one film."""

    def __init__(self, corner: Corner) -> None:
        if corner not in CORNERS:
            raise ValueError(f"mark is {corner!r}, but must be one of: {', '.join(CORNERS)}")
        self.corner = corner

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """The frame (H, W, 3) uint8 RGB with the mark, as a new array; the same array where there is none to draw."""
        if self.corner == "none":
            return frame
        rows, columns = badge_place(frame.shape, self.corner)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        if height < 1 or width < 1:
            return frame
        kept, added = _drawing(height, width)
        marked = frame.copy()
        marked[rows, columns] = cv2.add(
            cv2.multiply(frame[rows, columns], kept, dtype=cv2.CV_32F), added, dtype=cv2.CV_8U
        )
        return marked


def badge_place(shape: tuple[int, ...], corner: str) -> tuple[slice, slice]:
    """Rows and columns of the badge in a frame of `shape`; of an odd corner of a tiny frame, what fits."""
    height, width = shape[:2]
    shorter = min(height, width)
    tall = min(max(_LEAST, round(shorter * _SHARE)), int(shorter * _MOST_OF_FRAME))
    wide, margin = round(tall * 1.45), min(round(tall * _MARGIN), shorter // 8)
    wide = min(wide, width - margin)
    top = margin if corner.startswith("top") else height - margin - tall
    left = margin if corner.endswith("left") else width - margin - wide
    return slice(top, top + tall), slice(left, left + wide)


@lru_cache(maxsize=8)
def _drawing(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """What a pixel keeps of the picture and what is added to it, both (height, width, 3) float32."""
    size = (height * _FINE, width * _FINE)
    plate, letters = np.zeros(size, np.uint8), np.zeros(size, np.uint8)
    radius = round(size[0] * 0.28)
    cv2.rectangle(plate, (radius, 0), (size[1] - 1 - radius, size[0] - 1), 255, -1)
    cv2.rectangle(plate, (0, radius), (size[1] - 1, size[0] - 1 - radius), 255, -1)
    for x in (radius, size[1] - 1 - radius):
        for y in (radius, size[0] - 1 - radius):
            cv2.circle(plate, (x, y), radius, 255, -1)
    _draw_letters(letters)
    shrunk = [cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) / 255.0 for one in (plate, letters)]
    plate_share, letter_share = shrunk[0] * _PLATE, shrunk[1] * _LETTERS
    kept = (1 - plate_share) * (1 - letter_share)
    added = letter_share * 255.0
    return tuple(np.repeat(one[:, :, None], 3, axis=2).astype(np.float32) for one in (kept, added))


def _draw_letters(canvas: np.ndarray) -> None:
    """Strokes of "AI" (height, width) uint8, in the middle."""
    height, width = canvas.shape
    top, bottom, thick = int(height * 0.22), int(height * 0.78), max(1, round(height * 0.115))
    middle, half = width / 2 - height * 0.13, height * 0.27

    def stroke(*points: tuple[float, float]) -> None:
        line = np.array(points).round().astype(np.int32)
        cv2.polylines(canvas, [line], False, 255, thick, cv2.LINE_AA)

    stroke((middle - half, bottom), (middle, top), (middle + half, bottom))
    bar = top + (bottom - top) * 0.66
    stroke((middle - half * 0.64, bar), (middle + half * 0.64, bar))
    stroke((middle + half + height * 0.22, top), (middle + half + height * 0.22, bottom))

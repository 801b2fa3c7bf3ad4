"""The line between lids that have met: lashes, not a slit of a squeezed eyeball.

Lids that close squeeze what the portrait shows between them into a pixel or two: white, iris and lights, a row of dots. A
person's closed eye is a dark line there, with the colour that the rim of the upper lid has in the portrait.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, Piece, canvas_round, cheek_colour, fixed
from visiongen.eyeballs import EYES, eye_opening
from visiongen.eyes import LIDS
from visiongen.ramps import rising

_CLOSED = (0.72, 0.93)
"""Share of the opening that is closed, at which the line begins to show, and does."""
_THICK = 0.009
"""Of the line, face widths, beside the slit that is left."""
_SOFT = 0.003
"""Of its border, face widths."""
_LOOKED_AT = np.linspace(0, 0.4, 5)
"""Shares of the way to the points above a lid at which its rim is looked at."""
_DARK = 0.6
"""Of the cheeks' light, the lightest that it is: lashes of every colour shade the slit."""
_FINE = np.linspace(0, 8, 33)
"""Places on a lid that has nine points."""
_SHOWN = 0.06
"""Opening (area over the square of the width) below which an eye of a portrait is closed as it is."""


class ClosedEyes:
    """Of one portrait."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        self._side = len(crop)
        self._openings = [eye_opening(source, eye) for eye, _ in EYES]
        lightest = _DARK * cheek_colour(crop, source)
        self._inks = [np.minimum(_rim(crop, source, *lid), lightest) for lid in LIDS]

    def __call__(self, target: np.ndarray) -> list[Piece]:
        """Lines to lay over a frame with the landmarks `target` (478, 3), crop units: one for each eye that has closed."""
        pieces = []
        width = float(np.linalg.norm(target[234, :2] - target[454, :2]))
        for own, ink, (eye, _) in zip(self._openings, self._inks, EYES, strict=True):
            share = 0.0 if own < _SHOWN else float(rising(1 - eye_opening(target, eye) / own, _CLOSED))
            piece = self._line(target[list(eye), :2], ink, width, share) if share > 0.02 else None
            pieces += [] if piece is None else [piece]
        return pieces

    def _line(self, ring: np.ndarray, ink: np.ndarray, width: float, share: float) -> Piece | None:
        canvas = canvas_round(ring, self._side)
        if canvas is None:
            return None
        unit = width * self._side * canvas.finer
        placed = canvas.placed(ring)
        upper, lower = (_finer(placed[part]) for part in (np.r_[0:9], np.r_[0, 15:7:-1]))
        along = np.linspace(0, 1, len(_FINE))
        half = np.maximum(np.abs(lower[:, 1] - upper[:, 1]), _THICK * unit * (4 * along * (1 - along)) ** 0.75) / 2
        middle = (upper + lower) / 2
        way = np.stack([np.zeros_like(half), half], 1)
        weight = np.zeros(canvas.shape, np.uint8)
        cv2.fillPoly(weight, [fixed(np.concatenate([middle - way, (middle + way)[::-1]]))], 255, cv2.LINE_AA, SUBPIXEL)
        soft = cv2.GaussianBlur(weight.astype(np.float32) / 255, (0, 0), max(0.5, _SOFT * unit))
        colour = np.full((*canvas.shape, 3), ink, np.float32)
        return canvas.piece(colour, share * soft)


def _finer(edge: np.ndarray) -> np.ndarray:
    """(33, 2) on a lid's edge (9, 2), px, without its kinks."""
    x, y = (np.interp(_FINE, np.arange(9), edge[:, axis]) for axis in range(2))
    padded = np.pad(y, 4, mode="reflect", reflect_type="odd")
    return np.stack([x, np.convolve(padded, np.hanning(9) / np.hanning(9).sum(), "same")[4:-4]], 1)


def _rim(crop: np.ndarray, source: np.ndarray, edge: tuple[int, ...], above: tuple[int, ...]) -> np.ndarray:
    """(3,) the usual colour of the darkest above a lid."""
    lower = source[list(edge[1:-1]), :2]
    places = lower + _LOOKED_AT[:, None, None] * (source[list(above[1:-1]), :2] - lower)
    x, y = np.clip(places * len(crop), 0, len(crop) - 1).astype(int).transpose(2, 0, 1)
    seen = crop[y, x].astype(np.float64)  # (5, 7, 3)
    darkest = np.take_along_axis(seen, seen.mean(-1).argmin(0)[None, :, None], 0)[0]
    return np.median(darkest, axis=0)

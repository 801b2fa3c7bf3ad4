"""The teeth that a portrait itself shows, where a mouth opens further than its own.

A smile shows the upper row, which is fixed to the skull, and sometimes the lower one, which goes with the jaw. Drawn out with
the lips they would be bars; so what is between the portrait's lips stays where bone holds it, and beyond it the drawn inside
(`visiongen.mouth`) is seen.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from visiongen.drawing import Canvas

_LEAST_GAP = 2.0
"""Lips nearer to each other than this, mm, show no teeth to go by."""
_BRIGHT = 0.8
"""Teeth have at least this share of the cheeks' least channel: lips and gums are dark in green and blue."""
_NO_LIPS = 1.25
"""And that many times the lips' least channel: of a mouth that is just not closed, most that is seen between them is lip."""
_MANY = 0.25
"""Share of the way between the lips, in the middle of the mouth, that must be bright."""
_DARK = 0.6
"""What has less than this share of the light of teeth above it is below them."""
_LONGEST = 12.0
"""Upper teeth are no longer than this, mm."""
_BARED = 2.0
"""So much of the lower teeth is above the lip that hid them, mm."""
_MIDDLE = 0.5
"""Share of the mouth's width that is looked at."""
_RIM, _SOFT = 1.0, 0.8
"""The lips cover so much at the rim of the opening, mm; over the next so many the teeth appear."""
_LEVELS, _COLUMNS = 24, 33

Place = Callable[[np.ndarray], np.ndarray]
"""Points (N, 3) in the frame of the mouth, mm, to (N, 2) px."""


class OwnTeeth:
    """What is between the lips of one portrait, in two parts: that of the skull, and that of the jaw."""

    def __init__(
        self,
        crop: np.ndarray,
        upper: np.ndarray,
        lower: np.ndarray,
        place: Place,
        *,
        skin: np.ndarray,
        lips: np.ndarray,
    ) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            upper, lower: (N, 3) the inner lips from corner to corner, from the picture's left, in the frame of the mouth, mm.
            place: From that frame to the px of the crop.
            skin, lips: (3,) colour of the cheeks, and of the lips.
        """
        self._crop = crop
        self._columns = np.linspace(upper[0, 0], upper[-1, 0], _COLUMNS)
        self._top, self._bottom = (np.interp(self._columns, *_rising(row)) for row in (upper, lower))
        self._depth = float(np.concatenate([upper, lower])[:, 2].mean())
        self._to_crop = _plane(place, self._depth)
        self.colour: np.ndarray | None = None
        """(3,) of the teeth that are shown."""
        self._split = self._below_the_upper_row(max(_BRIGHT * float(skin.min()), _NO_LIPS * float(lips.min())))

    @property
    def shown(self) -> bool:
        """Whether the portrait shows teeth at all."""
        return self._split is not None

    @property
    def levels(self) -> tuple[float, float]:
        """How far down in the frame of the mouth upper and lower teeth are, mm, so that drawn ones go on behind those shown."""
        middle = _COLUMNS // 2
        return float(self._cut(self._top, self._bottom)[middle]), float(self._bottom[middle]) - _BARED

    def draw(self, canvas: Canvas, place: Place, jaw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Teeth as a head's pose and jaw have them.

        Args:
            canvas: What is drawn on.
            place: From the frame of the mouth to its px.
            jaw: (3,) how far the jaw has moved, mm.
        Returns:
            Their colour (h, w, 3) and weight (h, w), float32.
        """
        colour, weight = self._part(canvas, place, np.zeros(3), upper=True)
        below, under = self._part(canvas, place, jaw, upper=False)
        under *= 1 - weight
        colour = colour * weight[..., None] + below * under[..., None]
        weight += under
        return colour / np.maximum(weight, 1e-6)[..., None], weight

    def _part(self, canvas: Canvas, place: Place, moved: np.ndarray, *, upper: bool) -> tuple[np.ndarray, np.ndarray]:
        """Colour and weight of the upper teeth, or of what is below them, where that has moved, mm."""
        x, y = _back(_plane(lambda points: place(points + moved), self._depth), canvas.shape)
        top, bottom = (np.interp(x, self._columns, edge) for edge in (self._top, self._bottom))
        cut, rim = self._cut(top, bottom), np.minimum(_RIM, 0.25 * (bottom - top))
        first, last = (top + rim, np.minimum(cut, bottom - rim)) if upper else (cut, bottom - rim)
        weight = _soft(x - self._columns[0]) * _soft(self._columns[-1] - x) * _soft(y - first) * _soft(last - y)
        at = np.einsum("ij,jhw->ihw", self._to_crop[:, :2], np.stack([x, y])) + self._to_crop[:, 2, None, None] - 0.5
        at = at.astype(np.float32)
        colour = cv2.remap(self._crop, at[0], at[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return colour.astype(np.float32), weight.astype(np.float32)

    def _cut(self, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
        """Where the upper teeth end between the lips."""
        return np.minimum(top + (self._split or 1.0) * (bottom - top), top + _LONGEST)

    def _below_the_upper_row(self, least: float) -> float | None:
        """Share of the way from the upper lip to the lower one at which the upper teeth end; 1: all that is seen is the upper
        row; None: no teeth are, whose least channel is above `least`."""
        gap = self._bottom - self._top
        if gap.max() < _LEAST_GAP:
            return None
        middle = slice(round(_COLUMNS * (1 - _MIDDLE) / 2), round(_COLUMNS * (1 + _MIDDLE) / 2))
        shares = np.linspace(0, 1, _LEVELS + 4)[2:-2, None]
        x = np.broadcast_to(self._columns[middle], (_LEVELS, len(gap[middle])))
        y = self._top[middle] + shares * gap[middle]
        at = np.float32(
            np.einsum("ij,jnm->inm", self._to_crop[:, :2], np.stack([x, y])) + self._to_crop[:, 2, None, None]
        )
        seen = cv2.remap(self._crop, at[0] - 0.5, at[1] - 0.5, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        light = np.median(seen.min(-1), axis=1).astype(np.float32)
        bright = light > least
        if bright.mean() < _MANY:
            return None
        colours = seen[bright].reshape(-1, 3).astype(np.float64)
        lightest = colours.min(-1) >= np.median(colours.min(-1))  # no lips and gaps among them
        self.colour = np.median(colours[lightest], axis=0)
        below = np.maximum.accumulate(bright) & (light < _DARK * np.maximum.accumulate(light))
        return float(shares[np.argmax(below), 0]) if below.any() else 1.0


def _soft(inward: np.ndarray) -> np.ndarray:
    """Weight of what is so far within, mm."""
    return np.clip(inward / _SOFT, 0, 1)


def _rising(row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of a lip's points (N, 3), x growing: those of a mouth that is seen from the side may turn back."""
    x = np.maximum.accumulate(row[:, 0])
    return x + 1e-6 * np.arange(len(x)), row[:, 1]


def _back(plane: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(2, h, w) x and y of a `_plane` at every pixel."""
    (a, b, c), (d, e, f) = cv2.invertAffineTransform(plane)
    row, column = np.mgrid[: shape[0], : shape[1]] + 0.5
    return np.stack([a * column + b * row + c, d * column + e * row + f])


def _plane(place: Place, depth: float) -> np.ndarray:
    """(2, 3) from x and y in the frame of the mouth, mm, at one depth, to px."""
    origin, right, down = place(np.array([[0, 0, depth], [10, 0, depth], [0, 10, depth]], np.float64))
    return np.stack([(right - origin) / 10, (down - origin) / 10, origin], axis=1)

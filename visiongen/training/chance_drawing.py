"""What a picture that is put together by chance is drawn with: areas, lines, spots, in colours of skin, hair and ink."""

from __future__ import annotations

import cv2
import numpy as np

_SHIFT = 4
"""Fractional bits of OpenCV's points."""


class Canvas:
    """A square picture of somebody whose skin, hair and lines have a colour of their own."""

    def __init__(self, side: int, extent: float, rng: np.random.Generator, *, ground: np.ndarray | None = None) -> None:
        """
        Args:
            side: px of it.
            extent: Its side, face widths.
            rng: Chance.
            ground: (side, side, 3) uint8 to draw on; None: skin with a little light and shade.
        """
        self._rng = rng
        self._size = side
        self._unit = side / extent
        self._thick = 0.0
        """Of outlines, face widths."""
        self._skin = random_skin(rng)
        self._hair = random_colour(rng, dull=0.5)
        self._ink = self._dark()
        self.picture = self._plain() if ground is None else ground.copy()

    def _plain(self) -> np.ndarray:
        """Skin with a little light and shade."""
        picture = np.empty((self._size, self._size, 3), np.float32)
        picture[:] = self._skin
        y, x = np.mgrid[-1 : 1 : self._size * 1j, -1 : 1 : self._size * 1j].astype(np.float32)
        slope = self._rng.normal(0, 8, 2)
        picture += (x * slope[0] + y * slope[1])[..., None]
        if self._rng.random() < 0.4:  # the nose's side
            picture -= (np.clip(x - self._rng.uniform(0.3, 0.9), 0, 1) * self._rng.uniform(20, 90))[..., None]
        return np.clip(picture, 0, 255).astype(np.uint8)

    def _dark(self) -> np.ndarray:
        """Colour of lines."""
        return np.clip(self._skin * self._rng.uniform(0, 0.5) * self._rng.uniform(0.6, 1.1, 3), 0, 255)

    def _area(self, ring: np.ndarray) -> np.ndarray:
        mask = np.zeros((self._size,) * 2, np.uint8)
        cv2.fillPoly(mask, [np.round(ring * 2**_SHIFT).astype(np.int32)], 255, cv2.LINE_AA, _SHIFT)
        return mask.astype(np.float32) / 255

    def _oval(self, at, half, *, turn: float = 0.0, thick: int = -1) -> np.ndarray:
        """(side, side) float32 in [0, 1]: an ellipse, filled, or a line of so many px."""
        mask = np.zeros((self._size,) * 2, np.float32)
        cv2.ellipse(mask, _fix(at), _fix(half), turn, 0, 360, 1.0, thick, cv2.LINE_AA, _SHIFT)
        return mask

    def _mix(self, weight: np.ndarray, colour: np.ndarray) -> None:
        weight = weight[..., None]
        self.picture = np.clip(self.picture * (1 - weight) + weight * colour, 0, 255).astype(np.uint8)

    def _spot(self, at: np.ndarray, half: np.ndarray, colour: np.ndarray, within: np.ndarray) -> None:
        self._mix(self._oval(at, half) * within, colour)

    def _ellipse(self, at, half, colour: np.ndarray, thick: float, within: np.ndarray) -> None:
        self._mix(self._oval(at, half, thick=max(1, round(thick * self._unit))) * within, colour)

    def _line(self, points: np.ndarray, colour: np.ndarray, thick: float) -> None:
        if len(points) > 1:
            thick = max(1, round(thick * self._unit))
            line = [np.round(points * 2**_SHIFT).astype(np.int32)]
            cv2.polylines(self.picture, line, False, np.clip(colour, 0, 255).tolist(), thick, cv2.LINE_AA, _SHIFT)

    def _taper(self, edge: np.ndarray, thick: float) -> None:
        """A line outside an edge, thickest at a place along it."""
        rng = self._rng
        t = np.linspace(0, 1, len(edge))
        most = rng.uniform(0.1, 0.7)
        swell = np.interp(t, [0, most, 1], [rng.uniform(0.2, 1), 1, rng.uniform(0, 0.6)])
        outer = edge - np.stack([np.zeros_like(t), swell * thick * self._unit], 1)
        self._mix(self._area(np.concatenate([edge, outer[::-1]])), self._ink)


def _fix(values) -> tuple[int, int]:
    x, y = np.round(np.asarray(values) * 2**_SHIFT).astype(int)
    return int(x), int(y)


def random_colour(rng: np.random.Generator, *, dull: float = 0.2) -> np.ndarray:
    """(3,) any colour; with a chance of `dull` a grey or brown one."""
    hue, full, value = rng.uniform(0, 180), rng.uniform(0.2, 1), rng.uniform(0.1, 1) ** 0.7
    if rng.random() < dull:
        hue, full = rng.uniform(5, 25), rng.uniform(0, 0.6)
    pixel = np.uint8([[[hue, 255 * full, 255 * value]]])
    return cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float64)


def random_skin(rng: np.random.Generator) -> np.ndarray:
    """(3,) from pale to dark; rarely paper or any colour."""
    chance = rng.random()
    if chance < 0.08:
        return np.full(3, rng.uniform(200, 255))
    if chance < 0.14:
        return random_colour(rng)
    light = rng.uniform(0.25, 1)
    return np.clip(255 * light * np.array([1, rng.uniform(0.7, 0.93), rng.uniform(0.55, 0.9)]), 0, 255)


def smooth_curve(points: np.ndarray, *, closed: bool = True, parts: int = 6) -> np.ndarray:
    """(N * parts, 2) on a curve through points (N, 2): Catmull and Rom 1974."""
    if closed:
        before, after, later = (np.roll(points, shift, 0) for shift in (1, -1, -2))
    else:
        padded = np.concatenate([points[:1], points, points[-1:], points[-1:]])
        before, after, later = padded[:-3], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, parts, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * points
        + (after - before) * t
        + (2 * before - 5 * points + 4 * after - later) * t**2
        + (3 * points - before - 3 * after + later) * t**3
    )
    return curve.transpose(1, 0, 2).reshape(-1, 2)

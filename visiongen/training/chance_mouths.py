"""Mouths of drawings, drawn by chance: lines, openings with teeth and tongue, painted lips."""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.training.chance_drawing import Canvas, random_colour

LEAST_OPENING = 0.03
"""Face widths: a mouth that is a line is told to be open by so much, or no network would see it."""
_WHITE = np.full(3, 255.0)


class Mouths(Canvas):
    """Draws them on a face."""

    def _mouth(self, middle: np.ndarray, narrow: float) -> tuple[np.ndarray, np.ndarray]:
        """Draws one round `middle` (2,) px, as much narrower as a turned head shows it; the shares of every pixel (side, side)
        that are mouth, and opening."""
        rng = self._rng
        half = rng.uniform(0.02, 0.17) * narrow
        x = np.linspace(-1, 1, 25)
        bow = rng.normal(0, 0.25) * half * (1 - x**2) + rng.normal(0, 0.1) * half * x
        if rng.random() < 0.08:  # of a cat
            bow = bow + 0.35 * half * np.abs(np.sin(np.pi * x)) - 0.1 * half
        high = rng.uniform(0.2, 1.6) * half if rng.random() < 0.55 else 0.0
        up = rng.choice([0.0, rng.uniform(0, 0.5)])
        power = rng.uniform(0.4, 1.2)
        bulge = (1 - np.abs(x) ** rng.uniform(1.5, 4)).clip(0) ** power
        upper, lower = (
            np.stack([half * x, bow + way * share * high * bulge], 1) * self._unit + middle
            for way, share in ((-1, up), (1, 1 - up))
        )
        ring = np.concatenate([upper, lower[::-1]])
        lips = self._lips(upper, lower, half, bulge) if rng.random() < 0.3 else None
        line = max(self._thick, 0.004) * rng.uniform(0.5, 1.3)
        opening = np.zeros((self._size,) * 2, np.float32)
        if high:
            opening = self._area(ring)
            self._inside(opening, upper, lower, high)
        if not high or rng.random() < 0.85:
            self._line(ring if high else upper, self._ink, line)
        if lips is None and rng.random() < 0.25:  # the shade below the lower lip
            below = lower[9:16] + [0, rng.uniform(0.02, 0.06) * self._unit]
            self._line(below, 0.4 * self._ink + 0.6 * self._skin, line)
        seen = np.zeros((self._size,) * 2, np.uint8)
        least = max(1, round(LEAST_OPENING * self._unit))
        cv2.polylines(seen, [np.round(upper * 16).astype(np.int32)], False, 255, least, cv2.LINE_AA, 4)
        opening = np.maximum(opening, seen.astype(np.float32) / 255)
        return opening if lips is None else np.maximum(lips, opening), opening

    def _inside(self, opening: np.ndarray, upper: np.ndarray, lower: np.ndarray, high: float) -> None:
        """Teeth, tongue and the dark of an open mouth."""
        rng = self._rng
        chance = rng.random()
        red = np.array([rng.uniform(90, 235), rng.uniform(20, 110), rng.uniform(20, 110)])
        self._mix(opening, self._ink if chance < 0.25 else _WHITE * rng.uniform(0.85, 1) if chance < 0.45 else red)
        if chance < 0.45 and rng.random() < 0.4:  # lines between the teeth
            for i in rng.choice(np.arange(2, 23), rng.integers(1, 8)):
                self._line(np.stack([upper[i], lower[i]]), 0.5 * self._ink + 100, 0.005)
            if rng.random() < 0.5:
                self._line((upper + lower) / 2, 0.5 * self._ink + 100, 0.005)
        elif chance >= 0.45 and rng.random() < 0.4:
            deep = rng.uniform(0.15, 0.5)
            teeth = self._area(np.concatenate([upper, ((1 - deep) * upper + deep * lower)[::-1]]))
            self._mix(teeth * opening, _WHITE * rng.uniform(0.85, 1))
        if rng.random() < 0.4:
            at = lower[12] - [0, 0.1 * high * self._unit]
            tongue = self._oval(
                at, np.array([rng.uniform(0.2, 0.5) * abs(upper[-1, 0] - upper[0, 0]), 0.4 * high * self._unit])
            )
            self._mix(tongue * opening, np.minimum(red * [1.1, 1.5, 1.5] + 20, 255))

    def _lips(self, upper: np.ndarray, lower: np.ndarray, half: float, bulge: np.ndarray) -> np.ndarray:
        """Painted lips round an opening; their share of every pixel."""
        rng = self._rng
        x = np.linspace(-1, 1, len(upper))
        cupid = 1 - rng.uniform(0, 0.5) * np.exp(-((x / 0.18) ** 2))
        over, under = rng.uniform(0.1, 0.5, 2) * half * self._unit
        step = np.stack([np.zeros_like(x), bulge], 1)
        ring = np.concatenate([upper - over * step * cupid[:, None], (lower + under * step)[::-1]])
        lips = self._area(ring)
        colour = self._skin * [0.9, 0.6, 0.6] if rng.random() < 0.6 else random_colour(rng)
        self._mix(lips * rng.uniform(0.5, 1), np.clip(colour, 0, 255))
        if rng.random() < 0.4:
            self._line(np.concatenate([ring, ring[:1]]), self._ink, 0.006)
        return lips

"""Eyes of drawings, drawn by chance: what an eye of a cartoon, an anime or a sketch can look like, and where it opens.

No drawn eye was traced for this. Shapes, lines, irises, lights, brows, hair and glasses are put together by chance, over skin
of one colour or over the eye of a real picture, so that a network meets far more kinds than any set of drawings holds.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.training.chance_drawing import Canvas, random_colour

SIDE = 128
"""px of a patch."""
EXTENT = 0.9
"""Its side, face widths."""
_LIGHT = np.full(3, 255.0)


class DrawnEye(Canvas):
    """One eye and what is round it."""

    def __init__(
        self, patch: np.ndarray | None, ring: np.ndarray | None, rng: np.random.Generator, *, hair: bool = True
    ) -> None:
        """
        Args:
            patch: (SIDE, SIDE, 3) uint8, a real picture's eye to draw over; None: skin of one colour.
            ring: (16, 2) its lids, px.
            rng: Chance.
            hair: Whether there may be some before it.
        """
        super().__init__(SIDE, EXTENT, rng, ground=patch)
        self._before_it = hair
        centre = np.full(2, self._size / 2) + rng.normal(0, 0.035, 2) * self._unit
        self._shape(centre)
        if patch is not None:
            self._cover(ring)

    def draw(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The patch (SIDE, SIDE, 3) uint8, and the shares of every pixel (SIDE, SIDE) float32 that are eye and iris."""
        rng = self._rng
        if rng.random() < 0.25:
            self._shadow()
        opening, iris = self._eyeball()
        self._lines()
        if rng.random() < 0.85:
            self._brow()
        hidden = None
        if rng.random() < 0.24:
            hidden = self._glasses()
        if self._before_it and rng.random() < 0.5:
            covers = self._strands()
            if (covers * opening).sum() > 0.6 * opening.sum():
                hidden = np.ones_like(opening)
        if hidden is not None:
            opening, iris = opening * (1 - hidden), iris * (1 - hidden)
        return self.picture, opening, iris

    def _shape(self, centre: np.ndarray) -> None:
        """Upper and lower edge of the opening, from the outer corner to the inner one, (M, 2) each."""
        rng = self._rng
        self._large = rng.random() < 0.5  # as in anime
        width = rng.uniform(0.17, 0.36) if self._large or rng.random() < 0.7 else rng.uniform(0.08, 0.2)
        ratio = rng.uniform(0.5, 1.2) if self._large else rng.uniform(0.15, 0.9)
        height = min(width * ratio, 0.36)
        up = rng.uniform(0.4, 0.75) if rng.random() < 0.7 else 0.5
        x = np.cos(np.linspace(np.pi, 0, 41))
        edges = []
        for share, sign in ((up, -1), (1 - up, 1)):
            p, q = rng.uniform(1.7, 3.6), rng.uniform(1.1, 2.4)
            if rng.random() < 0.25:  # an ellipse
                p = q = 2.0
            skew = rng.uniform(-0.35, 0.35)
            bent = x + skew * (1 - x * x) * 0.5
            bow = (1 - np.abs(bent) ** p).clip(0) ** (1 / q)
            edges.append(np.stack([x, sign * 2 * share * height / width * bow], 1))
        turn = np.deg2rad(rng.normal(0, 7))
        turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        self._wide, self._high = width * self._unit, height * self._unit
        self._upper, self._lower = (e @ turned * self._wide / 2 + centre for e in edges)
        self._middle = (self._upper.mean(0) + self._lower.mean(0)) / 2
        self._ring = np.concatenate([self._upper, self._lower[::-1]])

    def _cover(self, ring: np.ndarray) -> None:
        """Skin over the real eye, in the colours beside it."""
        low, high = ring.min(0), ring.max(0)
        y0, x0 = min(self._size - 2, int(high[1] + 0.03 * self._unit)), int(max(low[0], 0))
        below = self.picture[y0 : y0 + int(0.06 * self._unit) + 1, x0 : max(int(high[0]), x0 + 2)].reshape(-1, 3)
        if not len(below):
            below = self.picture.reshape(-1, 3)
        self._skin = np.median(below, 0).astype(np.float64)
        self._ink = self._dark()
        grow, own = self._rng.uniform(0.03, 0.07) * self._unit, self._ring
        mask = np.maximum(
            self._oval((low + high) / 2, (high - low) / 2 + grow),
            self._oval((own.min(0) + own.max(0)) / 2, np.ptp(own, 0) / 2 + 0.6 * grow),
        )
        self._mix(cv2.GaussianBlur(mask, (0, 0), 0.02 * self._unit), self._skin)

    def _eyeball(self) -> tuple[np.ndarray, np.ndarray]:
        rng = self._rng
        opening = self._area(self._ring)
        white = 255 * (1 - np.abs(rng.normal(0, 0.07, 3)))
        if rng.random() < 0.2:
            white = self._skin + (255 - self._skin) * rng.uniform(0.1, 0.8)
        if rng.random() < 0.08:
            white = random_colour(rng)
        dot = self._wide < 0.2 * self._unit and rng.random() < 0.3  # an eye that is a dot
        self._mix(opening, self._ink if dot else white)
        if dot:
            if rng.random() < 0.5:
                light = self._middle - [0.15 * self._wide, 0.2 * self._high]
                self._spot(light, np.full(2, 0.1 * self._wide), _LIGHT, opening)
            return opening, opening.copy()
        return opening, self._iris(opening)

    def _iris(self, opening: np.ndarray) -> np.ndarray:
        """Draws it, with pupil, rim, shadow and lights, as far as the lids show it; its share of every pixel."""
        rng = self._rng
        if self._large:
            rx, ry = self._wide * rng.uniform(0.22, 0.4), self._high * rng.uniform(0.4, 0.62)
        else:
            rx = self._wide * rng.uniform(0.16, 0.36)
            ry = min(rx * (rng.uniform(0.9, 1.6) if rng.random() < 0.6 else 1.0), max(rx, 0.62 * self._high))
        room = np.array([max(self._wide / 2 - rx, 0) * 0.8, 0.15 * self._high])
        at = self._middle + rng.uniform(-1, 1, 2) * room
        iris = self._oval(at, (rx, ry)) * opening
        colour = random_colour(rng)
        dark = colour * rng.uniform(0.15, 0.8)
        y = np.clip((np.arange(self._size) - at[1] + ry) / (2 * ry), 0, 1)[:, None, None]
        self._mix(iris, (dark if rng.random() < 0.7 else colour) * (1 - y) + colour * y)
        if rng.random() < 0.75:
            self._ellipse(at, (rx, ry), dark * rng.uniform(0.1, 0.8), rng.uniform(0.004, 0.014), opening)
        if rng.random() < 0.3:  # a light crescent below
            self._spot(
                at + [0, 0.5 * ry], np.array([0.6 * rx, 0.35 * ry]), np.minimum(colour * 1.5 + 40, 255), iris * 0.7
            )
        if rng.random() < 0.85:
            share = rng.uniform(0.25, 0.65)
            self._spot(at, np.array([rx, ry]) * share, self._ink * rng.uniform(0, 1), iris)
        if rng.random() < 0.4:  # the upper lid's shadow
            depth = np.arange(self._size)[:, None] - self._upper[:, 1].min()
            below = np.clip(1 - depth / (rng.uniform(0.2, 0.6) * self._high + 1), 0, 1)
            self._mix(opening * below.astype(np.float32) * rng.uniform(0.2, 0.8), self._ink)
        for _ in range(rng.integers(0, 4)):
            where = at + rng.uniform(-0.8, 0.8, 2) * [rx, ry]
            self._spot(where, np.array([rx, ry]) * rng.uniform(0.08, 0.4, 2), _LIGHT, opening)
        return iris

    def _lines(self) -> None:
        rng = self._rng
        upper = self._upper
        thick = rng.uniform(0.004, 0.05) if rng.random() < 0.9 else 0
        if thick:
            self._taper(upper, thick)
        if thick and rng.random() < 0.5:  # a wing at the outer corner
            length = rng.uniform(0.02, 0.09) * self._unit
            end = upper[0] + length * np.array([-1, rng.uniform(-1.0, 0.5)]) / 1.1
            self._line(np.stack([upper[3], upper[0], end]), self._ink, thick * 0.6)
        if rng.random() < 0.3:
            for place in rng.choice(41, rng.integers(3, 12)):
                way = (upper[place] - self._middle) / (np.linalg.norm(upper[place] - self._middle) + 1e-6)
                tip = upper[place] + way * rng.uniform(0.02, 0.06) * self._unit
                self._line(np.stack([upper[place], tip]), self._ink, 0.007)
        if rng.random() < 0.6:
            low, high = sorted(rng.choice(41, 2, replace=False)) if rng.random() < 0.5 else (0, 41)
            self._line(self._lower[low:high], self._ink, rng.uniform(0.003, 0.016))
        if rng.random() < 0.5:
            fold = upper[4:-2] - [0, (thick + rng.uniform(0.015, 0.05)) * self._unit]
            self._line(fold, 0.5 * self._ink + 0.5 * self._skin, rng.uniform(0.003, 0.012))
        if rng.random() < 0.2:
            bag = self._lower[4:-4] + [0, rng.uniform(0.02, 0.06) * self._unit]
            self._line(bag, 0.3 * self._ink + 0.7 * self._skin, rng.uniform(0.003, 0.012))

    def _shadow(self) -> None:
        """Paint on the lid, or round the whole eye."""
        rng = self._rng
        colour = random_colour(rng) if rng.random() < 0.4 else self._skin * rng.uniform(0.6, 0.95)
        half = np.array([0.6 * self._wide, rng.uniform(0.5, 1.0) * self._high + 0.03 * self._unit])
        middle = self._middle - [0, rng.uniform(0, 0.3) * self._high]
        mask = self._oval(middle, half)
        blur = rng.uniform(0.002, 0.03) * self._unit
        self._mix(cv2.GaussianBlur(mask, (0, 0), blur) * rng.uniform(0.2, 0.9), colour)

    def _brow(self) -> None:
        rng = self._rng
        away = rng.uniform(0.04, 0.18) * self._unit
        x = np.linspace(-1, 1, 15)
        bow = -rng.uniform(0, 0.06) * (1 - x * x) + rng.normal(0, 0.03) * x
        points = np.stack([x * rng.uniform(0.4, 0.7) * self._wide, bow * self._unit], 1)
        points += [self._middle[0] + rng.normal(0, 0.04) * self._unit, self._upper[:, 1].min() - away]
        colour = self._hair * rng.uniform(0.4, 1) if rng.random() < 0.6 else self._ink
        self._line(points, colour, rng.uniform(0.006, 0.06))

    def _glasses(self) -> np.ndarray | None:
        """Frames; the shares of pixels that dark ones hide."""
        rng = self._rng
        half = np.array([rng.uniform(0.15, 0.28), rng.uniform(0.1, 0.24)]) * self._unit
        middle = self._middle + rng.normal(0, 0.03, 2) * self._unit
        power, drop = rng.uniform(1.6, 6), rng.uniform(-0.35, 0.35, 2)
        angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        c, s = np.cos(angle), np.sin(angle)
        ring = np.stack([np.sign(c) * np.abs(c) ** (2 / power), np.sign(s) * np.abs(s) ** (2 / power)], 1)
        ring[:, 0] *= 1 + drop[0] * ring[:, 1]  # wider above or below
        ring[:, 1] += drop[1] * ring[:, 0]  # as of a cat
        if rng.random() < 0.15:  # hearts
            ring[:, 1] -= 0.5 * np.abs(ring[:, 0]) - 0.2
        ring = ring * half + middle
        lens, hidden = self._area(ring), None
        if rng.random() < 0.45:
            self._mix(lens * rng.uniform(0.94, 1.0), random_colour(rng) * rng.uniform(0, 0.35))
            hidden = lens
            for _ in range(rng.integers(0, 3)):  # lights on the glass
                where = middle + rng.uniform(-0.7, 0.7, 2) * half
                spot = half * rng.uniform(0.05, 0.3, 2)
                self._spot(where, spot, np.full(3, rng.uniform(90, 255)), lens)
        elif rng.random() < 0.4:
            self._mix(lens * rng.uniform(0.05, 0.35), random_colour(rng))
        colour, thick = random_colour(rng, dull=0.4), rng.uniform(0.006, 0.05)
        self._line(np.concatenate([ring, ring[:1]]), colour, thick)
        bridge = np.stack([ring[0] + [0, -0.3 * half[1]], [self._size, ring[0, 1] - rng.uniform(0.2, 0.6) * half[1]]])
        self._line(bridge, colour, thick)
        return hidden

    def _strands(self) -> np.ndarray:
        """Locks of hair that fall from above; the share of every pixel they hide."""
        rng = self._rng
        hides = np.zeros((self._size,) * 2, np.float32)
        clear = 1.0 if rng.random() < 0.6 else rng.uniform(0.4, 0.9)
        for _ in range(rng.integers(1, 6)):
            x = rng.uniform(-0.1, 1.1) * self._size
            wide = rng.uniform(0.03, 0.25) * self._unit
            deep = rng.uniform(0.05, 0.75) * self._size
            tip = np.array([x + rng.normal(0, 0.12) * self._unit, deep])
            bow = rng.normal(0, 0.06) * self._unit
            t = np.linspace(0, 1, 9)[:, None]
            sides = [
                (1 - t) * [x + s * wide, -2] + t * tip + [4 * bow + 0.4 * s * wide, 0] * (t * (1 - t)) for s in (-1, 1)
            ]
            lock = np.concatenate([sides[0], sides[1][::-1]])
            area = self._area(lock)
            y = np.linspace(0, 1, self._size)[:, None, None]
            self._mix(area * clear, self._hair * (1 + rng.normal(0, 0.25) * y))
            if rng.random() < 0.7:
                self._line(lock, self._hair * rng.uniform(0.2, 0.7), rng.uniform(0.002, 0.01))
            hides = np.maximum(hides, area * clear)
        return hides

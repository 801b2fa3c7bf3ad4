"""Faces of drawings, drawn by chance: what the face of a cartoon or an anime can look like, where its jaw is and its mouth.

No drawn face was traced for this. Outlines, necks, ears, hair, eyes, noses and mouths are put together by chance, so that a
network meets far more kinds than any set of drawings holds.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from visiongen.training.chance_drawing import random_colour, smooth_curve
from visiongen.training.chance_eyes import EXTENT as EYE_EXTENT
from visiongen.training.chance_eyes import SIDE as EYE_SIDE
from visiongen.training.chance_eyes import DrawnEye
from visiongen.training.chance_mouths import Mouths

SIDE = 176
"""px of a picture."""
EXTENT = 2.0
"""Its side, face widths."""


class Shares(NamedTuple):
    """What every pixel is, (SIDE, SIDE) float32 in [0, 1] each."""

    face: np.ndarray
    """Between hair line and jaw, also where hair or a hand hides it."""
    mouth: np.ndarray
    """Lips and all."""
    opening: np.ndarray
    """Between the lips; of a closed mouth, the line."""
    hair: np.ndarray
    """Hair that is seen; no brows, no beard."""


class DrawnFace(Mouths):
    """One face and what is round it."""

    def __init__(self, ground: np.ndarray | None, rng: np.random.Generator) -> None:
        """
        Args:
            ground: (SIDE, SIDE, 3) uint8, what is behind; None: something plain.
            rng: Chance.
        """
        super().__init__(SIDE, EXTENT, rng, ground=ground)
        if ground is None:
            self.picture[:] = 255 if rng.random() < 0.4 else random_colour(rng)
        self._thick = rng.uniform(0.003, 0.03) if rng.random() < 0.85 else 0.0
        self._centre = np.full(2, self._size / 2) + rng.normal(0, 0.03, 2) * self._unit
        self._turn = float(np.clip(rng.normal(0, 0.35), -0.9, 0.9))
        self._hair_seen = np.zeros((SIDE, SIDE), np.float32)
        self._build()

    def draw(self) -> tuple[np.ndarray, Shares]:
        """The picture (SIDE, SIDE, 3) uint8, and what it shows."""
        rng = self._rng
        if rng.random() < 0.8:
            self._back_hair()
        if rng.random() < 0.9:
            self._neck()
        if rng.random() < 0.6:
            self._ears()
        face = self._face()
        if rng.random() < 0.85:
            self._nose()
        at = np.array([self._features_x * rng.uniform(0.8, 1.2) + rng.normal(0, 0.01), self._mouth_y])
        mouth, opening = self._mouth(self._px(at), 1 - 0.3 * abs(self._turn))
        if rng.random() < 0.12:
            self._beard(np.maximum(mouth, opening))
        self._eyes()
        if rng.random() < 0.85:
            self._front_hair()
        if rng.random() < 0.06:
            hidden = self._hand()
            mouth, opening = mouth * (1 - hidden), opening * (1 - hidden)
        return self.picture, Shares(face, mouth, opening, self._hair_seen)

    def _build(self) -> None:
        """Where everything is, face widths from the middle."""
        rng = self._rng
        self._chin = rng.uniform(0.4, 0.7)
        self._mouth_y = self._chin - rng.uniform(0.1, 0.3)
        self._eyes_y = min(rng.uniform(-0.28, 0.1), self._mouth_y - 0.2)
        half = rng.uniform(0.4, 0.54)
        beside_mouth = half * rng.uniform(0.5, 0.95)
        rows = [
            (self._eyes_y - 0.62, half * 0.45),
            (self._eyes_y - 0.35, half * rng.uniform(0.85, 1.0)),
            (self._eyes_y, half),
            (self._eyes_y + 0.5 * (self._mouth_y - self._eyes_y), max(half * rng.uniform(0.85, 1.04), beside_mouth)),
            (self._mouth_y, beside_mouth),
            (self._chin - rng.uniform(0.02, 0.06), beside_mouth * rng.uniform(0.15, 0.7)),
        ]
        self._features_x = 0.16 * self._turn
        left, right = (1 + 0.2 * self._turn * side for side in (-1, 1))  # the cheek that is turned away is flat
        chin_x = 0.5 * self._features_x + rng.normal(0, 0.01)
        down = [(chin_x * max(0, y) / self._chin - left * x, y) for y, x in rows]
        up = [(chin_x * max(0, y) / self._chin + right * x, y) for y, x in rows[::-1]]
        points = np.array([*down, (chin_x, self._chin), *up, (0, self._eyes_y - 0.7)])
        self._outline = self._px(smooth_curve(points))
        self._half = half

    def _px(self, points) -> np.ndarray:
        """(..., 2) px of points, face widths from the middle of the face."""
        return np.asarray(points, float) * self._unit + self._centre

    def _blob(
        self,
        ring: np.ndarray,
        colour: np.ndarray,
        *,
        ink: np.ndarray | None = None,
        is_hair: bool = False,
    ) -> np.ndarray:
        """Fills a ring, px, with a line round it; its share of every pixel."""
        area = self._area(ring)
        y = np.linspace(-1, 1, self._size)[:, None, None]
        self._mix(area, np.clip(colour * (1 + self._rng.normal(0, 0.1) * y), 0, 255))
        self._hair_seen = np.maximum(self._hair_seen, area) if is_hair else self._hair_seen * (1 - area)
        if self._thick:
            line = np.clip(colour * self._rng.uniform(0.2, 0.7), 0, 255) if ink is None else ink
            self._line(np.concatenate([ring, ring[:1]]), line, self._thick)
        return area

    def _shine(self, area: np.ndarray) -> None:
        """A band of light on hair, or its ends in another light."""
        rng = self._rng
        x = np.linspace(-1, 1, 33)
        jags = rng.uniform(0, 0.08) * np.abs(np.sin(x * rng.uniform(5, 30)))
        y = rng.uniform(-0.8, 0.1) + rng.uniform(-0.3, 0.3) * x**2 + jags
        deep = rng.uniform(0.03, 0.2) if rng.random() < 0.7 else 2.0
        band = self._area(self._px(np.concatenate([np.stack([x, y], 1), np.stack([x, y + deep + jags], 1)[::-1]])))
        if rng.random() < 0.6:
            band = cv2.GaussianBlur(band, (0, 0), rng.uniform(0.5, 8))
        light = np.clip(self._hair * rng.uniform(0.6, 1.8) + rng.uniform(0, 60), 0, 255)
        self._mix(band * area * rng.uniform(0.2, 0.9), light)

    def _back_hair(self) -> None:
        rng = self._rng
        wide, down = self._half + rng.uniform(0.03, 0.35), rng.uniform(-0.1, 1.2)
        t = np.linspace(0, 2 * np.pi, rng.integers(16, 60), endpoint=False)
        rough = 1 + rng.normal(0, rng.uniform(0, 0.07), len(t))
        x, y = wide * np.sin(t) * rough, -np.cos(t) * rough
        y = np.where(y < 0, y * rng.uniform(0.55, 0.85) + self._eyes_y, y * max(down, 0.05) + self._eyes_y)
        area = self._blob(self._px(np.stack([x, y], 1)), self._hair * rng.uniform(0.6, 1), is_hair=True)
        if rng.random() < 0.4:
            self._shine(area)
        self._strands(int(rng.integers(0, 14)), (-wide, wide), (-0.6, down))

    def _strands(self, count: int, across: tuple[float, float], along: tuple[float, float]) -> None:
        """Single lines in hair."""
        rng = self._rng
        for _ in range(count):
            top = np.array([rng.uniform(*across), rng.uniform(*along)])
            end = top + [rng.normal(0, 0.08), rng.uniform(0.1, 0.5)]
            middle = (top + end) / 2 + rng.normal(0, 0.03, 2)
            self._line(
                self._px(smooth_curve(np.array([top, middle, end]), closed=False)),
                self._hair * rng.uniform(0.4, 1.3),
                0.006,
            )

    def _neck(self) -> None:
        rng = self._rng
        wide, x = rng.uniform(0.12, 0.3), 0.4 * self._features_x
        top = self._chin - 0.25
        skin = self._skin * (rng.uniform(0.7, 1) if rng.random() < 0.6 else 1)
        ring = [
            (x - wide, top),
            (x + wide, top),
            (x + wide * rng.uniform(0.9, 1.5), 1.1),
            (x - wide * rng.uniform(0.9, 1.5), 1.1),
        ]
        self._blob(self._px(ring), skin, ink=self._ink)
        if rng.random() < 0.8:  # clothes
            y = self._chin + rng.uniform(0.03, 0.3)
            low = y + rng.uniform(0, 0.3)
            ring = [
                (-1.2, low + 0.1),
                (x - wide, y),
                (x, low),
                (x + wide, y),
                (1.2, low + 0.1),
                (1.2, 1.2),
                (-1.2, 1.2),
            ]
            self._blob(self._px(ring), random_colour(rng))

    def _ears(self) -> None:
        rng = self._rng
        half = np.array([rng.uniform(0.05, 0.1), rng.uniform(0.08, 0.16)])
        y = self._eyes_y + rng.uniform(0.0, 0.2)
        t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        for side in (-1, 1):
            x = side * self._half * (1 + 0.2 * self._turn * side)
            ring = np.stack([x + half[0] * np.cos(t), y + half[1] * np.sin(t)], 1)
            self._blob(self._px(ring), self._skin, ink=self._ink)

    def _face(self) -> np.ndarray:
        rng = self._rng
        face = self._area(self._outline)
        self._hair_seen *= 1 - face
        y, x = np.mgrid[-1 : 1 : self._size * 1j, -1 : 1 : self._size * 1j].astype(np.float32)
        light = (x * rng.normal(0, 0.08) + y * rng.normal(0, 0.08))[..., None]
        self._mix(face, np.clip(self._skin * (1 + light), 0, 255))
        dark = np.clip(self._skin * rng.uniform(0.6, 0.92) * rng.uniform(0.85, 1.05, 3), 0, 255)
        if rng.random() < 0.4:  # shade of the hair, or on one side
            shift = np.array([rng.normal(0, 0.1), rng.uniform(-0.1, 0.5)]) * self._unit
            lit = self._area((self._outline - self._centre) * rng.uniform(0.85, 1.1) + self._centre + shift)
            lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 6))
            self._mix(face * (1 - lit) * rng.uniform(0.3, 1), dark)
        if not self._thick or rng.random() < 0.3:  # the rim in shade, as of a painting
            rim = cv2.GaussianBlur(1 - face, (0, 0), rng.uniform(2, 8))
            self._mix(face * np.clip(1.6 * rim, 0, 1) * rng.uniform(0.2, 0.8), dark)
        if rng.random() < 0.3:
            for side in (-1, 1):
                at = self._px((self._features_x + side * 0.25, (self._eyes_y + self._mouth_y) / 2))
                spot = self._oval(at, np.array([0.1, 0.06]) * self._unit) * face
                blush = np.clip(self._skin * [1.0, 0.75, 0.75], 0, 255)
                self._mix(cv2.GaussianBlur(spot, (0, 0), rng.uniform(0.5, 4)) * rng.uniform(0.3, 1), blush)
        if self._thick:
            ring = np.concatenate([self._outline, self._outline[:1]])
            if rng.random() < 0.15:  # a line with gaps
                first = rng.integers(len(ring))
                ring = np.roll(ring[:-1], first, 0)[: rng.integers(len(ring) // 2, len(ring))]
            self._line(ring, self._ink, self._thick)
        return face

    def _nose(self) -> None:
        rng = self._rng
        at = np.array([self._features_x * rng.uniform(1, 1.4), rng.uniform(self._eyes_y + 0.12, self._mouth_y - 0.06)])
        kind, ink = rng.integers(5), 0.6 * self._ink + 0.4 * self._skin * rng.uniform(0.2, 1)
        thick = rng.uniform(0.004, 0.02)
        wide = rng.uniform(0.015, 0.08)
        if kind == 0:
            self._mix(self._oval(self._px(at), np.full(2, rng.uniform(0.005, 0.02)) * self._unit), ink)
        elif kind == 1:  # from the brow down, round the tip
            bow = [(at[0] - 0.03, at[1] - rng.uniform(0.05, 0.25)), (at[0] + wide, at[1] - 0.02), (at[0], at[1])]
            self._line(self._px(smooth_curve(np.array(bow), closed=False)), ink, thick)
        elif kind == 2:  # its lower edge
            x = np.linspace(-1, 1, 9)
            self._line(self._px(np.stack([at[0] + wide * x, at[1] + 0.03 * (1 - x**2)], 1)), ink, thick)
        elif kind == 3:  # its shade
            ring = [(at[0], at[1] - rng.uniform(0.03, 0.2)), (at[0] + wide, at[1]), (at[0] - 0.3 * wide, at[1])]
            self._mix(self._area(self._px(ring)) * rng.uniform(0.4, 1), self._skin * rng.uniform(0.6, 0.9))
        else:  # nostrils
            for side in (-1, 1):
                self._mix(self._oval(self._px(at + [side * wide, 0]), np.array([0.016, 0.008]) * self._unit), ink)

    def _beard(self, mouth: np.ndarray) -> None:
        rng = self._rng
        lower = self._outline[:, 1] > self._px((0, rng.uniform(self._eyes_y + 0.1, self._mouth_y - 0.02)))[1]
        grown = (self._outline[lower] - self._px((0, self._mouth_y))) * rng.uniform(1, 1.15) + self._px(
            (0, self._mouth_y)
        )
        if len(grown) > 2:
            beard = self._area(grown)
            free = cv2.dilate(mouth, np.ones((3, 3)), iterations=int(rng.integers(1, 6)))
            self._mix(beard * (1 - free), self._hair)

    def _eyes(self) -> None:
        """The same eye twice, the left one mirrored."""
        rng = self._rng
        seed, apart, size = int(rng.integers(2**31)), rng.uniform(0.17, 0.28), rng.uniform(0.8, 1.15)
        side = round(size * EYE_EXTENT * self._unit)
        for way in (-1, 1):
            x = self._features_x + way * apart * (1 - 0.25 * way * self._turn)
            first = np.round(self._px((x, self._eyes_y)) - side / 2).astype(int)
            part = np.s_[max(first[1], 0) : first[1] + side, max(first[0], 0) : first[0] + side]
            seen = self.picture[part]
            pixels = cv2.resize(seen[:, :: way * -1], (EYE_SIDE, EYE_SIDE), interpolation=cv2.INTER_LINEAR)
            nothing = np.full((16, 2), EYE_SIDE / 2.0)
            drawn, _, _ = DrawnEye(pixels, nothing, np.random.default_rng(seed), hair=False).draw()
            changed = (cv2.absdiff(drawn, pixels).max(-1) > 6).astype(np.float32)
            y, x = np.mgrid[-1 : 1 : EYE_SIDE * 1j, -1 : 1 : EYE_SIDE * 1j]
            changed *= (np.maximum(abs(x), abs(y)) < 0.97) & (x < 0.75)  # not over the other eye
            size_back = (seen.shape[1], seen.shape[0])
            weight = cv2.resize(changed, size_back)[:, :: way * -1, None]
            self.picture[part] = (1 - weight) * seen + weight * cv2.resize(
                drawn, size_back, interpolation=cv2.INTER_AREA
            )[:, :: way * -1]

    def _front_hair(self) -> None:
        """Above the forehead, with locks over it and beside the cheeks."""
        rng = self._rng
        line = self._eyes_y - rng.uniform(0.05, 0.45)
        count = int(rng.integers(3, 12))
        wide = self._half + rng.uniform(-0.02, 0.12)
        x = np.linspace(-wide, wide, 2 * count + 1)
        y = np.where(
            np.arange(2 * count + 1) % 2,
            line + rng.uniform(0, rng.uniform(0.1, 0.35), 2 * count + 1),
            line - rng.uniform(0, 0.15, 2 * count + 1),
        )
        top = [
            (wide, self._eyes_y - 0.5),
            (0.6 * wide, self._eyes_y - 0.8),
            (-0.6 * wide, self._eyes_y - 0.8),
            (-wide, self._eyes_y - 0.5),
        ]
        ring = np.concatenate([np.stack([x, y], 1), top])
        area = self._blob(self._px(ring if rng.random() < 0.5 else smooth_curve(ring)), self._hair, is_hair=True)
        for _ in range(rng.integers(0, 3)):
            self._shine(area)
        self._strands(int(rng.integers(0, 8)), (-wide, wide), (line - 0.5, line - 0.1))
        for side in (-1, 1):
            for _ in range(rng.integers(0, 3)):
                x0 = side * (self._half + rng.uniform(-0.12, 0.1))
                end, thick = rng.uniform(0, 1.1), rng.uniform(0.02, 0.12)
                lock = [
                    (x0 - thick, line - 0.2),
                    (x0 + thick, line - 0.2),
                    (x0 + thick + rng.normal(0, 0.05), end / 2),
                    (x0 + rng.normal(0, 0.1), end),
                    (x0 - thick + rng.normal(0, 0.05), end / 2),
                ]
                self._blob(self._px(smooth_curve(np.array(lock))), self._hair * rng.uniform(0.8, 1.1), is_hair=True)

    def _hand(self) -> np.ndarray:
        """Something before the face; its share of every pixel."""
        rng = self._rng
        t = np.linspace(0, 2 * np.pi, 9, endpoint=False)
        ring = np.stack([np.cos(t), np.sin(t)], 1) * rng.uniform(0.1, 0.3, (9, 1)) + [
            rng.uniform(-0.5, 0.5),
            rng.uniform(0.3, 0.8),
        ]
        colour = self._skin if rng.random() < 0.6 else random_colour(rng)
        return self._blob(self._px(smooth_curve(ring)), colour, ink=self._ink)

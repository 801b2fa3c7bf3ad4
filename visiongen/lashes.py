"""Lashes of a portrait's upper lids, which do not grow with the lid that they lie on.

Long lashes of an open eye stand before the skin above it. When the eye closes, that skin unrolls from its fold to a multiple of
its height, and lashes in it would be a curtain. So what is above the rim of a lid (`visiongen.eyes`) takes its colours from
the picture without thin dark lines, the more the eye is closed.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, box_round, fixed
from visiongen.eyeballs import EYES, eye_opening
from visiongen.eyes import LASHES, LIDS, MOST_OF_LID
from visiongen.ramps import rising
from visiongen.warping import half_steps

_THIN, _THICK = 0.022, 0.04
"""Face widths, which no lash is thicker than, but frames of glasses are; and no clump of them where they are dense."""
_HIGH, _DENSE = 2.1, 1.15
"""They reach so much farther than the points of the mesh above a lid, times, and stand so densely up to there."""
_SKIN, _FAR, _ALIKE = 1.3, 0.03, 30
"""From so far on there is skin between them; how far its colour goes, face widths; levels within which it is skin."""
_SOFT = 0.008
"""Of their border, face widths."""
_ROOM = 0.06
"""Round an eye, face widths."""
_DARKER = 6.0
"""Levels by which they darken what is above a lid, from which on there are any."""
_CLOSED = (0.3, 0.8)
"""Share of the opening that is closed, at which they begin to fade, and are gone."""


class Bare(NamedTuple):
    """What a part of a frame shows without lashes."""

    part: tuple[slice, slice]
    """Rows and columns."""
    pixels: np.ndarray
    """(h, w, 3) uint8."""
    weight: np.ndarray
    """(h, w) float32 in [0, 1]."""


class _Lid(NamedTuple):
    eye: tuple[int, ...]
    opening: float
    corner: tuple[int, int]
    """Column and row of the piece in the crop, px."""
    bare: np.ndarray
    """Its half steps, (2h - 1, 2w - 1, 3) uint8, without lashes."""
    share: np.ndarray
    """The half steps of where there are lashes, (2h - 1, 2w - 1) float32."""
    marks: tuple[int, ...]
    """Landmarks round it."""


class Lashes:
    """Of one portrait."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        self._side = len(crop)
        self._width = float(np.linalg.norm(source[234, :2] - source[454, :2]))
        self._margin = round(_ROOM * self._width * self._side) + 2
        lids = (self._lid(crop, source, eye, *lid) for (eye, _), lid in zip(EYES, LIDS, strict=True))
        self._lids = [lid for lid in lids if lid is not None]

    def _lid(self, crop, source, eye: tuple[int, ...], edge: tuple[int, ...], above: tuple[int, ...]) -> _Lid | None:
        lower, upper = (source[list(marks), :2] for marks in (edge, above))
        way = upper - lower
        high = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        rim, unit = np.minimum(LASHES * self._width / high, MOST_OF_LID), self._width * self._side
        box = box_round(
            np.concatenate([lower, lower + _HIGH * way]) * self._side,
            self._side,
            before=self._margin,
            after=self._margin,
        )
        if box is None:
            return None
        left, top, right, bottom = box
        piece = crop[top:bottom, left:right]

        def between(low: np.ndarray | float, up: float) -> np.ndarray:
            """(h, w) float32 in [0, 1]: from one share of the way above a lid to another."""
            ring = np.concatenate([lower + low * way, (lower + up * way)[::-1]]) * self._side - [left, top]
            area = np.zeros(piece.shape[:2], np.uint8)
            cv2.fillPoly(area, [fixed(ring)], 255, cv2.LINE_AA, SUBPIXEL)
            return area.astype(np.float32) / 255

        thin, clear = (_without_lines(piece, thick * unit) for thick in (_THIN, _THICK))
        whole = between(rim, _HIGH)
        if not whole.any() or ((clear.astype(np.int16) - piece).mean(-1) * whole).sum() < _DARKER * whole.sum():
            return None
        skin = _skin(clear, between(_SKIN, _HIGH), _FAR * unit)
        if skin is None:
            return None
        # Next to the lid they are as dense as a line that is drawn there, and thicker than any of them.
        dense = cv2.GaussianBlur(between(rim, _DENSE), (0, 0), max(0.5, _SOFT * unit))[..., None]
        bare = np.uint8(thin + dense * (np.maximum(thin, skin).astype(np.float32) - thin) + 0.5)
        share = cv2.GaussianBlur(whole, (0, 0), max(0.5, _SOFT * unit))
        return _Lid(eye, eye_opening(source, eye), (left, top), half_steps(bare), half_steps(share), edge + above)

    def __call__(self, places: np.ndarray, target: np.ndarray) -> list[Bare]:
        """Parts of a frame whose lashes have faded.

        Args:
            places: (S, S, 2) float32, where in the `half_steps` of the crop its pixels are read.
            target: (478, 3) its landmarks, crop units.
        """
        parts = []
        for lid in self._lids:
            closed = 1 - eye_opening(target, lid.eye) / max(lid.opening, 1e-6)
            share = float(rising(closed, _CLOSED))
            if share < 0.02:
                continue
            around = target[list(lid.marks), :2] * self._side
            box = box_round(around, self._side, before=self._margin, after=self._margin)
            if box is None:
                continue
            left, top, right, bottom = box
            part = np.s_[top:bottom, left:right]
            there = places[part] - np.float32([2 * lid.corner[0], 2 * lid.corner[1]])
            weight = share * cv2.remap(lid.share, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
            pixels = cv2.remap(lid.bare, there, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            parts.append(Bare(part, pixels, weight))
        return parts


def _without_lines(picture: np.ndarray, thick: float) -> np.ndarray:
    """(H, W, 3) uint8 without dark lines of so many px."""
    size = max(3, round(thick)) | 1
    clear = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    return cv2.GaussianBlur(clear, (0, 0), size / 6)


def _skin(picture: np.ndarray, known: np.ndarray, far: float) -> np.ndarray | None:
    """(H, W, 3) uint8: skin where it is `known` (H, W) in [0, 1], and its colours elsewhere; None: most of that is no skin."""
    there = picture[known > 0.5].astype(np.float32)
    if not len(there):
        return None
    unlike = np.abs(picture - np.median(there, axis=0)).max(-1)
    known = known * (unlike < _ALIKE)
    if known.sum() < len(there) / 2:
        return None
    weight = cv2.GaussianBlur(known, (0, 0), far)[..., None] + 1e-6
    colours = cv2.GaussianBlur(picture.astype(np.float32) * known[..., None], (0, 0), far)
    return np.clip(colours / weight + 0.5, 0, 255).astype(np.uint8)


def shown(frame: np.ndarray, parts: list[Bare]) -> None:
    """Lays them over a frame (S, S, 3) uint8."""
    for part, pixels, weight in parts:
        frame[part] = cv2.blendLinear(frame[part], pixels, 1 - weight, weight)

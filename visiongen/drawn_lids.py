"""Lids of drawn eyes: drawn over them, as in an animation, where a person's are moved.

A person's lid unrolls from its fold. Over a drawn eye, which may be as high as it is wide, there is a thick line and then hair:
stretched, they are a black curtain. So such an eye stays open, and a lid in the colour of the skin comes down over it, with the
line of its lashes at its edge.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.drawing import Piece, box_round
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.pose import fit_head
from visiongen.ramps import rising
from visiongen.retarget import EYE_PAIRS, EYE_SKIN, SKIN_SHARE, UPPER_SHARE

_ROOM = 0.1
"""Of the picture that is looked at round an eye, face widths."""
_THIN, _THICK = 0.012, 0.06
"""Of the line of the lashes, face widths."""
_DARK = (0.3, 0.6)
"""How far from skin to ink a pixel above an eye is, from which on it belongs to that line, and wholly."""
_SKIN = (0.03, 0.1)
"""Where skin is looked for, face widths below an eye."""
_BEYOND = 0.012
"""Face widths below the lower lid that a closed one reaches: no white is left under its line."""
_BEGUN = (0.02, 0.12)
"""Share of the opening from which on a lid is seen, and wholly."""
_INK = 10
"""Of the pixels above an eye so many in a hundred are ink."""
_USUAL = 1.3
"""The line is nowhere thicker than so many times its median."""
_TRIED, _ALIKE = (20, 35, 50, 65, 80), 20
"""Which colour the most pixels below an eye are like: percentiles by their light, levels."""


class DrawnLids:
    """Closes the drawn eyes of one portrait; nothing where it has none."""

    def __init__(self, crop: np.ndarray, source: np.ndarray, drawn: tuple[bool, bool]) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
            drawn: Whether its right and left eye are drawn ones, see `visiongen.drawn_eyes`.
        """
        self._eyes = [side for side, is_drawn in zip(EYE_PAIRS, drawn, strict=True) if is_drawn]
        if not self._eyes:
            return
        self._side = crop.shape[0]
        self._source = source
        down, width = _upright(source)
        self._own = {side: _gaps(source, side, down, width) for side in self._eyes}
        rings = {side: source[list(_RINGS[side]), :2] * self._side for side in self._eyes}
        skin = _skin(crop, source[:, :2] * self._side, width * self._side)
        self._lids = {side: _Lid(crop, ring, width * self._side, skin) for side, ring in rings.items()}

    def held(self, target: np.ndarray) -> np.ndarray:
        """Landmarks `target` (478, 3), crop units, with drawn eyes at least as open as the portrait's; others as they are."""
        if not self._eyes:
            return target
        target, (down, size) = target.copy(), _upright(target)
        for side in self._eyes:
            missing = np.maximum(self._own[side] - _gaps(target, side, down, size), 0)[:, None] * size * down
            for ring, share in ((EYE_PAIRS[side], 1.0), (EYE_SKIN[side], SKIN_SHARE)):
                upper, lower = np.array(ring).T
                target[upper] -= share * UPPER_SHARE * missing
                target[lower] += share * (1 - UPPER_SHARE) * missing
        return target

    def __call__(self, target: np.ndarray) -> list[Piece]:
        """Lids to lay over a frame with the landmarks `target` (478, 3), crop units, whose eyes were `held` open."""
        pieces = []
        if not self._eyes:
            return pieces
        upright, held = _upright(target), self.held(target)
        for side in self._eyes:
            own = self._own[side].mean()
            closed = 1 - float(_gaps(target, side, *upright).mean() / max(own, 1e-6))
            if closed > _BEGUN[0]:
                marks = list(_RINGS[side])
                piece = self._lids[side].piece(min(closed, 1.0), held[marks, :2], self._side)
                pieces += [] if piece is None else [piece]
        return pieces


_RINGS = {"right": RIGHT_EYE, "left": LEFT_EYE}


def _upright(points: np.ndarray) -> tuple[np.ndarray, float]:
    """(3,) the way from forehead to chin, and the face's width, of landmarks (478, 3)."""
    (rotation,), _, (size,) = fit_head(points[None])
    return rotation[:, 1], float(size)


def _gaps(points: np.ndarray, side: str, down: np.ndarray, size: float) -> np.ndarray:
    """(P,) gaps of the pairs of an eye's lids, face widths."""
    upper, lower = np.array(EYE_PAIRS[side]).T
    return (points[lower] - points[upper]) @ down / size


class _Lid:
    """One lid, drawn where the portrait has its eye."""

    def __init__(self, crop: np.ndarray, ring: np.ndarray, width: float, skin: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            ring: (16, 2) lids, px.
            width: Of the face, px.
            skin: (3,) its colour.
        """
        self._ring, self._skin = ring, skin
        room = round(_ROOM * width)
        self._box = box = box_round(self._ring, len(crop), before=room, after=room)
        if box is None:
            return
        self._beyond = _BEYOND * width
        left, top, right, bottom = box
        picture = crop[top:bottom, left:right].astype(np.float32)
        own = self._ring - [left, top]
        columns = np.arange(right - left) + 0.5
        self._rows = np.arange(bottom - top, dtype=np.float32)[:, None] + 0.5
        self._upper, self._lower = (_edge(own[part], columns) for part in (np.r_[0:9], np.r_[8:16, 0]))
        ends = np.sort(own[[0, 8], 0])
        # (w,) float32: 1 between the corners.
        self._between = np.clip(columns - ends[0] + 0.5, 0, 1) * np.clip(ends[1] - columns + 0.5, 0, 1)
        self._along = np.clip((columns - ends[0]) / max(ends[1] - ends[0], 1e-6), 0, 1)
        self._ink, self._thick = self._lashes(picture, width)

    def _lashes(self, picture: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
        """(3,) colour of the line above the eye, and (w,) how thick it is, px."""
        thin, thick = _THIN * width, _THICK * width
        above = (self._rows < self._upper + 0.5) & (self._rows > self._upper - thick) & (self._between > 0.5)
        light = picture.mean(-1)
        dark = above & (light <= np.percentile(light[above], _INK)) if above.any() else above
        ink = np.median(picture[dark], axis=0) if dark.any() else 0.3 * self._skin
        likely = rising((self._skin.mean() - light) / max(float(self._skin.mean() - ink.mean()), 1.0), _DARK)
        # From the eye upward as long as it is dark.
        up = np.floor(self._upper - 0.5 - np.arange(int(thick) + 2)[:, None]).astype(int)
        run = np.minimum.accumulate(np.take_along_axis(likely, np.clip(up, 0, len(picture) - 1), 0), 0).sum(0)
        within = self._between > 0.5
        if not within.any():
            return ink, np.full(len(run), thin)
        # Hair that touches it here and there is no part of it.
        run = np.minimum(run, _USUAL * np.median(run[within]))
        run = np.where(within, run, np.median(run[within]))
        smooth = cv2.GaussianBlur(
            np.float32(run)[None], (0, 0), max(1.0, within.sum() / 8), borderType=cv2.BORDER_REPLICATE
        )[0]
        return ink, np.clip(smooth, thin, thick)

    def piece(self, closed: float, ring: np.ndarray, side: int) -> Piece | None:
        """The lid of an eye whose held ring (16, 2), crop units, is in a crop of `side` px, closed by a share."""
        if self._box is None:
            return None
        edge = self._upper + closed * (self._lower + self._beyond - self._upper)
        taper = self._between * (4 * self._along * (1 - self._along)) ** 0.35
        over = _rows_between(self._rows, self._upper - self._thick * taper - 1, edge) * self._between
        lash = _rows_between(self._rows, edge - self._thick * taper, edge + 0.5) * self._between
        weight = np.float32(np.maximum(over, lash) * rising(closed, _BEGUN))
        colour = np.float32(self._skin + lash[..., None] * (self._ink - self._skin))
        return self._laid(colour, weight, ring * side, side)

    def _laid(self, colour: np.ndarray, weight: np.ndarray, ring: np.ndarray, side: int) -> Piece | None:
        """A drawing of the portrait's eye where its ring (16, 2), px, is now."""
        left, top, *_ = self._box
        before = np.c_[self._ring - [left, top], np.ones(len(ring))]
        matrix = np.linalg.lstsq(before, ring, rcond=None)[0].T  # (2, 3), from outer corners
        if np.linalg.det(matrix[:, :2]) <= 0:
            return None  # it looks away
        height, width = weight.shape
        corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
        box = box_round(corners, side, before=1, after=1)
        if box is None:
            return None
        x, y, right, bottom = box
        matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5 - [x, y]
        size = (right - x, bottom - y)
        weight = cv2.warpAffine(weight, matrix, size, flags=cv2.INTER_LINEAR)
        colour = cv2.warpAffine(colour, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return Piece(colour, weight, (x, y))


def _rows_between(rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """(h, w) share of every pixel in rows (h, 1), px of their middles, that is between two edges (w,)."""
    return np.clip(rows - first + 0.5, 0, 1) * np.clip(last - rows + 0.5, 0, 1)


def _edge(corners: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(w,) height of a lid's edge through corners (9, 2), px, at columns (w,), without their kinks."""
    order = corners[:, 0].argsort()
    height = np.interp(columns, corners[order, 0], corners[order, 1])
    reach = max(1.0, np.ptp(corners[:, 0]) / 20)
    return cv2.GaussianBlur(np.float32(height)[None], (0, 0), reach, borderType=cv2.BORDER_REPLICATE)[0]


def _skin(crop: np.ndarray, points: np.ndarray, width: float) -> np.ndarray:
    """(3,) the commonest colour below the eyes and between them, landmarks (478, 2), px: not that of lines, lights, glasses
    and hair."""
    rings = [points[list(ring)] for ring in _RINGS.values()]
    boxes = [
        (ring[:, 0].min(), ring[:, 0].max(), *(ring[:, 1].max() + share * width for share in _SKIN)) for ring in rings
    ]
    (right, _), (left, _) = (ring[8] for ring in rings)
    heights = np.concatenate(rings)[:, 1]
    boxes.append((min(right, left), max(right, left), heights.min(), heights.max()))
    parts = []
    for box in boxes:
        first, last, top, bottom = (int(at) for at in np.clip(box, 0, len(crop) - 1))
        parts.append(crop[top : bottom + 1, first : last + 1].reshape(-1, 3))
    colours = np.concatenate(parts).astype(np.float32)
    colours = colours[colours.mean(-1).argsort()]
    tried = colours[[len(colours) * share // 100 for share in _TRIED]]
    alike = np.linalg.norm(colours - tried[:, None], axis=-1) < _ALIKE
    return colours[alike[alike.sum(1).argmax()]].mean(0)

"""Outlines of drawings: a line round a face is no part of it, and is not drawn out with it.

A head that turns shows more of its side. In a drawing there is a dark line between cheek, ear and hair; stretched like the skin
beside it, it would be a black spot. So what is stretched takes its colours from the picture without thin dark lines, and the
lines round jaw and ears are drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, Piece, fixed
from visiongen.drawn_lines import FAINT, ROUND, DrawnLines, beside_the_oval
from visiongen.flow import GRID, MAPS, DenseMotion
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.patches import face_patch
from visiongen.pose import fit_head
from visiongen.ramps import rising

_LOOKED_AT = 256
"""Side of the picture in which lines are looked for, px."""
_EAR_TO_EAR = slice(8, 29)
"""Of the oval, over the chin; above it there is hair in every picture."""
_EXTENT = 1.8
"""Side of a face cut out for that, face widths."""
_THICK = 0.05
"""Face widths, which no line is thicker than."""
_STEPS = 17
"""At so many distances from the oval lines are looked for."""
_DARKER, _LINED = 50, 0.55
"""Levels by which a line is darker than what is beside it, and the share of the oval that it follows in a drawing. Jaws in
photographs have a dark side, which is no line; hair crosses them here and there."""
_LASHES = (0.04, 0.09)
"""Face widths beside an eye, and above and below it, up to which there are lids and lashes."""
_STRETCHED = (0.3, 0.8)
"""Logarithm of the area that a surface gains over the portrait's, from which on a line in it fades, and is gone."""


def has_outlines(image: np.ndarray, landmarks: np.ndarray) -> bool:
    """Whether a picture (H, W, 3) uint8 RGB with the landmarks (478, 3) px is a drawing with a line round the face."""
    patch = face_patch(image, landmarks, side=_LOOKED_AT, extent=_EXTENT)
    source = landmarks.astype(np.float64)
    source[:, :2] = patch.placed(source) / _LOOKED_AT
    lines = np.float32((_without_lines(patch.pixels, 1 / _EXTENT).astype(np.int16) - patch.pixels).max(-1))
    return _follow(lines, source, 1 / _EXTENT)


class Outlines:
    """Takes the lines out of what is stretched of one portrait; nothing where it is no drawing of lines."""

    def __init__(self, crop: np.ndarray, source: np.ndarray) -> None:
        """
        Args:
            crop: (S, S, 3) uint8 RGB.
            source: (478, 3) its landmarks, crop units.
        """
        width = float(fit_head(source[None])[2][0])
        side = min(_LOOKED_AT, len(crop))  # photographs of many pixels are told apart in no time
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        lines = np.float32((_without_lines(small, width).astype(np.int16) - small).max(-1))
        found = _follow(lines, source, width)
        self._lines = DrawnLines(lines, small, source, least=_DARKER) if found else None
        self._lids_and_jaw = cv2.merge([_round_the_eyes(source, width), np.float32(self._lines.jaw)]) if found else None
        self.without: np.ndarray | None = _without_lines(crop, width) if found else None
        """(S, S, 3) uint8, the drawing without its thin dark lines; None of other pictures."""

    def __call__(self, dense: DenseMotion) -> np.ndarray | None:
        """(G, G) float32 in [0, 1]: where a frame is `without` lines; None: nowhere."""
        if self.without is None:
            return None
        maps = dict(zip(MAPS, dense.maps))
        features = np.maximum(np.maximum(maps["mouth"], maps["eyes"]), maps["iris"])
        weight = rising(cv2.dilate(maps["stretch"], np.ones((3, 3))), _STRETCHED) * maps["head"]
        weight *= 1 - cv2.dilate(features, np.ones((5, 5)))
        places = dense.candidates[0] * GRID - 0.5
        lids, jaw = cv2.split(cv2.remap(self._lids_and_jaw, places, None, cv2.INTER_LINEAR))
        weight *= 1 - lids
        # A chin that rises leaves its line on the neck.
        weight = np.maximum(weight, jaw * (1 - cv2.dilate(maps["head"], np.ones((3, 3)))))
        weight = cv2.GaussianBlur(weight.astype(np.float32), (0, 0), 1.0)
        weight[weight < FAINT] = 0  # what nobody sees would be looked up all the same
        return weight if weight.any() else None

    def drawn(
        self, target: np.ndarray, ears: Sequence[np.ndarray], without_lines: np.ndarray, side: int
    ) -> list[Piece]:
        """The lines that a frame with `side` rows has instead, with the landmarks `target` (478, 3) and the lines (P, 2) round
        its ears, crop units."""
        return [] if self._lines is None else self._lines(target, ears, without_lines, side)


def _round_the_eyes(source: np.ndarray, width: float) -> np.ndarray:
    """(G, G) float32 in [0, 1], the eyes of a drawing with lids and lashes, whose lines are no outlines."""
    eyes = np.zeros((GRID, GRID), np.uint8)
    for eye in (RIGHT_EYE, LEFT_EYE):
        cv2.fillPoly(eyes, [fixed(source[list(eye), :2] * GRID)], 1, shift=SUBPIXEL)
    size = [2 * round(reach * width * GRID) + 1 for reach in _LASHES]
    around = cv2.dilate(eyes, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size))
    return cv2.GaussianBlur(around.astype(np.float32), (0, 0), 1.0)


def _without_lines(crop: np.ndarray, width: float) -> np.ndarray:
    side = max(3, round(_THICK * width * crop.shape[0])) | 1
    return cv2.morphologyEx(crop, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _follow(lines: np.ndarray, source: np.ndarray, width: float) -> bool:
    """Whether the lines of a picture, (H, H) levels, run along the face."""
    away = np.linspace(*ROUND, _STEPS)[:, None]
    places = beside_the_oval(source, width, away, _EAR_TO_EAR) * len(lines) - 0.5
    found = cv2.remap(lines, places.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float((found.max(0) > _DARKER).mean()) > _LINED

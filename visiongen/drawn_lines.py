"""The line round a drawn face, and how it goes on round a jaw and ears that the drawing shows from the front only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, Piece, canvas_round, fixed
from visiongen.flow import GRID
from visiongen.landmarks import FACE_OVAL
from visiongen.oval import outward
from visiongen.pose import fit_head
from visiongen.ramps import rising
from visiongen.rotations import gaussian_over_time

_JAW = slice(10, 27)
"""Of the oval, from ear lobe to ear lobe over the chin; beside an ear there is none in a head that has turned."""
ROUND, _STEPS = (-0.06, 0.1), 33
"""So far from the oval, face widths, it is looked for."""
_WANDERS = 0.03
"""Face widths by which it comes nearer to the oval, or goes farther away, than it mostly is: what is elsewhere is hair."""
_SMOOTH = 1.0
"""Vertices over which its distance from the oval is smoothed."""
_FINEST = 0.008
"""Face widths, the least thickness it is drawn with."""
_TAPER, _FINE, _THINNEST = 8, 8, 0.5
"""So many parts of it at either end get thinner; parts between two vertices; pixels of a part that is not drawn any more."""
FAINT = 0.03
"""Share up to which nobody sees it."""
_MORE = 2
"""Cells by which what is told to have a line is wider than it."""
_NEAR_SIDE = (-0.12, 0.05)
"""Cosines, of what is outward to what is toward the camera, between which it comes into sight."""


class DrawnLines:
    """Draws the line of one drawing round the jaw, and round the ears, of its head in another pose."""

    def __init__(self, lines: np.ndarray, picture: np.ndarray, source: np.ndarray, *, least: float) -> None:
        """
        Args:
            lines: (H, H) float32, by how many levels the thin lines of the picture are darker than what is beside them.
            picture: (H, H, 3) uint8 RGB.
            source: (478, 3) landmarks, crop units.
            least: Levels from which on there is one, which there is somewhere round the jaw.
        """
        self._width = width = float(fit_head(source[None])[2][0])
        self._across = float(np.linalg.norm(_axes(source)[0]))
        steps = np.linspace(*ROUND, _STEPS)
        places = np.float32(beside_the_oval(source, width, steps[:, None], _JAW) * len(picture) - 0.5)  # (steps, V, 2)
        dark = cv2.remap(lines, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        darkest, seen = np.argmax(dark, axis=0), np.flatnonzero(dark.max(0) > least)
        # Where hair or a collar hides it, it goes on between what is seen of it.
        away = np.interp(np.arange(dark.shape[1]), seen, steps[darkest[seen]])
        away = np.clip(away, np.median(away) - _WANDERS, np.median(away) + _WANDERS)
        self._away = gaussian_over_time(away, _SMOOTH)
        """(V,) face widths from the oval."""
        thick = (dark > dark.max(0) / 2).sum(0)[seen] * (steps[1] - steps[0])
        self._thick = max(float(np.median(thick)), _FINEST)
        """Face widths."""
        self.jaw = np.zeros((GRID, GRID), np.uint8)
        """(G, G), 1 where the drawing has its line round the jaw."""
        line, thickness = (
            beside_the_oval(source, width, self._away, _JAW),
            math.ceil(self._thick * width * GRID) + _MORE,
        )
        cv2.polylines(self.jaw, [fixed(line * GRID)], False, 1, thickness, cv2.LINE_8, SUBPIXEL)
        at = places[darkest[seen], seen].round().astype(int).clip(0, len(picture) - 1)
        middle = cv2.erode(picture, np.ones((3, 3)))[at[:, 1], at[:, 0]]
        self._ink = np.float32(np.median(middle, axis=0))[None, None]
        """(1, 1, 3)."""

    def __call__(self, target: np.ndarray, ears: Sequence[np.ndarray], share: np.ndarray, side: int) -> list[Piece]:
        """What is to be laid over a frame with `side` rows.

        Args:
            target: (478, 3) landmarks, crop units.
            ears: Lines (P, 2) round the ears that are seen, crop units.
            share: (G, G) in [0, 1], as far as lines shall be drawn there.
        """
        axes = _axes(target)  # of a line a guess of the pose is enough, at a tenth of the time
        across, down = np.linalg.norm(axes, axis=1)
        width = self._width * across / self._across
        toward = outward()[_JAW] @ (-axes[:, 2] / (across, down))
        shown = rising(toward, _NEAR_SIDE)  # the far side is hidden by the face
        jaw = beside_the_oval(target, width, self._away, _JAW)
        lines = [(jaw, shown), *((ear, np.ones(len(ear))) for ear in ears)]
        near = cv2.dilate(share, np.ones((5, 5)))  # most frames have most lines still
        lines = [(line, shown) for line, shown in lines if _at(near, line).max() > FAINT]
        pieces = (self._piece(line, self._thick * width * shown, share, side) for line, shown in lines)
        return [piece for piece in pieces if piece is not None]

    def _piece(self, line: np.ndarray, thick: np.ndarray, share: np.ndarray, side: int) -> Piece | None:
        """A line (V, 2), `thick` (V,), crop units, as far as it shall be drawn; None: nowhere in the crop."""
        finer, thinner = _finer(len(line))
        line, thick = finer @ line, side * (thinner @ thick)
        wanted = np.convolve(_at(share, line), np.ones(3), "same")  # and up to where it begins
        parts = np.flatnonzero((wanted[:-1] > FAINT) & (thick[:-1] > 0))
        canvas = canvas_round(line[parts[0] : parts[-1] + 2], side) if len(parts) else None
        if canvas is None:
            return None
        drawn, line = np.zeros(canvas.shape, np.uint8), fixed(canvas.placed(line))
        parts = parts[thick[parts] * canvas.finer > _THINNEST]
        # OpenCV's smooth lines are a pixel thicker than they are asked to be.
        thickness = np.maximum((thick[parts] * canvas.finer).astype(int) - 1, 1)
        # One call for all parts that follow each other and are as thick.
        ends = np.flatnonzero((np.diff(parts) != 1) | (np.diff(thickness) != 0)) + 1
        for run in np.split(np.arange(len(parts)), ends) if len(parts) else ():
            points = line[parts[run[0]] : parts[run[-1]] + 2]
            cv2.polylines(drawn, [points], False, 255, int(thickness[run[0]]), cv2.LINE_AA, SUBPIXEL)
        colour, weight, (left, top) = canvas.piece(self._ink, drawn.astype(np.float32) / 255)
        cell = GRID / side
        place = np.array([[cell, 0, (left + 0.5) * cell - 0.5], [0, cell, (top + 0.5) * cell - 0.5]])
        weight *= cv2.warpAffine(share, place, weight.shape[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        return Piece(colour, weight, (left, top))


def beside_the_oval(points: np.ndarray, width: float, away: np.ndarray, part: slice) -> np.ndarray:
    """(..., V, 2) places `away` (..., V), face widths, from a part of the oval of landmarks (478, 3), outward, crop units."""
    oval = points[list(FACE_OVAL), :2]
    way = oval - oval.mean(0)
    way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    return oval[part] + away[..., None] * width * way[part]


def _at(layer: np.ndarray, line: np.ndarray) -> np.ndarray:
    """(V,) of a layer (G, G) along a line (V, 2), crop units."""
    return cv2.remap(layer, np.float32(line * GRID - 0.5)[None], None, cv2.INTER_LINEAR)[0]


def _axes(points: np.ndarray) -> np.ndarray:
    """(2, 3) from the right to the left of a face of landmarks (478, 3), and from its top to its chin."""
    return points[[454, 152]] - points[[234, 10]]


@cache
def _finer(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Both (P, V): what makes a curve of more points of a line of V, and of their thickness one that tapers off."""
    finer = _smooth(np.eye(count))
    part = np.arange(len(finer))
    taper = np.minimum((np.minimum(part, part[::-1]) + 1) / _TAPER, 1)
    at, vertices = np.linspace(0, count - 1, len(finer)), np.arange(count)
    return finer, taper[:, None] * np.maximum(1 - np.abs(at[:, None] - vertices), 0)


def _smooth(line: np.ndarray) -> np.ndarray:
    """(V, N) as a curve of more points (Catmull-Rom)."""
    before, a, b, after = line[:-3], line[1:-2], line[2:-1], line[3:]
    t = np.linspace(0, 1, _FINE, endpoint=False)[:, None, None]
    curve = 0.5 * (
        2 * a + (b - before) * t + (2 * before - 5 * a + 4 * b - after) * t**2 + (3 * a - before - 3 * b + after) * t**3
    )
    return np.concatenate([line[:1], curve.swapaxes(0, 1).reshape(-1, line.shape[1]), line[-1:]])

"""Teeth as a model in the head frame: two arches, the upper one fixed to the skull, the lower one to the jaw.

What an open mouth shows is a matter of geometry: lips move over teeth that stay where they are. So a smile bares the upper
row, a dropped jaw takes the lower row along, and a turned head shows them from the side, whoever drives.

Sizes are rounded averages of adults in millimetres, brought to a face by the width of its mouth; the levels of the edges were
fitted to real mouths (docs/training.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

MOUTH_WIDTH = 50.0
"""Of an adult's closed mouth from corner to corner, mm: the yardstick."""


@dataclass(frozen=True)
class _Row:
    widths: tuple[float, ...]
    """Of the teeth of one side, from the middle, mm."""
    heights: tuple[float, ...]
    """Of their crowns, mm."""
    recess: tuple[float, ...]
    """How far their edges stand back from the plane of the front ones, mm."""
    half_width: float
    """Of the arch, mm."""
    depth: float
    """Of the arch from the front to its widest place, mm."""
    edge: float
    """Level of the front edges below the line in which closed lips meet, mm."""
    behind: float
    """How far the front teeth lie behind that line, mm."""


_UPPER = _Row(
    widths=(8.5, 6.5, 7.5, 7.0, 7.0, 10.0),
    heights=(10.5, 9.0, 10.0, 8.5, 8.5, 7.5),
    recess=(0.0, 0.6, 0.1, 0.8, 1.2, 1.6),
    half_width=27.0, depth=36.0, edge=-1.0, behind=2.0,
)  # fmt: skip
_LOWER = _Row(
    widths=(5.0, 5.5, 7.0, 7.0, 7.0, 11.0),
    heights=(9.0, 9.5, 11.0, 8.5, 8.0, 7.5),
    recess=(0.0, 0.0, -0.3, 0.5, 0.9, 1.2),
    half_width=25.0, depth=34.0, edge=0.0, behind=3.5,
)  # fmt: skip
_GAP = 0.2
"""Half of what separates two teeth, mm."""


OUTLINE, BAND, GUM = slice(None, -8), slice(-8, -4), slice(-4, None)
"""Of the corners of a tooth."""


@dataclass(frozen=True, eq=False)
class Teeth:
    """One row, in the frame of the mouth: x to the picture's right, y down, z away from the camera, mm; the origin is the
    middle of the line in which closed lips meet."""

    corners: np.ndarray
    """(N, P, 3) of each tooth its `OUTLINE`, the `BAND` that is seen between it and its neighbours, and the `GUM` above (below)
    it: together, because they are placed together."""
    light: tuple[float, ...]
    """(N,) share of the light that each gets: less toward the back."""


@cache
def upper() -> Teeth:
    """The row that is fixed to the skull."""
    return _built(_UPPER, 1.0)


@cache
def lower() -> Teeth:
    """The row that moves with the jaw."""
    return _built(_LOWER, -1.0)


def _built(row: _Row, down: float) -> Teeth:
    """`down`: 1 where crowns point down, -1 where they point up."""
    angle, length = _arc(row)
    corners, light = [], []
    at = 0.0
    for width, height, recess in zip(row.widths, row.heights, row.recess, strict=True):
        # A crown, from the gum round its edge and back: narrow at the neck, widest near the edge, with rounded corners.
        across = np.array([0.13, 0.03, 0.0, 0.04, 0.2, 0.5, 0.8, 0.96, 1.0, 0.97, 0.87, 0.5])
        along = np.array([0.1, 0.4, 0.8, 0.94, 1.0, 1.0, 1.0, 0.94, 0.8, 0.4, 0.1, 0.0])
        edge = row.edge - down * recess
        y = edge + down * height * (along - 1)
        # The gap is the same for all teeth.
        outline = _on_arc(row, angle, length, at + np.clip(across * width, _GAP, width - _GAP), y)
        band, gum = (
            _on_arc(row, angle, length, at + np.array([0.0, width, width, 0.0]), edge - down * height * np.array(level))
            for level in ([0.12, 0.12, 0.9, 0.9], [0.82, 0.82, 3.5, 3.5])
        )
        corners.append(np.concatenate([outline, band, gum]))
        light.append(max(0.35, float(np.cos(np.interp(at + width / 2, length, angle)))))
        at += width
    half = np.array(corners)
    return Teeth(np.concatenate([half, half * [-1.0, 1.0, 1.0]]), tuple(light * 2))


def _arc(row: _Row) -> tuple[np.ndarray, np.ndarray]:
    """Angles along half an elliptic arch and the length of the arch up to each, mm."""
    angle = np.linspace(0, np.pi / 2, 200)
    x, z = row.half_width * np.sin(angle), row.depth * (1 - np.cos(angle))
    return angle, np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])


def _on_arc(row: _Row, angle: np.ndarray, length: np.ndarray, at: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(P, 3) points at lengths `at` along the arch and heights `y`."""
    turn = np.interp(at, length, angle)
    return np.stack([row.half_width * np.sin(turn), y, row.behind + row.depth * (1 - np.cos(turn))], axis=-1)

"""The neck: it hangs from the axis of the skull, not from the chin, and the jaw hides and uncovers it.

Where a turning head's chin goes, the neck does not: its upper end keeps to the axis about which the head turns. What the jaw
uncovers has no place of its own in the portrait: it has the colours of the jaw that hides it there, or, where there is
no person right below that, of the background.
"""

from __future__ import annotations

import cv2
import numpy as np

AXIS = np.array([0.0, 0.35, 0.55])
"""Upper end of the neck in the head frame, face widths: behind the corners of the jaw."""
_FROM, _TO = -0.3, -0.15
"""Below the axis's upper end, face widths: from where, and from where on wholly, what is beside the head is neck."""
_NEAR = 0.04
"""What is so near below the head is taken for what the head hides, face widths."""
_WITHIN, _ABOVE = 0.85, 0.07
"""Where the jaw's colours are taken: share of the distance from the middle, and face widths above its edge, since drawings
have a line there."""
_RIM = 5
"""A head below which the person ends within so many cells of the grid is a head alone."""
_NOBODY = 0.1
"""The matte up to which a pixel shows nothing of a person."""
_PERSON = 0.5
"""The matte from which on a pixel is a person's."""


class Neck:
    """Where a portrait shows what is below the head, for any pose."""

    def __init__(
        self,
        rotation: np.ndarray,
        translation: np.ndarray,
        scale: float,
        outline: np.ndarray,
        grid: np.ndarray,
        matte: np.ndarray | None = None,
    ) -> None:
        """
        Args:
            rotation: (3, 3); translation: (3,); scale: of the head in the portrait, crop units.
            outline: (N, 2) polygon of the head in the portrait, crop units.
            grid: (2, G, G) x and y of the pixels, crop units.
            matte: (H, H) in [0, 1], the person; None: below the head there is neck everywhere.
        """
        self._scale, self._grid = float(scale), grid
        self._top = (AXIS @ rotation.T * scale + translation)[:2].astype(np.float32)
        size = grid.shape[-1]
        head = np.zeros((size, size), np.uint8)
        cv2.fillPoly(head, [np.round(np.clip(outline, -4, 5) * size - 0.5).astype(np.int32)], 1)
        person = np.ones((size, size)) if matte is None else cv2.resize(matte.astype(np.float32), (size, size))
        self.rim = _rim_without_neck(head, person)
        """(G, G) bool: of a head alone, without a neck below it, the rim of its jaw, such as the line round a drawn face."""
        # Wholly within: at the rim, what moves by less than a pixel is not yet uncovered.
        self._head = cv2.erode(head, np.ones((3, 3), np.uint8), iterations=2, borderValue=1).astype(bool) | self.rim
        # The lower edge of the head in every column.
        self._edge = edge = ((size - np.argmax(self._head[::-1], axis=0)) / size).astype(np.float32)
        below = np.clip((edge + _NEAR * scale) * size, 0, size - 1).astype(int)
        self._neck = person[below, np.arange(size)] > _PERSON

    def lay_under(self, taken: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: float) -> None:
        """Blends the neck of a head in another pose into `taken` (2, G, G) float32: where the portrait shows what is at a
        pixel, crop units."""
        size, unit = len(self._edge), np.float32(self._scale)
        top = (AXIS @ rotation.T * scale + translation)[:2]
        down = rotation[:2, 1] / max(float(np.linalg.norm(rotation[:2, 1])), 1e-6) / scale
        along = self._grid[0, 0, :] * np.float32(down[0])  # rows and columns apart: the grid is regular
        below = along + (self._grid[1, :, :1] * np.float32(down[1]) - np.float32(top @ down))
        rows = np.flatnonzero(below.max(1) > _FROM)
        if not len(rows):
            return
        part = np.s_[rows[0] : rows[-1] + 1]
        share = np.clip((below[part] - _FROM) / (_TO - _FROM), 0, 1)
        share *= share * (3 - 2 * share)

        # Still rows and columns: x (G,), y (rows, 1).
        x, y = (
            (at - np.float32(top[axis])) * np.float32(self._scale / scale) + np.float32(self._top[axis])
            for axis, at in enumerate((self._grid[0, 0], self._grid[1, part, :1]))
        )
        column, row = (np.clip(at.ravel() * size, 0, size - 1).astype(np.intp) for at in (x, y))
        head = np.take(np.take(self._head, row, axis=0), column, axis=1)
        hidden = np.where(head, self._edge[column] - y, np.float32(0))
        deep = self._neck[column] & (hidden > _NEAR * unit)
        # Near its edge, what the head hides goes on from what is below it; farther in as well, where that is background.
        mirrored = y + hidden + _NEAR * unit * np.tanh(hidden / (_NEAR * unit))
        y = np.where(hidden > 0, np.where(deep, np.minimum(y, y + hidden - _ABOVE * unit), mirrored), y)
        x = np.where(deep, self._top[0] + _WITHIN * (x - self._top[0]), x)
        taken[0, part] += share * (x - taken[0, part])
        taken[1, part] += share * (y - taken[1, part])


def _rim_without_neck(head: np.ndarray, person: np.ndarray) -> np.ndarray:
    """`Neck.rim`; nothing where there is a neck below the middle of the chin.

    Args:
        head: (G, G) uint8, 1 where the head is.
        person: (G, G) in [0, 1], the matte.
    """
    size = len(head)
    rows, across = np.arange(size)[:, None], np.flatnonzero(head.any(0))
    edge = size - np.argmax(head[::-1], axis=0)  # of every column, the first row below the head
    nobody = (rows >= edge) & (person < _NOBODY)
    ends = np.where(nobody.any(0), np.argmax(nobody, axis=0), 2 * size)
    ends_soon = ends - edge <= _RIM
    middle = across[len(across) * 2 // 5 : len(across) * 3 // 5]
    if not len(middle) or not ends_soon[middle].all():
        return np.zeros((size, size), bool)
    return (rows >= edge - _RIM) & (rows <= ends) & ends_soon & head.any(0)

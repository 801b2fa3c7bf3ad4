"""What is beside a head goes along with it: the motion of its surface, continued outward.

The map that takes the head's outline best to the portrait's is right on average. Where the surface that is seen ends somewhere
else, as the back of a head that bows, it would show once more what the surface has shown already, or leave a part of the hair
out; so it is shifted to where the surface ends, and there begins at the portrait's outline.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from visiongen.drawing import SUBPIXEL, fixed

_WITHIN = 3.0
"""Pixels within the outline up to which a place counts as on it: the edge is found in every second pixel."""
_FADE = 0.5
"""Face widths from the surface over which the shift fades."""
_SMOOTH = 3.0
"""Pixels over which it is smoothed: the edge of what is drawn in pixels has steps."""
_ROUND_EARS = np.ones((7, 7), np.uint8)
"""So far round an ear, pixels, there may be more of it."""
_LEAST = 1e-9
"""Added to squares of lengths, crop units: an outline that is a line has no map."""


class Continuation:
    """Of one portrait's head."""

    def __init__(
        self,
        outline: np.ndarray,
        hull: np.ndarray,
        face_width: float,
        grid: np.ndarray,
        ears: Sequence[np.ndarray] = (),
    ) -> None:
        """
        Args:
            outline: (N, 2) polygon of the head in the portrait, crop units.
            hull: (H, 2) convex polygon round all of the head, also the nose of a profile, crop units.
            face_width: Crop units.
            grid: (2, G, G) x and y of the pixels, crop units.
            ears: Polygons (P, 2), crop units, which are not shown once more.
        """
        self._outline, self._face_width, self._grid = np.asarray(outline, np.float64), face_width, grid
        sides = np.roll(hull, -1, axis=0) - hull
        across = (
            np.stack([-sides[:, 1], sides[:, 0]], axis=1) / np.maximum(np.linalg.norm(sides, axis=1), 1e-9)[:, None]
        )
        inward = np.sign((across * (hull.mean(0) - hull)).sum(1, keepdims=True))
        self._inward = np.float32(across * inward)
        self._offset = np.float32(-(self._inward * hull).sum(1, keepdims=True))
        self._past_the_ears = _past(ears, hull, grid.shape[-1]) if len(ears) else None

    def __call__(
        self, outline: np.ndarray, covered: np.ndarray, taken: np.ndarray, *, share: float = 1.0, turned: float = 1.0
    ) -> np.ndarray:
        """(2, G, G) float32, where in the portrait every pixel comes from that the head does not cover, crop units.

        Args:
            outline: (N, 2) the polygon in the frame.
            covered: (M,) int, flat indices of the pixels that the head covers.
            taken: (2, M) where these come from.
            share: Of the shift, in [0, 1]: as far as the surface is all of the head.
            turned: How surely an ear is where its surface is, and not beside it too, in [0, 1].
        """
        continued, size = self._affine(outline), self._grid.shape[-1]
        outside = np.ones((size, size), np.uint8)
        outside.ravel()[covered] = 0
        shift = self._shift(covered, taken, continued)
        if shift is None:
            return continued
        fade = cv2.distanceTransform(outside, cv2.DIST_L2, 3)
        fade = np.maximum(1 - fade / np.float32(_FADE * self._face_width * size), 0)
        fade *= np.float32(share) * fade * (3 - 2 * fade)
        for axis in range(2):
            continued[axis] += fade * cv2.resize(shift[axis], (size, size), interpolation=cv2.INTER_LINEAR)
        if self._past_the_ears is not None and turned > 0:
            places = cv2.merge(list(continued)) * size - 0.5
            for axis, step in enumerate(cv2.split(cv2.remap(self._past_the_ears, places, None, cv2.INTER_LINEAR))):
                continued[axis] += np.float32(turned) * step
        return continued

    def _shift(self, covered: np.ndarray, taken: np.ndarray, continued: np.ndarray) -> np.ndarray | None:
        """(2, G / 2, G / 2) float32, by how much what is `continued` (2, G, G) misses where the surface ends, crop units; None
        where it covers nothing or everything. It is smooth: every second pixel says enough."""
        size = self._grid.shape[-1]
        row, column = np.divmod(covered, size)
        even = (row | column) & 1 == 0
        inside = row[even] // 2 * (size // 2) + column[even] // 2
        outside = np.ones((size // 2, size // 2), np.uint8)
        outside.ravel()[inside] = 0
        if not len(inside) or len(inside) == outside.size:
            return None
        _, label = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        own = label.ravel()[inside]
        edge = np.zeros(int(own.max()) + 1, bool)
        edge[label[outside > 0]] = True
        edge = edge[own]
        shift = np.zeros((2, int(own.max()) + 1), np.float32)
        places, pixels = taken[:, even][:, edge], covered[even][edge]
        shift[:, own[edge]] = self._out_to_the_outline(places) - continued.reshape(2, -1)[:, pixels]
        weight = np.maximum(cv2.GaussianBlur(outside.astype(np.float32), (0, 0), _SMOOTH / 2), 1e-3)
        return np.stack([cv2.GaussianBlur(one[label] * outside, (0, 0), _SMOOTH / 2) / weight for one in shift])

    def _affine(self, outline: np.ndarray) -> np.ndarray:
        """The affine map that takes the frame's outline best to the portrait's, everywhere."""
        middle, own_middle = outline.mean(0), self._outline.mean(0)
        away = outline - middle
        linear = np.linalg.solve(away.T @ away + _LEAST * np.eye(2), away.T @ (self._outline - own_middle))
        along, down, shift = np.stack([*linear, own_middle - middle @ linear]).astype(np.float32)[..., None, None]
        x, y = self._grid
        continued = along * x[:1] + down * y[:, :1]  # rows and columns apart: the grid is regular
        continued += shift
        return continued

    def _out_to_the_outline(self, places: np.ndarray) -> np.ndarray:
        """Places (2, K), crop units; of those well within the portrait's head the nearest ones on its outline."""
        depth = self._inward @ places + self._offset  # (N, K) from every side of a convex polygon
        nearest = depth.argmin(0)
        deep = np.maximum(depth[nearest, np.arange(len(nearest))] - _WITHIN / self._grid.shape[-1], 0)
        return places - deep * self._inward[nearest].T


def _past(ears: Sequence[np.ndarray], hull: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 2) float32, by how much a place on an ear is moved to be past it and the head, crop units; 0 elsewhere."""
    ear, head = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    for polygon in ears:
        cv2.fillPoly(ear, [fixed(polygon * size)], 1, shift=SUBPIXEL)
    ear = cv2.dilate(ear, _ROUND_EARS)
    cv2.fillPoly(head, [fixed(hull * size)], 1, shift=SUBPIXEL)
    return np.where(ear[..., None] > 0, steps_into(1 - np.maximum(ear, head)), np.float32(0))


def steps_into(there: np.ndarray) -> np.ndarray:
    """(size, size, 2) float32, crop units: from every pixel the step to the nearest one that is `there`, (size, size) uint8, 0
    or 1; some are."""
    _, label = cv2.distanceTransformWithLabels(1 - there, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    size, (rows, columns) = len(there), np.nonzero(there)
    places = np.zeros((int(label.max()) + 1, 2), np.float32)
    places[label[rows, columns]] = np.stack([columns, rows], axis=1)
    here = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    return (places[label] - here).astype(np.float32) / size

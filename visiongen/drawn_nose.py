"""Noses of drawings: a sign on a flat face, which keeps its shape.

A person's nose stands out: when a head looks up, its underside comes into sight. A drawn one is a line or a dot; stretched like
that, it would be a bar. So it goes along with the face as a whole.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from visiongen.pose import face_model
from visiongen.ramps import rising

_TIP, _WINGS, _BASE = (1, 4), (48, 278, 98, 327), (2,)
_FADE = (0.03, 0.1)
"""Face widths from them, in the plane of a face, over which the nose becomes cheek and lip."""


@cache
def _nose() -> np.ndarray:
    """(478,) in [0, 1]: how much every landmark belongs to it."""
    flat = face_model().points[:, :2]
    near = np.linalg.norm(flat[:, None] - flat[[*_TIP, *_WINGS, *_BASE]], axis=-1).min(1)
    share = 1 - rising(near, _FADE)
    share[468:] = 0
    return share


class DrawnNose:
    """The nose of one drawing."""

    def __init__(self, source: np.ndarray) -> None:
        """
        Args:
            source: (478, 3) landmarks of the portrait, crop units.
        """
        self._weights = _nose()
        self._marks = np.flatnonzero(self._weights > 0)
        share = self._weights[self._marks, None]
        own = np.c_[source[self._marks, :2], np.ones(len(self._marks))]
        self._own = own
        # The affine map of the whole nose, by least squares.
        self._solve = np.linalg.pinv(own * np.sqrt(share)) * np.sqrt(share).T

    def held(self, target: np.ndarray) -> np.ndarray:
        """Landmarks `target` (478, 3), crop units, whose nose has the portrait's shape, as the face around it moves."""
        moved = target.copy()
        there = target[self._marks, :2]
        whole = self._own @ (self._solve @ there)
        moved[self._marks, :2] += self._weights[self._marks, None] * (whole - there)
        return moved

"""The corners of a mouth that gets narrower: where they take their colours from.

The colour of lips reaches beyond the corner that is found. Drawn out over the cheek it would be a stain, so the corner's colour
is taken from farther out.
"""

from __future__ import annotations

import numpy as np

from visiongen.pose import face_model

_LANDMARKS = {61: 1.0, 185: 0.6, 146: 0.6}
"""Landmarks round the right corner of the mouth, and how far they take part in this."""
_OUTWARD, _MOST_OUTWARD = 0.7, 0.07
"""Share of the way that it has come inward, but no more than so many face widths."""


class LipCorners:
    """Of one portrait."""

    def __init__(self, source: np.ndarray, scale: float) -> None:
        """
        Args:
            source: (478, 3) landmarks, crop units.
            scale: Of its face, see `visiongen.pose.fit_head`.
        """
        self._width = _mouth_width(source, scale)
        self._steps, mirror = np.zeros((468, 2)), face_model().mirror
        across = (source[61] - source[mirror[61]])[:2] / self._width
        for landmark, share in _LANDMARKS.items():
            self._steps[landmark], self._steps[mirror[landmark]] = share * across, -share * across

    def __call__(self, points: np.ndarray, scale: float) -> np.ndarray | float:
        """(468, 2) by how much the colours of landmarks come from elsewhere, crop units, in a frame (478, 3) of this scale; 0
        where its mouth is no narrower."""
        inward = 0.5 * (self._width - _mouth_width(points, scale))
        return min(_OUTWARD * inward, _MOST_OUTWARD) * self._steps if inward > 0 else 0.0


def _mouth_width(points: np.ndarray, scale: float) -> float:
    """Face widths from corner to corner of landmarks (478, 3) of a face of this scale."""
    return max(float(np.linalg.norm(points[61] - points[face_model().mirror[61]])) / scale, 1e-6)

"""The side of a turned head that its portrait hides, taken from the side it shows.

A portrait in three-quarter view has a cheek, an ear and half an eye squeezed into a few pixels at its silhouette, and a head
that turns toward them draws these pixels out to streaks. Heads are nearly symmetric: there the portrait's mirror image, turned
alike, takes their place, in the light of the skin that it meets.

Source: soft symmetry, Hassner et al., "Effective face frontalization in unconstrained images", 2015, section 3.3; here with a
moving mesh, a skull and the stretch of the surface as the measure of what is hidden.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

from visiongen.flow import CANDIDATES, GRID, MAPS, DenseMotion, MotionField, pixel_centres
from visiongen.hair import NO_HAIR, Hair
from visiongen.pose import euler_angles, face_model, fit_head
from visiongen.ramps import rising

_TURNED, _PROFILE = 8.5, 46.0
"""Degrees of the portrait's own turn to the side from which on a side of it is hidden, and from which on the mirror image knows
nothing of it either: half of the face is on neither. Between them it counts in full: half of it would be a ghost."""
_TOWARD = (2.0, 10.0)
"""Degrees of turn toward the hidden side at which its mirror image begins to show, and has the last word."""
_STRETCHED = (0.35, 0.9)
"""Logarithm of the area that a surface gains over the portrait's, from which on it counts as hidden, and surely."""
_BETTER = (0.35, 1.1)
"""By so much the mirror image must be less stretched."""
_HIDDEN = 2.0
"""The same for what the portrait does not show at all."""
_DEPTH = 0.8
"""Of a head behind its silhouette, face widths: by the sine of a turn as much of it comes out."""
_MIDLINE = (10, 152)
_SIDES = (234, 454)  # of the picture's left and right
_OVER_THE_MIDLINE = (-0.05, 0.1)
"""Face widths beyond the middle of the face at which the other side begins, and is certain."""
_MOST_LIGHT, _MOST_COLOUR = 0.7, 0.15
"""Largest logarithm of a difference in light, and of one in a single channel beyond it, in odds of white, that is made up for:
larger ones are hair on the one side and skin on the other."""
_NEITHER = 4.0
"""Levels from black and from white within which odds say little."""
_NEAR_AND_FAR = ((4.0, 1.0), (10.0, 0.05), (25.0, 0.002))
"""Cells over which the light is averaged, and the weights: near known skin it is that skin's, far from it what is left."""


class Revealed(NamedTuple):
    """What a frame shows of the other side; G is `visiongen.flow.GRID`."""

    flow: np.ndarray
    """(G, G, 2) float32 backward motion into the *mirrored* portrait, crop units."""
    weight: np.ndarray
    """(G, G) float32 in [0, 1]: where the mirror image shows more than the portrait."""
    known: np.ndarray
    """(G, G) float32 in [0, 1]: where both show the same skin well, so that their light can be compared."""


class OtherSide:
    """The mirror image of one portrait, and where it is needed."""

    def __init__(self, source: np.ndarray, matte: np.ndarray, hair: Hair = NO_HAIR) -> None:
        """
        Args:
            source: (478, 3) landmarks of the portrait, crop units.
            matte: (G, G) in [0, 1], its person.
            hair: The portrait's.
        """
        self._source, self._matte, self._hair = np.asarray(source, np.float64), matte, hair
        self._yaw = _yaw(self._source)
        self._needed = _TURNED < abs(self._yaw) < _PROFILE

    @cached_property
    def _field(self) -> MotionField:
        mirrored_matte = np.ascontiguousarray(self._matte[:, ::-1])
        # A wisp of hair on the side that is seen must not stand out on the other, where the portrait has none.
        return MotionField(
            mirrored(self._source), mirrored_matte, also=(self._source, self._matte), hair=self._hair.mirrored()
        )

    def __call__(self, dense: DenseMotion, target: np.ndarray) -> Revealed | None:
        """What the mirror image adds to a frame; None where the portrait shows enough itself.

        Args:
            dense: The portrait's own motion.
            target: (478, 3) landmarks of the frame, crop units.
        """
        if not self._needed:
            return None
        toward = (self._yaw - _yaw(target)) * np.sign(self._yaw)
        share = rising(toward, _TOWARD)
        if share == 0:
            return None
        (image,) = self._field.towards(target[None])
        stretch, head, face, seen = (MAPS.index(name) for name in ("stretch", "head", "face", "seen"))
        hidden = (dense.maps[head] < 0.5) | (dense.maps[seen] < 0)
        own = np.where(hidden, _HIDDEN, dense.maps[stretch])
        weight = rising(own - image.maps[stretch], _BETTER) * rising(own, _STRETCHED) * image.maps[head]
        weight = weight * _beyond_the_midline(target, np.sign(self._yaw)) * self._come_out(dense.maps[head], toward)
        weight = cv2.GaussianBlur(cv2.dilate(weight.astype(np.float32), np.ones((3, 3))), (0, 0), 2.0)
        weight *= cv2.GaussianBlur(image.maps[head], (0, 0), 0.8)
        # Landmarks alone give the last candidate nothing: what it has was measured in a frame that shows the same.
        weight *= 1 - dense.prior[len(CANDIDATES) - 1]
        known = dense.maps[face] * image.maps[face] * (1 - weight) ** 2
        return Revealed(image.candidates[0], np.float32(share) * weight, known.astype(np.float32))

    def _come_out(self, head: np.ndarray, toward: float) -> np.ndarray:
        """(G, G) in [0, 1]: as far beyond the portrait's own `head` (G, G) as its back can have come out."""
        distance = cv2.distanceTransform((head < 0.5).astype(np.uint8), cv2.DIST_L2, 3) / GRID
        most = _DEPTH * self._field.face_width * np.sin(np.radians(min(toward, 90.0)))
        return rising(most - distance, (0.0, 2.0 / GRID))


def mirrored(points: np.ndarray) -> np.ndarray:
    """Landmarks (478, 3), crop units, of the mirrored picture."""
    return (points * [-1, 1, 1] + [1, 0, 0])[face_model().mirror]


def show(frame: np.ndarray, image: np.ndarray, revealed: Revealed) -> None:
    """Lays the moved mirror image over a frame, both (S, S, 3) uint8; the frame is changed."""
    side = frame.shape[0]
    rows, columns = (np.flatnonzero(revealed.weight.max(axis) > 0) for axis in (1, 0))
    if not len(rows):
        return
    light = _light(frame, image, revealed)
    # From cell to cell the light is smooth; only what is laid over is computed at full size.
    (top, bottom), (left, right) = (
        (int(i.min() * side / GRID), -int(-(i.max() + 1) * side // GRID)) for i in (rows, columns)
    )
    part = (slice(top, bottom), slice(left, right))
    weight, light = (
        cv2.resize(x, (side, side), interpolation=cv2.INTER_LINEAR)[part] for x in (revealed.weight, light)
    )
    below = frame[part].astype(np.float32)
    above = image[part].astype(np.float32)
    above *= light / (1 + (light - 1) * (above / 255))  # odds times odds: what is bright gets no brighter than white
    frame[part] = below + weight[..., None] * (above - below) + 0.5


def _light(frame: np.ndarray, image: np.ndarray, revealed: Revealed) -> np.ndarray:
    """(G, G, 3) float32 factor of the odds of white, x / (255 - x), that gives the mirror image the light of the frame, from
    where both are known outward. A plain factor of two would burn out what is bright already."""
    ours, theirs = (
        cv2.resize(x, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float32) for x in (frame, image)
    )
    ours, theirs = ((x + _NEITHER) / (255 - x + _NEITHER) for x in (ours, theirs))
    difference = np.log(ours / theirs)
    grey = difference.mean(-1, keepdims=True)
    colour = np.clip(difference - grey, -_MOST_COLOUR, _MOST_COLOUR)
    difference = (np.clip(grey, -_MOST_LIGHT, _MOST_LIGHT) + colour) * revealed.known[..., None]
    total, trust = np.zeros_like(difference), np.full((GRID, GRID, 1), 1e-6, np.float32)
    for sigma, share in _NEAR_AND_FAR:
        total += share * cv2.GaussianBlur(difference, (0, 0), sigma)
        trust += share * cv2.GaussianBlur(revealed.known, (0, 0), sigma)[..., None]
    return np.exp(total / trust)


def _yaw(points: np.ndarray) -> float:
    """Degrees, > 0 to the picture's right, of a face's landmarks (478, 3)."""
    rotation, _, _ = fit_head(points[None])
    return float(np.degrees(euler_angles(rotation)[0, 0]))


def _beyond_the_midline(target: np.ndarray, to_the_right: float) -> np.ndarray:
    """(G, G) in [0, 1]: 1 on the hidden side of the face, the one it looks to in the portrait."""
    top, chin = target[list(_MIDLINE), :2]
    across = np.array([top[1] - chin[1], chin[0] - top[0]]) / max(float(np.linalg.norm(chin - top)), 1e-9)
    distance = (pixel_centres(GRID) - top) @ across
    left, right = target[list(_SIDES)]
    sign = np.sign((right - left)[:2] @ across) * to_the_right
    return rising(sign * distance / float(np.linalg.norm(right - left)), _OVER_THE_MIDLINE)

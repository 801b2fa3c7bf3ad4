"""The head beyond the face: a closed skull round the face mesh, as wide as the portrait's silhouette.

The face mesh ends at the oval. A head that turns shows what is beside and behind it: hair, ears, the back of the skull.
Rings of vertices continue the mesh outward to the silhouette, whose distance the person's matte gives for each direction,
and from there behind the head, where they close. What the portrait does not show is coloured like what it shows at its
silhouette, mirrored inward.
"""

from __future__ import annotations

import math

import numpy as np

from visiongen.crown import crowned, is_person
from visiongen.ears import Ears, find_ears
from visiongen.hair import NO_HAIR, Hair
from visiongen.landmarks import FACE_OVAL
from visiongen.oval import by_direction, outward
from visiongen.pose import euler_angles, fit_head
from visiongen.ramps import rising
from visiongen.rotations import gaussian_over_time
from visiongen.skull_colours import SkullColours
from visiongen.skull_rings import (
    BEHIND,
    FIRST_OF_EARS,
    OUT,
    by_side,
    depths,
    free,
    off_the_neck,
    ring_triangles,
    usual_reach,
)

# Everything in face widths, in the head frame; set by eye on portraits with short and long hair.
_LEAST_REACH, _MOST_REACH = 0.04, 1.35
"""The least measured distance, and the largest, as a share of the one above."""
_RIM = 0.05
"""The measured silhouette is drawn in by this, but by no more than a third: the rim of a matte is half background."""
_WITHIN = 0.08
"""So far within the oval the matte has to say person."""
_SILHOUETTE_DEPTH = 0.3
"""How far behind the oval the head is widest."""
_DEEP_EARS, _FACING = 1.15, (10.0, 25.0)
"""...and at least so many times that, however near: ears are far behind the oval. Only in portraits that look to the camera by
so many degrees: of others the silhouette is the back of a head, of which this says nothing."""
_ASIDE = (6.0, 18.0)
"""Degrees of a portrait's own turn to the side between which what it shows beside its oval is taken for what lies behind that:
cheek, neck and the back of the head, and beyond it nose and lips. A head is then no wider, unless hair hangs there, than"""
_ASIDE_UP, _ASIDE_SIDE, _ASIDE_DOWN = 0.32, 0.04, 0.015
_TO_THE_CAMERA = (3.0, 12.0)
"""Degrees by which such a portrait turns to the camera, between which its other side comes into sight."""
_FLAT_JAW, _FLAT = (0.05, 0.45), 0.3
"""Downward shares of a direction between which this depth shrinks to such a share: behind the corners of the jaw there is neck,
unless hair hangs there."""
_HAIR_BEFORE = 0.45
"""Share of that depth which long hair, whose silhouette is the portrait's, has before the head already."""
_CHIN, _UNDER = 0.9, (0.5, 0.85)
"""Share by which what is round a chin goes when it leaves the neck, where it would be a second one, and downward shares of a
direction between which that begins: the corners of the jaw stay joined to the neck."""
_SMOOTH, _DRAWN_IN = 2.5, 0.5
"""What sticks out of another view, smoothed over so many directions, is drawn in by this share: the silhouette of a turned
head is partly what lies behind it, so neither view is quite right."""
_STEPS = 28
"""Steps at which the matte is looked at on a way."""

_Pose = tuple[np.ndarray, np.ndarray, float]
"""Rotation (3, 3), translation (3,) and scale of `visiongen.pose.fit_head`."""


class Skull:
    """Face and skull of one portrait, for any pose and expression."""

    def __init__(
        self,
        source: np.ndarray,
        matte: np.ndarray | None = None,
        *,
        also: tuple[np.ndarray, np.ndarray] | None = None,
        hair: Hair = NO_HAIR,
    ) -> None:
        """
        Args:
            source: (478, 3) landmarks of the portrait, crop units.
            matte: (G, G) in [0, 1], the person; None: a head of the usual size.
            hair: The portrait's.
            also: Landmarks and matte of another view of the same head: nothing may stick out of the person there either.
        """
        self.source = np.asarray(source, np.float64)
        self._pose = tuple(part[0] for part in fit_head(self.source[None]))
        self.face_width = float(self._pose[2])
        self._oval = _into_head(self.source[list(FACE_OVAL)], *self._pose)
        aside = np.degrees(np.arccos(np.clip(self._pose[0][2, 2], -1, 1)))
        self._deep = _DEEP_EARS * float(np.interp(aside, _FACING, (1, 0)))
        self._hair = by_side(*hair.hides)
        self._aside = rising(abs(_yaw(self._pose[0])), _ASIDE) * (1 - self._hair)
        self._deep = np.maximum(self._deep, self._aside)
        flat = (1 - self._hair) * (1 - self._aside) * rising(outward()[:, 1], _FLAT_JAW)
        self._flat = 1 - (1 - _FLAT) * flat
        self.matte = matte = None if matte is None else crowned(matte, self.source)
        """The person's, with what is above the picture, see `visiongen.crown`; None: not known."""
        self._ears = Ears()
        if matte is not None:
            self._ears = find_ears(self._oval, self._pose, lambda places: is_person(matte, places), hair.hides)
        self._offsets = self._rings(usual_reach() if matte is None else self._reach(matte))
        if matte is not None:
            self._hold_within(matte, self._pose)
        if also is not None:
            pose = tuple(part[0] for part in fit_head(np.asarray(also[0], np.float64)[None]))
            self._draw_in(crowned(also[1], also[0]), pose)
        self._below_the_chin = self._drawn_to_the_chin()
        self.first_of_ears = len(ring_triangles())
        """Of the triangles, those from here on are ears."""
        self.triangles = np.concatenate([ring_triangles(), FIRST_OF_EARS + self._ears.triangles])
        """(M, 3) int32."""
        self.vertices = self.posed(self.source, *self._pose)
        """(N, 3) of the portrait itself, crop units."""
        self.texture = SkullColours(self.source, self.vertices, self._pose, ears=self._ears, hair=hair, matte=matte)
        """Gives where the portrait shows the colour of every vertex."""

    def posed(self, points: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: float) -> np.ndarray:
        """(N, 3) vertices for the landmarks (478, 3) and their pose: the 468 mesh points and the skull's rings. The skull is
        bone: only its inner ring follows the oval half of the way when the jaw drops."""
        moved = _into_head(points[list(FACE_OVAL)], rotation, translation, scale)
        rings = self._oval + self._offsets
        rings[0] += (1 - OUT[0]) * (moved - self._oval)
        rings -= off_the_neck(self._pose[0], rotation) * self._below_the_chin
        bone = np.concatenate([rings.reshape(-1, 3), self._ears.points])
        return np.concatenate([points[:468], bone @ rotation.T * scale + translation])

    @property
    def ears(self) -> list[np.ndarray]:
        """Polygons (P, 2) of the ears that the portrait shows, crop units."""
        rotation, translation, scale = self._pose
        return [(outline @ rotation.T * scale + translation)[:, :2] for outline in self._ears.outlines]

    def ears_seen(self, vertices: np.ndarray) -> tuple[np.ndarray, ...]:
        """Lines (P, 2) round the ears that face the camera, from above to below, of `posed` vertices (N, 3)."""
        return self._ears.seen(vertices[FIRST_OF_EARS:])

    def turned_away(self, rotation: np.ndarray) -> float:
        """Degrees between where a head turned by `rotation` (3, 3) looks and where the portrait looks; a tilt is no turn."""
        return float(np.degrees(np.arccos(np.clip(rotation[:, 2] @ self._pose[0][:, 2], -1, 1))))

    def lacks(self, rotation: np.ndarray) -> float:
        """In [0, 1], how much of what a head turned by `rotation` (3, 3) shows is not this skull's: of a portrait that looks to
        the side, the other side, once it turns to the camera."""
        own = _yaw(self._pose[0])
        toward = (own - _yaw(rotation)) * math.copysign(1.0, own)
        return float(rising(abs(own), _ASIDE) * rising(toward, _TO_THE_CAMERA))

    def _rings(self, reach: np.ndarray) -> np.ndarray:
        """(rings, 36, 3) from the oval to every ring, head frame, of a silhouette at `reach` (36,)."""
        clear = free()
        out = [self._outward(share, reach) for share in OUT]
        edge, less = self._oval + out[-1], np.multiply.outer(1 - _HAIR_BEFORE * self._hair, [0, 0, 1])
        axis = np.array([0.5 * (edge[:, 0].min() + edge[:, 0].max()), edge[clear > 0.5, 1].mean(), edge[:, 2].mean()])
        behind = [
            out[-1]
            + clear[:, None] * (inward * (axis - edge) + depth * depths()[:, None] * less)  # no skull behind the neck
            for inward, depth, _ in BEHIND
        ]
        return np.stack([*out, *behind])

    def _outward(self, share: float | np.ndarray, reach: np.ndarray) -> np.ndarray:
        """(..., 36, 3) offsets from the oval at shares (...) of the reach (36,)."""
        share = np.asarray(share, np.float64)[..., None]
        steep = np.maximum(np.sqrt(reach / usual_reach()), self._deep) * self._flat
        depth = share**2 * _SILHOUETTE_DEPTH * steep
        return np.concatenate([outward() * (share * reach)[..., None], depth[..., None]], axis=-1)

    def _reach(self, matte: np.ndarray) -> np.ndarray:
        """(36,) reach: where, on the way outward, the matte ends; the usual one where it begins outside."""
        usual, clear = usual_reach(), free()
        most = _MOST_REACH * usual
        shares = np.linspace(0, 1, _STEPS)
        inside = _inside(matte, self._oval + self._outward(shares, most), self._pose)
        measured = np.where(inside.all(0), 1.0, shares[np.argmin(inside, axis=0)]) * most
        measured = np.maximum(measured - np.minimum(_RIM, measured / 3), _LEAST_REACH)
        # The oval may itself be the silhouette, at a jaw mostly; a matte that misses the face there says nothing.
        (within,) = _inside(matte, self._oval[None] - np.pad(_WITHIN * outward(), ((0, 0), (0, 1))), self._pose)
        reach = np.where(inside[:2].all(0) | within, measured, usual)
        reach = self._ears.behind(reach)
        narrow = by_direction(_ASIDE_UP, _ASIDE_SIDE, _ASIDE_DOWN)
        reach = np.minimum(reach, most + self._aside * (narrow - most))
        smooth = gaussian_over_time(np.min([np.roll(reach, step) for step in (-1, 0, 1)], axis=0), 1.0, circle=True)
        reach = np.minimum(reach, smooth)  # never out into the background
        return clear * reach + (1 - clear) * np.minimum(reach, usual)

    def _drawn_to_the_chin(self) -> np.ndarray:
        """(rings, 36, 3) by how much the rings are drawn in to a chin off its neck: around it they are the neck."""
        below = _CHIN * rising(outward()[:, 1], _UNDER) * (1 - self._hair)
        return below[:, None] * self._offsets * (1.0, 1.0, 0.0)

    def _draw_in(self, matte: np.ndarray, pose: _Pose) -> None:
        """Draws a silhouette that would stick out of the person in a pose, in toward the oval."""
        out, behind = self._offsets[: len(OUT)], self._offsets[len(OUT) :]
        shares = np.linspace(0, 1, _STEPS)
        inside = _inside(matte, self._oval + shares[:, None, None] * out[-1], pose)
        inside |= ~inside[0]  # where even the oval is no person, the matte says nothing
        share = shares[_last(inside)]
        stuck_out = gaussian_over_time(1 - share, _SMOOTH, circle=True)
        drawn = _DRAWN_IN * stuck_out[:, None] * out
        out -= drawn
        behind -= drawn[-1]

    def _hold_within(self, matte: np.ndarray, pose: _Pose) -> None:
        """Draws what would stick out of the person in a head that is turned, back toward the silhouette."""
        edge = self._offsets[len(OUT) - 1]
        behind = self._offsets[len(OUT) :]
        ways = edge + np.linspace(0, 1, _STEPS)[:, None, None, None] * (behind - edge)  # (steps, rings, 36, 3)
        inside = _inside(matte, (self._oval + ways).reshape(_STEPS, -1, 3), pose).reshape(ways.shape[:3])
        inside |= ~inside[0]  # where even the silhouette is no person, the matte says nothing
        behind[:] = np.take_along_axis(ways, _last(inside)[None, ..., None], axis=0)[0]


def _yaw(rotation: np.ndarray) -> float:
    return float(np.degrees(euler_angles(rotation)[0]))


def _inside(matte: np.ndarray, points: np.ndarray, pose: _Pose) -> np.ndarray:
    """(A, B) bool: points (A, B, 3) of the head frame that the matte calls person, of a head in this pose."""
    rotation, translation, scale = pose
    return is_person(matte, (points @ rotation.T * scale + translation)[..., :2])


def _last(inside: np.ndarray) -> np.ndarray:
    """(...) int, of ways whose `_STEPS` steps are `inside` (steps, ...) or not: the last step before one that is not."""
    return np.where(inside.all(0), _STEPS, np.argmin(inside, axis=0)) - 1


def _into_head(points: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: float) -> np.ndarray:
    """Points (..., 3), crop units, in the head frame."""
    return (points - translation) @ rotation / scale

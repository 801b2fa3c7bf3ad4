"""The head beyond the face: a closed skull round the face mesh, as wide as the portrait's silhouette.

The face mesh ends at the oval. A head that turns shows what is beside and behind it: hair, ears, the back of the skull.
Rings of vertices continue the mesh outward to the silhouette, whose distance the person's matte gives for each direction,
and from there behind the head, where they close. What the portrait does not show is coloured like what it shows at its
silhouette, mirrored inward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from visiongen.crown import crowned, is_person
from visiongen.ears import Ears, find_ears
from visiongen.hair import NO_HAIR, Hair
from visiongen.landmarks import FACE_OVAL
from visiongen.lip_corners import LipCorners
from visiongen.oval import by_direction, cheeks, outward, rim
from visiongen.pose import euler_angles, face_model, fit_head
from visiongen.ramps import rising
from visiongen.rotations import gaussian_over_time

# Everything in face widths, in the head frame; set by eye on portraits with short and long hair.
_REACH_UP, _REACH_SIDE, _REACH_DOWN = 0.5, 0.3, 0.12
"""How far the silhouette is from the oval where nothing measures it: hair is high above a face and near its chin."""
_LEAST_REACH, _MOST_REACH = 0.04, 1.35
"""The least measured distance, and the largest, as a share of the one above."""
_RIM = 0.05
"""The measured silhouette is drawn in by this, but by no more than a third: the rim of a matte is half background."""
_WITHIN = 0.08
"""So far within the oval the matte has to say person."""
_DEEP, _INWARD, _LOOSE = 0.03, 0.25, 0.06
"""So deep within the person colours of a turned head's rim are taken, and from no farther inward than this; or, where the matte
is loose, than that."""
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
_NECK = (0.1, 0.5)
"""Downward share of a direction from which, and to which, the neck takes the place of the skull."""
_OUT = (0.5, 1.0)
"""Rings between oval and silhouette, as shares of the way."""
_BEHIND = ((0.04, 0.06, 0.15), (0.16, 0.45, 0.3), (0.5, 0.72, 0.3), (0.97, 0.78, 0.3))
"""Rings behind the silhouette: share of the way to the head's axis, depth behind the silhouette, and where the portrait
shows their colour, as a share of the way from the silhouette back to the oval."""
_FIRST_OF_EARS = 468 + (len(_OUT) + len(_BEHIND)) * len(FACE_OVAL)
"""Of the vertices."""
_HAIR_BEFORE = 0.45
"""Share of that depth which long hair, whose silhouette is the portrait's, has before the head already."""
_CLOSED = (0.1, 0.6)
"""How free of the neck a direction is, of 1, from which, and from where on wholly, there is hair behind the head."""
_HAIR = 0.45
"""Behind the head there is hair: its colours come from no lower than this, of 1 (straight up); ears are below."""
_FAIRLY_FAR, _JAW, _AT_THE_JAW = (12.0, 28.0), (0.1, 0.4), 1.4
"""Degrees of turn to the side between which, and downward shares of a direction between which, the colours beside a jaw are
taken from as much within it as this share of the way is more than 1: beyond it are collars and hair that stay where they are,
and in drawings a line."""
_TURNED = 20.0
"""Degrees from the portrait's pose at which all colours of what it does not show have changed to the hair's."""
_FAR = (25.0, 45.0)
"""Degrees at which the sides of the face begin to take, and take, their colours from farther inward: drawn out, their own few
pixels of sideburns and shadow would be a smear."""
_SMOOTH, _DRAWN_IN = 2.5, 0.5
"""What sticks out of another view, smoothed over so many directions, is drawn in by this share: the silhouette of a turned
head is partly what lies behind it, so neither view is quite right."""
_BEYOND, _FEWEST = 0.15, 4
"""Face widths out from the silhouette and back inward where hair is looked for, and how many of `_STEPS` must be hair."""
_STEPS = 28
"""Steps at which the matte is looked at on a way."""

_Pose = tuple[np.ndarray, np.ndarray, float]
"""Rotation (3, 3), translation (3,) and scale of `visiongen.pose.fit_head`."""


@cache
def _triangles() -> np.ndarray:
    """(M, 3) int32: the face's, then the skull's, ring by ring."""
    found, inner, count = [face_model().triangles], np.array(FACE_OVAL), len(FACE_OVAL)
    after = np.roll(np.arange(count), -1)
    free = _free() > 0
    for ring in range(len(_OUT) + len(_BEHIND)):
        outer = 468 + ring * count + np.arange(count)
        there = np.full(count, True) if ring < len(_OUT) else free | free[after]  # no skull behind the neck
        found.append(np.stack([inner, outer, inner[after]], axis=1)[there])
        found.append(np.stack([inner[after], outer, outer[after]], axis=1)[there])
        inner = outer
    return np.concatenate(found).astype(np.int32)


@cache
def _usual_reach() -> np.ndarray:
    """(36,) how far the silhouette is from the oval where nothing measures it."""
    return by_direction(_REACH_UP, _REACH_SIDE, _REACH_DOWN)


@cache
def _free() -> np.ndarray:
    """(36,) in [0, 1], how little of what is beyond a vertex of the oval is neck."""
    free = np.clip((_NECK[1] - outward()[:, 1]) / (_NECK[1] - _NECK[0]), 0, 1)
    return free * free * (3 - 2 * free)


@cache
def _hair_behind() -> np.ndarray:
    """(36,) in [0, 1], how much of hair's colours the skull has behind the silhouette: none where it is as good as closed,
    where all of the hair would be a dot at an ear lobe."""
    return rising(_free(), _CLOSED)


@cache
def _hair_above() -> np.ndarray:
    """(36,) int: for every vertex of the oval the one whose hair is behind it: itself, or the nearest that is high enough."""
    direction = outward()
    high = np.flatnonzero(-direction[:, 1] >= _HAIR)
    return high[np.argmax(direction @ direction[high].T, axis=1)]


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
        self._hair = np.where(outward()[:, 0] < 0, *hair.hides)
        self._aside = rising(abs(_yaw(self._pose[0])), _ASIDE) * (1 - self._hair)
        self._deep = np.maximum(self._deep, self._aside)
        flat = (1 - self._hair) * (1 - self._aside) * rising(outward()[:, 1], _FLAT_JAW)
        self._flat = 1 - (1 - _FLAT) * flat
        self.matte = matte = None if matte is None else crowned(matte, self.source)
        """The person's, with what is above the picture, see `visiongen.crown`; None: not known."""
        self._ears = Ears()
        if matte is not None:
            self._ears = find_ears(self._oval, self._pose, lambda places: is_person(matte, places), hair.hides)
        self._offsets = self._rings(_usual_reach() if matte is None else self._reach(matte))
        if matte is not None:
            self._hold_within(matte, self._pose)
        if also is not None:
            pose = tuple(part[0] for part in fit_head(np.asarray(also[0], np.float64)[None]))
            self._draw_in(crowned(also[1], also[0]), pose)
        self.first_of_ears = len(_triangles())
        """Of the triangles, those from here on are ears."""
        self.triangles = np.concatenate([_triangles(), _FIRST_OF_EARS + self._ears.triangles])
        """(M, 3) int32."""
        self.vertices = self.posed(self.source, *self._pose)
        """(N, 3) of the portrait itself, crop units."""
        self._unseen = self._colours_of_the_unseen(matte, hair) - self.vertices[:, :2]
        self._smooth_cheeks, self._clear_jaw = self._inward(), self._up_to_the_jaw()
        self._turned_in = (self._ears.turned_in @ self._pose[0].T * self.face_width)[:, :2]
        self._lip_corners = LipCorners(self.source, self.face_width)

    def posed(self, points: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: float) -> np.ndarray:
        """(N, 3) vertices for the landmarks (478, 3) and their pose: the 468 mesh points and the skull's rings. The skull is
        bone: only its inner ring follows the oval half of the way when the jaw drops."""
        moved = _into_head(points[list(FACE_OVAL)], rotation, translation, scale)
        rings = self._oval + self._offsets
        rings[0] += (1 - _OUT[0]) * (moved - self._oval)
        bone = np.concatenate([rings.reshape(-1, 3), self._ears.points])
        return np.concatenate([points[:468], bone @ rotation.T * scale + translation])

    def silhouette(self, vertices: np.ndarray) -> np.ndarray:
        """(36, 2) of vertices (N, 3) or (N, 2): the ring where the head is widest."""
        return _ring(vertices, len(_OUT) - 1)[:, :2]

    @property
    def ears(self) -> list[np.ndarray]:
        """Polygons (P, 2) of the ears that the portrait shows, crop units."""
        rotation, translation, scale = self._pose
        return [(outline @ rotation.T * scale + translation)[:, :2] for outline in self._ears.outlines]

    def texture(self, points: np.ndarray, rotation: np.ndarray, scale: float) -> np.ndarray:
        """(N, 2) where the portrait shows the colour of every vertex, for landmarks (478, 3) turned by `rotation` (3, 3).

        In the portrait's own pose every vertex has its own place, so that nothing changes; what is hidden there takes
        the place of the hair before it comes into sight.
        """
        cosine = (np.trace(rotation @ self._pose[0].T) - 1) / 2
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        texture = self.vertices[:, :2] + rising(angle, (0, _TURNED)) * self._unseen
        turn = euler_angles(self._pose[0].T @ rotation)
        aside = rising(float(np.degrees(np.hypot(turn[0], max(-turn[1], 0)))), _FAIRLY_FAR)
        texture += rising(angle, _FAR) * self._smooth_cheeks + aside * self._clear_jaw
        texture[:468] += self._lip_corners(points, scale)
        texture[_FIRST_OF_EARS:] += rising(angle, _FAIRLY_FAR) * self._turned_in
        return texture

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
        free = _free()
        out = [self._outward(share, reach) for share in _OUT]
        edge, less = self._oval + out[-1], np.multiply.outer(1 - _HAIR_BEFORE * self._hair, [0, 0, 1])
        axis = np.array([0.5 * (edge[:, 0].min() + edge[:, 0].max()), edge[free > 0.5, 1].mean(), edge[:, 2].mean()])
        behind = [
            out[-1] + free[:, None] * (inward * (axis - edge) + depth * less)  # no skull behind the neck
            for inward, depth, _ in _BEHIND
        ]
        return np.stack([*out, *behind])

    def _outward(self, share: float | np.ndarray, reach: np.ndarray) -> np.ndarray:
        """(..., 36, 3) offsets from the oval at shares (...) of the reach (36,)."""
        share = np.asarray(share, np.float64)[..., None]
        steep = np.maximum(np.sqrt(reach / _usual_reach()), self._deep) * self._flat
        depth = share**2 * _SILHOUETTE_DEPTH * steep
        return np.concatenate([outward() * (share * reach)[..., None], depth[..., None]], axis=-1)

    def _reach(self, matte: np.ndarray) -> np.ndarray:
        """(36,) reach: where, on the way outward, the matte ends; the usual one where it begins outside."""
        usual, free = _usual_reach(), _free()
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
        return free * reach + (1 - free) * np.minimum(reach, usual)

    def _draw_in(self, matte: np.ndarray, pose: _Pose) -> None:
        """Draws a silhouette that would stick out of the person in a pose, in toward the oval."""
        out, behind = self._offsets[: len(_OUT)], self._offsets[len(_OUT) :]
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
        edge = self._offsets[len(_OUT) - 1]
        behind = self._offsets[len(_OUT) :]
        ways = edge + np.linspace(0, 1, _STEPS)[:, None, None, None] * (behind - edge)  # (steps, rings, 36, 3)
        inside = _inside(matte, (self._oval + ways).reshape(_STEPS, -1, 3), pose).reshape(ways.shape[:3])
        inside |= ~inside[0]  # where even the silhouette is no person, the matte says nothing
        behind[:] = np.take_along_axis(ways, _last(inside)[None, ..., None], axis=0)[0]

    def _colours_of_the_unseen(self, matte: np.ndarray | None, hair: Hair) -> np.ndarray:
        """(N, 2) where the colours of the vertices come from once the head has turned: of those that the portrait shows, from
        where they are, or from so far within that they are the person's; of those behind the head, from the hair above,
        mirrored inward."""
        flat = self.vertices[:, :2].copy()
        outline = self.silhouette(self.vertices)
        polygon = outline.astype(np.float32)
        above = self._hair_places(matte, hair)
        shown, behind_ears = [], np.convolve(self._ears.beside, np.ones(3), "same") > 0
        for number, (_, _, back) in enumerate(_BEHIND, len(_OUT)):
            ring = _ring(flat, number)
            hidden = np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in ring])
            hidden |= behind_ears
            hair_above = above(back)[_hair_above()]
            ring[hidden] += (np.maximum(_hair_behind(), behind_ears)[:, None] * (hair_above - ring))[hidden]
            shown.append(468 + number * len(FACE_OVAL) + np.flatnonzero(~hidden))
        if matte is not None:
            near = np.concatenate([rim(_INWARD / 2), np.arange(468, 468 + len(_OUT) * len(FACE_OVAL)), *shown])
            flat[near] = self._within_person(matte, flat[near], hair)
        if self._ears.beside.any():  # the portrait shows an ear there
            beside, hair_above = (self._ears.beside * _hair_behind())[:, None], above(_BEHIND[0][2])[_hair_above()]
            for ring in (_ring(flat, number) for number in range(len(_OUT))):
                ring += beside * (hair_above - ring)
        return flat

    def _hair_places(self, matte: np.ndarray | None, hair: Hair) -> Callable[[float], np.ndarray]:
        """Gives for a share of the way from the silhouette back to the oval the places (36, 2) of the hair there; where that is
        forehead, some in the hair nearest to it."""
        edge, oval = self.silhouette(self.vertices), self.source[list(FACE_OVAL), :2]
        way = oval - edge
        inward = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9) * self.face_width
        steps = np.linspace(-_BEYOND, _BEYOND, _STEPS)
        ways = edge + steps[:, None, None] * inward
        is_hair = hair.at(ways)
        if matte is not None:
            is_hair &= is_person(matte, ways - _DEEP * inward)
        first, count = np.argmax(is_hair, axis=0), is_hair.sum(0)
        known = np.flatnonzero(count >= _FEWEST)
        if not len(known):
            within = (lambda at: at) if matte is None else (lambda at: self._within_person(matte, at, hair))
            return lambda back: within(edge + back * way)
        apart = np.abs(np.arange(len(edge))[:, None] - known)
        nearest = known[np.argmin(np.minimum(apart, len(edge) - apart), axis=1)]

        def places(back: float) -> np.ndarray:
            usual = edge + back * way
            step = np.interp(first + min(2 * back, 1) * (count - 1), np.arange(_STEPS), steps)
            return np.where(hair.at(usual)[:, None], usual, (edge + step[:, None] * inward)[nearest])

        return places

    def _inward(self) -> np.ndarray:
        """(N, 2) steps from the rim of the face inward, to where the portrait shows its skin less foreshortened."""
        steps = np.zeros((len(self.vertices), 2))
        centre = self.source[list(FACE_OVAL), :2].mean(0)
        way = centre - self.source[:468, :2]
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        steps[:468] = cheeks()[:, None] * self.face_width * way
        return steps

    def _up_to_the_jaw(self) -> np.ndarray:
        """(N, 2) steps from the rings below a face to within its oval, see `_JAW`; not where hair hides the jaw."""
        steps, oval = np.zeros((len(self.vertices), 2)), self.source[list(FACE_OVAL), :2]
        down = outward()[:, 1]
        below = (np.clip((down - _JAW[0]) / (_JAW[1] - _JAW[0]), 0, 1) * (1 - self._hair))[:, None]
        for number in range(len(_OUT)):
            _ring(steps, number)[:] = _AT_THE_JAW * below * (oval - _ring(self.vertices, number)[:, :2])
        closed = 1 - _hair_behind()[:, None]
        for number in range(len(_OUT), len(_OUT) + len(_BEHIND)):
            _ring(steps, number)[:] = closed * _ring(steps, len(_OUT) - 1)
        return steps

    def _within_person(self, matte: np.ndarray, points: np.ndarray, hair: Hair) -> np.ndarray:
        """Points (N, 2) near the silhouette, crop units, each drawn inward until it is `_DEEP` within the person. A sliver of
        background at the rim of the face becomes a broad band when the head turns."""
        inward = self.source[list(FACE_OVAL), :2].mean(0) - points
        inward *= self.face_width / np.linalg.norm(inward, axis=1, keepdims=True)
        steps = np.linspace(0, _INWARD, _STEPS)[:, None, None]
        inside = is_person(matte, points + (steps - _DEEP) * inward)
        coloured = inside & (steps[..., 0] <= _LOOSE) & hair.or_skin_at(points + steps * inward)
        inside = np.where(coloured.any(0), coloured, inside)
        found = np.where(inside.any(0), np.argmax(inside, axis=0), 0)
        return points + steps[found, :, 0] * inward


def _yaw(rotation: np.ndarray) -> float:
    return float(np.degrees(euler_angles(rotation)[0]))


def _inside(matte: np.ndarray, points: np.ndarray, pose: _Pose) -> np.ndarray:
    """(A, B) bool: points (A, B, 3) of the head frame that the matte calls person, of a head in this pose."""
    rotation, translation, scale = pose
    return is_person(matte, (points @ rotation.T * scale + translation)[..., :2])


def _last(inside: np.ndarray) -> np.ndarray:
    """(...) int, of ways whose `_STEPS` steps are `inside` (steps, ...) or not: the last step before one that is not."""
    return np.where(inside.all(0), _STEPS, np.argmin(inside, axis=0)) - 1


def _ring(vertices: np.ndarray, number: int) -> np.ndarray:
    """(36, ...) the vertices of one ring, a view."""
    first = 468 + number * len(FACE_OVAL)
    return vertices[first : first + len(FACE_OVAL)]


def _into_head(points: np.ndarray, rotation: np.ndarray, translation: np.ndarray, scale: float) -> np.ndarray:
    """Points (..., 3), crop units, in the head frame."""
    return (points - translation) @ rotation / scale

"""Where a portrait shows the colours of its skull's vertices, also of those that it does not show itself.

What is behind a head has the colours of the hair above it, mirrored inward; what is at its rim, those of the person a little
within, since a sliver of background there becomes a broad band when the head turns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from visiongen.crown import is_person
from visiongen.ears import Ears
from visiongen.hair import Hair
from visiongen.landmarks import FACE_OVAL
from visiongen.lip_corners import LipCorners
from visiongen.oval import cheeks, outward, rim
from visiongen.ramps import rising
from visiongen.skull_rings import BEHIND, FIRST_OF_EARS, OUT, by_side, hair_behind, off_the_neck, ring_of, silhouette

_DEEP, _INWARD, _LOOSE = 0.03, 0.25, 0.06
"""So deep within the person colours of a turned head's rim are taken, and from no farther inward than this; or, where the matte
is loose, than that."""
_HAIR = 0.45
"""Behind the head there is hair: its colours come from no lower than this, of 1 (straight up); ears are below."""
_JAW, _AT_THE_JAW = (0.1, 0.4), 1.4
"""Downward shares of a direction between which the colours beside a jaw that has left its neck are taken from as much within it
as this share of the way is more than 1: beyond it are collars and hair that stay where they are, and in drawings a line."""
_FAIRLY_FAR = (12.0, 28.0)
"""Degrees at which the backs of ears take their colours from within."""
_TURNED = 20.0
"""Degrees from the portrait's pose at which all colours of what it does not show have changed to the hair's."""
_FAR = (25.0, 45.0)
"""Degrees at which the sides of the face begin to take, and take, their colours from farther inward: drawn out, their own few
pixels of sideburns and shadow would be a smear."""
_BEYOND, _FEWEST = 0.15, 4
"""Face widths out from the silhouette and back inward where hair is looked for, and how many of `_STEPS` must be hair."""
_STEPS = 28
"""Steps at which the matte is looked at on a way."""


@cache
def _hair_above() -> np.ndarray:
    """(36,) int: for every vertex of the oval the one whose hair is behind it: itself, or the nearest that is high enough."""
    direction = outward()
    high = np.flatnonzero(-direction[:, 1] >= _HAIR)
    return high[np.argmax(direction @ direction[high].T, axis=1)]


class SkullColours:
    """Of one portrait."""

    def __init__(
        self,
        source: np.ndarray,
        vertices: np.ndarray,
        pose: tuple[np.ndarray, np.ndarray, float],
        *,
        ears: Ears,
        hair: Hair,
        matte: np.ndarray | None,
    ) -> None:
        """
        Args:
            source: (478, 3) landmarks of the portrait; vertices: (N, 3) of its skull; crop units.
            pose: Its rotation, translation and scale.
            ears, hair: The portrait's.
            matte: See `visiongen.crown.crowned`; None: not known.
        """
        self._source, self._vertices = source, vertices
        self._own, self._face_width, self._ears = pose[0], float(pose[2]), ears
        self._unseen = self._of_the_unseen(matte, hair) - vertices[:, :2]
        self._smooth_cheeks, self._clear_jaw = self._inward(), self._up_to_the_jaw(by_side(*hair.hides))
        self._turned_in = (ears.turned_in @ self._own.T * self._face_width)[:, :2]
        self._lip_corners = LipCorners(source, self._face_width)

    def __call__(self, points: np.ndarray, rotation: np.ndarray, scale: float) -> np.ndarray:
        """(N, 2) where the portrait shows the colour of every vertex, for landmarks (478, 3) turned by `rotation` (3, 3).

        In the portrait's own pose every vertex has its own place, so that nothing changes; what is hidden there takes
        the place of the hair before it comes into sight.
        """
        cosine = (np.trace(rotation @ self._own.T) - 1) / 2
        angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
        texture = self._vertices[:, :2] + rising(angle, (0, _TURNED)) * self._unseen
        texture += rising(angle, _FAR) * self._smooth_cheeks + off_the_neck(self._own, rotation) * self._clear_jaw
        texture[:468] += self._lip_corners(points, scale)
        texture[FIRST_OF_EARS:] += rising(angle, _FAIRLY_FAR) * self._turned_in
        return texture

    def _of_the_unseen(self, matte: np.ndarray | None, hair: Hair) -> np.ndarray:
        """(N, 2) where the colours of the vertices come from once the head has turned: of those that the portrait shows, from
        where they are, or from so far within that they are the person's; of those behind the head, from the hair above,
        mirrored inward."""
        flat = self._vertices[:, :2].copy()
        outline = silhouette(self._vertices)
        polygon = outline.astype(np.float32)
        above = self._hair_places(matte, hair)
        shown, behind_ears = [], np.convolve(self._ears.beside, np.ones(3), "same") > 0
        for number, (_, _, back) in enumerate(BEHIND, len(OUT)):
            ring = ring_of(flat, number)
            hidden = np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in ring])
            hidden |= behind_ears
            hair_above = above(back)[_hair_above()]
            ring[hidden] += (np.maximum(hair_behind(), behind_ears)[:, None] * (hair_above - ring))[hidden]
            shown.append(468 + number * len(FACE_OVAL) + np.flatnonzero(~hidden))
        if matte is not None:
            near = np.concatenate([rim(_INWARD / 2), np.arange(468, 468 + len(OUT) * len(FACE_OVAL)), *shown])
            flat[near] = self._within_person(matte, flat[near], hair)
        if self._ears.beside.any():  # the portrait shows an ear there
            beside, hair_above = (self._ears.beside * hair_behind())[:, None], above(BEHIND[0][2])[_hair_above()]
            for ring in (ring_of(flat, number) for number in range(len(OUT))):
                ring += beside * (hair_above - ring)
        return flat

    def _hair_places(self, matte: np.ndarray | None, hair: Hair) -> Callable[[float], np.ndarray]:
        """Gives for a share of the way from the silhouette back to the oval the places (36, 2) of the hair there; where that is
        forehead, some in the hair nearest to it."""
        edge, oval = silhouette(self._vertices), self._source[list(FACE_OVAL), :2]
        way = oval - edge
        inward = way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9) * self._face_width
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
        steps = np.zeros((len(self._vertices), 2))
        centre = self._source[list(FACE_OVAL), :2].mean(0)
        way = centre - self._source[:468, :2]
        way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
        steps[:468] = cheeks()[:, None] * self._face_width * way
        return steps

    def _up_to_the_jaw(self, hidden: np.ndarray) -> np.ndarray:
        """(N, 2) steps from the rings below a face to within its oval, see `_JAW`; not where hair hides the jaw, by shares
        `hidden` (36,)."""
        steps, oval = np.zeros((len(self._vertices), 2)), self._source[list(FACE_OVAL), :2]
        down = outward()[:, 1]
        below = (np.clip((down - _JAW[0]) / (_JAW[1] - _JAW[0]), 0, 1) * (1 - hidden))[:, None]
        for number in range(len(OUT)):
            ring_of(steps, number)[:] = _AT_THE_JAW * below * (oval - ring_of(self._vertices, number)[:, :2])
        closed = 1 - hair_behind()[:, None]
        for number in range(len(OUT), len(OUT) + len(BEHIND)):
            ring_of(steps, number)[:] = closed * ring_of(steps, len(OUT) - 1)
        return steps

    def _within_person(self, matte: np.ndarray, points: np.ndarray, hair: Hair) -> np.ndarray:
        """Points (N, 2) near the silhouette, crop units, each drawn inward until it is `_DEEP` within the person. A sliver of
        background at the rim of the face becomes a broad band when the head turns."""
        inward = self._source[list(FACE_OVAL), :2].mean(0) - points
        inward *= self._face_width / np.linalg.norm(inward, axis=1, keepdims=True)
        steps = np.linspace(0, _INWARD, _STEPS)[:, None, None]
        inside = is_person(matte, points + (steps - _DEEP) * inward)
        coloured = inside & (steps[..., 0] <= _LOOSE) & hair.or_skin_at(points + steps * inward)
        inside = np.where(coloured.any(0), coloured, inside)
        found = np.where(inside.any(0), np.argmax(inside, axis=0), 0)
        return points + steps[found, :, 0] * inward

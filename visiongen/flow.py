"""Landmarks -> dense motion: the geometric prior of the generators.

The face mesh of the portrait, grown by a skull (`visiongen.skull`), is rasterised where the face shall be. Every
pixel of the result then knows where in the portrait it comes from (*backward* motion). Outside the head three candidate
motions are offered, moving with the head, staying where it is, shifting with the head, and a prior weight for each; the
`warp` generator uses the prior as it is, the VAE-GAN learns to do better.

Everything here is in crop units: a square [0, 1] x [0, 1], x right, y down, from the outer corner, whatever the
crop's resolution. `align_corners` is False in that convention.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from visiongen.continuation import Continuation, steps_into
from visiongen.crown import PERSON, sampled
from visiongen.drawing import SUBPIXEL, fixed
from visiongen.ears import in_order
from visiongen.feature_maps import LEVELS, draw_features
from visiongen.hair import NO_HAIR, Hair
from visiongen.landmarks import FACE_OVAL, OUTER_LIPS
from visiongen.mouth import lacking, opening
from visiongen.neck import Neck
from visiongen.pose import face_model, fit_head
from visiongen.ramps import rising
from visiongen.rasterise import affine_maps, rasterise
from visiongen.skull import Skull
from visiongen.skull_rings import silhouette

GRID = 128
"""Rows and columns of motion and maps."""

CANDIDATES = ("head", "still", "shift")
"""Candidate motions: the head's own (mesh, skull, and what goes on from them); none; the head's shift alone."""

MAPS = (
    "face", "head", "depth", "normal_x", "normal_y", "seen", "stretch", "mouth", "eyes", "iris", "shift_x", "shift_y",
)  # fmt: skip
"""What a map channel shows of the target: coverage of face and head; depth and normals of the surface; how much the
portrait sees of it (cosine, negative: its far side); log area stretch; inside of the mouth, openings of the eyes, irises;
displacement of the head candidate."""

SOURCE_MAPS = ("face", "mouth", "eyes", "iris")
"""The maps that are also drawn of the portrait itself."""

_FADE = 0.5
"""The head's motion fades out over this distance beyond the skull, face widths."""
_BESIDE = 0.2
"""So far beside the skull, face widths, and fading over as much again, a person's matte above the jaw is the head."""
_FARTHER, _SLACK = 1.5, 0.04
"""What belongs to a head is at most so many times as far from it as in the portrait, and so many face widths."""
_SURE = (15.0, 30.0)
"""Degrees of turn from the portrait's pose at which the mesh begins to overrule, and overrules, the network, which has seen few
such turns and digs holes into a cheek that comes into sight."""
_A_LITTLE, _CUT = (4.0, 10.0), 0.1
"""Degrees of turn at which no more than the surface is shown of a head that its picture cuts off, and how far below the cut
that begins, face widths."""
_GAPS = (12.0, 28.0)
"""Degrees of turn between which a gap in the person's outline, as below an ear lobe, is no longer seen."""
_AT_THE_HEAD = 0.85
"""Least prior weight of the head's own motion, of what is a head beyond its mesh."""
_EAR_LOBES, _JAW_CORNERS = (132, 361), (172, 397)
_FIVE = np.ones((5, 5), np.uint8)
_STRANDS = np.ones((9, 9), np.uint8)
"""Round a matte, cells, up to where there are single hairs."""


@dataclass(frozen=True, eq=False)
class DenseMotion:
    """Motion of one frame and the maps that go with it; G is `GRID`."""

    candidates: np.ndarray
    """(3, G, G, 2) float32, where in the portrait each candidate takes a pixel from, crop units."""
    prior: np.ndarray
    """(3, G, G) float32, weights of the candidates, sum 1."""
    maps: np.ndarray
    """(12, G, G) float32, see `MAPS`."""
    vanished: np.ndarray
    """(G, G) float32 in [0, 1]: where the head was and is no more, so that the background comes into sight."""
    held: np.ndarray
    """(G, G) float32 in [0, 1]: where a turned head surely is, so that all candidates are its own motion."""
    lips: np.ndarray
    """(G, G) float32 in [0, 1]: a mouth that opens so much further than the portrait's that its inside is drawn, with its lips:
    they go with the mesh."""
    ears: tuple[np.ndarray, ...]
    """Lines (P, 2) round the ears that are seen, from above to below, crop units."""

    @property
    def flow(self) -> np.ndarray:
        """(G, G, 2) float32 backward motion of the prior: the candidates, weighted."""
        return np.einsum("kyx,kyxc->yxc", self.prior, self.candidates)


@cache
def pixel_centres(size: int) -> np.ndarray:
    """(size, size, 2) float32 centres of a size x size grid, crop units."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    grid.flags.writeable = False
    return grid


@cache
def _planes() -> np.ndarray:
    """(2, G, G) float32, x and y of `pixel_centres`."""
    planes = np.ascontiguousarray(pixel_centres(GRID).transpose(2, 0, 1))
    planes.flags.writeable = False
    return planes


class MotionField:
    """Dense motion of one portrait toward any target landmarks."""

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
            matte: (G, G) in [0, 1], the person: how far the head reaches beyond the face; None: as usual.
            also: Landmarks and matte of another view of the head, see `visiongen.skull.Skull`.
            hair: The portrait's.
        """
        self.source = np.asarray(source, np.float64)
        self._skull = Skull(self.source, matte, also=also, hair=hair)
        self.face_width = self._skull.face_width
        self._opening = opening(self.source, self.face_width)
        self._triangles = self._skull.triangles.T
        self._normals = _normals(self._skull.vertices[self._triangles])
        self._middle = self.source[:468, :2].mean(0)
        self._outline = silhouette(self._skull.vertices)
        self._fixed_outline = fixed(self._outline * GRID)
        self._matte = None if matte is None else np.float32(matte)
        self._crowned = self._skull.matte
        self._is_cut = matte is not None and bool(self._crowned[: len(self._crowned) - GRID].any())
        self._beyond = self._beyond_the_head()
        hull = cv2.convexHull(np.float32(np.concatenate([self._outline, self.source[:468, :2]])))[:, 0]
        self._continued = Continuation(self._outline, hull, self.face_width, _planes(), self._skull.ears)
        self._neck = Neck(*(part[0] for part in fit_head(self.source[None])), self._outline, _planes(), matte)
        self._to_the_person = None if matte is None else _to_the_person(self._matte, self.source)
        self._was, self._strands = (None, None) if matte is None else self._where_the_head_was()

    def _beyond_the_head(self) -> np.ndarray:
        """(G, G) float32 distance from the portrait's head, crop units. In profile the nose is before the silhouette's ring."""
        head = np.zeros((GRID, GRID), np.uint8)
        hull = cv2.convexHull(self.source[:468, :2].astype(np.float32))[:, 0]
        for part in (self._outline, hull, *self._skull.ears):
            cv2.fillPoly(head, [fixed(part * GRID)], 1, shift=SUBPIXEL)
        return cv2.distanceTransform(1 - head, cv2.DIST_L2, 3) / GRID

    def _where_the_head_was(self) -> tuple[np.ndarray, np.ndarray]:
        """Both (G, G) float32 in [0, 1]: within the portrait's silhouette, and what the matte has beside it, hair and ears; but
        not below the ears, where hair and shoulders may stay. And the same with single hairs, which the matte has lost."""
        was = np.float32(cv2.erode(np.float32(self._beyond == 0), np.ones((3, 3))))  # its rim is half background
        beside = np.clip(2 - self._beyond / (_BESIDE * self.face_width), 0, 1) * above_the_jaw(self.source)
        was = np.maximum(was, self._neck.rim)
        grown = (cv2.dilate(self._matte, kernel) * beside.astype(np.float32) for kernel in (np.ones((3, 3)), _STRANDS))
        return tuple(cv2.GaussianBlur(np.maximum(was, part), (0, 0), 1.0) for part in grown)

    def towards(self, targets: np.ndarray) -> list[DenseMotion]:
        """Dense motion for each of (T, 478, 3) target landmarks, crop units."""
        targets = np.asarray(targets, np.float64)
        poses = zip(*fit_head(targets))
        return [self._towards(points, *pose) for points, pose in zip(targets, poses)]

    def _towards(self, target, rotation, translation, scale) -> DenseMotion:
        vertices = self._skull.posed(target, rotation, translation, scale)
        corners = vertices[self._triangles]  # (3, M, 3)
        normals, depth, first = _normals(corners), corners[..., 2].mean(0), self._skull.first_of_ears
        order = np.concatenate([depth[:first], in_order(depth[first:], normals[2, first:], scale)])
        index = rasterise(corners[..., :2].swapaxes(0, 1) * GRID - 0.5, order, (GRID, GRID)).ravel()
        hit = index[covered := np.flatnonzero(index >= 0)]

        # What every covered pixel takes from its triangle, gathered at once: the map to the portrait, the bounds there, and
        # the surface. Plane by plane: interleaved channels cost twice the time.
        texture = self._skull.texture(target, rotation, scale)
        affine, area_ratio = affine_maps(vertices, texture, self._skull.triangles)
        own = texture[self._triangles]  # (3, M, 2)
        table = np.concatenate(
            [
                np.moveaxis(affine, 0, -1).reshape(6, -1),
                # A triangle seen edge-on maps a cell it hardly covers far away: nothing comes from beyond its own corners.
                own.min(0).T - 1 / GRID,
                own.max(0).T + 1 / GRID,
                (depth - translation[2])[None] / scale,
                normals[:2],
                -self._normals[2:],
                np.clip(np.log(np.maximum(area_ratio, 1e-3)), -2, 2)[None],
            ]
        ).astype(np.float32)
        table = np.take(table, hit, axis=1)

        here = _planes()
        x, y = np.take(here.reshape(2, -1), covered, axis=1)
        a, b, c = table[:6].reshape(2, 3, -1).swapaxes(0, 1)
        taken = np.clip(a * x + b * y + c, table[6:8], table[8:10])
        head = self._beside(vertices, rotation, covered, taken)
        self._neck.lay_under(head, rotation, translation, scale)
        head.reshape(2, -1)[:, covered] = self._of_the_person(taken, rotation)
        # Triangles of a few pixels meet in creases; a little blur costs nothing and removes them.
        steps = [cv2.GaussianBlur(part, (0, 0), 0.8) for part in head - here]

        maps = np.zeros((len(MAPS), GRID, GRID), np.float32)
        maps[0].ravel()[covered] = hit < len(face_model().triangles)
        maps[1].ravel()[covered] = 1
        for channel, values in enumerate(table[10:], start=2):
            maps[channel].ravel()[covered] = values
            maps[channel] = cv2.blur(maps[channel], (3, 3))
        draw_features(target, maps[7:10])
        maps[10:12] = steps

        candidates = np.empty((len(CANDIDATES), GRID, GRID, 2), np.float32)
        shift = self._middle - target[:468, :2].mean(0)
        cv2.merge([here[axis] + steps[axis] for axis in range(2)], candidates[0])
        candidates[1] = pixel_centres(GRID)
        cv2.add(pixel_centres(GRID), (*shift, 0, 0), dst=candidates[2])
        prior, (turned, bowed) = self._prior(vertices), self._turned(rotation)
        person = np.maximum(maps[1], self._belongs(candidates[0], maps[1], target, turned, bowed))
        vanished, beside = self._vanished(person, candidates[0])
        held = np.zeros((GRID, GRID), np.float32)
        if turned > 0:  # few frames; before, hair and cheeks are better known to the network
            held = turned * _surely_head(np.maximum(maps[1], person * (prior[0] > _AT_THE_HEAD)), maps)
            _overrule(candidates, held, turned * beside)
        lips, ears = self._lips(target, scale), self._skull.ears_seen(vertices)
        return DenseMotion(candidates, prior, maps, vanished, held, lips, ears)

    def _belongs(
        self, head: np.ndarray, covered: np.ndarray, target: np.ndarray, turned: np.float32, bowed: np.float32
    ) -> np.ndarray:
        """(G, G) the person's matte, moved with the head: hair, ears and the neck below the jaw. What is above the jaw, or
        where nobody was, is about as far from the head that is `covered` as it was: beside one that is `turned`, its
        continuation shows an ear twice, and above one that is `bowed` the hair at which its picture cuts it; both shares."""
        if self._matte is None:
            return np.zeros((GRID, GRID), np.float32)
        matte = sampled(self._crowned, head)
        at_the_cut = np.float32(_CUT * self.face_width)
        rows = np.flatnonzero(head[..., 1].min(1) < at_the_cut) if bowed > 0 else []
        if turned == 0 and not len(rows):  # most frames
            return matte
        part = np.s_[:] if turned > 0 else np.s_[rows[0] : rows[-1] + 1]
        places = head[part] * GRID - 0.5
        before = cv2.remap(self._beyond, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        now = cv2.distanceTransform(np.uint8(covered < 0.5), cv2.DIST_L2, 3)[part] / GRID
        twice = (
            bowed * np.clip((at_the_cut - head[part][..., 1]) * GRID, 0, 1) * np.clip((now - before) * GRID - 0.5, 0, 1)
        )
        if turned > 0:
            farther = np.clip((now - _FARTHER * before) / np.float32(_SLACK * self.face_width) - 1, 0, 1)
            twice = np.maximum(twice, turned * np.maximum(above_the_jaw(target), 1 - self._matte) * farther)
        matte[part] *= 1 - twice
        return matte

    def _of_the_person(self, places: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Places (2, M) of the portrait, crop units; those that are background as far as the head is turned on the way to the
        person. A gap beside an ear lobe shows the background in the portrait, and in a head that turns it does not."""
        share = np.float32(rising(self._skull.turned_away(rotation), _GAPS))
        if self._to_the_person is None or share == 0:
            return places
        at = cv2.merge(list(places[:, None] * GRID - 0.5))
        steps = cv2.remap(self._to_the_person, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return places + share * steps[0].T

    def _turned(self, rotation: np.ndarray) -> tuple[np.float32, np.float32]:
        """Shares in [0, 1] of the turn at which the mesh overrules the network, and of that at which of a head cut off by its
        picture no more is shown than its surface."""
        angle = self._skull.turned_away(rotation)
        sure, a_little = (np.float32(np.clip((angle - low) / (high - low), 0, 1)) for low, high in (_SURE, _A_LITTLE))
        return sure, self._is_cut * a_little

    def _beside(self, vertices: np.ndarray, rotation: np.ndarray, covered: np.ndarray, taken: np.ndarray) -> np.ndarray:
        """(2, G, G) where what is beside the head's surface comes from, crop units."""
        share, turned = 1 - self._skull.lacks(rotation), rising(self._skull.turned_away(rotation), _A_LITTLE)
        return self._continued(silhouette(vertices), covered, taken, share=share, turned=float(turned))

    def _lips(self, target: np.ndarray, scale: float) -> np.ndarray:
        """Of a mouth that opens wide the network paints the lips away."""
        lips, share = np.zeros((GRID, GRID), np.float32), lacking(self._opening, opening(target, scale))
        if share > 0:
            cv2.fillPoly(lips, [fixed(target[list(OUTER_LIPS), :2] * GRID)], share, shift=SUBPIXEL)
            lips = cv2.GaussianBlur(cv2.dilate(lips, _FIVE), (0, 0), 1.2)
        return lips

    def _vanished(self, person: np.ndarray, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where nothing of the person is now: where the head was, and where nobody was; without a matte nobody knows."""
        if self._matte is None:
            return np.zeros((GRID, GRID), np.float32), np.zeros((GRID, GRID), np.float32)
        now = cv2.dilate(person, _FIVE)  # the edges are the network's
        gone = cv2.GaussianBlur(1 - now, (0, 0), 0.8)
        far = cv2.GaussianBlur(1 - cv2.dilate(now, _STRANDS), (0, 0), 0.8)
        was = self._was
        if self._is_cut:
            was = np.maximum(was, (head[..., 1] < 0) * self._matte)
        return np.maximum(was * gone, self._strands * far), (1 - np.maximum(self._was, self._matte)) * gone

    def _prior(self, vertices: np.ndarray) -> np.ndarray:
        """Weights of the candidates: the head's motion where the head is *or was* (standing still there would leave a
        second head behind), fading to stillness."""
        outside = np.ones((GRID, GRID), np.uint8)
        for outline in (fixed(silhouette(vertices) * GRID), self._fixed_outline):
            cv2.fillPoly(outside, [outline], 0, shift=SUBPIXEL)
        near = cv2.distanceTransform(outside, cv2.DIST_L2, 3)
        near /= GRID
        near /= _FADE * self.face_width
        near = np.maximum(1 - near, 0)
        prior = np.zeros((len(CANDIDATES), GRID, GRID), np.float32)
        np.multiply(near * near, 3 - 2 * near, out=prior[0])
        np.subtract(1, prior[0], out=prior[1])
        return prior


def _overrule(candidates: np.ndarray, held: np.ndarray, beside: np.ndarray) -> None:
    """Makes all `candidates` (3, G, G, 2), which are changed, the head's where it is `held`, and the head's own stillness
    `beside` it, where its continuation would show its far side once more; both (G, G) in [0, 1]."""
    head, still, _ = candidates
    for other in candidates[1:]:
        other += held[..., None] * (head - other)
    head += beside[..., None] * (still - head)


def _surely_head(head: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """(G, G) float32: how surely what is `head` (G, G) is so: not at its rim, nor, by `MAPS`, at eyes and mouth, which are the
    network's."""
    surely = cv2.GaussianBlur(cv2.erode(head.astype(np.float32), np.ones((3, 3))), (0, 0), 1.0)
    return surely * (1 - cv2.dilate(np.maximum(maps[7], maps[8]), _FIVE))


def above_the_jaw(points: np.ndarray) -> np.ndarray:
    """(G, G) float32 in [0, 1]: 1 above the ear lobes of landmarks (478, 3), crop units, 0 below the corners of the jaw."""
    lobes, jaws = (points[list(pair), :2].mean(0) for pair in (_EAR_LOBES, _JAW_CORNERS))
    down = jaws - lobes
    (a, b), (x, y) = (down / max(float(down @ down), 1e-9)).astype(np.float32), _planes()
    return np.clip(1 + a * (lobes[0] - x) + b * (lobes[1] - y), 0, 1).astype(np.float32)


def drawn_maps(points: np.ndarray) -> np.ndarray:
    """`SOURCE_MAPS` of one face: (4, G, G) float32 in [0, 1], from landmarks (478, 3) in crop units."""
    maps = np.empty((len(SOURCE_MAPS), GRID, GRID), np.float32)
    face = np.zeros((GRID, GRID), np.uint8)
    cv2.fillPoly(face, [fixed(points[list(FACE_OVAL), :2] * GRID)], 255, cv2.LINE_AA, shift=SUBPIXEL)
    maps[0] = LEVELS[face]
    draw_features(points, maps[1:])
    return maps


def _to_the_person(matte: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(G, G, 2) float32 steps, crop units, from every place to the nearest one that is the person's by a matte (G, G), or the
    face's by landmarks (478, 3)."""
    person = cv2.erode(np.uint8(matte > PERSON), np.ones((3, 3), np.uint8))  # its rim is half background
    cv2.fillPoly(person, [fixed(points[list(FACE_OVAL), :2] * GRID)], 1, shift=SUBPIXEL)
    return steps_into(person)


def _normals(corners: np.ndarray) -> np.ndarray:
    """(3, M) unit normals of triangles (3 corners, M, 3), pointing out of the head (z < 0: toward the camera)."""
    (ax, ay, az), (bx, by, bz) = (corners[1] - corners[0]).T, (corners[2] - corners[0]).T
    # Clockwise on a screen with y down means that the cross product points away from the camera.
    normals = np.stack([by * az - ay * bz, bz * ax - az * bx, bx * ay - ax * by])
    return normals / np.maximum(np.sqrt((normals * normals).sum(0)), 1e-12)

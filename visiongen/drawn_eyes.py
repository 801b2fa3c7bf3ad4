"""Eyes that the face mesh does not fit: those of drawings, larger than a person's.

MediaPipe knows people. In an anime or a cartoon face it puts a human eye's lids somewhere inside a drawn one, and such an eye
would never close. So a small network (`visiongen.models.eye_net`) looks at both eyes of a portrait, and where it sees openings
that are larger than the mesh's, lids and irises are moved there, and the skin around goes along.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from visiongen.eyeballs import EYES, eye_opening
from visiongen.faces import warped_square
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.pose import face_model
from visiongen.retarget import EYE_PAIRS, EYE_SKIN

SIDE = 64
"""px of the patch that the network looks at."""
EXTENT = 0.62
"""Side of that patch, face widths."""
_SURE = 0.8
"""Least mean likelihood of an opening."""
_LARGER, _APART, _LARGE = 1.3, 0.7, 0.02
"""An opening so many times as large as the mesh's, of which that covers so little (intersection over union), and larger than
this, face widths squared, is a drawn one. Of the eyes of 691 photographs that pass the other two, the largest has 0.0173, of
those of 46 drawings the smallest 0.0220."""
_LEAST = 25
"""px of an opening."""
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
"""What is thinner is no part of an eye."""
_SHOWN = 0.1
"""Least share of a drawn eye's opening that is iris."""
_WHOLE, _DOT = 0.85, 0.035
"""One that is iris by more than such a share is a dot, if it is no larger, face widths squared."""
_IRIS = 9
"""px of an iris that is large enough to be told."""
_HIGH = 0.36
"""Area over the square of its width from which on an eye's lid is drawn; a person's open eye has about 0.2."""
_BESIDE = [
    *(
        (own, beyond)
        for side in EYE_PAIRS
        for pairs in zip(EYE_PAIRS[side], EYE_SKIN[side])
        for own, beyond in zip(*pairs)
    ),
    *((33, 130), (133, 243), (263, 359), (362, 463)),
]
"""Points of the lids, and what of the skin is next to each."""
_REACH = 0.28
"""Face widths from the lids up to which the skin goes along."""


class Patch(NamedTuple):
    """One eye, upright, a right one."""

    pixels: np.ndarray
    """(side, side, 3) uint8."""
    linear: np.ndarray
    """(2, 2)"""
    shift: np.ndarray
    """(2,): px of the picture to px of the patch, from outer corners."""

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2+), px of the picture, as px of the patch."""
        return points[..., :2] @ self.linear.T + self.shift

    def picture(self, points: np.ndarray) -> np.ndarray:
        """The way back."""
        return (points - self.shift) @ np.linalg.inv(self.linear).T


def eye_patch(image: np.ndarray, landmarks: np.ndarray, eye: tuple[int, ...], *, side: int, extent: float) -> Patch:
    """The surroundings of an eye.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) px.
        eye: Ring of its lids; a left one is mirrored.
        side: px of the patch.
        extent: Its side, face widths.
    """
    points = landmarks[:, :2].astype(np.float64)
    across = points[263] - points[33]
    x, y = across / max(np.linalg.norm(across), 1e-6)
    linear = np.array([[x, y], [-y, x]]) * side / (extent * max(np.linalg.norm(points[234] - points[454]), 1e-6))
    if eye == LEFT_EYE:
        linear[0] *= -1
    middle = points[list(eye)].mean(0)
    shift = side / 2 - linear @ middle
    scale = np.sqrt(abs(np.linalg.det(linear)))
    reach = side / scale  # more than half of the patch's diagonal
    low, high = (np.clip(middle + way, 0, image.shape[1::-1]).astype(int) for way in (-reach, reach))
    part = image[low[1] : high[1] + 1, low[0] : high[0] + 1]
    if not part.size:
        part, low = image, np.zeros(2)
    matrix = np.c_[linear, shift + linear @ low]
    pixels = warped_square(part, matrix, side, cv2.BORDER_REPLICATE, flags=cv2.INTER_LINEAR)
    return Patch(pixels, linear, shift)


def with_drawn_eyes(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, tuple[bool, bool]]:
    """Landmarks with the lids and irises of drawn eyes where the picture has them.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) float32 px, of `visiongen.landmarks.FaceMesh`.
    Returns:
        The landmarks, the same array where nothing changes, and whether the right and the left eye are so high that lids have
        to be drawn.
    """
    from visiongen.models.eye_net import eyes_and_irises  # PyTorch takes two seconds to load

    patches = [eye_patch(image, landmarks, eye, side=SIDE, extent=EXTENT) for eye, _ in EYES]
    seen = eyes_and_irises(np.stack([patch.pixels for patch in patches]))
    fits = [_fit(patch.placed(landmarks[list(eye)]), likely) for patch, likely, (eye, _) in zip(patches, seen, EYES)]
    if not any(fit is not None and fit.is_drawn for fit in fits):
        return landmarks, (False, False)
    # Where one eye is drawn, the other is too, even one that the mesh happens to fit.
    rings, irises = {}, {}
    for patch, fit, likely, (eye, iris) in zip(patches, fits, seen, EYES):
        if fit is not None and fit.larger >= 1:
            rings[eye] = patch.picture(fit.ring)
            irises[iris] = _iris(likely[1], patch, landmarks[list(iris)]), (landmarks[list(eye), :2], rings[eye])
    moved = _with_rings(landmarks, rings)
    for iris, (place, (before, after)) in irises.items():
        moved[list(iris), :2] = _carried(moved[list(iris), :2], before, after) if place is None else place
    high = np.mean([eye_opening(moved, eye) for eye in rings]) > _HIGH
    return moved, (bool(high and RIGHT_EYE in rings), bool(high and LEFT_EYE in rings))


class _Fit(NamedTuple):
    ring: np.ndarray
    """(16, 2) px of the patch."""
    larger: float
    """Its area over the mesh's."""
    is_drawn: bool


def _fit(ring: np.ndarray, likely: np.ndarray) -> _Fit | None:
    """The opening in a patch, beside the mesh's lids `ring` (16, 2); None where none is seen surely."""
    mask, iris = likely
    # Lines of hair and glasses hang on to an eye.
    clear = cv2.morphologyEx((mask > 0.5).astype(np.uint8), cv2.MORPH_OPEN, _ROUND)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(clear)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    inside = labels == largest
    if stats[largest, cv2.CC_STAT_AREA] < _LEAST or mask[inside].mean() < _SURE:
        return None
    shown, size = (iris[inside] > 0.5).mean(), inside.sum() * (EXTENT / len(mask)) ** 2
    if shown < _SHOWN or (shown > _WHOLE and size > _DOT):  # dark glasses
        return None
    width = ring[8, 0] - ring[0, 0]
    shares = np.clip((ring[:, 0] - ring[0, 0]) / (width if abs(width) > 1e-6 else 1.0), 0.03, 0.97)
    found = _ring(np.where(cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) > 0, mask, 0), shares)
    ours, theirs = (_filled(corners, mask.shape) for corners in (found, ring))
    larger = ours.sum() / max(theirs.sum(), 1)
    overlap = (ours & theirs).sum() / max((ours | theirs).sum(), 1)
    large = cv2.contourArea(np.float32(found)) * (EXTENT / len(mask)) ** 2 > _LARGE
    return _Fit(found, float(larger), bool(larger > _LARGER and overlap < _APART and large))


def _ring(mask: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(16, 2) px: lids round a mask (side, side) in [0, 1], at shares (16,) of the way from the outer to the inner corner."""
    high = mask.sum(0)
    open_columns = np.flatnonzero(high > 0.5)
    first, last = open_columns[0], open_columns[-1] + 1
    rows, columns = (np.arange(size) + 0.5 for size in mask.shape)
    middle = (mask * rows[:, None]).sum(0)[open_columns] / high[open_columns]
    half = high[open_columns] / 2
    x = first + (last - first) * shares
    x[0], x[8] = first, last
    way = np.zeros(16)
    way[1:8], way[9:] = -1, 1
    at = columns[open_columns]
    return np.stack([x, np.interp(x, at, middle) + way * np.interp(x, at, half)], 1)


def _filled(ring: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(np.clip(ring - 0.5, -1000, 1000)).astype(np.int32)], 1)
    return mask > 0


def _iris(likely: np.ndarray, patch: Patch, before: np.ndarray) -> np.ndarray | None:
    """(5, 2) px of the picture: middle and rim of an iris, in the order of the mesh's `before`; None: none is seen."""
    rows, columns = np.nonzero(likely > 0.5)
    if len(rows) < _IRIS:
        return None
    low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
    x, y = (high - low) / 2
    placed = patch.picture((low + high) / 2 + np.array([[0, 0], [x, 0], [0, -y], [-x, 0], [0, y]]))
    ways, sides = before[1:, :2] - before[0, :2], placed[1:] - placed[0]
    return np.concatenate([placed[:1], placed[0] + sides[(ways @ sides.T).argmax(1)]])


def _carried(points: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Points (N, 2) as the box round `before` becomes the one round `after`."""
    low, size = before.min(0), np.maximum(np.ptp(before, axis=0), 1e-6)
    return (points - low) / size * np.ptp(after, axis=0) + after.min(0)


def _with_rings(landmarks: np.ndarray, rings: dict[tuple[int, ...], np.ndarray]) -> np.ndarray:
    """(478, 3) landmarks with lids (16, 2) px where they shall be. The skin around goes along: every point stays the same mean
    of its neighbours, by mean value coordinates (Floater 2003), whose weights are positive, so that hardly a triangle folds."""
    flat = face_model().points[:, :2]
    weights = _mean_values(landmarks[:, :2].astype(np.float64))
    lids = [mark for eye in rings for mark in eye]
    fixed = np.linalg.norm(flat[:, None] - flat[lids], axis=-1).min(1) > _REACH
    fixed[468:] = True
    step = np.zeros((len(landmarks), 2))
    step[lids] = np.concatenate(list(rings.values())) - landmarks[lids, :2]
    fixed[lids] = True
    # The mean of a round lid's points lies inside of it: what is next to a lid goes as it does.
    for own, beyond in _BESIDE:
        if own in lids:
            step[beyond], fixed[beyond] = step[own], True
    free = ~fixed
    step[free] = np.linalg.solve(
        np.diag(weights[free].sum(1)) - weights[np.ix_(free, free)], weights[np.ix_(free, fixed)] @ step[fixed]
    )
    moved = landmarks.copy()
    moved[:, :2] += step
    return moved


def _mean_values(points: np.ndarray) -> np.ndarray:
    """(N, N) weights of every point's neighbours in the face mesh, points (N, 2)."""
    triangles, weights = face_model().triangles, np.zeros((len(points),) * 2)
    for i in range(3):
        own, *others = triangles[:, i], triangles[:, (i + 1) % 3], triangles[:, (i + 2) % 3]
        ways = [points[other] - points[own] for other in others]
        lengths = [np.maximum(np.linalg.norm(way, axis=1), 1e-6) for way in ways]
        cosine = (ways[0] * ways[1]).sum(1) / (lengths[0] * lengths[1])
        half = np.sqrt(np.clip(1 - cosine, 0, None) / np.clip(1 + cosine, 1e-6, None))  # tangent of half the angle
        for other, length in zip(others, lengths):
            np.add.at(weights, (own, other), half / length)
    return weights

"""Eyes that the face mesh does not fit: those of drawings, larger than a person's.

MediaPipe knows people. In an anime or a cartoon face it puts a human eye's lids somewhere inside a drawn one, and such an eye
would never close. So a small network (`visiongen.models.drawing_nets`) looks at both eyes of a portrait, and
where it sees openings that are larger than the mesh's, lids and irises are moved there, and the skin around goes along.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from visiongen.eyeballs import EYES, eye_opening
from visiongen.landmarks import LEFT_EYE, RIGHT_EYE
from visiongen.mesh_moves import filled, ring_round, shares_along, with_rings
from visiongen.patches import Patch, eye_patch
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


def with_drawn_eyes(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, tuple[bool, bool]]:
    """Landmarks with the lids and irises of drawn eyes where the picture has them.

    Args:
        image: (H, W, 3) uint8 RGB.
        landmarks: (478, 3) float32 px, of `visiongen.landmarks.FaceMesh`.
    Returns:
        The landmarks, the same array where nothing changes, and whether the right and the left eye are so high that lids have
        to be drawn.
    """
    from visiongen.models.drawing_nets import eyes_and_irises  # PyTorch takes two seconds to load

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
    moved = with_rings(landmarks, rings, beside=_BESIDE)
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
    here = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) > 0
    found = ring_round(np.where(here, mask, 0), shares_along(ring))
    ours, theirs = (filled(corners, mask.shape) for corners in (found, ring))
    larger = ours.sum() / max(theirs.sum(), 1)
    overlap = (ours & theirs).sum() / max((ours | theirs).sum(), 1)
    large = cv2.contourArea(np.float32(found)) * (EXTENT / len(mask)) ** 2 > _LARGE
    return _Fit(found, float(larger), bool(larger > _LARGER and overlap < _APART and large))


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

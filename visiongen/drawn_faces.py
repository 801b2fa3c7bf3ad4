"""Jaws and mouths that the face mesh does not fit: those of drawings.

MediaPipe knows people. Below the large eyes of an anime it looks for a mouth where a person's would be, on the chin, and the
jaw of a pointed face goes through the hair beside it. So where a portrait is a drawing, a small network
(`visiongen.models.drawing_nets`) looks at its face, the mesh's lips and jaw are moved to where it sees them, and the skin
around goes along.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.faces import warped_square
from visiongen.landmarks import FACE_OVAL, INNER_LIPS, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from visiongen.mesh_moves import filled, ring_round, shares_along, with_rings
from visiongen.patches import face_patch
from visiongen.ramps import rising
from visiongen.rotations import gaussian_over_time

SIDE = 96
"""px of the patch that the network looks at."""
EXTENT = 1.6
"""Side of that patch, face widths."""
_UNIT = SIDE / EXTENT
"""px of a face width."""
_SURE = 0.7
"""Least mean likelihood of a mouth."""
_LEAST = 12
"""px of a mouth."""
_GAP = 9
"""px between two pieces of one."""
_ALIKE = 0.45
"""A mouth that the mesh's covers by so much (intersection over union) stays: the mesh sees finer than the network."""
_UNLIKE, _LINE = 25, 0.5
"""Levels from the skin around from which on a pixel of a mouth is none, and the share of such below which it is a closed one, a
line: the network tells where that is, but not how thin. Of 27 drawings lines have 0.29 at most, open mouths 0.71 at least."""
_OPEN = 0.02
"""Face widths that the mesh's lips are apart when it has taken a line for an open mouth."""
_SHUT = 0.002
"""Face widths that the lips of a line are apart."""
_LIPS = (0.014, 0.018, 0.024)
"""Face widths of what belongs to a mouth without lips: beside its corners, above and below."""
_LOWER_LIP, _CHIN = 17, 152
_JAW = slice(6, 31)
"""Of the oval, from temple to temple over the chin."""
_LOOKED_AT, _STEPS = (0.7, 1.25), 56
"""Where a jaw is looked for, on rays from the middle of the face, of the distance of the mesh's."""
_MOST = (0.75, 1.2)
"""How far it is moved."""
_RISES, _LEAST_CHIN = 0.06, 0.19
"""A face that ends so much higher than the mesh's, and so near below the lower lip, face widths, ends in a beard: of 58
drawings those with a jaw have 0.06 at most, or 0.21 at least."""
_SMOOTH = 1.0
"""Vertices over which that is smoothed."""


def with_drawn_face(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Landmarks with the mouth and the jaw of a drawing where the picture has them.

    Args:
        image: (H, W, 3) uint8 RGB, a drawing.
        landmarks: (478, 3) float32 px.
    """
    from visiongen.models.drawing_nets import faces_and_mouths  # PyTorch takes two seconds to load

    patch = face_patch(image, landmarks, side=SIDE, extent=EXTENT)
    face, mouth, opening, _ = faces_and_mouths(patch.pixels[None])[0]
    placed = patch.placed(landmarks)
    lips = _lips(patch.pixels, mouth, opening, placed)
    if lips is not None:
        rings = {marks: patch.picture(ring) for marks, ring in zip((OUTER_LIPS, INNER_LIPS), lips)}
        landmarks = with_rings(landmarks, rings, kept=FACE_OVAL)
    jaw = _jaw(face, placed)
    if jaw is None or _ends_in_a_beard(jaw, patch.placed(landmarks)):
        return landmarks
    kept = (*RIGHT_EYE, *LEFT_EYE, *RIGHT_BROW, *LEFT_BROW, *OUTER_LIPS, *INNER_LIPS)
    return with_rings(landmarks, {FACE_OVAL[_JAW]: patch.picture(jaw)}, kept=kept)


def drawn_hair(crop: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Where a drawing has hair.

    Args:
        crop: (S, S, 3) uint8 RGB.
        source: (478, 3) its landmarks, crop units.
    Returns:
        (S, S) float32 in [0, 1], how likely every pixel is hair; 0 far from the face.
    """
    from visiongen.models.drawing_nets import faces_and_mouths  # PyTorch takes two seconds to load

    side = len(crop)
    patch = face_patch(crop, source * side, side=SIDE, extent=EXTENT)
    hair = faces_and_mouths(patch.pixels[None])[0, 3]
    back = cv2.invertAffineTransform(np.c_[patch.linear, patch.shift])
    return warped_square(hair, back, side, cv2.BORDER_CONSTANT, flags=cv2.INTER_LINEAR)


def _lips(
    pixels: np.ndarray, mouth: np.ndarray, opening: np.ndarray, placed: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """(20, 2) each, px of the patch: outer and inner lips; None where no other mouth is seen than the mesh's."""
    # Of a thin line the middle is often lost.
    near = cv2.morphologyEx((mouth > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, _GAP), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(near)
    if count < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    inside = (labels == largest) & (mouth > 0.5)
    if inside.sum() < _LEAST or mouth[inside].mean() < _SURE:
        return None
    mesh = placed[list(OUTER_LIPS)]
    theirs = filled(mesh, mouth.shape)
    closed = _is_line(pixels, inside, opening)
    mistaken = closed and _high(placed[list(INNER_LIPS)]).max() > _OPEN * _UNIT
    if (inside & theirs).sum() > _ALIKE * (inside | theirs).sum() and not mistaken:
        return None
    here = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) > 0
    outer = ring_round(np.where(here, mouth, 0), shares_along(mesh))
    shares = shares_along(placed[list(INNER_LIPS)])
    within = np.where(here, opening, 0)
    inner = (
        ring_round(within, shares) if (within > 0.5).sum() >= _LEAST else ring_round(np.where(here, mouth, 0), shares)
    )
    if closed:
        middle = (inner[1:10, 1] + inner[11:, 1][::-1]) / 2
        inner[1:10, 1], inner[11:, 1] = middle - _SHUT * _UNIT / 2, middle[::-1] + _SHUT * _UNIT / 2
    # A mouth without lips has a little of the skin around.
    aside, above, below = (part * _UNIT for part in _LIPS)
    outer[0, 0], outer[10, 0] = min(outer[0, 0], inner[0, 0] - aside), max(outer[10, 0], inner[10, 0] + aside)
    outer[1:10, 1] = np.minimum(outer[1:10, 1], inner[1:10, 1] - above)
    outer[11:, 1] = np.maximum(outer[11:, 1], inner[11:, 1] + below)
    return outer, inner


def _is_line(pixels: np.ndarray, mouth: np.ndarray, opening: np.ndarray) -> bool:
    """Whether most of what is between the lips of a `mouth` (H, W) bool looks like the skin around it."""
    near, far = (cv2.dilate(mouth.astype(np.uint8), np.ones((size, size))) > 0 for size in (5, 11))
    between = mouth & (opening > 0.5)
    if not between.any():
        return True
    skin = np.median(pixels[far & ~near], axis=0)
    return bool((np.abs(pixels[between] - skin).max(-1) > _UNLIKE).mean() < _LINE)


def _high(ring: np.ndarray) -> np.ndarray:
    """(9,) heights of an opening between its corners, ring (20, 2)."""
    return (ring[11:][::-1] - ring[1:10])[:, 1]


def _jaw(face: np.ndarray, placed: np.ndarray) -> np.ndarray | None:
    """(V, 2) px of the patch: that part of the oval; None where none is seen."""
    oval = placed[list(FACE_OVAL)]
    middle = oval.mean(0)
    way = oval[_JAW] - middle
    shares = np.linspace(*_LOOKED_AT, _STEPS)
    places = np.float32(middle + shares[:, None, None] * way - 0.5)
    seen = cv2.remap(face, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)  # (steps, V)
    out = seen < 0.5
    told = ~out[0] & out[-1]
    if told.sum() < len(way) / 2:
        return None
    last = np.where(told, out.argmax(0), 0)
    before, after = (np.take_along_axis(seen, np.maximum(last - back, 0)[None], 0)[0] for back in (1, 0))
    part = (before - 0.5) / np.maximum(before - after, 1e-6)
    at = shares[np.maximum(last - 1, 0)] + part * (shares[1] - shares[0])
    vertices = np.arange(len(way))
    at = np.interp(vertices, vertices[told], at[told])
    at = gaussian_over_time(np.clip(at, *_MOST), _SMOOTH)
    # Above the ears hair begins where the mesh does not.
    weight = rising(np.minimum(vertices, vertices[::-1]).astype(float), (0.0, 4.0))
    return middle + (1 + weight * (at - 1))[:, None] * way


def _ends_in_a_beard(jaw: np.ndarray, placed: np.ndarray) -> bool:
    """Of a jaw (V, 2) beside landmarks (478, 2) with the mouth in place, px of the patch."""
    chin = jaw[len(jaw) // 2, 1]
    return bool(placed[_CHIN, 1] - chin > _RISES * _UNIT and chin - placed[_LOWER_LIP, 1] < _LEAST_CHIN * _UNIT)

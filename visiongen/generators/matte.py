"""Who moves: the matte of the person whose face is driven, without those beside, and the hair."""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.background import person_matte
from visiongen.datatypes import Portrait
from visiongen.drawing import within
from visiongen.drawn_faces import drawn_hair
from visiongen.generators.targets import source_landmarks, to_crop_units
from visiongen.hair import Hair, find_hair
from visiongen.landmarks import FACE_OVAL, face_size
from visiongen.ramps import rising

_SEEN = 0.6
"""A matte that has less of the face than this has missed the person."""
_FLOODED = 256
"""Side of the picture in which ground is looked for, px."""
_FLAT, _MOSTLY, _LIKE = 3, 0.6, 12
"""Levels that flat ground varies by, the share of the picture's upper edges that must be such, and the levels by which a pixel
may differ from it and belong to it."""
_FREE, _SOME = 0.1, 0.1
"""The matte below which an edge is beside a drawn person, and the share of the edges that tells what is there: hair fills the
rest."""
_UNSURE = (0.6, 0.95)
"""Beside a drawing on paper the segmentation is believed from here on, and wholly: a white shirt is as the paper."""
_CHIN, _BESIDE, _UNDER, _BELOW, _NO_BODY = 152, 0.08, 0.05, 0.1, 0.15
"""Below a chin, and beside its middle, face sizes: what is drawn from the first on is a neck or a beard, from the second on a
body; the least share of that body that is drawn, with a white shirt. Of 31 heads alone those without a beard end 0.03 below."""
_WHITE = 248
"""Least level of white paper. Other flat ground may be a wall, whose shadows stand before it."""
_SOFT = 0.3
"""Width of the border between two people, face sizes."""


def own_part(portrait: Portrait, side: int) -> np.ndarray | None:
    """(side, side) float32 in [0, 1] over the crop: 0 where it shows other people; None: nowhere."""
    if not len(portrait.others):
        return None
    return nearer_than(source_landmarks(portrait), to_crop_units(portrait.others, portrait), side)


def portrait_matte(portrait: Portrait, side: int) -> np.ndarray:
    """(side, side) float32 in [0, 1] over the crop: 1 where the person is whose face moves.

    Everybody else belongs to the background, which stands still: a matte that takes two people for one moves both, and what
    a head has left would be filled with neither.
    """
    matte, own = person_matte(portrait.crop, side), own_part(portrait, side)
    missed = _of_face(matte, portrait) < _SEEN
    beside = matte if portrait.drawn.face and not missed else None
    drawn = before_paper(portrait.crop, side, least=0 if missed else _WHITE, matte=beside)
    if drawn is not None and _of_face(drawn, portrait) > _SEEN:
        if portrait.drawn.face:
            matte = matte * rising(matte, _UNSURE)
            missed = missed or _is_head_alone(matte, drawn, source_landmarks(portrait))
        matte = drawn if missed else np.maximum(matte, drawn)
    return matte if own is None else matte * own


def _is_head_alone(matte: np.ndarray, drawn: np.ndarray, source: np.ndarray) -> bool:
    """Whether a drawing ends at its chin, and there is next to nothing drawn where the segmentation sees a body, since there
    always is one. A beard hangs below the chin, and would be cut off with that body."""
    side, size = len(matte), face_size(source)

    def rows(below: float) -> int:
        return int(np.clip(round((source[_CHIN, 1] + below * size) * side), 0, side))

    body = matte[rows(_BELOW) :] > 0.5
    left, right = (int(np.clip((source[_CHIN, 0] + way * size) * side, 0, side - 1)) for way in (-_BESIDE, _BESIDE))
    chin = drawn[rows(_UNDER) : rows(_BELOW), left : right + 1]
    return bool(body.any() and chin.size and chin.min(0).max() < 0.5 and drawn[rows(_BELOW) :][body].mean() < _NO_BODY)


def portrait_hair(portrait: Portrait, crop: np.ndarray, matte: np.ndarray) -> Hair:
    """The portrait's hair, see `visiongen.hair.find_hair`, in its `crop` at any size (S, S, 3)."""
    source = source_landmarks(portrait)
    return find_hair(crop, source, matte, seen=drawn_hair(crop, source) if portrait.drawn.face else None)


def before_paper(
    picture: np.ndarray, side: int, *, least: float = 0.0, matte: np.ndarray | None = None
) -> np.ndarray | None:
    """(side, side) float32 in [0, 1], 1 for what stands before flat ground in a square picture (H, H, 3) uint8; None where its
    ground is not flat, or darker than `least`. Of a drawing whose `matte` (G, G) is known only what is beside it is looked at.

    The segmentation knows people. In drawings of few lines it sees nobody, or a part; but those stand on paper.
    """
    small = cv2.resize(picture, (_FLOODED, _FLOODED), interpolation=cv2.INTER_AREA)
    edge = _upper_edges(small).astype(int)
    if matte is not None:
        free = _upper_edges(cv2.resize(matte, (_FLOODED, _FLOODED))) < _FREE
        edge = edge[free] if free.mean() > _SOME else edge
    ground = np.median(edge, axis=0)
    if ground.min() < least or (np.abs(edge - ground).max(1) <= _FLAT).mean() < _MOSTLY:
        return None
    like = (np.abs(small - ground).max(-1) < _LIKE).astype(np.uint8)
    reached = cv2.connectedComponents(np.pad(like, 1, constant_values=1), connectivity=4)[1]  # framed: all of it is one
    apart = (reached != reached[0, 0])[1:-1, 1:-1].astype(np.float32)
    return cv2.resize(cv2.GaussianBlur(apart, (0, 0), 1.0), (side, side), interpolation=cv2.INTER_AREA)


def _upper_edges(picture: np.ndarray) -> np.ndarray:
    """(P, ...) of a square picture (S, S, ...)."""
    half = len(picture) // 2
    return np.concatenate([picture[0], picture[:half, 0], picture[:half, -1]])


def _of_face(matte: np.ndarray, portrait: Portrait) -> float:
    """Share of the face that a matte calls person."""
    face = within(matte, source_landmarks(portrait), FACE_OVAL)
    return float(matte[face].mean()) if face.any() else 1.0


def nearer_than(own: np.ndarray, others: np.ndarray, side: int) -> np.ndarray:
    """(side, side) float32 in [0, 1]: 1 where a face is nearer than any other, by the sizes of the faces.

    Args:
        own: (478, 3) landmarks, crop units.
        others: (F, 478, 3).
    """
    x, y = np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2)

    def distance(face: np.ndarray) -> np.ndarray:
        centre = face[:468, :2].mean(0)
        return np.hypot(x - centre[0], y - centre[1]) / face_size(face)

    mine = distance(own)
    return np.min([np.clip((distance(one) - mine) / _SOFT + 0.5, 0, 1) for one in others], axis=0).astype(np.float32)

"""Who moves: the matte of the person whose face is driven, without those beside."""

from __future__ import annotations

import numpy as np

from visiongen.background import person_matte
from visiongen.datatypes import Portrait
from visiongen.generators.targets import source_landmarks, to_crop_units
from visiongen.landmarks import face_size

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
    return matte if own is None else matte * own


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

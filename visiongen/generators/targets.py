"""Where a portrait's landmarks are and where they shall be, in the units that dense motion is computed in."""

from __future__ import annotations

import numpy as np

from visiongen.datatypes import MotionTrack, Portrait
from visiongen.motion import piece, place


def source_landmarks(portrait: Portrait) -> np.ndarray:
    """(478, 3) float64, crop units, of the portrait itself."""
    return to_crop_units(portrait.landmarks[None], portrait)[0]


def target_landmarks(portrait: Portrait, motion: MotionTrack, frames: slice = slice(None)) -> np.ndarray:
    """(T, 478, 3) float64, crop units, of (some frames of) a motion that was retargeted to the portrait."""
    return to_crop_units(place(piece(motion, frames)).points, portrait)


def to_crop_units(points: np.ndarray, portrait: Portrait) -> np.ndarray:
    """Points (T, N, 3), px of the picture, in crop units: the crop is the square from 0 to 1."""
    linear, shift = portrait.image_from_crop[:, :2], portrait.image_from_crop[:, 2]
    crop_from_image = np.linalg.inv(linear)
    side = portrait.crop.shape[0]
    flat = (points[..., :2].astype(np.float64) - shift) @ crop_from_image.T / side
    depth = points[..., 2:] * np.sqrt(np.linalg.det(crop_from_image)) / side
    return np.concatenate([flat, depth], axis=-1)

"""How far a portrait's head turns: softly no further than what its picture still has something to show for."""

from __future__ import annotations

import numpy as np

from visiongen.pose import euler_angles
from visiongen.rotations import rotation_matrices

_KNEE = 0.75
"""Share of the pose limit from which on turns are held back."""
_PITCH_SHARE = 2 / 3
"""Nods show less of a face than turns do: their limit is this share of the one of turns."""
_LEAST_ROOM = 4.0
"""Degrees that a portrait may turn on which looks as far to the side as the limit allows."""
_PROFILE = (40.0, 47.0)
"""A portrait that looks this many degrees to the side hides half of a face, of which its mirror image knows nothing
either: mouth and far eye lie on the rim. So the further it looks to the side, the less it turns to the camera."""
_FROM_PROFILE = (40.0, 1.0)
"""Degrees that it turns to the camera at most."""


def limited(rotation: np.ndarray, own: np.ndarray, limit: float) -> np.ndarray:
    """Turns held back on the shortest way, so that the head's tilt stays as it is.

    Args:
        rotation: (T, 3, 3) of a head.
        own: (3, 3) of its portrait. One that looks further to the side than the limit keeps its own pose, and turns little.
        limit: Degrees to the side, and two thirds of them up or down; 90 is no limit.
    Returns:
        (T, 3, 3).
    """
    if limit >= 90:
        return rotation
    yaw, pitch, _ = np.moveaxis(euler_angles(rotation), -1, 0)
    own_yaw, own_pitch, _ = euler_angles(own)
    angle = np.hypot(yaw, pitch / _PITCH_SHARE)
    own_angle = float(np.hypot(own_yaw, own_pitch / _PITCH_SHARE))
    knee = max(_KNEE * np.deg2rad(limit), own_angle)
    room = max(np.deg2rad(limit) - knee, np.deg2rad(_LEAST_ROOM))
    gain = np.where(angle > knee, _softly(angle, knee, room) / np.maximum(angle, 1e-9), 1.0)
    held_yaw = _held_in_profile(np.where(gain == 1, yaw, gain * yaw), float(own_yaw))
    held = (gain != 1) | (held_yaw != yaw)
    if not held.any():
        return rotation
    before, after = _looking(yaw, pitch), _looking(held_yaw, gain * pitch)
    axis = np.cross(before, after)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    back = np.arctan2(sine, (before * after).sum(-1, keepdims=True)) * axis / np.maximum(sine, 1e-9)
    return np.where(held[:, None, None], rotation_matrices(back) @ rotation, rotation)


def _softly(angle: np.ndarray, knee: float, room: float) -> np.ndarray:
    """(T,) `angle`, held back beyond `knee` so that it goes no further than `room` on."""
    return np.where(angle > knee, knee + room * np.tanh((angle - knee) / room), angle)


def _held_in_profile(yaw: np.ndarray, own: float) -> np.ndarray:
    """(T,) `yaw` of a portrait that looks `own` to the side, radians, held back on the way to the camera, see `_PROFILE`."""
    if abs(own) <= np.deg2rad(_PROFILE[0]):
        return yaw
    most = np.deg2rad(np.interp(np.rad2deg(abs(own)), _PROFILE, _FROM_PROFILE))
    side = np.sign(own)
    return own - side * _softly(side * (own - yaw), most / 2, most / 2)


def _looking(yaw: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """(T, 3) where a head with these angles looks; see `visiongen.pose.euler_angles`."""
    return np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], axis=-1)

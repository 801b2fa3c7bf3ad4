"""The performance of the sample driving clip: a few seconds of head turns, nods, blinks, talk and smiles, as numbers.

No recording of anybody is used. Expressions are displacements of landmark groups of the face mesh, defined here; when
they happen is written down in the score below; in between, curves run smoothly. All lengths are face widths in
the head frame (x to the picture's right, y down, z away from the camera).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from visiongen import MotionTrack
from visiongen.landmarks import (
    INNER_LIPS,
    LEFT_BROW,
    LEFT_EYE,
    LEFT_IRIS,
    OUTER_LIPS,
    RIGHT_BROW,
    RIGHT_EYE,
    RIGHT_IRIS,
)
from visiongen.pose import face_model

FPS = 25
SECONDS = 6.0

# How the mouth stands while a sound lasts: jaw open, wide (negative: narrow), puckered; 0 to 1 each.
MOUTHS = {
    "a": (0.90, 0.10, 0.00),
    "e": (0.50, 0.45, 0.00),
    "i": (0.25, 0.60, 0.00),
    "o": (0.60, -0.25, 0.55),
    "u": (0.28, -0.20, 1.00),
    "n": (0.20, 0.20, 0.00),
    "m": (0.00, 0.05, 0.05),
}
# The babble: sound and its length in seconds; "." is silence with the mouth at rest.
SCORE = (
    (".", 0.85), ("m", 0.12), ("a", 0.26), ("n", 0.10), ("o", 0.26), ("m", 0.12), ("i", 0.24), ("n", 0.10), ("a", 0.30),
    (".", 0.30), ("u", 0.26), ("m", 0.10), ("e", 0.24), ("n", 0.08), ("i", 0.20), ("o", 0.34), (".", 0.33),
    ("m", 0.12), ("a", 0.30), ("m", 0.12), ("u", 0.24), ("n", 0.10), ("a", 0.32), (".", 0.60),
)  # fmt: skip
BLINKS = (0.62, 1.95, 2.55, 4.10, 5.30)
"""When the lids begin to fall, s."""

# (seconds, value) pairs; smooth in between.
YAW = ((0.3, 0), (1.15, -14), (1.6, -12), (2.55, 15), (3.2, 13), (4.0, -7), (4.6, -4), (5.6, 0))  # degrees
PITCH = ((0.3, 0), (0.8, 4), (1.1, -5), (1.5, 3), (2.0, -2), (2.6, -6), (3.1, 5), (3.5, -2), (3.9, 7), (4.2, -4),
         (4.5, 5), (4.9, -3), (5.6, 0))  # fmt: skip
ROLL = ((0.2, 0), (1.2, 5), (2.1, -3), (2.9, -7), (3.9, 4), (4.8, 8), (5.7, 0))
RELAX = ((0.15, 0), (0.75, 1), (5.05, 1), (5.75, 0))  # from the portrait's own smile to a face at rest and back
BROWS = ((0.9, 0), (1.25, 0.9), (1.6, 0.1), (2.3, 0), (2.6, 1.0), (3.2, 0.8), (3.5, 0), (4.55, 0), (4.8, 0.7), (5.4, 0))
SMILE = ((2.95, 0), (3.25, 0.55), (3.5, 0.1), (4.9, 0), (5.25, 0.5), (5.75, 0))  # on top of what the face does
GAZE_X = ((0.85, 0), (0.95, 0.7), (1.8, 0.7), (1.9, 0), (2.3, 0), (2.4, -0.8), (3.3, -0.8), (3.4, 0), (5.6, 0))
GAZE_Y = ((1.9, 0), (2.0, -0.5), (2.5, -0.5), (2.6, 0), (3.7, 0), (3.8, 0.5), (4.1, 0.5), (4.2, 0))

_NECK = np.array([0.0, 0.75, 0.4])
"""The point the head turns round."""
_JAW_HINGE = np.array([0.0, 0.0, 0.45])
_LIDS = ((RIGHT_EYE, (247, 30, 29, 27, 28, 56, 190)), (LEFT_EYE, (467, 260, 259, 257, 258, 286, 414)))
_EYE_ROWS = [(ring[1 + i], ring[15 - i], crease[i]) for ring, crease in _LIDS for i in range(7)]  # upper, lower, crease
# The lips are four rings of 20 points, all from the right corner over the upper lip to the left one and back.
_LIP_RINGS = (
    OUTER_LIPS,
    (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306, 307, 320, 404, 315, 16, 85, 180, 90, 77),
    (62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292, 325, 319, 403, 316, 15, 86, 179, 89, 96),
    INNER_LIPS,
)
_LIPS = sum(_LIP_RINGS, ())
_UPPER_LIP = [point for ring in _LIP_RINGS for point in ring[1:10]]
_LOWER_LIP = [point for ring in _LIP_RINGS for point in ring[11:]]
_MOUTH_CORNERS = [ring[i] for ring in _LIP_RINGS for i in (0, 10)]
_MOUTH_HALF = 0.18


def frame_times() -> np.ndarray:
    """(T,) seconds."""
    return np.arange(round(SECONDS * FPS)) / FPS


def curve(keys: tuple[tuple[float, float], ...], times: np.ndarray) -> np.ndarray:
    """A smooth curve through (seconds, value) pairs, flat before the first and after the last."""
    at, values = np.array(keys, float).T
    part = np.clip(np.searchsorted(at, times, side="right") - 1, 0, len(at) - 2)
    share = np.clip((times - at[part]) / (at[part + 1] - at[part]), 0, 1)
    share = share**3 * (share * (6 * share - 15) + 10)  # minimum jerk: how limbs and heads move
    return values[part] + share * (values[part + 1] - values[part])


def mouth_curves(times: np.ndarray) -> np.ndarray:
    """(T, 3) jaw, width and pucker: the score's positions, run together as in speech."""
    fine = np.arange(0, SECONDS + 1e-9, 0.005)
    begins = np.cumsum([0.0] + [length for _, length in SCORE])
    index = np.clip(np.searchsorted(begins, fine, side="right") - 1, 0, len(SCORE) - 1)
    positions = np.array([MOUTHS.get(sound, (0.03, 0.0, 0.0)) for sound, _ in SCORE])
    smooth = gaussian_filter1d(positions[index], 0.035 / 0.005, axis=0, mode="nearest")
    return np.stack([np.interp(times, fine, smooth[:, i]) for i in range(3)], axis=-1)


def blink_curve(times: np.ndarray) -> np.ndarray:
    """(T,) 0 open to 1 closed: down in 0.1 s, up in 0.2 s."""
    blinks = [curve(((at, 0), (at + 0.10, 1), (at + 0.14, 1), (at + 0.34, 0)), times) for at in BLINKS]
    return np.max(blinks, axis=0)


def _near(members: tuple[int, ...], reach: float) -> np.ndarray:
    """(478, 1) weight: 1 at `members`, falling smoothly to 0 at `reach` from them."""
    points = face_model().points
    distance = np.linalg.norm(points[:, None] - points[list(members)][None], axis=-1).min(1)
    weight = np.clip(1 - distance / reach, 0, 1)
    return (weight * weight * (3 - 2 * weight))[:, None]


@dataclass(frozen=True)
class Expressions:
    """Displacements (478, 3) of every landmark at strength 1."""

    jaw: np.ndarray
    wide: np.ndarray
    pucker: np.ndarray
    smile: np.ndarray
    brows: np.ndarray
    gaze_x: np.ndarray
    gaze_y: np.ndarray


def make_expressions() -> Expressions:
    """The basis, from the shipped rest face."""
    points = face_model().points.astype(float)
    x, y, _ = points.T
    across = np.clip(np.abs(x) / _MOUTH_HALF, 0, 1)

    share = np.clip((y - 0.24) / 0.26, 0, 1)
    share = share * share * (3 - 2 * share)
    share[_UPPER_LIP] = 0.30 * across[_UPPER_LIP] ** 3
    share[_LOWER_LIP] = 0.30 + 0.70 * np.sqrt(1 - across[_LOWER_LIP] ** 2)
    share[_MOUTH_CORNERS] = 0.30
    arm = points - _JAW_HINGE
    jaw = share[:, None] * 0.21 * np.stack([-0.12 * x, -arm[:, 2], 0.35 * arm[:, 1]], axis=-1)
    jaw[_UPPER_LIP, 1] -= 0.012 * (1 - across[_UPPER_LIP])

    sideways = np.sign(x) * across
    level = np.zeros_like(x)
    wide = _near(_LIPS, 0.20) * np.stack([0.045 * sideways, level, 0.02 * across], axis=-1)
    pucker = _near(_LIPS, 0.16) * np.stack([-0.35 * np.clip(x, -0.2, 0.2), level, -0.05 * (1 - 0.5 * across)], axis=-1)
    smile = _near((61, 291, 205, 425), 0.28) * np.stack([0.045 * sideways, -0.045 * across, 0.02 * across], axis=-1)
    brows = _near(RIGHT_BROW + LEFT_BROW, 0.17) * np.array([0, -0.065, 0])
    gaze_x, gaze_y = np.zeros_like(points), np.zeros_like(points)
    gaze_x[list(RIGHT_IRIS + LEFT_IRIS), 0] = 0.028
    gaze_y[list(RIGHT_IRIS + LEFT_IRIS), 1] = 0.016
    gaze_y[[upper for upper, _, _ in _EYE_ROWS], 1] = 0.010
    return Expressions(jaw, wide, pucker, smile, brows, gaze_x, gaze_y)


def _at_rest(head: np.ndarray) -> np.ndarray:
    """(478, 3): the face `head` with the mean face's mouth, its lips closed."""
    rest = face_model().points.astype(float)
    result = head + (rest - head) * _near(_LIPS, 0.34)
    upper, lower = list(INNER_LIPS[:11]), [INNER_LIPS[0], *INNER_LIPS[:9:-1]]
    gap = np.maximum(result[lower, 1] - result[upper, 1], 0)
    line = (result[lower, 1] + result[upper, 1]) / 2
    # Above the lips' line everything moves down by a part of the gap, below it up; less and less away from the lips.
    x, y = result[:, 0], result[:, 1]
    along = result[upper, 0]
    across, middle = np.interp(x, along, gap, left=0, right=0), np.interp(x, along, line)
    is_upper = y < middle
    is_upper[_UPPER_LIP], is_upper[_LOWER_LIP] = True, False
    away = np.maximum(np.abs(y - middle) - across / 2, 0)
    fading = np.clip(1 - away / 0.25, 0, 1) ** 2
    result[:, 1] += fading * across * np.where(is_upper, 0.45, -0.55)
    return result


def _blink(head: np.ndarray, strength: np.ndarray) -> None:
    """Lets the upper lids of (T, 478, 3) `head` fall onto the lower ones, in place; `strength` (T,) 1 is closed."""
    for upper, lower, crease in _EYE_ROWS:
        change = strength * np.maximum(head[:, lower, 1] - head[:, upper, 1], 0)
        head[:, upper, 1] += 0.85 * change
        head[:, lower, 1] -= 0.15 * change
        head[:, crease, 1] += 0.80 * change


def act(own: MotionTrack) -> MotionTrack:
    """The performance by the face of `own` (one frame: the portrait's own pose and expression, which begins and ends it)."""
    times = frame_times()
    rest = face_model().points
    relax = curve(RELAX, times)
    smiling = (rest + own.offsets[0]).astype(float)
    head = smiling + relax[:, None, None] * (_at_rest(smiling) - smiling)
    basis = make_expressions()
    jaw, wide, pucker = (mouth_curves(times) * relax[:, None]).T
    amounts = {"jaw": jaw, "wide": wide, "pucker": pucker, "smile": curve(SMILE, times), "brows": curve(BROWS, times)}
    amounts |= {"gaze_x": curve(GAZE_X, times), "gaze_y": curve(GAZE_Y, times)}
    for name, amount in amounts.items():
        head += amount[:, None, None] * getattr(basis, name)
    _blink(head, blink_curve(times))

    # A living head is never quite still.
    sway = [np.sin(2 * np.pi * times * f / SECONDS) for f in (3, 5, 7)]
    window = np.sin(np.pi * times / SECONDS) ** 0.5
    yaw, pitch, roll = (
        np.deg2rad(curve(keys, times) + 0.7 * window * s) for keys, s in zip((YAW, PITCH, ROLL), sway, strict=True)
    )
    turn = Rotation.from_euler("YXZ", np.stack([-yaw, -pitch, roll], axis=-1))
    neck = own.rotation[0] @ _NECK
    return MotionTrack(
        rotation=(turn * Rotation.from_matrix(own.rotation[0])).as_matrix(),
        translation=own.translation + neck - turn.apply(neck),
        scale=np.ones(len(times)),
        offsets=head - rest,
        visible=np.ones(len(times), bool),
        times=times,
        face_width=own.face_width,
        height=own.height,
        width=own.width,
    )

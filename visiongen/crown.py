"""The top of a head that its picture cuts off: where it would end, and what it would look like.

A head that bows, or moves down, brings into sight what was above the picture. Hair that went on for ever would be a column of
streaks; so the person's matte goes on as far as heads do, and above it there is background.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.pose import fit_head

_ABOVE = 0.5
"""Rows above the picture, as a share of its own."""
_CUT = 0.5
"""The matte from which on a pixel is a person's."""
PERSON = 0.7
"""The matte from which on a pixel is surely a person's."""
_ROWS, _FEWEST = 6, 3
"""Rows of the matte, and the fewest, that say how its sides go on."""
_TOP = 0.5
"""Face widths from the oval up to the top of a head, hair included, where nothing measures it."""
_LEAST, _MOST = 0.14, 0.45
"""Height of a dome, as a share of the width at which the picture cuts it."""
_OVAL_TOP = 10
_SLOWLY = 0.12
"""Rows of the picture from which a row above it comes farther down than the one below it."""
_SOFTER = (0.003, 0.007, 0.015)
"""How soft hair above the picture becomes, and about how far above it: shares of its side."""


def crowned(matte: np.ndarray, source: np.ndarray) -> np.ndarray:
    """A person's matte with what would be above the picture: a dome on every part of it that reaches the upper edge.

    Args:
        matte: (G, G) in [0, 1].
        source: (478, 3) landmarks, crop units.
    Returns:
        (G * 3 / 2, G) float32: the rows before the last G are above the picture. To be read with `sampled`.
    """
    matte, size = np.float32(matte), matte.shape[1]
    above = np.zeros((round(_ABOVE * size), size), np.float32)
    rotation, _, scale = (part[0] for part in fit_head(np.asarray(source, np.float64)[None]))
    usual = -size * float((source[_OVAL_TOP, :2] - _TOP * scale * rotation[:2, 1])[1])
    middle = size * float(source[:468, 0].mean())
    person = matte[:_ROWS] > _CUT
    for left, right in _runs(person[:2].any(0)):
        centre = _centre(person, (left + right) // 2)
        if left == 0:  # cut at its side too: as far to the left of the face as to its right
            left = min(left, 2 * middle - right)
        if right == size:
            right = max(right, 2 * middle - left)
        np.maximum(above, _dome(above.shape, left, right, centre, usual), out=above)
    return np.concatenate([above * _first_row(matte), matte])


def _dome(shape: tuple[int, int], left: float, right: float, centre: float, usual: float) -> np.ndarray:
    """(rows, G) of `shape`, 1 within a dome on the columns from `left` to `right`, soft over a cell as a matte is.

    Args:
        centre: See `_centre`.
        usual: Rows up to where a head usually ends.
    """
    half = (right - left) / 2
    height = float(np.clip(usual, 2 * _LEAST * half, 2 * _MOST * half))
    if centre > 0:
        height = min(height, np.hypot(half, centre) - centre)
    # The square of its width begins in the direction of that circle, and is 0 at its height; 1: of an ellipse, straight up.
    round_top = float(np.clip(1 - 2 * height * centre / half**2, 0, 1))
    share = (np.arange(shape[0], 0, -1)[:, None] - 0.5) / height
    width = half * np.sqrt(np.maximum(1 - (1 - round_top) * share - round_top * share**2, 0))
    away = np.abs(np.arange(shape[1]) + 0.5 - (left + right) / 2)
    return np.clip(width - away + 0.5, 0, 1) * (share < 1)


def _centre(person: np.ndarray, column: int) -> float:
    """Rows from the first one down to the centre of the circle that a matte's sides round a column go on as; its first rows
    (R, G) bool. 0 where they get no narrower, or where that cannot be seen."""
    halves = []
    for row in person:
        left, right = np.flatnonzero(~row[: column + 1]), np.flatnonzero(~row[column:])
        if not row[column] or not len(left) or not len(right):
            break
        halves.append((right[0] + column - left[-1] - 1) / 2)
    if len(halves) < _FEWEST:
        return 0.0
    rows = np.arange(len(halves)) + 0.5
    narrowing = float(np.polyfit(rows, halves, 1)[0])
    return narrowing * float(np.mean(halves)) + float(rows.mean()) if narrowing > 0 else 0.0


def _first_row(matte: np.ndarray) -> np.ndarray:
    """(G,) the first row of a matte, as sure as its neighbours."""
    return cv2.dilate(matte[:2].max(0), np.ones(5)).ravel()


def _runs(inside: np.ndarray) -> list[tuple[int, int]]:
    """First and last (exclusive) of every run of a row (G,) of bool."""
    steps = np.flatnonzero(np.diff(inside.astype(np.int8), prepend=0, append=0))
    return [(int(left), int(right)) for left, right in steps.reshape(-1, 2)]


def sampled(matte: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(A, B) float32 of a `crowned` matte at points (A, B, 2), crop units; beyond it as at its border."""
    height, size = matte.shape
    # By OpenCV: NumPy takes five times as long to add a pair to every pair.
    places = cv2.add(np.float32(points) * np.float32(size), (-0.5, height - size - 0.5, 0, 0))
    return cv2.remap(matte, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def is_person(matte: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(A, B) bool: points (A, B, 2), crop units, that a `crowned` matte calls person."""
    return sampled(matte, points) > PERSON


def with_hair_above(picture: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """A picture with as many rows above it as its head goes on.

    Hair goes on upward, ever softer: drawn out as it is, it would be a row of bars, and mirrored a knot.

    Args:
        picture: (S, S, 3) uint8.
        matte: Its person's, `crowned`.
    Returns:
        (rows + S, S, 3) uint8; the same array where the picture cuts nobody.
    """
    side, size = len(picture), matte.shape[1]
    cells = int(matte[: len(matte) - size].any(1).sum())
    if cells == 0:
        return picture
    rows = -(-cells * side // size)
    # From bottom to top. What is farther up comes from farther down, but slowly: below the hair there is a forehead.
    hair = picture[(_SLOWLY * np.arange(rows)).astype(int)].astype(np.float32)
    person = cv2.resize(_first_row(matte)[None], (side, 1), interpolation=cv2.INTER_LINEAR)
    person = np.repeat(np.maximum(person, 1e-3)[..., None], 3, axis=2)
    up = np.arange(rows)[:, None, None] / side
    softer = hair
    for softness in _SOFTER:
        sigma = {"sigmaX": softness * side, "sigmaY": 0.3 * softness * side}
        blurred = cv2.GaussianBlur(hair * person, (0, 0), **sigma) / cv2.GaussianBlur(person, (0, 0), **sigma)
        softer = softer + np.clip(up / softness - 0.5, 0, 1) * (blurred - softer)
    return np.concatenate([np.clip(softer + 0.5, 0, 255).astype(np.uint8)[::-1], picture])

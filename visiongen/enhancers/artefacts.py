"""Removal of isolated specks that a generator drew and the portrait does not have.

A switching median filter: pixels are replaced by their median only where an impulse detector fires, so that all others
keep their value exactly. (Sun & Neuvo, "Detail-preserving median based filters in image processing", Pattern
Recognition Letters 15, 1994.) The detector is made careful in two ways that a single noisy picture does not allow:

1. A speck is *isolated*: a connected region of at most `_MAX_AREA` pixels that deviate from the 5x5 median. Edges,
   wrinkles and strands of hair deviate too, but in long regions.
2. The portrait has *nothing like it* anywhere: no pixel whose surroundings are about as bright and which deviates from
   them about as much into the same colour. Catchlights, freckles and jewellery therefore stay, wherever they move.

Frames are looked at in the size at which networks draw, so that a speck is a few pixels in frames of any size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from visiongen.datatypes import FrameBatch, Portrait
from visiongen.enhancers import ArtefactsOptions
from visiongen.enhancers.frames import REFERENCE_SIZE, map_frames, pass_frames

_WINDOW = 5  # side of the median, px: removes what fills less than half of it
_MAX_AREA = 12
_MAX_SIDE = 4
_BIN = 16  # grey levels that count as alike
_TABLE = (16, 32, 32, 32)  # brightness of the surroundings; red, green, blue deviation from them, -256 to 255


class Artefacts:
    """An `Enhancer`, see above."""

    def __init__(self, options: ArtefactsOptions | None = None) -> None:
        self.options = options or ArtefactsOptions()

    def enhance(self, batches: Iterable[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
        """`batches` without specks; every frame is treated by itself."""
        if self.options.strength == 0:
            return pass_frames(batches)
        tables: dict[tuple[int, int], np.ndarray] = {}

        def change(frame: np.ndarray, time: float) -> np.ndarray:
            size = _working_size(frame)
            if size not in tables:
                tables[size] = detail_table(_resized(portrait.crop, size), threshold=self.options.threshold / 2)
            return remove_specks(frame, tables[size], threshold=self.options.threshold, strength=self.options.strength)

        return map_frames(batches, change)


def remove_specks(frame: np.ndarray, known: np.ndarray, *, threshold: float, strength: float = 1.0) -> np.ndarray:
    """`frame` with every speck replaced by the median of its surroundings.

    Args:
        frame: (H, W, 3) uint8 RGB.
        known: `detail_table` of the portrait.
        threshold: Deviation from the median that makes a speck, grey levels.
        strength: 0 to 1.
    """
    small = _resized(frame, _working_size(frame))
    median = cv2.medianBlur(small, _WINDOW)
    found = _find_isolated(small, median, threshold)
    rows, columns = np.nonzero(found)
    new = ~known[_features(small[rows, columns], median[rows, columns])]
    if not new.any():
        return frame
    mask = np.zeros(small.shape[:2], np.float32)
    mask[rows[new], columns[new]] = 1
    mask = np.maximum(mask, cv2.blur(cv2.dilate(mask, np.ones((3, 3), np.uint8)), (3, 3)))  # the rim is stained too
    height, width = frame.shape[:2]
    if small.shape != frame.shape:
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        median = cv2.resize(median, (width, height), interpolation=cv2.INTER_LINEAR)
    result = frame.copy()
    touched = mask > 0
    weight = strength * mask[touched][:, None]
    mixed = frame[touched] + weight * (median[touched].astype(np.float32) - frame[touched])
    result[touched] = np.rint(mixed).astype(np.uint8)
    return result


def detail_table(picture: np.ndarray, *, threshold: float) -> np.ndarray:
    """What detail `picture` has, with its neighbours on all sides.

    Args:
        picture: (H, W, 3) uint8 RGB.
        threshold: Deviations from the median above this are detail, grey levels.
    Returns:
        Flat bool table for `_features`.
    """
    median = cv2.medianBlur(picture, _WINDOW)
    detail = _deviation(picture, median) > threshold
    table = np.zeros(_TABLE, bool)
    table.reshape(-1)[_features(picture[detail], median[detail])] = True
    for axis in range(table.ndim):
        source, grown = np.moveaxis(table.copy(), axis, 0), np.moveaxis(table, axis, 0)
        grown[1:] |= source[:-1]
        grown[:-1] |= source[1:]
    return table.reshape(-1)


def _features(pixels: np.ndarray, median: np.ndarray) -> np.ndarray:
    """(N,) index into the table for (N, 3) pixels and their medians."""
    brightness = median.astype(np.int32) @ np.array([77, 150, 29]) >> 8
    deviation = (pixels.astype(np.int32) - median + 256) // _BIN
    return np.ravel_multi_index((brightness // _BIN, *deviation.T), _TABLE)


def _deviation(frame: np.ndarray, median: np.ndarray) -> np.ndarray:
    """(H, W) uint8, the largest difference over the channels."""
    red, green, blue = cv2.split(cv2.absdiff(frame, median))
    return cv2.max(cv2.max(red, green), blue)


def _find_isolated(frame: np.ndarray, median: np.ndarray, threshold: float) -> np.ndarray:
    """(H, W) bool, small regions of `frame` that deviate from `median`."""
    deviating = (_deviation(frame, median) > threshold).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(deviating, connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    small = (stats[:, cv2.CC_STAT_AREA] <= _MAX_AREA) & (longest <= _MAX_SIDE)
    small[0] = False  # the background
    return small[labels]


def _working_size(frame: np.ndarray) -> tuple[int, int]:
    height, width = frame.shape[:2]
    factor = max(1, round(max(height, width) / REFERENCE_SIZE))
    return max(1, round(height / factor)), max(1, round(width / factor))


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`picture` in `size` (rows, columns)."""
    if picture.shape[:2] == size:
        return picture
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)

"""Writes the invisible mark into frames: fitted to the portrait or the first frame, the same in all of them.

The mark is noise that stands still, so it neither flickers nor costs an encoder much. It is fitted to a picture
with the detector's own eyes: as strong as a loss of likeness of `MOST_COST` allows, and shared out so that every pattern
is seen equally well in this very picture.
"""

from __future__ import annotations

import cv2
import numpy as np

from visiongen.marking.detector import agreement, folded, whitened_spectrum
from visiongen.marking.patterns import SIDE, Payload, pattern_names, shift_of, shifted_patterns, symbols_of
from visiongen.marking.whitening import brightness, tile_scale, whitened

MOST_COST = 0.0033
"""Loss of SSIM in the picture it is fitted to, which decides how strong it is. At 0.005 it begins to show on plain walls."""
LEAST, MOST = 0.35, 1.6
"""Deviation of the mark in quiet regions, grey levels of 255."""
_STRIP, _REACH = 256, 5
"""Rows that are worked on at once, and the half of SSIM's window: a large picture would fill gigabytes."""
_ROWS = 1024
"""Rows that are marked at once, in bytes: more calls of a library are more waiting for other threads."""
_FIRST, _ROUNDS = 0.7, 3
_BUSY_GAIN, _MOST_GAIN = 0.03, 2.5
"""How much stronger the mark is for a deviation of one grey level around a pixel, and at most."""
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # of SSIM


class Watermark:
    """Marks the frames of one film."""

    def __init__(self, payload: Payload) -> None:
        self.payload = payload
        self._noise: np.ndarray | None = None
        self._opposite: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """The frame (H, W, 3) uint8 RGB with the mark, as a new array. All frames must be of one size."""
        if self._noise is None or self._noise.shape != frame.shape[:2]:
            self.fit(frame)
        return _added(frame, self._noise, self._opposite)

    def fit(self, frame: np.ndarray) -> None:
        """Makes the mark for frames like this one (H, W, 3) uint8 RGB; else it is made for the first one."""
        self._noise = self._fitted(frame)
        self._opposite = -self._noise

    def _fitted(self, frame: np.ndarray) -> np.ndarray:
        """(H, W) float32: the mark in the strength that this frame needs."""
        tiles = shifted_patterns(self.payload)
        shares = np.ones(len(tiles))
        size = _FIRST
        for _ in range(_ROUNDS):
            noise = _spread(shares, tiles, frame.shape) * size
            strengths = _strengths(_added(frame, noise, -noise), self.payload)
            # The picture itself speaks for one pattern and against another: even that out.
            shares = np.clip(shares * np.clip(strengths.mean() / np.maximum(strengths, 1.0), 0.7, 1.4), 0.6, 1.7)
            noise = _spread(shares, tiles, frame.shape)
            cost = likeness_cost(frame, _added(frame, noise * size, noise * -size))
            size = float(np.clip(size * (MOST_COST / max(cost, 1e-9)) ** 0.5, LEAST, MOST))
        return noise * size


def _spread(shares: np.ndarray, tiles: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) float32: the weighted sum of tiles (N, SIDE, SIDE), of deviation 1, laid over a frame of `shape`."""
    tile = np.tensordot(shares, tiles, 1).astype(np.float32)
    tile /= tile.std()
    height, width = shape[:2]
    scale = tile_scale(shape)
    across = (int(np.ceil(height * scale)) // SIDE + 1, int(np.ceil(width * scale)) // SIDE + 1)
    into = np.array([[scale, 0, 0.5 * scale - 0.5], [0, scale, 0.5 * scale - 0.5]])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(np.tile(tile, across), into, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def _added(frame: np.ndarray, noise: np.ndarray, opposite: np.ndarray) -> np.ndarray:
    """The frame with `noise` (H, W) float32; `opposite` is its negative."""
    gain, marked = _gain(frame), np.empty_like(frame)
    for top in range(0, len(frame), _ROWS):
        rows = slice(top, top + _ROWS)
        # What it adds and what it takes, in bytes: less than half the time of signed sums.
        more, less = (cv2.multiply(signed[rows], gain[rows], dtype=cv2.CV_8U) for signed in (noise, opposite))
        part = cv2.add(frame[rows], cv2.merge([more] * 3), dst=marked[rows])
        cv2.subtract(part, cv2.merge([less] * 3), dst=part)
    return marked


def _gain(frame: np.ndarray) -> np.ndarray:
    """(H, W) float32, at least 1: how much stronger the mark may be where the picture is busy."""
    height, width = frame.shape[:2]
    scale = min(1.0, tile_scale(frame.shape) / 2)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)  # first: a third of the channels to shrink
    luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = cv2.blur(luma, (9, 9))
    deviation = cv2.sqrt(cv2.max(cv2.blur(luma * luma, (9, 9)) - mean * mean, 0.0))
    gain = cv2.blur(cv2.min(1.0 + _BUSY_GAIN * deviation, _MOST_GAIN), (5, 5))
    return cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR)


def _strengths(frame: np.ndarray, payload: Payload) -> np.ndarray:
    """(1 + SYMBOLS,) what a detector sees of each pattern, in deviations of chance."""
    spectrum = whitened_spectrum(folded(whitened(brightness(frame)), 1.0))
    places = [(0, 0), *map(shift_of, symbols_of(payload))]
    return np.array([agreement(spectrum, n)[place] for n, place in zip(pattern_names(), places)])


def likeness_cost(frame: np.ndarray, marked: np.ndarray) -> float:
    """Loss of SSIM (Wang et al. 2004: Gaussian of 11 x 11, sigma 1.5) in brightness."""
    height, total = len(frame), 0.0
    for top in range(0, height, _STRIP):
        # With the rows that the windows at its rims reach into.
        first, last = max(0, top - _REACH), min(height, top + _STRIP + _REACH)
        likeness = _likeness(frame[first:last], marked[first:last])
        total += float(likeness[top - first : top - first + _STRIP].sum(dtype=np.float64))
    return 1 - total / (height * frame.shape[1])


def _likeness(frame: np.ndarray, marked: np.ndarray) -> np.ndarray:
    before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float32) for one in (frame, marked))
    mean, mean_after = _local(before), _local(after)
    variance, variance_after = _local(before * before) - mean * mean, _local(after * after) - mean_after * mean_after
    common = _local(before * after) - mean * mean_after
    likeness = (2 * mean * mean_after + _C1) * (2 * common + _C2)
    likeness /= (mean * mean + mean_after * mean_after + _C1) * (variance + variance_after + _C2)
    return likeness


def _local(image: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(image, (11, 11), 1.5)

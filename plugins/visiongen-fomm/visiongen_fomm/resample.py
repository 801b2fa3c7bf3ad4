"""A square of a picture at another size, exact to any fraction of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Square:
    """An upright square of a picture, px from the outer corner of its top-left pixel."""

    left: float
    top: float
    side: float


class SquareResampler:
    """Brings one square of pictures of one size to (size, size); what lies outside the picture is mirrored.

    Separable cubic convolution (Keys 1981, a = -1/2), widened where the picture shrinks, so that nothing aliases. Weights
    are computed in float64 for the square's true place: unlike tables of 1/32 px, a slow movement stays smooth.
    """

    def __init__(self, square: Square, *, size: int, height: int, width: int) -> None:
        self._rows, self._row_weights = _weights(square.top, square.side, size, height)
        self._columns, self._column_weights = _weights(square.left, square.side, size, width)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(3, size, size) float32 in [0, 1] of a picture (H, W, 3) uint8."""
        window = picture[self._rows, self._columns].astype(np.float32) / 255
        tall = np.tensordot(self._row_weights, window, (1, 0))  # (size, columns, 3)
        square = np.tensordot(self._column_weights, tall, (1, 1))  # (size over x, size over y, 3)
        return np.ascontiguousarray(np.clip(square.transpose(2, 1, 0), 0, 1))


def _weights(start: float, length: float, size: int, extent: int) -> tuple[slice, np.ndarray]:
    """The pixels needed along one axis, and (size, their number) float32 weights of each."""
    step = length / size
    support = 2 * max(1.0, step)
    centres = start + (np.arange(size) + 0.5) * step
    first = np.floor(centres - support).astype(int)
    taps = first[:, None] + np.arange(int(np.ceil(2 * support)) + 2)
    weights = _cubic((taps + 0.5 - centres[:, None]) / max(1.0, step))
    weights /= weights.sum(1, keepdims=True)
    taps = _mirrored(taps, extent)
    low, high = int(taps.min()), int(taps.max()) + 1
    matrix = np.zeros((size, high - low))
    np.add.at(matrix, (np.arange(size)[:, None], taps - low), weights)
    return slice(low, high), matrix.astype(np.float32)


def _cubic(x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _mirrored(index: np.ndarray, extent: int) -> np.ndarray:
    """Indices outside 0 .. extent - 1, reflected at the outer pixels' centres as often as it takes."""
    if extent == 1:
        return np.zeros_like(index)
    period = 2 * (extent - 1)
    index = np.abs(index) % period
    return np.minimum(index, period - index)

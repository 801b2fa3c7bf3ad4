"""What is left of a picture when all that is like a picture is taken out: there the invisible mark stands out.

A mark is weak noise, a picture is strong and regular. Every small window is taken apart into frequencies, and each is
divided by its own power: edges and textures, strong in few frequencies, lose their weight, quiet ones keep it. For weak
marks in heavy-tailed pictures that is close to the best detector (the locally optimum one of Kassam 1988).
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import fft

from visiongen.marking.patterns import SIDE

WINDOW = 16
"""Rows and columns of a window, in pixels of the tile; neighbours overlap by three quarters."""
_HOP = WINDOW // 4
_FLOOR = 30.0
"""Amplitude below which frequencies of a window count alike: what encoders leave there is noise."""
_AROUND, _LEAST = 8.0, 0.3
"""Of `evened`: reach in pixels of the tile, and what is added to the deviation around a pixel, of that of the whole."""


def tile_scale(shape: tuple[int, ...]) -> float:
    """Pixels of the tile for a pixel of a frame (H, W)."""
    return SIDE / min(shape[:2])


def brightness(frame: np.ndarray) -> np.ndarray:
    """(h, w) float32 luma of a frame (H, W, 3) uint8 RGB, its shorter side `SIDE`."""
    scale = tile_scale(frame.shape)
    size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(luma, size, interpolation=method).astype(np.float32)


def whitened(luma: np.ndarray) -> np.ndarray:
    """(h, w) float32 of brightness (h, w), see above."""
    height, width = luma.shape
    padded = cv2.copyMakeBorder(
        luma, WINDOW, WINDOW + -height % _HOP, WINDOW, WINDOW + -width % _HOP, cv2.BORDER_REFLECT_101
    )
    bell = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    bell = bell[:, None] * bell
    windows = np.lib.stride_tricks.sliding_window_view(padded, (WINDOW, WINDOW))[::_HOP, ::_HOP]
    spectrum = fft.rfft2((windows - windows.mean((2, 3), keepdims=True)) * bell)
    power = spectrum.real**2 + spectrum.imag**2
    pieces = fft.irfft2(spectrum / (power + _FLOOR**2), s=(WINDOW, WINDOW)) * bell
    rows, columns = pieces.shape[:2]
    # Windows whose places differ by a multiple of WINDOW do not overlap: they are put down together.
    blocks = WINDOW // _HOP
    out = np.zeros((rows + blocks, columns + blocks, _HOP, _HOP), np.float32)
    for i in range(blocks):
        for j in range(blocks):
            out[i : i + rows, j : j + columns] += pieces[:, :, i * _HOP : (i + 1) * _HOP, j * _HOP : (j + 1) * _HOP]
    image = out.swapaxes(1, 2).reshape((rows + blocks) * _HOP, (columns + blocks) * _HOP)
    return image[WINDOW : WINDOW + height, WINDOW : WINDOW + width]


def evened(residual: np.ndarray) -> np.ndarray:
    """(h, w) float32: the mean of whitened frames, of like strength all over.

    Where the picture moves, what is left of it averages out, and the mark stands clear; where it stands still it does not.
    """
    power = residual * residual
    deviation = np.sqrt(cv2.GaussianBlur(power, (0, 0), _AROUND))
    return residual / (deviation + _LEAST * np.sqrt(power.mean()) + 1e-12)

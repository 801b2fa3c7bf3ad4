"""The drawing, after Winnemoeller, Olsen & Gooch, "Real-time video abstraction", SIGGRAPH 2006.

1. *Flat colours*: a few passes of a bilateral filter in CIELAB.
2. *Steps of brightness*: soft quantisation, a sum of smooth steps, so that a small change of light moves an edge of a step
   a little instead of making a whole area jump. Equation 6 of the paper, with one sharpness for the whole picture.
3. *Outlines*: differences of Gaussians of the flattened brightness, with a smooth threshold. Equation 4 of the paper, in
   the form of Winnemoeller, Kyprianidis & Olsen, "XDoG", 2012.
4. *Steadiness*: where the flattened picture hardly changed since the frame before, its steps and lines are computed from
   a mean that remembers it, so that noise does not make lines boil. What moves is drawn anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from visiongen import FrameBatch, Portrait
from visiongen_cartoon import CartoonOptions

_SIZE = 256.0
"""Frame size, px, for which lengths are given."""
_PASSES = 2
_LARGEST_WINDOW = 11
"""Of the bilateral filter, px: its time grows with the square."""
_STILL = 3.0
"""Change of brightness or colour, CIELAB units, below which a place counts as still."""
_SHARPNESS = 18.0
_THRESHOLD = 0.55
"""Difference of Gaussians, CIELAB units, at which a line begins."""


class Cartoon:
    """An `Enhancer`, see above."""

    def __init__(self, options: CartoonOptions | None = None) -> None:
        self.options = options or CartoonOptions()

    def enhance(self, batches: Iterable[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
        """`batches`, drawn; what is remembered from frame to frame belongs to this call."""
        past: np.ndarray | None = None
        try:
            for batch in batches:
                drawn = np.empty_like(batch.pixels)
                for frame, result in zip(batch.pixels, drawn):
                    flat = flattened(frame, self.options.flatten)
                    if past is not None and past.shape == flat.shape:
                        flat = steadied(flat, past, self.options.steadiness)
                    past = flat
                    result[...] = draw(flat, self.options)
                yield FrameBatch(pixels=drawn, times=batch.times)
        finally:
            if close := getattr(batches, "close", None):
                close()


def flattened(frame: np.ndarray, strength: float) -> np.ndarray:
    """(H, W, 3) float32 CIELAB (L 0 to 100) of an (H, W, 3) uint8 RGB frame, texture smoothed away."""
    lab = cv2.cvtColor(frame.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    if strength == 0:
        return lab
    width = max(1.0, 2.0 * max(frame.shape[:2]) / _SIZE)
    window = min(2 * round(1.5 * width) + 1, _LARGEST_WINDOW)
    for _ in range(_PASSES):
        lab = cv2.bilateralFilter(lab, d=window, sigmaColor=3 + 14 * strength, sigmaSpace=width)
    return lab


def steadied(flat: np.ndarray, past: np.ndarray, keep: float) -> np.ndarray:
    """`flat` mixed with `past`, (H, W, 3) CIELAB, where both are alike; `keep` is the share of `past` there."""
    change = cv2.blur(np.abs(flat - past).max(axis=-1), (5, 5))
    share = keep * np.clip(2 - change * (2 / _STILL), 0, 1)[..., None]
    return flat + share * (past - flat)


def draw(flat: np.ndarray, options: CartoonOptions) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a flattened CIELAB picture: steps, colours, lines."""
    bright, colour = flat[..., 0], flat[..., 1:] * options.saturation
    stepped = quantised(bright, options.levels, options.softness)
    if options.lines > 0:
        width = options.line_width * max(flat.shape[:2]) / _SIZE
        ink = options.lines * outlines(bright, width)
        stepped, colour = stepped * (1 - ink), colour * (1 - ink[..., None])
    lab = np.concatenate([stepped[..., None], colour], axis=-1).astype(np.float32)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.clip(rgb * 255 + 0.5, 0, 255).astype(np.uint8)


def quantised(bright: np.ndarray, levels: int, softness: float) -> np.ndarray:
    """Brightness (H, W), 0 to 100, in `levels` steps with smooth passages; monotonic, and the identity at softness 1."""
    step = 100.0 / levels
    place = bright / step - 0.5  # whole numbers are the middles of steps
    nearest = np.rint(place)
    offset = place - nearest  # -0.5 to 0.5
    if softness >= 1:
        return bright
    sharp = 1.5 / max(softness, 0.03)
    # An even passage between two middles: steep half-way, flat at the middles, continuous from cell to cell.
    away = 0.5 - np.abs(offset)
    curve = 0.5 - 0.5 * np.tanh(sharp * away) / np.tanh(sharp * 0.5)
    passage = np.sign(offset) * curve
    return np.clip((nearest + (1 - softness) * passage + softness * offset + 0.5) * step, 0, 100)


def outlines(bright: np.ndarray, width: float) -> np.ndarray:
    """(H, W) float32 ink, 0 to 1, along edges of brightness (H, W); lines lie on their dark side."""
    inner = cv2.GaussianBlur(bright, (0, 0), max(0.4, width))
    outer = cv2.GaussianBlur(bright, (0, 0), max(0.64, 1.6 * width))
    below = (outer - inner) - _THRESHOLD
    return np.where(below > 0, np.tanh(below * _SHARPNESS / 25), 0).astype(np.float32)

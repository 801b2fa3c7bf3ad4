"""Temporal deflicker: steady brightness and colour, still noise where nothing moves.

Two parts, both causal and both frame by frame:

1. *Low-order gain.* Flicker is modelled as a gain that varies smoothly over the picture (a quadratic surface per
   colour channel, in the logarithm). Between two successive frames it is fitted to thumbnails of both, robustly: what
   moves differs from the surface and loses its say. The changes are added up into a tone curve over time, and what
   is faster than the memory is divided out again. (After Farbman & Lischinski, "Tonal stabilization of video",
   SIGGRAPH 2011, who anchor tone curves in the same way; here a running mean is the anchor.) As only differences of
   neighbouring frames are looked at, a head that travels slowly is not mistaken for a change of light.
2. *Motion-adaptive recursive filter.* Pixels whose neighbourhood hardly changed are mixed with their own past, all
   others are taken as they are, so nothing that moves is smeared. (The classical scheme, for example Dubois & Sabri,
   "Noise reduction in image sequences using motion-compensated temporal filtering", IEEE Trans. Comm. 1984, without
   the motion compensation.)

A cut, or any change too large to be flicker, starts both anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from visiongen.datatypes import FrameBatch, Portrait
from visiongen.enhancers import DeflickerOptions
from visiongen.enhancers.frames import map_frames, pass_frames

_THUMBNAIL = 32  # px
_DARK = 16.0  # grey levels added before the logarithm: black has no ratio
_LARGE = 0.35  # log gain: no flicker is that strong
_OUTLYING = 0.03  # log gain from the surface beyond which a cell counts as moved
_MIN_SHARE = 0.4  # of the cells must follow the surface; otherwise it is another scene
_INVISIBLE = 5e-4  # log gain: an eighth of a grey level
_BLEND_SECONDS = 0.1  # how far back the recursive filter reaches
_NEIGHBOURHOOD = 5  # px, in which pixels must have hardly changed
_MEAN = np.full((1, 3), 1 / 3, np.float32)


class Deflicker:
    """An `Enhancer`, see above."""

    def __init__(self, options: DeflickerOptions | None = None) -> None:
        self.options = options or DeflickerOptions()

    def enhance(self, batches: Iterable[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
        """`batches` without flicker; the first frame comes back as it is."""
        if self.options.strength == 0:
            return pass_frames(batches)
        return map_frames(batches, _Stream(self.options))


class _Stream:
    """The state of one sequence of frames; called for one after another."""

    def __init__(self, options: DeflickerOptions) -> None:
        self.options = options
        self.restart()

    def restart(self) -> None:
        self.time = 0.0
        self.thumbnail: np.ndarray | None = None  # (_THUMBNAIL ** 2, 3) log of the frame before
        self.excess = np.zeros((len(_BASIS[0]), 3))  # tone now minus its running mean, coefficients of the surface
        self.past: np.ndarray | None = None  # (H, W, 3) float32, output of the frame before

    def __call__(self, frame: np.ndarray, time: float) -> np.ndarray:
        thumbnail = log_thumbnail(frame)
        step = 0.0
        if self.thumbnail is not None:
            change = fit_gain(thumbnail - self.thumbnail)
            if change is None or self.past.shape != frame.shape:
                self.restart()
            else:
                step = max(time - self.time, 1e-3)
                self.excess = math.exp(-step / self.options.memory) * (self.excess + change)
        self.time, self.thumbnail = time, thumbnail
        steady = apply_gain(frame, -self.options.strength * self.excess)
        if self.past is not None and self.options.noise > 0:
            keep = self.options.strength * math.exp(-step / _BLEND_SECONDS)
            steady = blend_still(steady, self.past, noise=self.options.noise, keep=keep)
        self.past = steady
        return cv2.convertScaleAbs(steady)


def _quadratic_surfaces(size: int) -> np.ndarray:
    """(size ** 2, 6): 1, x, y, xx, xy, yy over a square from -1 to 1."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)


_BASIS = _quadratic_surfaces(_THUMBNAIL)
_STIFFNESS = np.diag([0.0, 0.02, 0.02, 0.05, 0.05, 0.05]) * len(_BASIS)  # prefers a plain gain to a bent one


def log_thumbnail(frame: np.ndarray) -> np.ndarray:
    """(_THUMBNAIL ** 2, 3) logarithm of the averaged (H, W, 3) uint8 frame."""
    small = cv2.resize(frame.astype(np.float32), (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.log(small.reshape(-1, 3).astype(np.float64) + _DARK)


def fit_gain(difference: np.ndarray) -> np.ndarray | None:
    """The smooth surface that most cells of `difference` lie on.

    Args:
        difference: (_THUMBNAIL ** 2, 3) log of a frame minus log of the one before.
    Returns:
        (6, 3) coefficients, or None where the frames differ in more than flicker.
    """
    surface = np.broadcast_to(np.median(difference, axis=0), difference.shape)
    for _ in range(4):
        offset = difference - surface
        residual = np.sqrt(np.einsum("nc,nc->n", offset, offset) / 3)  # what moves, moves in all channels
        weight = 1 / (1 + (residual / _OUTLYING) ** 2) ** 2  # Geman-McClure
        weighted = _BASIS * weight[:, None]
        coefficients = np.linalg.solve(weighted.T @ _BASIS + _STIFFNESS, weighted.T @ difference)
        surface = _BASIS @ coefficients
    if np.mean(residual < 2 * _OUTLYING) < _MIN_SHARE or np.abs(surface).max() > _LARGE:
        return None
    return coefficients


def apply_gain(frame: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: `frame` times the exponential of a surface of (6, 3) coefficients."""
    pixels = frame.astype(np.float32)
    if np.abs(coefficients).sum(axis=0).max() < _INVISIBLE:
        return pixels
    gain = np.exp(_BASIS @ coefficients).astype(np.float32).reshape(_THUMBNAIL, _THUMBNAIL, 3)
    gain = cv2.resize(gain, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    pixels += _DARK
    pixels *= gain
    pixels -= _DARK
    return np.clip(pixels, 0, 255, out=pixels)


def blend_still(frame: np.ndarray, past: np.ndarray, *, noise: float, keep: float) -> np.ndarray:
    """`frame`, mixed with `past` where it hardly differs from it.

    Args:
        frame: (H, W, 3) float32.
        past: (H, W, 3) float32, result of the frame before.
        noise: Mean change of a neighbourhood from which on nothing is mixed, grey levels.
        keep: Share of `past` where nothing changed, 0 to 1.
    """
    change = cv2.blur(cv2.transform(cv2.absdiff(past, frame), _MEAN), (_NEIGHBOURHOOD, _NEIGHBOURHOOD))
    share = np.clip(2 - change * (2 / noise), 0, 1) * np.float32(keep)  # in full up to half of `noise`
    return frame + (past - frame) * cv2.merge([share] * 3)

"""Colour correction: generated frames keep the colours of the portrait.

Reinhard et al., "Color transfer between images" (IEEE CG&A 2001): every channel of CIE Lab is scaled and shifted until
its mean and spread are those of the reference. Mean and spread themselves are poor guides when a frame shows other
things than the portrait (an open mouth, more background), so scale and shift are found by fitting a straight line
to pairs of quantiles of frame and portrait, with outlying pairs ignored. The line is averaged over time before it is
applied, which rules out flicker.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from visiongen.datatypes import FrameBatch, Portrait
from visiongen.enhancers import ColourOptions
from visiongen.enhancers.frames import map_frames, pass_frames

_THUMBNAIL = 48  # px: noise and fine detail must not count as spread
_QUANTILES = 33
_STEADY = 1.5  # Lab units that every channel varies at least: a grey picture gives no scale for its colours
_OUTLYING = 4.0  # Lab units from the line beyond which a pair of quantiles counts little
_SCALE_LIMITS = (0.7, 1.4)
_SHIFT_LIMIT = 25.0  # Lab units, at the centre of the colours
_INVISIBLE = 0.02  # Lab units: far below a step of 8-bit colour


class Colour:
    """An `Enhancer`, see above."""

    def __init__(self, options: ColourOptions | None = None) -> None:
        self.options = options or ColourOptions()

    def enhance(self, batches: Iterable[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
        """`batches` in the colours of `portrait.crop`; frames that have them already come back as they are."""
        options = self.options
        if options.strength == 0:
            return pass_frames(batches)
        wanted = lab_quantiles(portrait.crop)
        line: np.ndarray | None = None  # (3, 2) scale and shift, averaged over the time so far
        previous = 0.0

        def change(frame: np.ndarray, time: float) -> np.ndarray:
            nonlocal line, previous
            now = fit_line(lab_quantiles(frame), wanted)
            if line is None:
                line = now
            else:
                step = max(time - previous, 1e-3)
                keep = math.exp(-step / options.smoothing) if options.smoothing > 0 else 0.0
                line = keep * line + (1 - keep) * now
            previous = time
            identity = np.array([1.0, 0.0])
            return apply_line(frame, identity + options.strength * (line - identity))

        return map_frames(batches, change)


def lab_quantiles(frame: np.ndarray) -> np.ndarray:
    """(3, _QUANTILES) quantiles of L, a and b of an (H, W, 3) uint8 RGB frame, from 1 % to 99 %."""
    small = cv2.resize(frame, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    ordered = np.sort(lab.reshape(-1, 3).T, axis=1)
    places = np.linspace(0.01, 0.99, _QUANTILES) * (ordered.shape[1] - 1)
    return ordered[:, np.rint(places).astype(int)].astype(np.float64)


def fit_line(quantiles: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Scale and shift that take `quantiles` to `wanted`, robustly.

    Args:
        quantiles: (3, Q) of a frame, Lab units.
        wanted: (3, Q) of the portrait.
    Returns:
        (3, 2): scale, shift per channel. Exactly (1, 0) where both are the same.
    """
    # Where few pixels lie, a little more or less of something moves a quantile far: it is a poor witness there.
    spacing = np.maximum(np.gradient(quantiles, axis=1), np.gradient(wanted, axis=1))
    trust = 1 / (1 + spacing**2)
    difference = wanted - quantiles
    weights = trust * _inlying(difference - np.median(difference, axis=1, keepdims=True))
    for _ in range(5):  # reweighted least squares; settles in three or four rounds
        total = weights.sum(axis=1, keepdims=True)
        centre = (weights * quantiles).sum(axis=1, keepdims=True) / total
        aim = (weights * wanted).sum(axis=1, keepdims=True) / total
        x, y = quantiles - centre, wanted - aim
        # The second term pulls the scale of a channel without variety to 1.
        together = (weights * x * y).sum(axis=1, keepdims=True) / total + _STEADY**2
        alone = (weights * x * x).sum(axis=1, keepdims=True) / total + _STEADY**2
        scale = np.clip(together / alone, *_SCALE_LIMITS)
        weights = trust * _inlying(y - scale * x)
    shift = np.clip(aim - centre, -_SHIFT_LIMIT, _SHIFT_LIMIT) + centre * (1 - scale)
    return np.concatenate([scale, shift], axis=1)


def _inlying(residual: np.ndarray) -> np.ndarray:
    return 1 / (1 + (residual / _OUTLYING) ** 2) ** 2  # Geman-McClure: outliers end up with no say


def apply_line(frame: np.ndarray, line: np.ndarray) -> np.ndarray:
    """`frame` (H, W, 3) uint8 RGB with L, a and b scaled and shifted by `line` (3, 2)."""
    if np.abs(line[:, 0] - 1).max() * 100 < _INVISIBLE and np.abs(line[:, 1]).max() < _INVISIBLE:
        return frame
    lab = cv2.cvtColor(frame.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)
    affine = np.concatenate([np.diag(line[:, 0]), line[:, 1:]], axis=1).astype(np.float32)
    rgb = cv2.cvtColor(cv2.transform(lab, affine), cv2.COLOR_LAB2RGB)
    return cv2.convertScaleAbs(rgb, alpha=255)  # LAB2RGB has clipped to [0, 1]; this rounds

"""Unsharp masking of the brightness, without halos and without raising noise.

The brightness minus its blur is added to itself; colour differences stay as they are. Detail near the threshold is
faded in rather than switched on, and no pixel becomes brighter or darker than the brightest and darkest pixel around
it was, so edges become steep but get no seam of light.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from visiongen.datatypes import FrameBatch, Portrait
from visiongen.enhancers import SharpenOptions
from visiongen.enhancers.frames import REFERENCE_SIZE, map_frames, pass_frames

_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)  # Rec. 601


class Sharpen:
    """An `Enhancer`, see above."""

    def __init__(self, options: SharpenOptions | None = None) -> None:
        self.options = options or SharpenOptions()

    def enhance(self, batches: Iterable[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
        """`batches`, every frame sharpened by itself."""
        options = self.options
        if options.amount == 0:
            return pass_frames(batches)

        def change(frame: np.ndarray, time: float) -> np.ndarray:
            radius = options.radius * max(1.0, max(frame.shape[:2]) / REFERENCE_SIZE)
            return sharpen(frame, amount=options.amount, radius=radius, threshold=options.threshold)

        return map_frames(batches, change)


def sharpen(frame: np.ndarray, *, amount: float, radius: float, threshold: float) -> np.ndarray:
    """`frame` with crisper detail.

    Args:
        frame: (H, W, 3) uint8 RGB.
        amount: Share of the detail that is added.
        radius: Standard deviation of the blur that tells detail from the rest, px.
        threshold: Detail of this strength counts half, weaker detail less, grey levels.
    """
    luma = cv2.transform(frame.astype(np.float32), _LUMA)
    detail = cv2.GaussianBlur(luma, (0, 0), radius)
    np.subtract(luma, detail, out=detail)  # in place here and below: fresh arrays cost more than the arithmetic
    if threshold > 0:
        energy = detail * detail
        energy /= energy + threshold * threshold
        detail *= energy
    detail *= amount
    reach = 2 * max(1, round(radius)) + 1
    window = np.ones((reach, reach), np.uint8)
    limit = cv2.erode(luma, window)
    cv2.max(detail, np.subtract(limit, luma, out=limit), dst=detail)
    limit = cv2.dilate(luma, window, dst=limit)
    cv2.min(detail, np.subtract(limit, luma, out=limit), dst=detail)
    return cv2.add(frame, cv2.merge([detail] * 3), dtype=cv2.CV_8U)  # rounds and saturates

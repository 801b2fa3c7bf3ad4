"""The person's matte and the still background behind it, once per portrait."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from visiongen import mediapipe_graphs
from visiongen.mediapipe_graphs import give_back, solutions, take
from visiongen.ramps import rising

PERSON = "person"
"""The kind of its graph."""
_SEEN = 256
"""Side of the square that the model looks at, px."""
_FILL_SIDE = 192
"""Longer side of the picture in which the background is continued, px."""
_NEAR = (0.12, 0.32)
"""Distances from what is known, longer sides of the picture, over which lines give way to smooth colours: those from two sides,
which meet behind a head, make a seam there."""
_KNOWN = 0.98
"""What is known less surely is not continued."""


def _made() -> Any:
    graph = solutions().selfie_segmentation.SelfieSegmentation(model_selection=0)
    graph.process(np.zeros((64, 64, 3), np.uint8))  # start-up notes come with the first picture
    return graph


class PersonMatte:
    """MediaPipe's selfie segmentation, whose model is inside its wheel. Not thread-safe."""

    def __init__(self) -> None:
        self._graph: Any = None
        if mediapipe_graphs.reader is None:
            self._graph = take(PERSON, _made)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """(H, W) float32 in [0, 1], 1 where a person is, of an (H, W, 3) uint8 RGB picture."""
        small = cv2.resize(image, (_SEEN, _SEEN), interpolation=cv2.INTER_AREA)
        reader = mediapipe_graphs.reader
        mask = reader.look(PERSON, small) if reader else None
        mask = self.mask(small) if mask is None else mask
        return cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    def mask(self, small: np.ndarray) -> np.ndarray:
        """(S, S) float32 in [0, 1] of a picture (S, S, 3) of the size that the model looks at."""
        if self._graph is None:
            self._graph = take(PERSON, _made)
        return np.clip(self._graph.process(small).segmentation_mask, 0, 1).astype(np.float32)

    def close(self) -> None:
        """Lets others use the model."""
        if self._graph is not None:
            give_back(PERSON, self._graph)
            self._graph = None

    def __enter__(self) -> PersonMatte:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def person_matte(image: np.ndarray, side: int) -> np.ndarray:
    """(side, side) float32 in [0, 1], the matte of one square picture (H, H, 3) uint8 RGB."""
    with PersonMatte() as person:
        seen = person(cv2.resize(image, (_SEEN, _SEEN), interpolation=cv2.INTER_AREA))
    return cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA)


def still_background(image: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """`image` without the person: what is behind is continued from what is beside, lines near by, colours farther in.

    Args:
        image: (H, W, 3) uint8 RGB.
        matte: (h, w) in [0, 1] (uint8 0-255 is taken too), of any size.
    Returns:
        (H, W, 3) uint8; unchanged where the matte, grown a little, is 0.
    Source: Bertalmio et al., "Navier-Stokes, fluid dynamics, and image and video inpainting", 2001; farther in the pyramid of
    Gortler et al., "The lumigraph", 1996.
    """
    height, width = image.shape[:2]
    person = matte.astype(np.float32) / (255 if matte.dtype == np.uint8 else 1)
    reach = max(3, max(matte.shape) // 16) | 1  # hair is finer than the matte: keep clear of its rim
    person = cv2.dilate(person, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    # What is continued is smooth: a small picture of it is enough, whatever the size of the image.
    shrink = min(1.0, _FILL_SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    known = np.clip(1 - 1.5 * cv2.resize(person, size, interpolation=cv2.INTER_LINEAR), 0, 1)
    if known.max() < 0.01:  # nothing but person, as in a close-up: its own colours, blurred, are the best guess
        known = np.full_like(known, 0.001)
    filled = cv2.resize(_continued(small, known), (width, height), interpolation=cv2.INTER_LINEAR)
    known = cv2.resize(known, (width, height), interpolation=cv2.INTER_LINEAR)[..., None]
    blended = filled + (image - filled) * known
    return np.clip(blended + 0.5, 0, 255).astype(np.uint8)


def _continued(small: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32, a picture of which the part that is not `known` (h, w) is made up."""
    smooth = _push_pull(small, known[..., None])
    unknown = (known < _KNOWN).astype(np.uint8)
    if unknown.all():
        return smooth
    lines = cv2.inpaint(np.uint8(np.clip(small + 0.5, 0, 255)), unknown, 3, cv2.INPAINT_NS)
    away = cv2.distanceTransform(unknown, cv2.DIST_L2, 3) / max(known.shape)
    share = 1 - rising(away, _NEAR)
    return smooth + share[..., None] * (lines - smooth)


def _push_pull(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    height, width = values.shape[:2]
    if max(height, width) <= 2:
        total = known.sum()
        mean = (values * known).sum((0, 1)) / total if total > 1e-6 else values.mean((0, 1))
        return values * known + mean * (1 - known)
    half = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)[..., None]
    coarse = cv2.resize(values * known, half, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)
    filled = _push_pull(coarse, np.minimum(4 * weight, 1))
    return values * known + cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR) * (1 - known)

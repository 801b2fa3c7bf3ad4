"""From a function of one frame to an iterator of batches: what all built-in enhancers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from visiongen.datatypes import FrameBatch

REFERENCE_SIZE = 256
"""Frame size, px, at which networks draw: lengths in pixels are given for it and grow with the frame."""


def map_frames(
    batches: Iterable[FrameBatch], change: Callable[[np.ndarray, float], np.ndarray]
) -> Iterator[FrameBatch]:
    """`batches` with `change` applied to every frame, one by one and in order, whatever the size of the batches.

    Closing this iterator closes `batches`.

    Args:
        batches: Frames in time.
        change: Gives an (H, W, 3) uint8 frame from one of the same size and its time in seconds; it must not write
            into what it is given.
    """
    try:
        for batch in batches:
            pixels = np.empty_like(batch.pixels)
            for frame, time, result in zip(batch.pixels, batch.times, pixels, strict=True):
                result[...] = change(frame, float(time))
            yield FrameBatch(pixels=pixels, times=batch.times)
    finally:
        close = getattr(batches, "close", None)
        if close is not None:
            close()


def pass_frames(batches: Iterable[FrameBatch]) -> Iterator[FrameBatch]:
    """`batches` as they are: what an enhancer of strength 0 does."""
    return map_frames(batches, lambda frame, time: frame)

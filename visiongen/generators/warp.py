"""The geometry alone: the face mesh carries the picture along. The baseline, and the fallback without a network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.flow import MotionField, warp
from visiongen.generators.targets import source_landmarks, target_landmarks

_BATCH = 4


class WarpGenerator:
    """Moves the crop by the geometric prior's flow."""

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`."""
        field = MotionField(source_landmarks(portrait))
        targets = target_landmarks(portrait, motion)
        for first in range(0, len(motion), _BATCH):
            part = slice(first, first + _BATCH)
            frames = [warp(portrait.crop, dense.flow) for dense in field.towards(targets[part])]
            yield FrameBatch(pixels=np.stack(frames), times=motion.times[part])

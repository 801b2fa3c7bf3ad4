"""The geometry alone: the face mesh carries the picture along. The baseline, and the fallback without a network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.drawing import lay_over
from visiongen.eyes import with_exact_eyes
from visiongen.flow import GRID, MotionField, resize_flow, warp
from visiongen.generators.matte import portrait_matte
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.unseen import Unseen

_BATCH = 4


class WarpGenerator:
    """Moves the crop by the geometric prior's flow."""

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`."""
        source = source_landmarks(portrait)
        field, unseen = MotionField(source, portrait_matte(portrait, GRID)), Unseen(portrait.crop, source)
        for first in range(0, len(motion), _BATCH):
            part = slice(first, first + _BATCH)
            targets = target_landmarks(portrait, motion, part)
            flows = [resize_flow(dense.flow, portrait.crop.shape[0]) for dense in field.towards(targets)]
            flows = [with_exact_eyes(flow, source, target) for flow, target in zip(flows, targets)]
            moved = [warp(portrait.crop, flow) for flow in flows]
            frames = [lay_over(frame, unseen(target)) for frame, target in zip(moved, targets)]
            yield FrameBatch(pixels=np.stack(frames), times=motion.times[part])

"""The geometry alone: the face mesh carries the picture along. The baseline, and the fallback without a network."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.drawing import draw_over
from visiongen.eyes import with_exact_eyes
from visiongen.flow import GRID, DenseMotion, MotionField
from visiongen.generators.matte import portrait_hair, portrait_matte
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.other_side import OtherSide, mirrored, show
from visiongen.unseen import Unseen
from visiongen.warping import resize_flow, warp

_BATCH = 4


class WarpGenerator:
    """Moves the crop by the geometric prior's flow."""

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`."""
        warper = _Warper(portrait)
        for first in range(0, len(motion), _BATCH):
            part = slice(first, first + _BATCH)
            targets = target_landmarks(portrait, motion, part)
            frames = [warper.frame(*one) for one in zip(warper.towards(targets), targets)]
            yield FrameBatch(pixels=np.stack(frames), times=motion.times[part])


class _Warper:
    """What is computed once per portrait."""

    def __init__(self, portrait: Portrait) -> None:
        self._crop, self._source = portrait.crop, source_landmarks(portrait)
        matte = portrait_matte(portrait, GRID)
        hair = portrait_hair(portrait, portrait.crop, matte)
        self._field = MotionField(self._source, matte, hair=hair)
        self._other_side = OtherSide(self._source, matte, hair)
        self._unseen = Unseen(portrait.crop, self._source, portrait.drawn)

    def towards(self, targets: np.ndarray) -> list[DenseMotion]:
        """Motion of the portrait to landmarks (T, 478, 3), crop units."""
        return self._field.towards(np.stack([self._unseen.held(target) for target in targets]))

    def frame(self, dense: DenseMotion, target: np.ndarray) -> np.ndarray:
        """(S, S, 3) uint8 with the landmarks `target` (478, 3), crop units."""
        held = self._unseen.held(target)
        frame = self._moved(self._crop, dense.flow, self._source, held)
        revealed = self._other_side(dense, held)
        if revealed is not None:
            image = self._moved(self._crop[:, ::-1].copy(), revealed.flow, mirrored(self._source), held)
            show(frame, image, revealed)
        draw_over(frame, self._unseen(target))
        return frame

    def _moved(self, crop: np.ndarray, flow: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return warp(crop, with_exact_eyes(resize_flow(flow, crop.shape[0]), source, target))

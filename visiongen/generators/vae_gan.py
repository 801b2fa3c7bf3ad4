"""The default generator: runs the VAE-GAN at 256 and composes at the crop's own resolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch

from visiongen.background import still_background
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.feedback import correction
from visiongen.flow import GRID, MAPS, DenseMotion, MotionField, drawn_maps
from visiongen.generators.composer import Composer
from visiongen.generators.driver import DriverFrames, driver_frames, resized
from visiongen.generators.inner_maps import inner_maps
from visiongen.generators.matte import own_part, portrait_hair, portrait_matte
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.parallel import in_order, meanwhile
from visiongen.generators.precision import computing_in
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.hookspecs import InnerMap
from visiongen.memory import keep_freed_memory
from visiongen.models import weights
from visiongen.models.vae_gan import SIZE, Motion, Painting, PortraitCode, layers
from visiongen.other_side import OtherSide
from visiongen.registration import cleared, registered

_BATCH_PIXELS = 8 << 20
"""Of all frames of a batch, at the crop's resolution: composed one after the other, they wait for the last as pixels."""
_FIRST = 3
"""Frames that come one by one."""


class VaeGanGenerator:
    """Loads the network once and encodes a portrait once, however often it is rendered: a live camera asks frame by
    frame."""

    def __init__(self, options: VaeGanOptions, *, device: str = "cpu") -> None:
        keep_freed_memory()
        self._options = options
        self._device = torch.device(device)
        self._network = weights.load(Path(options.weights) if options.weights else weights.shipped()).to(self._device)
        self._prepared: _PreparedPortrait | None = None

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`."""
        prepared, found = self._ready(portrait, motion)
        with found as driver:
            yield from self._render(prepared, motion, driver)

    def render_frame(self, portrait: Portrait, motion: MotionTrack, frame: int) -> FrameBatch:
        """See `visiongen.hookspecs.FrameGenerator`."""
        prepared, part = self._prepare(portrait), slice(frame, frame + 1)
        if prepared.aligned is None or prepared.aligned[0] is not motion:  # looking for it takes longer than a frame
            with self._driver(portrait, motion) as found:
                prepared.aligned = motion, None if found is None else found.crop_from_driver
        seen, crop_from_driver = [], prepared.aligned[1]
        if crop_from_driver is not None:
            with DriverFrames(motion.clip, crop_from_driver) as driver:
                seen = driver.frames(motion.times[part])
        return self._batch(prepared, target_landmarks(portrait, motion, part), motion.times[part], seen)

    def _ready(
        self, portrait: Portrait, motion: MotionTrack
    ) -> tuple[_PreparedPortrait, DriverFrames | nullcontext[None]]:
        """The portrait, prepared, and what `_driver` finds: at once where both take time, since somebody waits for a frame."""
        if self._prepared is not None and self._prepared.portrait is portrait:
            return self._prepared, self._driver(portrait, motion)
        with meanwhile(lambda: self._driver(portrait, motion)) as driver:
            return self._prepare(portrait), driver()

    def _driver(self, portrait: Portrait, motion: MotionTrack) -> DriverFrames | nullcontext[None]:
        found = driver_frames(portrait, motion) if self._options.register else None
        return found or nullcontext()

    def _render(
        self, prepared: _PreparedPortrait, motion: MotionTrack, driver: DriverFrames | None
    ) -> Iterator[FrameBatch]:
        size = max(1, min(self._options.batch, _BATCH_PIXELS // prepared.portrait.crop[..., 0].size))
        parts = list(_parts(len(motion), size))

        def batch(part: slice, seen: list[np.ndarray]) -> FrameBatch:
            return self._batch(prepared, target_landmarks(prepared.portrait, motion, part), motion.times[part], seen)

        # The clip is read here, one frame after the other; everything else may happen at once.
        taken = ((part, driver.frames(motion.times[part]) if driver else []) for part in parts)
        if len(parts) == 1:  # live, or a preview: all cores for one batch
            yield batch(*next(taken))
        else:
            yield from in_order(lambda one: batch(*one), taken)

    def _batch(
        self, prepared: _PreparedPortrait, targets: np.ndarray, times: np.ndarray, seen: list[np.ndarray]
    ) -> FrameBatch:
        """Frames with the landmarks at `targets` (B, 478, 3), and the driving frames `seen` that the portrait can be
        registered with, (SIDE, SIDE, 3); none where it cannot, fewer where the clip breaks off."""
        held = np.stack([prepared.composer.held(target) for target in targets])
        dense = prepared.field.towards(held)
        dense = prepared.registered(dense, seen) + dense[len(seen) :]
        motion, painted = self.paint(prepared, dense)
        side = prepared.portrait.crop.shape[0]
        pixels = np.empty((len(targets), side, side, 3), np.uint8)
        looks = {"always": len(targets), "registered": len(seen), "never": 0}[self._options.feedback]
        for i, (flow, layer, target) in enumerate(zip(motion.flow.cpu().numpy(), painted, targets, strict=True)):
            given = {
                "revealed": prepared.other_side(dense[i], held[i]),
                "without_lines": prepared.composer.outlines(dense[i]),
                "ears": dense[i].ears,
                "measured": i < len(seen),
            }
            small = shift = None
            if i < max(looks, len(seen)):
                small = prepared.preview.frame(flow, layer, target, **given)
            if i < looks:
                shift = correction(small, target)
            if i < len(seen):
                face = dense[i].maps[MAPS.index("face")]
                layer = cleared(layer, small, seen[i], prepared.small_background, face)
            prepared.composer.frame(flow, layer, target, **given, shift=shift, out=pixels[i])
        return FrameBatch(pixels=pixels, times=times)

    def explain(self, portrait: Portrait, motion: MotionTrack, frame: int) -> list[InnerMap]:
        """See `visiongen.hookspecs.ExplainingGenerator`."""
        prepared = self._prepare(portrait)
        part = slice(frame, frame + 1)
        targets = target_landmarks(portrait, motion, part)
        targets = np.stack([prepared.composer.held(target) for target in targets])
        dense = prepared.field.towards(targets)
        with self._driver(portrait, motion) as driver:
            if driver:
                seen = driver.frames(motion.times[part])
                dense = prepared.registered(dense, seen) or dense
        revealed = prepared.other_side(dense[0], targets[0])
        return inner_maps(prepared.small, dense[0], *self._run(prepared, dense), revealed)

    def _prepare(self, portrait: Portrait) -> _PreparedPortrait:
        prepared = self._prepared
        if prepared is None or prepared.portrait is not portrait:
            prepared = self._prepared = _PreparedPortrait(self, portrait)
        return prepared

    @torch.inference_mode()
    def encode(self, picture: np.ndarray, source_maps: np.ndarray, matte: np.ndarray) -> PortraitCode:
        """Code of a portrait, batch of one: picture (S, S, 3) uint8, source maps (4, G, G), matte (G, G)."""
        x = self._tensor(picture[None].astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
        code = self._network.encode(x, self._tensor(source_maps[None]), self._tensor(matte[None, None]))
        return PortraitCode(*(part.contiguous(memory_format=torch.channels_last) for part in code))

    @torch.inference_mode()
    def paint(self, prepared: _PreparedPortrait, dense: list[DenseMotion]) -> tuple[Motion, np.ndarray]:
        """Learned motion of a few frames, and their `visiongen.models.vae_gan.layers` (B, 5, G, G), the light and content
        for pixels in [0, 255]."""
        motion, painting = self._run(prepared, dense)
        painted = layers(painting, self._options.painting).float().cpu().numpy()
        painted[:, :3] += 1 - painted[:, 3:4] - painted[:, 4:]  # of -1, black, as much as there is new content
        painted[:, :3] *= 127.5
        return motion, painted

    @torch.inference_mode()
    def _run(self, prepared: _PreparedPortrait, dense: list[DenseMotion]) -> tuple[Motion, Painting]:
        count = len(dense)
        candidates, prior = (self._tensor(np.stack([getattr(d, n) for d in dense])) for n in ("candidates", "prior"))
        maps = self._tensor(np.stack([cv2.merge(list(d.maps)) for d in dense])).permute(0, 3, 1, 2)
        code = PortraitCode(*(x.expand(count, -1, -1, -1) for x in prepared.code))
        with computing_in(self._options.precision, self._device):
            motion = self._network.move(code, candidates, prior, maps)
        vanished, held, lips = (
            self._tensor(np.stack([getattr(d, n) for d in dense])[:, None]) for n in ("vanished", "held", "lips")
        )
        motion = motion._replace(flow=torch.lerp(motion.flow, candidates[:, 0], lips[:, 0, ..., None]))
        # The latent's mean, not a sample: what is drawn anew in every frame flickers.
        with computing_in(self._options.precision, self._device):
            painting = self._network.decode(code, code.mean, motion, maps)
        return motion, painting._replace(blend=_overruled(painting.blend, vanished, torch.maximum(held, lips)))

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)


def _overruled(blend: torch.Tensor, vanished: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Weights of moved portrait, new content and background (B, 3, G, G), where geometry knows better.

    The network keeps pieces of a head that has gone, an ear or a lock of hair, and lets the background through a cheek that
    comes into sight.

    Args:
        vanished, held: (B, 1, G, G), see `visiongen.flow.DenseMotion`.
    """
    own, new, still = blend.split(1, 1)
    own, new, still = own + held * (new + still), (1 - held) * new, (1 - held) * still
    return torch.cat([(1 - vanished) * own, (1 - vanished) * new, still + vanished * (1 - still)], 1)


def _parts(length: int, most: int) -> Iterator[slice]:
    """Batches of at most so many frames that cover `length`; where there are several, the first are of one frame: somebody
    waits for them."""
    at = 0
    while at < length:
        size = 1 if at < _FIRST and length > most else most
        yield slice(at, at + size)
        at += size


class _PreparedPortrait:
    """What is computed once per portrait."""

    def __init__(self, generator: VaeGanGenerator, portrait: Portrait) -> None:
        self.portrait = portrait
        self.source = source_landmarks(portrait)
        self.small = small = resized(portrait.crop, SIZE)
        self._matte = matte = portrait_matte(portrait, GRID)
        with meanwhile(lambda: generator.encode(small, drawn_maps(self.source), matte)) as code:
            hair = portrait_hair(portrait, small, matte)
            self.field = MotionField(self.source, matte, hair=hair)
            self.other_side = OtherSide(self.source, matte, hair)
            self._own = own_part(portrait, GRID)
            self._background = still_background(portrait.crop, matte)
            self.composer = Composer(portrait.crop, self._background, self.source, matte, portrait.drawn)
            self.code = code()
        self.aligned: tuple[MotionTrack, np.ndarray | None] | None = None
        """The motion of which a single frame was asked for last, and `DriverFrames.crop_from_driver` for it."""

    def registered(self, dense: list[DenseMotion], seen: list[np.ndarray]) -> list[DenseMotion]:
        """Those of which the driving frame was `seen`, (SIDE, SIDE, 3), with what is measured in it."""
        return [registered(one, self.small, frame, own=self._own) for one, frame in zip(dense, seen)]

    @cached_property
    def preview(self) -> Composer:
        """Composes small frames to look at; most portraits never need it."""
        if self.portrait.crop.shape[0] == SIZE:
            return self.composer
        return Composer(self.small, self.small_background, self.source, self._matte, self.portrait.drawn)

    @cached_property
    def small_background(self) -> np.ndarray:
        """(256, 256, 3) uint8, what stands still."""
        return resized(self._background, SIZE)

"""The default generator: runs the VAE-GAN at 256 and composes at the crop's own resolution."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from visiongen.background import PersonMatte, still_background
from visiongen.datatypes import FrameBatch, MotionTrack, Portrait
from visiongen.flow import GRID, DenseMotion, MotionField, drawn_maps, warp
from visiongen.generators.options import VaeGanOptions
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.models import weights
from visiongen.models.vae_gan import SIZE, Motion, Painting, PortraitCode


class VaeGanGenerator:
    """Loads the network once; a portrait is encoded once per call of `render`."""

    def __init__(self, options: VaeGanOptions, *, device: str = "cpu") -> None:
        self._options = options
        self._device = torch.device(device)
        self._network = weights.load(Path(options.weights) if options.weights else weights.shipped()).to(self._device)

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`."""
        source = source_landmarks(portrait)
        field = MotionField(source)
        targets = target_landmarks(portrait, motion)
        prepared = _PreparedPortrait(self, portrait, source)
        for first in range(0, len(motion), self._options.batch):
            part = slice(first, first + self._options.batch)
            dense = field.towards(targets[part])
            moved, painting = self.paint(prepared, dense)
            flows = moved.flow.cpu().numpy()
            layers = torch.cat([painting.colour, painting.shading, painting.blend], 1)
            layers = layers.permute(0, 2, 3, 1).contiguous().cpu().numpy()  # (B, S, S, 9)
            frames = [prepared.compose(flow, layer) for flow, layer in zip(flows, layers, strict=True)]
            yield FrameBatch(pixels=np.stack(frames), times=motion.times[part])

    @torch.inference_mode()
    def encode(self, picture: np.ndarray, source_maps: np.ndarray, matte: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Tensors of a portrait, batch of one: picture (3, S, S), matte (1, G, G), and its code."""
        x = self._tensor(picture.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1)
        m = self._tensor(matte[None, None].astype(np.float32))
        return x, m, self._network.encode(x, self._tensor(source_maps[None]), m)

    @torch.inference_mode()
    def paint(self, prepared: _PreparedPortrait, dense: list[DenseMotion]) -> tuple[Motion, Painting]:
        """Learned motion and painting of a few frames."""
        count = len(dense)
        candidates, prior, maps = (
            self._tensor(np.stack([getattr(d, name) for d in dense])) for name in ("candidates", "prior", "maps")
        )
        picture, matte = (x.expand(count, -1, -1, -1) for x in (prepared.picture, prepared.matte))
        code = PortraitCode(*(x.expand(count, -1, -1, -1) for x in prepared.code))
        motion = self._network.move(picture, matte, candidates, prior, maps)
        # The latent's mean, not a sample: what is drawn anew in every frame flickers.
        return motion, self._network.decode(code, code.mean, picture, motion, maps)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        x = torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self._device)
        return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x

    @property
    def options(self) -> VaeGanOptions:
        """The options it was made with."""
        return self._options


class _PreparedPortrait:
    """What is computed once per portrait."""

    def __init__(self, generator: VaeGanGenerator, portrait: Portrait, source: np.ndarray) -> None:
        self._crop = portrait.crop
        self._side = portrait.crop.shape[0]
        self._painting = generator.options.painting
        small = resized(portrait.crop, SIZE)
        with PersonMatte() as person:
            matte = cv2.resize(person(small), (GRID, GRID), interpolation=cv2.INTER_AREA)
        self._background = still_background(portrait.crop, matte).astype(np.float32)
        self.picture, self.matte, self.code = generator.encode(small, drawn_maps(source), matte)

    def compose(self, flow: np.ndarray, layers: np.ndarray) -> np.ndarray:
        """The frame (side, side, 3) uint8 at the crop's resolution.

        Args:
            flow: (G, G, 2) crop units.
            layers: (S, S, 9): colour, shading, blend.
        """
        moved = warp(self._crop, flow).astype(np.float32)
        if self._side != SIZE:
            layers = cv2.resize(layers, (self._side, self._side), interpolation=cv2.INTER_LINEAR)
        colour, shading = layers[..., :3] * 127.5 + 127.5, layers[..., 3:6] * 127.5
        new, still = self._painting * layers[..., 7:8], layers[..., 8:9]
        moved += self._painting * shading
        frame = moved + new * (colour - moved) + still * (self._background - moved)  # the three weights sum to 1
        return np.clip(frame + 0.5, 0, 255).astype(np.uint8)


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """A square picture (side, side, 3) at (size, size, 3)."""
    shrinks = picture.shape[0] > size
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)

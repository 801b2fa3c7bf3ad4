"""The generator: runs the network on portrait and driving frames, and composes at the portrait's own resolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from visiongen import FrameBatch, MotionTrack, Portrait
from visiongen.memory import keep_freed_memory
from visiongen_fomm import checkpoints, download, transfer
from visiongen_fomm.blocks import Down, Same, Up, coordinates
from visiongen_fomm.driver import driving_frames, look_through, needed_clip
from visiongen_fomm.network import DenseMotion, Fomm, Keypoints, SourceCode, resized
from visiongen_fomm.options import FommOptions
from visiongen_fomm.resample import Square, SquareResampler


class FommGenerator:
    """Loads the network once; a portrait is encoded once per call of `render`."""

    def __init__(self, options: FommOptions, *, device: str = "cpu") -> None:
        """
        Raises:
            WeightsError: The checkpoint cannot be used, or not at this size.
        """
        keep_freed_memory()
        self._options = options
        self._device = torch.device(device)
        network = checkpoints.load(_weights_path(options), align_corners=options.align_corners, size=options.size)
        self._size = network.config.size
        self._network = with_folded_norms(network).to(self._device, memory_format=torch.channels_last)

    def render(self, portrait: Portrait, motion: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`. Smoothing and gains of the motion do not apply: the driving pixels are read.

        Raises:
            UnsupportedMotionError: `motion` comes without its clip, or the clip shows no face.
        """
        clip = needed_clip(motion)
        driver = look_through(portrait, motion, best=self._options.reference == "best")
        height, width = driver.reference.shape[:2]
        crop = SquareResampler(driver.square, size=self._size, height=height, width=width)
        source = _Source(self, portrait)
        initial = self.keypoints(crop(driver.reference)[None])
        done = 0
        with closing(driving_frames(clip, motion.times, batch=self._options.batch)) as batches:
            for frames in batches:
                driving = self.keypoints(np.stack([crop(frame) for frame in frames]))
                pixels = source.moved(driving, initial)
                yield FrameBatch(pixels=pixels, times=motion.times[done : done + len(frames)])
                done += len(frames)

    @torch.inference_mode()
    def keypoints(self, pictures: np.ndarray) -> Keypoints:
        """Of pictures (B, 3, S, S) float32 in [0, 1]."""
        with self._precision():
            return self._network.kp_detector(self.tensor(pictures))

    @torch.inference_mode()
    def encode(self, picture: np.ndarray) -> SourceCode:
        """Of the portrait (3, S, S) float32 in [0, 1]."""
        with self._precision():
            return self._network.encode(self.tensor(picture[None]))

    @torch.inference_mode()
    def generate(self, code: SourceCode, keypoints: Keypoints) -> tuple[Tensor, DenseMotion]:
        """(B, 3, S, S) float32 pictures with these keypoints, and the motion that made them."""
        with self._precision():
            result = self._network.generator(code.expand(len(keypoints.value)), keypoints)
        return result.prediction, result.motion

    def placed(self, code: SourceCode, driving: Keypoints, initial: Keypoints) -> Keypoints:
        """Where the portrait's keypoints shall be."""
        if self._options.motion == "absolute":
            return driving
        adapt = self._options.adapt_scale
        scale = transfer.movement_scale(code.keypoints.value[0], initial.value[0]) if adapt else 1.0
        return transfer.relative(code.keypoints, driving, initial, movement_scale=scale)

    @property
    def size(self) -> int:
        """Side of the pictures the network sees, px."""
        return self._size

    @property
    def detail(self) -> float:
        """Share of the portrait's own detail that is carried along."""
        return self._options.detail

    def tensor(self, pictures: np.ndarray) -> Tensor:
        """(B, 3, S, S) on the device."""
        return torch.from_numpy(pictures).to(self._device).contiguous(memory_format=torch.channels_last)

    def _precision(self) -> AbstractContextManager:
        """bfloat16 on GPUs that have it; places are found in float32 all the same."""
        half = self._device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=half)


class _Source:
    """What is computed once per portrait."""

    def __init__(self, generator: FommGenerator, portrait: Portrait) -> None:
        self._generator = generator
        self._side = portrait.crop.shape[0]
        whole = Square(left=0.0, top=0.0, side=float(self._side))
        shrink = SquareResampler(whole, size=generator.size, height=self._side, width=self._side)
        self.code = generator.encode(shrink(portrait.crop))
        self._detail = None
        if generator.detail:
            crop = torch.from_numpy(portrait.crop.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            still, self._at_rest = generator.generate(self.code, self.code.keypoints)  # as the network paints it
            self._detail = generator.detail * (crop.to(still.device) - _enlarged(still, self._side))

    @torch.inference_mode()
    def moved(self, driving: Keypoints, initial: Keypoints) -> np.ndarray:
        """(B, side, side, 3) uint8 frames of the crop."""
        keypoints = self._generator.placed(self.code, driving, initial)
        pictures, motion = self._generator.generate(self.code, keypoints)
        frames = _enlarged(pictures, self._side)
        if self._detail is not None:
            frames = frames + carried(self._detail, motion, self._at_rest)
        return (frames.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def carried(detail: Tensor, motion: DenseMotion, at_rest: DenseMotion) -> Tensor:
    """(B, 3, S, S): detail (1, 3, S, S) moved at its own resolution, faded where the portrait can be used less than at rest.

    The displacement is enlarged, not the place: so what does not move stays to the pixel.
    """
    count, height, width, _ = motion.deformation.shape
    side = detail.shape[2]
    steps = torch.tensor([(width - 1) / width, (height - 1) / height], device=detail.device)
    shift = (motion.deformation - coordinates(height, width, detail)) * steps  # from pixel centres to outer corners
    shift = resized(shift.permute(0, 3, 1, 2), (side, side)).permute(0, 2, 3, 1)
    places = (coordinates(side, side, detail) * (side - 1) / side + shift).float()
    moved = F.grid_sample(detail.expand(count, -1, -1, -1), places, padding_mode="border", align_corners=False)
    if motion.occlusion_map is not None:
        share = (motion.occlusion_map / at_rest.occlusion_map.clamp(min=1e-3)).clamp(max=1)
        moved = moved * resized(share, (side, side))
    return moved


def _enlarged(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, side, side); outer corners on outer corners."""
    if pictures.shape[2] == side:
        return pictures
    return F.interpolate(pictures, size=(side, side), mode="bicubic", align_corners=False, antialias=True)


def _weights_path(options: FommOptions) -> Path:
    if not options.weights:
        return checkpoints.shipped()
    if options.weights in download.PUBLIC:
        return download.local(options.weights, allowed=options.download)
    return Path(options.weights).expanduser()


def with_folded_norms(network: Fomm) -> Fomm:
    """The same network with the norms that follow a convolution folded into it: less to compute."""
    for block in network.modules():
        if isinstance(block, (Down, Up, Same)):
            block.conv = fuse_conv_bn_eval(block.conv, block.norm)
            block.norm = torch.nn.Identity()
    return network

"""The First Order Motion Model: keypoint detector, dense motion, occlusion-aware generator.

Source: Siarohin, Lathuilière, Tulyakov, Ricci, Sebe, "First Order Motion Model for Image Animation", NeurIPS 2019. Written
anew after the paper; module names and shapes are those of the authors' checkpoints, which load unchanged.

Pictures are (B, 3, H, W) float32 in [0, 1]; keypoints are (x, y) in [-1, 1], centres of the outermost pixels at the ends.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visiongen_fomm.blocks import Down, Hourglass, Residual, Same, Shrink, Up, coordinates, inverse
from visiongen_fomm.config import FommConfig


class Keypoints(NamedTuple):
    """Places and local affine maps."""

    value: Tensor
    """(B, K, 2)."""
    jacobian: Tensor | None
    """(B, K, 2, 2)."""

    def expand(self, count: int) -> Keypoints:
        """Those of one picture for `count` of them."""
        jacobian = None if self.jacobian is None else self.jacobian.expand(count, -1, -1, -1)
        return Keypoints(self.value.expand(count, -1, -1), jacobian)


@dataclass(frozen=True, eq=False)
class DenseMotion:
    """From the driving picture back to the source, at the dense motion network's resolution (h, w)."""

    sparse_deformed: Tensor
    """(B, K + 1, 3, h, w): the source, warped by each keypoint's motion; first by none, for the background."""
    mask: Tensor
    """(B, K + 1, h, w): share of each."""
    deformation: Tensor
    """(B, h, w, 2): where in the source, [-1, 1]."""
    occlusion_map: Tensor | None
    """(B, 1, h, w): 1 where the warped source can be used, 0 where it must be painted anew."""


@dataclass(frozen=True, eq=False)
class Generated:
    """Result of the generator."""

    prediction: Tensor
    """(B, 3, H, W) in [0, 1]."""
    motion: DenseMotion


class SourceCode(NamedTuple):
    """What is computed once per source picture."""

    small: Tensor
    """(B, 3, h, w): the picture at the dense motion network's resolution."""
    features: Tensor
    """(B, C, H', W'): what is warped."""
    keypoints: Keypoints

    def expand(self, count: int) -> SourceCode:
        """The code of one picture for `count` driving pictures."""
        small, features = (x.expand(count, -1, -1, -1) for x in (self.small, self.features))
        return SourceCode(small, features, self.keypoints.expand(count))


class KeypointDetector(nn.Module):
    """Finds K keypoints that nobody named: they are what explains the motion best."""

    def __init__(self, config: FommConfig) -> None:
        super().__init__()
        net = config.kp_detector
        self.temperature = config.temperature
        self.predictor = Hourglass(config.num_channels, net.block_expansion, net.num_blocks, net.max_features)
        self.kp = nn.Conv2d(self.predictor.outputs, config.num_kp, 7)
        self.jacobian = nn.Conv2d(self.predictor.outputs, 4 * config.num_kp, 7) if config.estimate_jacobian else None
        if self.jacobian is not None:
            nn.init.zeros_(self.jacobian.weight)
            self.jacobian.bias.data.copy_(torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(config.num_kp))
        self.down = Shrink(config.num_channels, net.scale_factor) if net.scale_factor != 1 else None

    def forward(self, picture: Tensor) -> Keypoints:
        """Keypoints of pictures (B, 3, H, W)."""
        features = self.predictor(self.down(picture) if self.down else picture)
        logits = self.kp(features).float()  # (B, K, h, w); places are found in full precision
        heat = (logits.flatten(2) / self.temperature).softmax(-1).view_as(logits)
        grid = coordinates(*logits.shape[2:], like=logits)
        value = (heat[..., None] * grid).sum((2, 3))
        if self.jacobian is None:
            return Keypoints(value, None)
        maps = self.jacobian(features).float().unflatten(1, (-1, 4))  # (B, K, 4, h, w)
        return Keypoints(value, (heat[:, :, None] * maps).sum((3, 4)).unflatten(-1, (2, 2)))


class DenseMotionNetwork(nn.Module):
    """Blends the keypoints' motions into one, and says what is hidden."""

    def __init__(self, config: FommConfig, *, align_corners: bool = True) -> None:
        super().__init__()
        net = config.dense_motion
        inputs = (config.num_kp + 1) * (config.num_channels + 1)
        self.variance, self.align_corners = config.kp_variance, align_corners
        self.hourglass = Hourglass(inputs, net.block_expansion, net.num_blocks, net.max_features)
        self.mask = nn.Conv2d(self.hourglass.outputs, config.num_kp + 1, 7, padding=3)
        occludes = config.estimate_occlusion_map
        self.occlusion = nn.Conv2d(self.hourglass.outputs, 1, 7, padding=3) if occludes else None
        self.down = Shrink(config.num_channels, net.scale_factor) if net.scale_factor != 1 else None

    def forward(self, small: Tensor, source: Keypoints, driving: Keypoints) -> DenseMotion:
        """Motion from driving to source.

        Args:
            small: (B, 3, h, w) source picture after `down`.
            source, driving: Keypoints.
        """
        count, _, height, width = small.shape
        grid = coordinates(height, width, like=small)
        with torch.autocast(small.device.type, enabled=False):  # places need their digits
            motions = self._sparse_motions(grid, source, driving)
            heat = self._heat(grid, driving.value) - self._heat(grid, source.value)  # (B, K, h, w)
            heat = F.pad(heat, (0, 0, 0, 0, 1, 0))  # nothing at the background
            copies = small.float().repeat_interleave(motions.shape[1], 0)
            deformed = F.grid_sample(copies, motions.flatten(0, 1), align_corners=self.align_corners)
            deformed = deformed.unflatten(0, (count, -1))  # (B, K + 1, 3, h, w)
        x = self.hourglass(torch.cat([heat[:, :, None], deformed], 2).flatten(1, 2))
        mask = self.mask(x).float().softmax(1)
        deformation = (mask[..., None] * motions).sum(1)
        occlusion = None if self.occlusion is None else self.occlusion(x).float().sigmoid()
        return DenseMotion(deformed, mask, deformation, occlusion)

    def _heat(self, grid: Tensor, value: Tensor) -> Tensor:
        """(B, K, h, w): a Gaussian at every keypoint (B, K, 2)."""
        return torch.exp(-0.5 * ((grid - value[:, :, None, None]) ** 2).sum(-1) / self.variance)

    @staticmethod
    def _sparse_motions(grid: Tensor, source: Keypoints, driving: Keypoints) -> Tensor:
        """(B, K + 1, h, w, 2): where every pixel comes from if all moved like keypoint k; first: if nothing moved.

        Paper, eq. 4: T(z) = p_source + J_source J_driving^-1 (z - p_driving).
        """
        offset = grid - driving.value[:, :, None, None]
        if driving.jacobian is not None:
            linear = source.jacobian @ inverse(driving.jacobian)
            offset = (linear[:, :, None, None] @ offset[..., None])[..., 0]
        moved = offset + source.value[:, :, None, None]
        return torch.cat([grid.expand(len(moved), 1, -1, -1, -1), moved], 1)


class Generator(nn.Module):
    """Encodes the source, warps its features, paints what is hidden."""

    def __init__(self, config: FommConfig, *, align_corners: bool = True) -> None:
        super().__init__()
        widths = config.widths()
        self.align_corners = align_corners
        self.dense_motion_network = DenseMotionNetwork(config, align_corners=align_corners)
        self.first = Same(config.num_channels, widths[0])
        self.down_blocks = nn.ModuleList(Down(a, b) for a, b in itertools.pairwise(widths))
        blocks = {f"r{i}": Residual(widths[-1]) for i in range(config.num_bottleneck_blocks)}
        self.bottleneck = nn.Sequential()
        for name, block in blocks.items():
            self.bottleneck.add_module(name, block)
        self.up_blocks = nn.ModuleList(Up(a, b) for a, b in zip(widths[:0:-1], widths[-2::-1]))
        self.final = nn.Conv2d(widths[0], config.num_channels, 7, padding=3)

    def encode(self, picture: Tensor, keypoints: Keypoints) -> SourceCode:
        """Everything that depends on the source picture (B, 3, H, W) alone."""
        x = self.first(picture)
        for block in self.down_blocks:
            x = block(x)
        return SourceCode(self._small(picture), x, keypoints)

    def move(self, picture: Tensor, source: Keypoints, driving: Keypoints) -> DenseMotion:
        """The motion alone, of a source picture (B, 3, H, W)."""
        return self.dense_motion_network(self._small(picture), source, driving)

    def _small(self, picture: Tensor) -> Tensor:
        down = self.dense_motion_network.down
        return down(picture) if down else picture

    def forward(self, code: SourceCode, driving: Keypoints) -> Generated:
        """The source, moved so that its keypoints come to `driving`."""
        motion = self.dense_motion_network(code.small, code.keypoints, driving)
        x = self.warp(code.features, motion.deformation)
        if motion.occlusion_map is not None:
            x = x * resized(motion.occlusion_map, x.shape[2:])
        x = self.bottleneck(x)
        for block in self.up_blocks:
            x = block(x)
        return Generated(self.final(x).float().sigmoid(), motion)

    def warp(self, maps: Tensor, deformation: Tensor) -> Tensor:
        """Maps (B, C, H, W) at the places of a deformation (B, h, w, 2), enlarged to (H, W) where it is smaller."""
        if deformation.shape[1:3] != maps.shape[2:]:
            deformation = resized(deformation.permute(0, 3, 1, 2), maps.shape[2:]).permute(0, 2, 3, 1)
        return F.grid_sample(maps.float(), deformation.float(), align_corners=self.align_corners)


class Fomm(nn.Module):
    """Keypoint detector and generator of one checkpoint."""

    def __init__(self, config: FommConfig, *, align_corners: bool = True) -> None:
        super().__init__()
        self.config = config
        self.kp_detector = KeypointDetector(config)
        self.generator = Generator(config, align_corners=align_corners)

    def encode(self, picture: Tensor) -> SourceCode:
        """A source picture (B, 3, H, W)."""
        return self.generator.encode(picture, self.kp_detector(picture))


def resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, C, *size), bilinear, outer corners on outer corners."""
    return maps if maps.shape[2:] == size else F.interpolate(maps, size=size, mode="bilinear", align_corners=False)

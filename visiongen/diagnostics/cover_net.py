"""A small network that says which parts of an unwrapped face are covered.

It sees the face of one frame beside the face's usual look in the clip (the median over time), so that it can tell a beard
from a hand; and it was trained on clips that are covered all the time too, where the two look alike. About 0.07 M
parameters, a millisecond a face. `visiongen.training.occlusion` makes the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visiongen.diagnostics.texture import SIDE
from visiongen.models.small_nets import block, save_small_net, shipped_small_net

WEIGHTS = "occlusion.npz"


@dataclass(frozen=True, kw_only=True)
class CoverConfig:
    """Widths of `CoverNet`, from fine to coarse."""

    fine: int = 12
    middle: int = 24
    coarse: int = 32


class CoverNet(nn.Module):
    """(B, 8, SIDE, SIDE) -> (B, CELLS, CELLS) logits: see `cover_inputs`."""

    def __init__(self, config: CoverConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or CoverConfig()
        self.fine = nn.Sequential(block(8, c.fine, 2), block(c.fine, c.fine))  # 32
        self.middle = nn.Sequential(block(c.fine, c.middle, 2), block(c.middle, c.middle))  # 16
        self.coarse = nn.Sequential(block(c.middle, c.coarse, 2), block(c.coarse, c.coarse))  # 8
        self.coarsest = nn.Sequential(block(c.coarse, c.coarse, 2), block(c.coarse, c.coarse))  # 4
        self.up = block(2 * c.coarse, c.coarse)
        self.out = nn.Sequential(block(c.coarse + c.middle, c.fine), nn.Conv2d(c.fine, 1, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        middle = self.middle(self.fine(inputs))  # (B, middle, 16, 16)
        coarse = self.coarse(middle)  # (B, coarse, 8, 8)
        coarsest = self.coarsest(coarse)  # (B, coarse, 4, 4)
        up = self.up(torch.cat([coarse, functional.interpolate(coarsest, scale_factor=2.0)], 1))
        up = functional.interpolate(up, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.out(torch.cat([middle, up], 1))[:, 0]


def cover_inputs(texture: np.ndarray, usual: np.ndarray, facing: np.ndarray) -> Tensor:
    """(B, 8, SIDE, SIDE) float32: both faces less the usual one's colour, their difference's size, how they face us.

    Args:
        texture, usual: (B, SIDE, SIDE, 3) in 0 to 255.
        facing: (B, SIDE, SIDE).
    """
    known = (usual.max(-1) > 0).astype(np.float32)[..., None]
    count = np.maximum(known.sum((1, 2), keepdims=True), 1)
    colour = (usual * known).sum((1, 2), keepdims=True) / count
    spread = np.sqrt((((usual - colour) * known) ** 2).sum((1, 2, 3), keepdims=True) / (3 * count)) + 4
    here = (facing > 0.02).astype(np.float32)[..., None]
    now, before = (texture - colour) / spread * here, (usual - colour) / spread * known
    difference = np.abs(now - before).mean(-1, keepdims=True) * here * known
    stacked = np.concatenate([now, before, difference, facing[..., None]], axis=-1).astype(np.float32)
    assert stacked.shape[1:3] == (SIDE, SIDE)
    return torch.from_numpy(np.ascontiguousarray(np.clip(stacked, -4, 4).transpose(0, 3, 1, 2)))


def save_cover_net(net: CoverNet, path: Path | None = None) -> Path:
    """Writes weights as half floats; by default the shipped ones."""
    return save_small_net(net, path or WEIGHTS)


@cache
def cover_net() -> CoverNet:
    """The shipped network, ready to use.

    Raises:
        WeightsError: Its file is missing or damaged.
    """
    return shipped_small_net(CoverNet, CoverConfig, WEIGHTS, purpose="find covered faces")


@torch.inference_mode()
def hidden_shares(texture: np.ndarray, usual: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """(B, CELLS, CELLS) float32 in [0, 1]: how likely each cell is covered; arguments as of `cover_inputs`."""
    return torch.sigmoid(cover_net()(cover_inputs(texture, usual, facing))).numpy()

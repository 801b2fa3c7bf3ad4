"""Small networks that say where an eye opens and where its iris is, and where a face ends and its mouth is: in photographs,
and in drawings of any proportions.

Some milliseconds an eye or a face. `visiongen.training.eye_net` and `visiongen.training.face_net` make the weights, from eyes
and faces that were drawn by chance (domain randomisation, after Tobin et al. 2017) and those of photographs. Small U-Nets
(Ronneberger et al. 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visiongen.models.small_nets import block, shipped_small_net

EYES, FACES = "drawn_eyes.npz", "drawn_faces.npz"
"""Files of weights."""


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """What a `UNet` tells apart, and its widths from fine to coarse."""

    layers: int = 2
    fine: int = 16
    middle: int = 24
    coarse: int = 40
    coarsest: int = 64
    deepest: int = 0
    """0: the network ends before it."""


class UNet(nn.Module):
    """(B, 3, H, W) of `even` -> (B, layers, H, W) logits."""

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or UNetConfig()
        self.fine = nn.Sequential(block(3, c.fine), block(c.fine, c.fine))
        self.middle = nn.Sequential(block(c.fine, c.middle, 2), block(c.middle, c.middle))
        self.coarse = nn.Sequential(block(c.middle, c.coarse, 2), block(c.coarse, c.coarse))
        self.coarsest = _lowest(c.coarse, c.coarsest)
        if c.deepest:
            self.deepest = _lowest(c.coarsest, c.deepest)
            self.up_coarsest = block(c.deepest + c.coarsest, c.coarsest)
        self.up_coarse = block(c.coarsest + c.coarse, c.coarse)
        self.up_middle = block(c.coarse + c.middle, c.middle)
        self.up_fine = nn.Sequential(block(c.middle + c.fine, c.fine), nn.Conv2d(c.fine, c.layers, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        fine = self.fine(pictures)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        coarsest = self.coarsest(coarse)
        if self.config.deepest:
            coarsest = self.up_coarsest(_beside(self.deepest(coarsest), coarsest))
        up = self.up_coarse(_beside(coarsest, coarse))
        up = self.up_middle(_beside(up, middle))
        return self.up_fine(_beside(up, fine))


def _lowest(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(block(channels_in, channels, 2), block(channels, channels), block(channels, channels))


def _beside(small: Tensor, layer: Tensor) -> Tensor:
    small = functional.interpolate(small, scale_factor=2.0, mode="bilinear", align_corners=False)
    return torch.cat([small, layer], 1)


def even(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 255], each less its mean colour, over its contrast."""
    colour = pictures.mean((2, 3), keepdim=True)
    spread = (pictures - colour).square().mean((1, 2, 3), keepdim=True).sqrt() + 4
    return (pictures - colour) / spread


@cache
def _shipped(name: str) -> UNet:
    return shipped_small_net(UNet, UNetConfig, name, purpose="find the eyes and mouths of drawings")


def eyes_and_irises(patches: np.ndarray) -> np.ndarray:
    """(B, 2, H, W) float32 in [0, 1]: how likely every pixel of right eyes (B, H, W, 3) uint8 is between the lids,
    and how likely it is iris.

    Raises:
        WeightsError: The shipped weights are missing or damaged.
    """
    return _likely(_shipped(EYES), patches)


def faces_and_mouths(patches: np.ndarray) -> np.ndarray:
    """(B, 4, H, W) float32 in [0, 1]: how likely every pixel of faces (B, H, W, 3) uint8 is face, mouth, between the lips, and
    hair.

    Raises:
        WeightsError: The shipped weights are missing or damaged.
    """
    return _likely(_shipped(FACES), patches)


@torch.inference_mode()
def _likely(net: UNet, patches: np.ndarray) -> np.ndarray:
    pictures = torch.from_numpy(np.ascontiguousarray(patches)).permute(0, 3, 1, 2).float()
    return torch.sigmoid(net(even(pictures))).numpy()

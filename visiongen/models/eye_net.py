"""A small network that says where an eye opens, and where its iris is: in photographs, and in drawings of any size of eye.

About 0.19 M parameters, some milliseconds an eye. `visiongen.training.eye_net` makes the weights, from eyes that were drawn by
chance (domain randomisation, after Tobin et al. 2017) and those of photographs. A small U-Net (Ronneberger et al. 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from visiongen.models.small_nets import block, shipped_small_net

WEIGHTS = "drawn_eyes.npz"


@dataclass(frozen=True, kw_only=True)
class EyeNetConfig:
    """Widths of `EyeNet`, from fine to coarse."""

    fine: int = 16
    middle: int = 24
    coarse: int = 40
    coarsest: int = 64


class EyeNet(nn.Module):
    """(B, 3, H, W) of `even` -> (B, 2, H, W) logits: the opening of the right eye in the middle, its iris."""

    def __init__(self, config: EyeNetConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or EyeNetConfig()
        self.fine = nn.Sequential(block(3, c.fine), block(c.fine, c.fine))  # 64
        self.middle = nn.Sequential(block(c.fine, c.middle, 2), block(c.middle, c.middle))  # 32
        self.coarse = nn.Sequential(block(c.middle, c.coarse, 2), block(c.coarse, c.coarse))  # 16
        self.coarsest = nn.Sequential(
            block(c.coarse, c.coarsest, 2), block(c.coarsest, c.coarsest), block(c.coarsest, c.coarsest)
        )  # 8
        self.up_coarse = block(c.coarsest + c.coarse, c.coarse)
        self.up_middle = block(c.coarse + c.middle, c.middle)
        self.up_fine = nn.Sequential(block(c.middle + c.fine, c.fine), nn.Conv2d(c.fine, 2, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        fine = self.fine(pictures)
        middle = self.middle(fine)
        coarse = self.coarse(middle)
        up = self.up_coarse(_beside(self.coarsest(coarse), coarse))
        up = self.up_middle(_beside(up, middle))
        return self.up_fine(_beside(up, fine))


def _beside(small: Tensor, layer: Tensor) -> Tensor:
    small = functional.interpolate(small, scale_factor=2.0, mode="bilinear", align_corners=False)
    return torch.cat([small, layer], 1)


def even(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) in [0, 255], each less its mean colour, over its contrast."""
    colour = pictures.mean((2, 3), keepdim=True)
    spread = (pictures - colour).square().mean((1, 2, 3), keepdim=True).sqrt() + 4
    return (pictures - colour) / spread


@cache
def eye_net() -> EyeNet:
    """The shipped network, ready to use.

    Raises:
        WeightsError: Its file is missing or damaged.
    """
    return shipped_small_net(EyeNet, EyeNetConfig, WEIGHTS, purpose="find drawn eyes")


@torch.inference_mode()
def eyes_and_irises(patches: np.ndarray) -> np.ndarray:
    """(B, 2, H, W) float32 in [0, 1]: how likely every pixel of patches (B, H, W, 3) uint8 is between the lids,
    and how likely it is iris."""
    pictures = torch.from_numpy(np.ascontiguousarray(patches)).permute(0, 3, 1, 2).float()
    return torch.sigmoid(eye_net()(even(pictures))).numpy()

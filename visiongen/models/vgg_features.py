"""Features of VGG19 as a perceptual loss, for those who have its weights.

They do not ship and nothing is downloaded: ``vgg19-dcbb9e9d.pth`` of the torchvision project is given as a file. Only training
uses it.

Sources: Simonyan & Zisserman, "Very deep convolutional networks", 2015 (the network); Johnson et al., "Perceptual losses for
real-time style transfer and super-resolution", 2016; layers and the pyramid of sizes: Siarohin et al., "First order motion
model for image animation", 2019.
"""

from __future__ import annotations

import logging
import pickle
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visiongen.errors import WeightsError

logger = logging.getLogger(__name__)

_WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""Channels of the convolutions up to relu5_1; 0 is a pooling."""
_LOOKED_AT = (0, 2, 4, 8, 12)
"""Numbers of the convolutions after which features are compared: relu1_1 to relu5_1."""
_SIZES = 3
"""The pictures are compared whole, halved, and so on."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class VggFeatures(nn.Module):
    """VGG19 up to relu5_1; its weights are constants.

    Args:
        path: A state dictionary with torchvision's names, ``features.0.weight`` and so on.
    Raises:
        WeightsError: The file is missing, damaged, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [nn.Conv2d(before, width, 3, 1, 1), nn.ReLU()] if width else [nn.MaxPool2d(2)]
            before = width or before
        self.features = nn.Sequential(*layers)
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            wanted = self.state_dict()
            self.load_state_dict({name: state[name] for name in wanted})
        except (OSError, RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:160] or type(error).__name__
            raise WeightsError(
                f"{path}: no weights of torchvision's VGG19 ({reason}); give vgg19-dcbb9e9d.pth"
            ) from error
        logger.warning("%s is a pickle, the old format of PyTorch: only its tensors are read", Path(path).name)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Features at five depths of (B, 3, S, S) in [-1, 1]."""
        mean, std = (picture.new_tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _STD))
        x, number, found = (picture / 2 + 0.5 - mean) / std, -1, []
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                number += 1
                if number in _LOOKED_AT:
                    found.append(x)
        return found

    def distance(self, generated: Tensor, real: Tensor) -> Tensor:
        """L1 between the features of two pictures (B, 3, S, S), summed over depths and sizes."""
        total = generated.new_zeros(())
        for _ in range(_SIZES):
            with torch.no_grad():
                wanted = self(real)
            total = total + sum(F.l1_loss(g, w) for g, w in zip(self(generated), wanted, strict=True))
            generated, real = F.avg_pool2d(generated, 2), F.avg_pool2d(real, 2)
        return total

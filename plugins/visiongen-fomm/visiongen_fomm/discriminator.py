"""The discriminator of the training: judges patches."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """4 x 4 convolutions without padding, instance norm but on the first, a mean of 2 x 2 between. Paper, supplement."""

    def __init__(self, *, block_expansion: int = 32, max_features: int = 512, num_blocks: int = 4) -> None:
        super().__init__()
        widths = [3] + [min(max_features, block_expansion * 2**i) for i in range(num_blocks)]
        self.convs = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 4)) for a, b in itertools.pairwise(widths))
        norms = [nn.Identity()] + [nn.InstanceNorm2d(b, affine=True) for b in widths[2:]]
        self.norms = nn.ModuleList(norms)
        self.final = spectral_norm(nn.Conv2d(widths[-1], 1, 1))

    def forward(self, picture: Tensor) -> list[Tensor]:
        """Features of every level, and last the judgement of every patch: 1 real, 0 generated."""
        levels, x = [], picture
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = F.leaky_relu(norm(conv(x)), 0.2)
            if i + 1 < len(self.convs):
                x = F.avg_pool2d(x, 2)
            levels.append(x)
        return [*levels, self.final(x)]

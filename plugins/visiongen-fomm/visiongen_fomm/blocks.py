"""Building blocks of the First Order Motion Model. Names of modules are those of the public checkpoints.

Letters in shapes: B batch, C channels, H rows, W columns, K keypoints.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Down(nn.Module):
    """(B, C, H, W) -> (B, C', H/2, W/2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Convolution, ReLU, mean of 2 x 2."""
        return F.avg_pool2d(F.relu(self.norm(self.conv(x))), 2)


class Up(nn.Module):
    """(B, C, H, W) -> (B, C', 2H, 2W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Every pixel doubled, convolution, ReLU."""
        return F.relu(self.norm(self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))))


class Same(nn.Module):
    """(B, C, H, W) -> (B, C', H, W)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 7, padding=3)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """A wide convolution, ReLU."""
        return F.relu(self.norm(self.conv(x)))


class Residual(nn.Module):
    """(B, C, H, W) -> the same shape; the norm comes before the activation and both before the convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """What two convolutions find is added."""
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


class _Encoder(nn.Module):
    def __init__(self, inputs: int, expansion: int, num_blocks: int, most: int) -> None:
        super().__init__()
        widths = [inputs] + [min(most, expansion * 2 ** (i + 1)) for i in range(num_blocks)]
        self.down_blocks = nn.ModuleList(Down(a, b) for a, b in itertools.pairwise(widths))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The input and every level below it."""
        levels = [x]
        for block in self.down_blocks:
            levels.append(block(levels[-1]))
        return levels


class _Decoder(nn.Module):
    def __init__(self, expansion: int, num_blocks: int, most: int) -> None:
        super().__init__()
        widths = [min(most, expansion * 2**i) for i in range(num_blocks, -1, -1)]
        doubled = [1] + [2] * (num_blocks - 1)  # all but the first get the encoder's features too
        self.up_blocks = nn.ModuleList(Up(n * a, b) for n, a, b in zip(doubled, widths[:-1], widths[1:]))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Back to the input's resolution."""
        x = levels[-1]
        for block, skip in zip(self.up_blocks, reversed(levels[:-1])):
            x = torch.cat([block(x), skip], 1)
        return x


class Hourglass(nn.Module):
    """(B, inputs, H, W) -> (B, `outputs`, H, W): encoder and decoder with skips, the input itself appended."""

    def __init__(self, inputs: int, expansion: int, num_blocks: int, most: int) -> None:
        super().__init__()
        self.encoder = _Encoder(inputs, expansion, num_blocks, most)
        self.decoder = _Decoder(expansion, num_blocks, most)
        self.outputs = min(most, expansion) + inputs

    def forward(self, x: Tensor) -> Tensor:
        """Features at the input's resolution."""
        return self.decoder(self.encoder(x))


class Shrink(nn.Module):
    """(B, C, H, W) -> (B, C, H * scale, W * scale): softened by a Gaussian, then every n-th pixel from 0 on."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.step = round(1 / scale)
        sigma = (1 / scale - 1) / 2
        self.reach = round(4 * sigma)
        x = torch.arange(-self.reach, self.reach + 1, dtype=torch.float32)
        g = torch.exp(-(x**2) / (2 * sigma**2)) if sigma else torch.ones(1)
        kernel = torch.outer(g, g) / torch.outer(g, g).sum()
        self.register_buffer("weight", kernel.expand(channels, 1, -1, -1).contiguous())

    def forward(self, x: Tensor) -> Tensor:
        """Smaller, without aliasing."""
        return F.conv2d(x, self.weight.to(x.dtype), stride=self.step, padding=self.reach, groups=x.shape[1])


def coordinates(height: int, width: int, like: Tensor) -> Tensor:
    """(H, W, 2) float32 (x, y) of every pixel; centres of the outermost pixels are at -1 and 1."""
    x, y = (2 * (torch.arange(n, device=like.device, dtype=torch.float32) / (n - 1)) - 1 for n in (width, height))
    y, x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([x, y], -1)


def inverse(matrices: Tensor) -> Tensor:
    """(..., 2, 2) float32 inverses; pseudo-inverses of those that have none."""
    result, failed = torch.linalg.inv_ex(matrices)
    if bool(failed.any()):
        return torch.where((failed > 0)[..., None, None], torch.linalg.pinv(matrices), result)
    return result


def scale_of_kernel(side: int) -> float:
    """The scale whose `Shrink` has a kernel of `side` pixels."""
    return 1 / (2 * (side // 2) / 4 + 1)

"""FID: Frechet distance in the features of the Inception network of 2015, as ported to PyTorch by pytorch-fid."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from visiongen.errors import WeightsError
from visiongen.hookspecs import Score
from visiongen.metrics.distribution import FrechetMetric
from visiongen.metrics.options import FidOptions
from visiongen.metrics.weight_files import WeightFile, find, state_dict

WEIGHTS = WeightFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "6726825d",
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "fid",
)
DIMENSIONS = 2048
_SIDE = 299


class _Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, size: int | tuple[int, int], stride: int = 1, *, pad: bool = True
    ) -> None:
        super().__init__()
        rows, columns = (size, size) if isinstance(size, int) else size
        padding = (rows // 2, columns // 2) if pad and stride == 1 else 0
        self.conv = nn.Conv2d(inputs, outputs, (rows, columns), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Block(nn.Module):
    """Branches side by side: chains of convolutions, and perhaps a pooled one.

    Args:
        inputs: Channels that come in.
        branches: Tuples of (name, channels, size[, stride]); a list of two ends a branch in a fork.
        pool: "mean" or "max" with a convolution of `pooled` channels after it, "down" for a halving by maxima.
    """

    def __init__(self, inputs: int, branches: tuple, pool: str, pooled: int = 0) -> None:
        super().__init__()
        self._chains: list[list] = []
        self._pool = pool
        for branch in branches:
            width, chain = inputs, []
            for step in branch:
                fork = step if isinstance(step, list) else [step]
                for name, channels, *shape in fork:
                    self.add_module(name, _Conv(width, channels, *shape))
                chain.append([name for name, *_ in fork])
                width = fork[0][1]
            self._chains.append(chain)
        if pooled:
            self.branch_pool = _Conv(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        """All branches' channels, one after the other, the pooled ones last."""
        found = []
        for chain in self._chains:
            y = x
            for names in chain:
                y = torch.cat([self.get_submodule(name)(y) for name in names], 1)
            found.append(y)
        if self._pool == "down":
            found.append(F.max_pool2d(x, 3, 2))
        elif self._pool == "max":
            found.append(self.branch_pool(F.max_pool2d(x, 3, 1, 1)))
        else:  # the network of 2015 leaves the border out of its means
            found.append(self.branch_pool(F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)))
        return torch.cat(found, 1)


def _a(inputs: int, pooled: int) -> _Block:
    double = (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3))
    branches = ((("branch1x1", 64, 1),), (("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)), double)
    return _Block(inputs, branches, "mean", pooled)


def _b(inputs: int) -> _Block:
    double = (("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2))
    return _Block(inputs, ((("branch3x3", 384, 3, 2),), double), "down")


def _c(inputs: int, width: int) -> _Block:
    flat, tall = (1, 7), (7, 1)
    single = (("branch7x7_1", width, 1), ("branch7x7_2", width, flat), ("branch7x7_3", 192, tall))
    double = (("branch7x7dbl_1", width, 1), ("branch7x7dbl_2", width, tall), ("branch7x7dbl_3", width, flat),
              ("branch7x7dbl_4", width, tall), ("branch7x7dbl_5", 192, flat))  # fmt: skip
    return _Block(inputs, ((("branch1x1", 192, 1),), single, double), "mean", 192)


def _d(inputs: int) -> _Block:
    seven = (("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1)),
             ("branch7x7x3_4", 192, 3, 2))  # fmt: skip
    return _Block(inputs, ((("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)), seven), "down")


def _e(inputs: int, pool: str) -> _Block:
    flat, tall = (1, 3), (3, 1)
    single = (("branch3x3_1", 384, 1), [("branch3x3_2a", 384, flat), ("branch3x3_2b", 384, tall)])
    double = (("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3),
              [("branch3x3dbl_3a", 384, flat), ("branch3x3dbl_3b", 384, tall)])  # fmt: skip
    return _Block(inputs, ((("branch1x1", 320, 1),), single, double), pool, 192)


class Inception(nn.Module):
    """The features FID is defined by: the last mean pooling, 2048 numbers.

    Source: Szegedy et al., "Rethinking the Inception architecture for computer vision", 2016, with the poolings of the
    TensorFlow graph of 2015-12-05 that the original FID uses (names as in the port's file of weights).
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3, pad=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _a(192, 32), _a(256, 64), _a(288, 64)
        self.Mixed_6a = _b(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = (_c(768, width) for width in (128, 160, 160, 192))
        self.Mixed_7a = _d(768)
        self.Mixed_7b, self.Mixed_7c = _e(1280, "mean"), _e(2048, "max")

    def forward(self, x: Tensor) -> Tensor:
        """
        Args:
            x: (B, 3, H, W) in [-1, 1]; brought to 299 x 299.
        Returns:
            (B, 2048).
        """
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, 2)))
        x = F.max_pool2d(x, 3, 2)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = self.get_submodule(f"Mixed_{name}")(x)
        return x.mean((2, 3))


def load_inception(folder: str = "", *, download: bool = False) -> Inception:
    """The network with its published weights.

    Raises:
        WeightsError: The file is missing or not what it should be.
    """
    path = find(WEIGHTS, folder, download=download)
    state = {name: value for name, value in state_dict(path).items() if not name.startswith("fc.")}
    network = Inception()
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path.name} does not fit the Inception network: {error}") from error
    return network.eval().requires_grad_(False)


class FidMetric(FrechetMetric):
    """FID between all generated and all real frames of a set. Range >= 0, lower is better; falls with the number of
    frames, and below 2048 of them it cannot be told well."""

    def __init__(self, options: FidOptions, *, device: str = "cpu") -> None:
        network = load_inception(options.folder, download=options.download).to(device)

        def features(pictures: np.ndarray) -> np.ndarray:
            x = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
            with torch.inference_mode():
                return network(x).cpu().numpy()

        summary = "Frechet distance between the sets of generated and real frames in Inception's features."
        score = Score(name="fid", title="FID", better="lower", digits=2, summary=summary)
        super().__init__(score, features, DIMENSIONS)

"""LPIPS: perceptual distance in the features of AlexNet, with the published weights of both parts."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from visiongen.errors import WeightsError
from visiongen.hookspecs import Comparison, MetricRun, Score
from visiongen.metrics.options import LpipsOptions
from visiongen.metrics.per_frame import MeanRun
from visiongen.metrics.weight_files import WeightFile, find, state_dict

TRUNK = WeightFile(
    "alexnet-owt-7be5be79.pth",
    "7be5be79",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "lpips",
)
LINEAR = WeightFile(
    "alex.pth",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
    "lpips",
)
_CHANNELS = (64, 192, 384, 256, 256)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """Weighted squared distance of the normalised features of two pictures, summed over five layers.

    Source: Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric", 2018, eq. 1; version
    0.1, AlexNet of torchvision.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(  # numbered as in torchvision, so that its weights fit
            nn.Conv2d(3, 64, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
        self.weights = nn.ParameterList(nn.Parameter(torch.zeros(1, width, 1, 1)) for width in _CHANNELS)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """
        Args:
            a, b: (B, 3, H, W) in [-1, 1], H and W at least 63.
        Returns:
            (B,) distances, 0 is equal.
        """
        shift, scale = (a.new_tensor(values).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
        a, b = (a - shift) / scale, (b - shift) / scale
        total, layer = 0.0, 0
        for step in self.features:
            a, b = step(a), step(b)
            if isinstance(step, nn.ReLU):
                difference = (_normalised(a) - _normalised(b)) ** 2
                total = total + (difference * self.weights[layer]).sum(1).mean((1, 2))
                layer += 1
        return total


def _normalised(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)


def load_lpips(folder: str = "", *, download: bool = False) -> Lpips:
    """The network with its published weights.

    Raises:
        WeightsError: A file is missing or not what it should be.
    """
    network = Lpips()
    trunk = state_dict(find(TRUNK, folder, download=download), keep="features.")
    linear = state_dict(find(LINEAR, folder, download=download))
    try:
        network.load_state_dict(trunk | {f"weights.{i}": linear[f"lin{i}.model.1.weight"] for i in range(5)})
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"{TRUNK.name} and {LINEAR.name} do not fit LPIPS: {error}") from error
    return network.eval().requires_grad_(False)


class LpipsMetric:
    """LPIPS of every frame, mean; range >= 0, 0 is equal, usually below 1."""

    scores = (
        Score(
            name="lpips", title="LPIPS (AlexNet)", better="lower", summary="Perceptual distance in AlexNet's features."
        ),
    )

    def __init__(self, options: LpipsOptions, *, device: str = "cpu") -> None:
        self._network = load_lpips(options.folder, download=options.download).to(device)
        self._device = device

    def start(self, comparison: Comparison) -> MetricRun | None:
        """None where somebody else drives."""
        if not comparison.same_person:
            return None
        return MeanRun("lpips", lambda pair: self._distance(pair.real, pair.generated))

    def _distance(self, real: np.ndarray, generated: np.ndarray) -> float:
        pictures = (
            torch.from_numpy(np.stack([real, generated])).to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        )
        with torch.inference_mode():
            return float(self._network(pictures[:1], pictures[1:]))

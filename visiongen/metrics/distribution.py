"""Distances between the set of generated frames and the set of real ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from visiongen.hookspecs import Comparison, FramePair, MetricRun, NoOptions, Score

Features = Callable[[np.ndarray], np.ndarray]
"""(B, H, W, 3) uint8 RGB -> (B, D) float32."""


def frechet_distance(
    mean_a: np.ndarray, covariance_a: np.ndarray, mean_b: np.ndarray, covariance_b: np.ndarray
) -> float:
    """Frechet distance of two normal distributions, |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)). Range >= 0.

    The trace of the root is taken from the eigenvalues of the symmetric C_a^(1/2) C_b C_a^(1/2), which are real and at
    least 0 also where there are fewer samples than dimensions.

    Source: Dowson & Landau, "The Frechet distance between multivariate normal distributions", 1982, eq. 4; for pictures
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium", 2017.

    Args:
        mean_a, mean_b: (D,).
        covariance_a, covariance_b: (D, D).
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    middle = np.maximum(np.linalg.eigvalsh(root @ covariance_b @ root), 0)
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(covariance_a) + np.trace(covariance_b)
    return float(max(0.0, distance - 2 * np.sqrt(middle).sum()))


class Moments:
    """Sums from which mean and covariance of any number of feature vectors follow; adding sets adds their sums."""

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.sum = np.zeros(dimensions)
        self.products = np.zeros((dimensions, dimensions))

    def add(self, features: np.ndarray) -> None:
        """Takes (B, D)."""
        features = features.astype(np.float64)
        self.count += len(features)
        self.sum += features.sum(0)
        self.products += features.T @ features

    def merge(self, count: int, total: np.ndarray, products: np.ndarray) -> None:
        """Takes the sums of another set."""
        self.count += int(count)
        self.sum += total
        self.products += products

    def normal(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean (D,) and covariance (D, D); at least two vectors."""
        mean = self.sum / self.count
        covariance = (self.products - self.count * np.outer(mean, mean)) / (self.count - 1)
        return mean, covariance


class FrechetMetric:
    """Frechet distance between all generated and all real frames of a set, by some features of single frames.

    A film by itself has no score: its frames are too much alike. Source frames are left out.
    """

    BATCH = 8

    def __init__(self, score: Score, features: Features, dimensions: int) -> None:
        self.scores: Sequence[Score] = (score,)
        self._features, self._dimensions = features, dimensions

    def start(self, comparison: Comparison) -> MetricRun:
        """Always possible: sets need not show the same person."""
        return _FrechetRun(self._features, self._dimensions)

    def over_all(self, statistics: Sequence[dict[str, np.ndarray]]) -> dict[str, float]:
        """The distance over all films; nothing where there are fewer than two frames."""
        sides = []
        for side in ("real", "generated"):
            moments = Moments(self._dimensions)
            for film in statistics:
                moments.merge(film["count"], film[f"{side}_sum"], film[f"{side}_products"])
            if moments.count < 2:
                return {}
            sides += moments.normal()
        return {self.scores[0].name: frechet_distance(*sides)}


class _FrechetRun:
    def __init__(self, features: Features, dimensions: int) -> None:
        self._features = features
        self._moments = {side: Moments(dimensions) for side in ("real", "generated")}
        self._waiting: list[FramePair] = []

    def add(self, pair: FramePair) -> None:
        if not pair.is_source:
            self._waiting.append(pair)
        if len(self._waiting) >= FrechetMetric.BATCH:
            self._flush()

    def _flush(self) -> None:
        for side, moments in self._moments.items():
            if self._waiting:
                moments.add(self._features(np.stack([getattr(pair, side) for pair in self._waiting])))
        self._waiting = []

    def result(self) -> dict[str, float]:
        return {}

    def statistics(self) -> dict[str, np.ndarray]:
        self._flush()
        found: dict[str, Any] = {"count": np.array(self._moments["real"].count)}
        for side, moments in self._moments.items():
            found |= {f"{side}_sum": moments.sum, f"{side}_products": moments.products}
        return found


class EncoderFrechetMetric(FrechetMetric):
    """Frechet distance in the features of the encoder of the shipped VAE-GAN: of each channel of the latent mean, its
    average and its spread over the picture. Not FID, and not comparable between versions of the weights."""

    def __init__(self, options: NoOptions, *, device: str = "cpu") -> None:
        from visiongen.models import weights

        network = weights.load(weights.shipped()).to(device)

        def features(pictures: np.ndarray) -> np.ndarray:
            return _encoder_features(network, pictures, device)

        score = Score(
            name="frechet_encoder",
            title="Frechet distance (features: VAE-GAN encoder)",
            better="lower",
            digits=4,
            summary="Distance between the sets of generated and driving frames in the shipped encoder's features; not FID.",
        )
        super().__init__(score, features, 2 * network.config.latent)


def _encoder_features(network: Any, pictures: np.ndarray, device: str) -> np.ndarray:
    """(B, 2 * latent): average and spread of every channel of the latent mean, the maps of the face left empty."""
    import torch
    import torch.nn.functional as F

    from visiongen.flow import GRID, SOURCE_MAPS
    from visiongen.models.vae_gan import SIZE

    x = torch.from_numpy(np.ascontiguousarray(pictures)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False, antialias=True)
    maps = x.new_zeros(len(x), len(SOURCE_MAPS), GRID, GRID)
    with torch.inference_mode():
        mean = network.encode(x, maps, x.new_ones(len(x), 1, GRID, GRID)).mean
    return torch.cat([mean.mean((2, 3)), mean.std((2, 3))], 1).float().cpu().numpy()

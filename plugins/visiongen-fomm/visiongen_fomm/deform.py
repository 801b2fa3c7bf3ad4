"""Known random deformations of pictures: what keypoints must follow (equivariance)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from visiongen_fomm.blocks import coordinates


class RandomDeformation:
    """A small affine map and a thin-plate spline on a grid of control points, one per sample.

    Source: paper, section 3.2 and its supplement: sigma 0.05 (affine), 0.005 (spline), 5 x 5 points.
    """

    def __init__(
        self, count: int, like: Tensor, *, affine: float = 0.05, spline: float = 0.005, points: int = 5
    ) -> None:
        noise = affine * torch.randn(count, 2, 3, device=like.device)
        self._affine = noise + torch.eye(2, 3, device=like.device)
        self._control = coordinates(points, points, like).view(1, -1, 2)
        self._weights = spline * torch.randn(count, points**2, device=like.device)

    def __call__(self, places: Tensor) -> Tensor:
        """Where places (B, N, 2) in [-1, 1] go."""
        moved = places @ self._affine[:, :, :2].transpose(1, 2) + self._affine[:, None, :, 2]
        distance = (places[:, :, None] - self._control[:, None]).abs().sum(-1)  # (B, N, control points)
        bend = distance**2 * torch.log(distance + 1e-6) * self._weights[:, None]
        return moved + bend.sum(-1, keepdim=True)

    def picture(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W), seen through the deformation: the pixel at z shows what was at ``self(z)``."""
        count, _, height, width = pictures.shape
        grid = coordinates(height, width, pictures).view(1, -1, 2).expand(count, -1, -1)
        return F.grid_sample(
            pictures, self(grid).view(count, height, width, 2), padding_mode="reflection", align_corners=True
        )

    def jacobian(self, places: Tensor) -> Tensor:
        """(B, N, 2, 2): local affine map of the deformation at places (B, N, 2); by automatic differentiation."""
        with torch.enable_grad():
            places = places.detach().requires_grad_(True)
            moved = self(places)
            rows = [torch.autograd.grad(moved[..., i].sum(), places, retain_graph=True)[0] for i in (0, 1)]
        return torch.stack(rows, -2)

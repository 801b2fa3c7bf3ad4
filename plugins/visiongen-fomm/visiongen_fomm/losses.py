"""Named losses; every one is a mean, so that weights do not depend on batch and picture size.

Pictures are (B, 3, S, S) in [0, 1].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from visiongen.models.losses import structure
from visiongen_fomm.blocks import inverse
from visiongen_fomm.deform import RandomDeformation
from visiongen_fomm.network import Keypoints


def pyramid(generated: Tensor, real: Tensor, weight: Tensor, *, levels: int = 4) -> Tensor:
    """The perceptual term: a pyramid of fixed filters, no trained network.

    On every level (each half the one before): L1 of colours and of their first differences across, down and along both
    diagonals, which are what the first layer of a recognition network sees.

    Args:
        weight: (B, 1, s, s) importance of places, about 1.
    """
    total = generated.new_zeros(())
    for level in range(levels):
        if level:
            generated, real = F.avg_pool2d(generated, 2), F.avg_pool2d(real, 2)
        here = F.interpolate(weight, size=real.shape[2:], mode="bilinear", align_corners=False)
        error = generated - real
        edges = [
            error[..., :-1, 1:] - error[..., :-1, :-1],
            error[..., 1:, :-1] - error[..., :-1, :-1],
            error[..., 1:, 1:] - error[..., :-1, :-1],
            error[..., 1:, :-1] - error[..., :-1, 1:],
        ]
        total = total + (here * error.abs()).mean() + 0.5 * sum((here[..., :-1, :-1] * e.abs()).mean() for e in edges)
    return total / levels


def dissimilarity(generated: Tensor, real: Tensor) -> Tensor:
    """1 - SSIM."""
    return structure(generated * 2 - 1, real * 2 - 1)


def equivariance(found: Keypoints, seen: Keypoints, deformation: RandomDeformation) -> tuple[Tensor, Tensor]:
    """Keypoints and Jacobians must follow a known deformation. Paper, eq. 9-11.

    Args:
        found: Of the picture.
        seen: Of ``deformation.picture(picture)``.
    """
    places = (found.value - deformation(seen.value)).abs().mean()
    if found.jacobian is None:
        return places, places.new_zeros(())
    carried = deformation.jacobian(seen.value) @ seen.jacobian
    identity = torch.eye(2, device=carried.device)
    return places, (inverse(found.jacobian) @ carried - identity).abs().mean()


def guidance(found: Keypoints, guides: Tensor) -> Tensor:
    """The first keypoints are drawn to landmarks (B, N, 2), so that a short training need not discover the face."""
    count = min(guides.shape[1], found.value.shape[1])
    return (found.value[:, :count] - guides[:, :count]).abs().mean()


def judge_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Of the discriminator. Source: Mao et al., "Least squares generative adversarial networks", 2017."""
    return ((1 - real[-1]) ** 2).mean() + (fake[-1] ** 2).mean()


def adversarial(fake: list[Tensor]) -> Tensor:
    """Of the generator."""
    return ((1 - fake[-1]) ** 2).mean()


def feature_matching(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """L1 between the discriminator's features of real and generated pictures."""
    pairs = list(zip(real[:-1], fake[:-1]))
    return sum(F.l1_loss(f, r.detach()) for r, f in pairs) / len(pairs)

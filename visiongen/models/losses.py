"""Named losses; every one is a mean over the batch, so that weights do not depend on its size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visiongen.models.vae_gan import Motion, Painting, PortraitCode


def reconstruction(generated: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1. generated, real: (B, 3, S, S) in [-1, 1]; weight: (B, 1, S, S), about 1 on average."""
    return (weight * (generated - real).abs()).mean()


def parsimony(painting: Painting) -> Tensor:
    """Mean weight of new content: it is soft, and must not replace the moved portrait's detail where it gains little."""
    return painting.blend[:, 1].mean()


def _gaussian(size: int = 11, sigma: float = 1.5) -> Tensor:
    x = torch.arange(size) - size // 2
    g = torch.exp(-(x**2) / (2 * sigma**2))
    return g / g.sum()


def structure(generated: Tensor, real: Tensor) -> Tensor:
    """1 - SSIM of the luminance. generated, real: (B, 3, S, S) in [-1, 1].

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", 2004, eq. 13.
    """
    luma = torch.tensor([0.299, 0.587, 0.114], device=real.device).view(1, 3, 1, 1)
    x, y = ((picture * luma).sum(1, keepdim=True) / 2 + 0.5 for picture in (generated, real))
    window = _gaussian().to(real)
    stack = torch.cat([x, y, x * x, y * y, x * y], 1)  # (B, 5, S, S)
    stack = F.conv2d(stack, window.view(1, 1, 1, -1).expand(5, 1, 1, -1), groups=5)
    stack = F.conv2d(stack, window.view(1, 1, -1, 1).expand(5, 1, -1, 1), groups=5)
    mx, my, xx, yy, xy = stack.split(1, 1)
    c1, c2 = 0.01**2, 0.03**2
    ssim = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    ssim = ssim / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))
    return 1 - ssim.mean()


def detail(generated: Tensor, real: Tensor, weight: Tensor) -> Tensor:
    """L1 of the gradients: an answer to the blur that L1 and SSIM reward."""
    weight = weight[..., 1:, 1:]

    def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
        return x[..., 1:, 1:] - x[..., 1:, :-1], x[..., 1:, 1:] - x[..., :-1, 1:]

    pairs = zip(gradients(generated), gradients(real), strict=True)
    return sum((weight * (g - r).abs()).mean() for g, r in pairs)


def temporal(generated: Tensor, real: Tensor, weight: Tensor, follows: Tensor) -> Tensor:
    """Weighted L1 between the changes from frame to frame of result and target: against flicker. Only steady errors are
    free.

    Args:
        generated, real: (B, 3, S, S) in [-1, 1]; weight: (B, 1, S, S).
        follows: (B,), 1 where a picture is the frame after the one before it in the batch.
    """
    change = (generated[1:] - generated[:-1]) - (real[1:] - real[:-1])
    chosen = follows[1:].view(-1, 1, 1, 1)
    return (chosen * weight[1:] * change.abs()).mean() * (len(change) / chosen.sum().clamp_min(1))


def kl(code: PortraitCode) -> Tensor:
    """Kullback-Leibler divergence of the latent from a standard normal, mean per element. Source: Kingma & Welling 2014."""
    return 0.5 * (code.mean**2 + code.log_variance.exp() - 1 - code.log_variance).mean()


def smoothness(motion: Motion) -> Tensor:
    """Total variation of the residual motion and of the candidates' weights."""

    def variation(x: Tensor) -> Tensor:
        return (x[..., 1:] - x[..., :-1]).abs().mean() + (x[..., 1:, :] - x[..., :-1, :]).abs().mean()

    return 10 * variation(motion.residual) + 0.1 * variation(motion.weights) + motion.residual.abs().mean()


def discriminator_hinge(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the discriminator over its scales. Source: Lim & Ye, "Geometric GAN", 2017."""
    return sum(F.relu(1 - r[-1]).mean() + F.relu(1 + f[-1]).mean() for r, f in zip(real, fake, strict=True)) / len(real)


def r1(judge: nn.Module, real: Tensor) -> Tensor:
    """Mean squared gradient of the discriminator's judgement at real pictures: keeps it from becoming too sure of them.

    Source: Mescheder et al., "Which training methods for GANs do actually converge?", 2018, eq. 9.
    """
    real = real.detach().requires_grad_(True)
    judged = sum(scale[-1].mean((1, 2, 3)).sum() for scale in judge(real))
    (slope,) = torch.autograd.grad(judged, real, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def adversarial(fake: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the generator."""
    return -sum(f[-1].mean() for f in fake) / len(fake)


def feature_matching(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """L1 between the discriminator's features: also our perceptual loss. Source: Wang et al., pix2pixHD, 2018, eq. 4."""
    terms = [F.l1_loss(f, r.detach()) for rs, fs in zip(real, fake, strict=True) for r, f in zip(rs[:-1], fs[:-1])]
    return sum(terms) / len(terms)

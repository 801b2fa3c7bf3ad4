"""The default generator's network: a VAE-GAN on a geometric motion prior.

Letters: B batch, S = 256 the network's picture, G = 128 the grid of motion and maps, K = 3 candidate motions. Pictures are
float32 in [-1, 1]; motion is in crop units [0, 1] (see `visiongen.flow`).

Once per portrait, `encode` gives mean and variance of a spatial latent, two skip features, and the portrait in the sizes in
which it is moved. Per frame, `move` mixes the candidate motions and adds a learned residual; `decode` warps latent and
features, and paints; `compose` blends the painting with the moved portrait and the still background. With its last layers
at zero the network is the geometric prior, so training starts from the warp and not from noise. What is painted has half the
picture's resolution: detail comes from the portrait, and painting finer changed no score (docs/training.md).

Sources: spatial latent and KL: Rombach et al., "High-resolution image synthesis with latent diffusion models", 2022;
candidate motions with learned masks and occlusion: Siarohin et al., "First order motion model for image animation",
2019; blending the painting with the warped source: Zakharov et al., "Fast bi-layer neural synthesis", 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from visiongen.flow import CANDIDATES, GRID, MAPS, SOURCE_MAPS

SIZE = 256
"""Side of the network's pictures, px."""
PREFERENCE_FLOOR = 0.02
"""The least weight of a candidate that the prior leaves to the network to change."""
MEASURED_PREFERENCE = 3.0
"""Where the motion was measured, new content and the still background start this much (logits) behind the moved portrait."""


@dataclass(frozen=True, kw_only=True)
class VaeGanConfig:
    """Widths of the network; saved with its weights."""

    latent: int = 48
    """Channels of the latent, 32 x 32."""
    encoder: tuple[int, int, int] = (24, 48, 64)
    """Channels at 128, 64 and 32; the first two are also the skip features' widths before reduction."""
    skips: tuple[int, int] = (8, 24)
    """Channels of the skip features at 128 and at 64."""
    motion: tuple[int, int, int, int] = (32, 48, 64, 96)
    """Channels of the motion U-Net at 64, 32, 16 and 8."""
    decoder: tuple[int, int, int] = (64, 32, 16)
    """Channels of the decoder at 32, 64 and 128."""
    residual_motion: bool = True
    """Add learned motion to the geometric candidates (off for the ablation)."""
    geometric_prior: bool = True
    """Start the candidates' weights from the geometric prior (off for the ablation)."""


class PortraitCode(NamedTuple):
    """What is computed once per portrait."""

    mean: Tensor  # (B, latent, 32, 32)
    log_variance: Tensor  # (B, latent, 32, 32)
    near: Tensor  # (B, 3 + skips[0], 128, 128): the portrait, shrunk, and the fine skip features
    middle: Tensor  # (B, skips[1], 64, 64)
    small: Tensor  # (B, 4, 64, 64): the portrait and its matte


class Motion(NamedTuple):
    """What `move` finds for a frame."""

    flow: Tensor  # (B, G, G, 2) crop units
    weights: Tensor  # (B, K, G, G), sum 1
    residual: Tensor  # (B, 2, 64, 64) crop units
    occlusion: Tensor  # (B, 1, 64, 64) in (0, 1): 1 where the portrait shows what is needed
    coarse: Tensor  # (B, motion[0], 64, 64) features
    deep: Tensor  # (B, motion[1], 32, 32) features
    trust: Tensor  # (B, 1, G, G) in [0, 1]: the motion was measured there (`visiongen.registration`)


class Painting(NamedTuple):
    """What `decode` paints for a frame."""

    colour: Tensor  # (B, 3, G, G) about [-1, 1], new content
    shading: Tensor  # (B, 3, G, G) added to the moved portrait
    blend: Tensor  # (B, 3, G, G) weights of moved portrait, new content, still background; sum 1


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps (or halves) the size; He initialisation, since there is no normalisation."""
    layer = nn.Conv2d(inputs, outputs, 3, stride, 1)
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    nn.init.zeros_(layer.bias)
    return layer


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """`layer` with all weights zero: its output starts as its bias."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class Residual(nn.Module):
    """x + conv(relu(conv(relu(x)))), the second convolution starting at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = conv(width, width), zeroed(conv(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(F.relu(self.first(F.relu(x)), inplace=True)).add_(x)


class Upsampling(nn.Sequential):
    """A 1 x 1 convolution to twice the size, smoothed by [1, 2, 1] / 4 along both axes.

    What differs between the four pixels that come from one, the same everywhere, is a grid in the picture; the smoothing has
    its zero there. Source: Odena et al., "Deconvolution and checkerboard artifacts", 2016; Sugawara et al., "Checkerboard
    artifacts free convolutional neural networks", 2019.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2))
        smooth = torch.tensor([1.0, 2.0, 1.0]) / 4
        kernel = (smooth[:, None] * smooth).expand(outputs, 1, 3, 3)
        self.register_buffer("kernel", kernel.contiguous(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, outputs, 2h, 2w)."""
        return F.conv2d(super().forward(x), self.kernel, padding=1, groups=len(self.kernel))


class VaeGan(nn.Module):
    """Encoder, motion network and decoder."""

    def __init__(self, config: VaeGanConfig) -> None:
        super().__init__()
        self.config = config
        e128, e64, e32 = config.encoder
        self.encode_picture = conv(3, e128, 2)
        self.encode_fine = conv(e128 + len(SOURCE_MAPS) + 1, e128)
        self.encode_middle = nn.Sequential(
            conv(e128, e64, 2), nn.ReLU(inplace=True), conv(e64, e64), nn.ReLU(inplace=True)
        )
        self.encode_deep = nn.Sequential(
            conv(e64, e32, 2), nn.ReLU(inplace=True), conv(e32, e32), nn.ReLU(inplace=True)
        )
        self.to_latent = nn.Conv2d(e32, 2 * config.latent, 1)
        self.to_fine = nn.Conv2d(e128, config.skips[0], 1)
        self.to_middle = nn.Conv2d(e64, config.skips[1], 1)

        m64, m32, m16, m8 = config.motion
        views = 3 * len(CANDIDATES) + 2  # the portrait as each candidate moves it; its matte, moved and still
        self.motion_in = conv(len(MAPS) + views, m64)
        self.motion_down = nn.ModuleList(
            nn.Sequential(conv(a, b, 2), nn.ReLU(inplace=True), conv(b, b), nn.ReLU(inplace=True))
            for a, b in ((m64, m32), (m32, m16))
        )
        self.motion_deepest = nn.Sequential(
            conv(m16, m8, 2), nn.ReLU(inplace=True), conv(m8, m8), nn.ReLU(inplace=True)
        )
        self.motion_up = nn.ModuleList(
            nn.Sequential(conv(a + b, b), nn.ReLU(inplace=True)) for a, b in ((m8, m16), (m16, m32), (m32, m64))
        )
        self.motion_out = zeroed(conv(m64, len(CANDIDATES) + 3))

        d32, d64, d128 = config.decoder
        self.paint_in = conv(config.latent + m32, d32)
        self.paint_deep = nn.Sequential(Residual(d32), nn.ReLU(inplace=True))
        self.paint_up64 = Upsampling(d32, d64)
        self.paint_middle = nn.Sequential(conv(d64 + config.skips[1] + m64, d64), Residual(d64), nn.ReLU(inplace=True))
        self.paint_up128 = Upsampling(d64, d128)
        self.paint_fine = nn.Sequential(
            conv(d128 + config.skips[0] + len(MAPS) + 3, d128), Residual(d128), nn.ReLU(inplace=True)
        )
        self.paint_out = conv(d128, 3 + 3 + 2)
        with torch.no_grad():  # shading and blend start at nothing
            self.paint_out.weight[3:].zero_()
            self.paint_out.weight[:3].mul_(0.1)
            self.paint_out.bias[6:] = torch.tensor([-2.0, -4.0])

    def encode(self, picture: Tensor, source_maps: Tensor, matte: Tensor) -> PortraitCode:
        """
        Args:
            picture: (B, 3, S, S) in [-1, 1].
            source_maps: (B, 4, G, G), `visiongen.flow.SOURCE_MAPS`.
            matte: (B, 1, G, G) in [0, 1], the person.
        """
        x = torch.cat(
            [F.relu(self.encode_picture(picture), inplace=True), source_maps, matte], 1
        )  # (B, e128 + 5, 128, 128)
        fine = F.relu(self.encode_fine(x), inplace=True)
        middle = self.encode_middle(fine)  # (B, e64, 64, 64)
        mean, log_variance = self.to_latent(self.encode_deep(middle)).chunk(2, 1)
        near = torch.cat([F.avg_pool2d(picture, SIZE // GRID), self.to_fine(fine)], 1)
        small = torch.cat([F.avg_pool2d(picture, SIZE // 64), F.avg_pool2d(matte, GRID // 64)], 1)
        return PortraitCode(mean, log_variance.clamp(-12, 6), near, self.to_middle(middle), small)

    def move(self, code: PortraitCode, candidates: Tensor, prior: Tensor, maps: Tensor) -> Motion:
        """
        Args:
            code: From `encode`.
            candidates: (B, K, G, G, 2); prior: (B, K, G, G); maps: (B, 12, G, G): `visiongen.flow.DenseMotion`.
        """
        grids = [shrink_flow(candidates[:, CANDIDATES.index(name)]) for name in ("head", "shift")]  # (B, 64, 64, 2)
        head, shift = warp(code.small, grids[0]), warp(code.small[:, :3], grids[1])
        still = code.small.contiguous(memory_format=torch.channels_last)  # one odd layout would make all of them so
        x = torch.cat([F.avg_pool2d(maps, GRID // 64), head, still, shift], 1)  # (B, 12 + 11, 64, 64)
        skips = [F.relu(self.motion_in(x), inplace=True)]
        for down in self.motion_down:
            skips.append(down(skips[-1]))
        x = self.motion_deepest(skips[-1])  # (B, m8, 8, 8)
        features = []
        for up, skip in zip(self.motion_up, reversed(skips), strict=True):
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0), skip], 1))
            features.append(x)
        # Few planes, on which no convolution works, are faster one after the other than pixel by pixel.
        out = self.motion_out(x).contiguous()
        change, larger_residual = enlarge(out[:, :-1]).split([len(CANDIDATES), 2], 1)  # (B, K, G, G), (B, 2, G, G)
        if not self.config.geometric_prior:
            prior = torch.full_like(prior, 1 / len(CANDIDATES))
        trust = prior[:, CANDIDATES.index("shift"), None]  # the landmarks' own prior never gives it any weight
        unsure = 1 - trust  # what was measured is not for the network to guess
        weights = (torch.log(prior + PREFERENCE_FLOOR) + unsure * change).softmax(1)
        flow = (weights[..., None] * candidates).sum(1)  # (B, G, G, 2)
        step = 0.1 if self.config.residual_motion else 0.0
        flow = flow + (step * unsure * larger_residual).permute(0, 2, 3, 1)
        residual = step * out[:, len(CANDIDATES) : -1]
        return Motion(flow, weights, residual, torch.sigmoid(out[:, -1:] + 2), x, features[1], trust)

    def decode(self, code: PortraitCode, latent: Tensor, motion: Motion, maps: Tensor) -> Painting:
        """
        Args:
            code: From `encode`.
            latent: (B, latent, 32, 32): the mean, or a sample in training.
            maps: (B, 12, G, G); motion: from `move`.
        """
        flow64 = shrink_flow(motion.flow)
        flow32 = shrink_flow(flow64)
        latent = warp(latent, flow32) * F.avg_pool2d(motion.occlusion, 2)
        x = self.paint_deep(self.paint_in(torch.cat([latent, motion.deep], 1)))  # (B, d32, 32, 32)
        middle = warp(code.middle, flow64) * motion.occlusion
        x = self.paint_middle(torch.cat([self.paint_up64(x), middle, motion.coarse], 1))  # (B, d64, 64, 64)
        near = warp(code.near, motion.flow)
        x = self.paint_fine(torch.cat([self.paint_up128(x), near, maps], 1))  # (B, d128, 128, 128)
        colour, shading, logits = self.paint_out(x).contiguous().split([3, 3, 2], 1)
        logits = logits - MEASURED_PREFERENCE * motion.trust
        blend = torch.cat([torch.zeros_like(logits[:, :1]), logits], 1).softmax(1)
        return Painting(near[:, :3].contiguous() + colour, shading, blend)  # new content starts as the moved portrait

    def forward(self, portrait: dict[str, Tensor], frame: dict[str, Tensor], *, sample: bool = True):
        """The whole way, for training.

        Args:
            portrait: picture, background (B, 3, S, S); source_maps (B, 4, G, G); matte (B, 1, G, G).
            frame: candidates, prior, maps.
            sample: Draw the latent (training) instead of taking its mean.
        Returns:
            (picture (B, 3, S, S), moved portrait, PortraitCode, Motion, Painting).
        """
        code = self.encode(portrait["picture"], portrait["source_maps"], portrait["matte"])
        noise = torch.randn_like(code.mean) * torch.exp(0.5 * code.log_variance) if sample else 0
        motion = self.move(code, **frame)
        painting = self.decode(code, code.mean + noise, motion, frame["maps"])
        moved = warp(portrait["picture"], enlarge_flow(motion.flow), mode="bicubic")  # as sharp as the generator's
        return compose(moved, portrait["background"], painting), moved, code, motion, painting


def layers(painting: Painting, share: float = 1.0) -> Tensor:
    """(B, 5, G, G): new light and content, already weighted, and the weights of the moved portrait and of the background.

    Weighted before they are enlarged: five layers instead of nine, and no fringes where weights change.

    Args:
        painting: From `decode`.
        share: How much of it is used; what is not painted stays the moved portrait.
    """
    own, new, still = painting.blend.split(1, 1)
    own = own + (1 - share) * new
    return torch.cat([share * (own * painting.shading + new * painting.colour), own, still], 1)


def compose(moved: Tensor, background: Tensor, painting: Painting) -> Tensor:
    """(B, 3, S, S): moved portrait with shading, new content and still background, blended."""
    light, own, still = enlarge(layers(painting)).split([3, 1, 1], 1)
    return own * moved + light + still * background


def warp(x: Tensor, flow: Tensor, *, mode: str = "bilinear") -> Tensor:
    """`x` (B, C, h, w) sampled at `flow` (B, h', w', 2), crop units."""
    moved = F.grid_sample(x, flow * 2 - 1, mode=mode, padding_mode="border", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)  # grid_sample forgets it; convolutions are faster so


def enlarge(x: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C, 2h, 2w)."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def shrink_flow(flow: Tensor) -> Tensor:
    """(B, h, w, 2) -> (B, h/2, w/2, 2); the mean of four positions is the position of the larger pixel."""
    return F.avg_pool2d(flow.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


def enlarge_flow(flow: Tensor) -> Tensor:
    """(B, h, w, 2) -> (B, 2h, 2w, 2), by interpolating displacements: positions stay exact at the border."""
    size = flow.shape[1]
    displacement = flow - centres(size, flow)
    return enlarge(displacement.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) + centres(2 * size, flow)


def centres(size: int, like: Tensor) -> Tensor:
    """(size, size, 2) pixel centres in crop units."""
    axis = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Widths of the discriminator; saved with its weights."""

    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of its layers, each of half the size of the one before."""
    scales: int = 2
    """Sizes of the picture it looks at, each half of the one before."""


class PatchDiscriminator(nn.Module):
    """Judges patches at two scales; also gives its features, for feature matching and as perceptual features.

    Source: Isola et al. 2017 (PatchGAN); Wang et al., pix2pixHD, 2018 (scales, feature matching).
    """

    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or DiscriminatorConfig()
        self.scales = nn.ModuleList(self._one(self.config.widths) for _ in range(self.config.scales))

    @staticmethod
    def _one(widths: tuple[int, ...]) -> nn.ModuleList:
        layers, before = nn.ModuleList(), 3
        for width in widths:
            layers.append(nn.utils.parametrizations.spectral_norm(nn.Conv2d(before, width, 4, 2, 1)))
            before = width
        layers.append(nn.utils.parametrizations.spectral_norm(nn.Conv2d(before, 1, 3, 1, 1)))
        return layers

    def forward(self, picture: Tensor) -> list[list[Tensor]]:
        """For each scale the features of every layer; the last one is the judgement, > 0 for real."""
        results = []
        for layers in self.scales:
            features, x = [], picture
            for layer in layers[:-1]:
                x = F.leaky_relu(layer(x), 0.2)
                features.append(x)
            results.append([*features, layers[-1](x)])
            picture = F.avg_pool2d(picture, 2)
        return results

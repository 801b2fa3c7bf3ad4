"""Trains a `visiongen.models.drawing_nets.UNet` on what was drawn by chance, and on what is known of photographs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visiongen import media
from visiongen.errors import MediaError
from visiongen.faces import find_faces, with_longer_side
from visiongen.generators.precision import has_bfloat16
from visiongen.landmarks import FaceMesh
from visiongen.models.drawing_nets import UNet, even

logger = logging.getLogger(__name__)
_LOOKED_AT = 800
"""Longer side of a picture in which its face is looked for, px."""
_BATCH, _REAL = 64, 20
"""Samples of a step, and how many of them are not drawn."""
_RATE = 3e-3


@dataclass(frozen=True)
class Samples:
    """N patches of S x S px, and what they show in L layers."""

    patch: np.ndarray
    """(N, S, S, 3) uint8."""
    layers: np.ndarray
    """(N, S, S, L) uint8, 255 where it is shown."""
    unknown: tuple[int, ...] = field(default=(), kw_only=True)
    """Layers of which nothing is known."""


class View(NamedTuple):
    """What a network sees of a patch."""

    side: int
    """px."""
    zoom: float
    """Its side as a share of the patch's."""
    scale: float = 0.18
    """By how much, as a logarithm, one is larger or smaller."""
    turn: float = 0.17
    """Radians by which one is turned, at most."""
    shift: float = 0.14
    """Share of half a patch by which one is beside its middle, at most."""
    mirrored: bool = False
    """Whether left may be right."""


def found_faces(pictures: Iterable[Path]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pictures (H, W, 3) and landmarks (478, 3) px of their largest face; of pictures without a face none."""
    with FaceMesh() as mesh:
        for path in pictures:
            try:
                image = with_longer_side(media.read_picture(path), _LOOKED_AT)
            except MediaError as error:
                logger.warning("%s", error)
                continue
            yield from ((image, face.landmarks) for face in find_faces(image, mesh=mesh)[:1])


def pictures_in(folders: Iterable[Path]) -> list[Path]:
    """All files of folders."""
    return [path for folder in folders for path in sorted(folder.glob("*.*"))]


def train(net: UNet, drawn: Samples, real: Samples, *, view: View, steps: int, seed: int = 0) -> UNet:
    """The network, trained on both kinds of samples."""
    chance = torch.Generator().manual_seed(seed)
    net = net.to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=1e-3)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        pictures, wanted, known = batch(drawn, real, view, chance)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(torch.device("cpu"))):
            seen = net(pictures.contiguous(memory_format=torch.channels_last))
        loss = _loss(seen.float(), wanted, known)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 0:
            logger.info("step %d/%d loss %.4f", step, steps, loss)
    return net.eval()


def _loss(seen: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy, and half of the Dice loss (Milletari et al. 2016), which does not forget what is small."""
    likely, share = torch.sigmoid(seen), known / known.mean()
    both, all_of_it = (likely * wanted).sum((2, 3)), likely.sum((2, 3)) + wanted.sum((2, 3))
    dice = 1 - (2 * both + 20) / (all_of_it + 20)
    entropy = functional.binary_cross_entropy_with_logits(seen, wanted, reduction="none").mean((2, 3))
    return (share * (entropy + 0.5 * dice)).mean()


def batch(drawn: Samples, real: Samples, view: View, chance: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (B, 3, side, side), what is wanted (B, L, side, side), and (B, L) 1 where that is known; each placed, lit and
    blurred in another way."""
    layers, known = [], torch.ones(_BATCH, drawn.layers.shape[-1])
    known[_BATCH - _REAL :, list(real.unknown)] = 0
    for samples, count in ((drawn, _BATCH - _REAL), (real, _REAL)):
        chosen = torch.randint(len(samples.patch), (count,), generator=chance).numpy()
        planes = np.concatenate([samples.patch[chosen], samples.layers[chosen]], -1)
        layers.append(torch.from_numpy(planes).permute(0, 3, 1, 2).float())
    both = torch.cat(layers)

    def spread(*shape: int) -> Tensor:
        return 2 * torch.rand(shape, generator=chance) - 1

    scale = view.zoom * torch.exp(view.scale * spread(_BATCH))
    turn, shift = view.turn * spread(_BATCH), view.shift * spread(_BATCH, 2)
    c, s = scale * turn.cos(), scale * turn.sin()
    way = torch.sign(spread(_BATCH)) if view.mirrored else torch.ones(_BATCH)
    rows = [torch.stack([way * c, -s, shift[:, 0]], 1), torch.stack([way * s, c, shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), [*both.shape[:2], view.side, view.side], align_corners=False)
    both = functional.grid_sample(both, grid, align_corners=False, padding_mode="border")
    picture, wanted = both[:, :3], both[:, 3:] / 255

    def some(share: float) -> Tensor:
        return (torch.rand((_BATCH, 1, 1, 1), generator=chance) < share).float()

    picture = torch.lerp(picture, picture.mean(1, keepdim=True).expand_as(picture), some(0.15))
    picture = picture * torch.exp(0.25 * spread(_BATCH, 3, 1, 1)) + 25 * spread(_BATCH, 1, 1, 1)
    side = int(view.side * (0.375 + 0.5 * torch.rand(1, generator=chance)))
    coarse = functional.interpolate(picture, size=side, mode="bilinear", antialias=True)
    picture = torch.lerp(picture, functional.interpolate(coarse, size=view.side, mode="bilinear"), some(0.3))
    noise = torch.randn(picture.shape, generator=chance) * 10 * torch.rand((_BATCH, 1, 1, 1), generator=chance)
    picture = picture + noise * some(0.5)
    return even(torch.lerp(picture, 255 - picture, some(0.03))), wanted, known

"""Trains what finds drawn eyes: ``python -m visiongen.training.eye_net PHOTOGRAPHS [--grounds DRAWINGS]``.

Seven in ten samples are eyes that `visiongen.training.chance_eyes` draws, over plain skin or over the eye of a picture, and
know where they open. The rest are eyes of photographs and paintings, which the face mesh knows: where it is right, the network
shall say the same.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from visiongen import media
from visiongen.drawn_eyes import EXTENT, eye_patch
from visiongen.drawn_eyes import SIDE as SEEN
from visiongen.errors import MediaError
from visiongen.eyeballs import EYES
from visiongen.faces import find_faces, with_longer_side
from visiongen.landmarks import FaceMesh
from visiongen.models.eye_net import WEIGHTS, EyeNet, even
from visiongen.models.small_nets import save_small_net
from visiongen.training.chance_eyes import EXTENT as PATCH_EXTENT
from visiongen.training.chance_eyes import SIDE, DrawnEye

logger = logging.getLogger(__name__)
_LOOKED_AT = 800
"""Longer side of a picture in which its face is looked for, px."""
_OVER_PICTURES = 0.6
"""Share of drawn eyes that are drawn over a picture's."""
_BATCH, _REAL = 64, 20
"""Samples of a step, and how many of them are not drawn."""
_RATE = 3e-3


@dataclass(frozen=True)
class Eyes:
    """N eyes, right ones or mirrored left ones."""

    patch: np.ndarray
    """(N, SIDE, SIDE, 3) uint8."""
    opening: np.ndarray
    """(N, SIDE, SIDE) uint8, 255 between the lids."""
    iris: np.ndarray
    """(N, SIDE, SIDE) uint8, 255 where the iris is seen."""
    ring: np.ndarray | None = None
    """(N, 16, 2) lids, px, of those that the face mesh saw."""


def real_eyes(pictures: Iterable[Path]) -> Eyes:
    """Eyes of pictures, as the face mesh sees them; of pictures without a face none."""
    found = []
    with FaceMesh() as mesh:
        for path in pictures:
            try:
                image = with_longer_side(media.read_picture(path), _LOOKED_AT)
            except MediaError as error:
                logger.warning("%s", error)
                continue
            found += [_real(image, face.landmarks, eye) for face in find_faces(image, mesh=mesh)[:1] for eye in EYES]
    return Eyes(*map(np.array, zip(*found)))


def _real(image: np.ndarray, landmarks: np.ndarray, eye) -> tuple[np.ndarray, ...]:
    lids, rim = eye
    patch = eye_patch(image, landmarks, lids, side=SIDE, extent=PATCH_EXTENT)
    ring, gaze = (patch.placed(landmarks[list(marks)]) for marks in (lids, rim))
    opening, iris = np.zeros((2, SIDE, SIDE), np.uint8)
    cv2.fillPoly(opening, [np.round(ring * 16 - 8).astype(np.int32)], 255, cv2.LINE_AA, 4)
    middle = tuple(np.round(gaze[0] * 16 - 8).astype(int).tolist())
    radius = np.linalg.norm(gaze[1:] - gaze[0], axis=1).mean()
    cv2.circle(iris, middle, round(radius * 16), 255, -1, cv2.LINE_AA, 4)
    return patch.pixels, opening, np.minimum(iris, opening), ring


def drawn_eyes(count: int, grounds: Eyes, *, seed: int = 0) -> Eyes:
    """So many eyes drawn by chance, some over those of `grounds`."""
    rng = np.random.default_rng(seed)
    patch, opening, iris = np.empty((count, SIDE, SIDE, 3), np.uint8), *np.empty((2, count, SIDE, SIDE), np.uint8)
    for i in range(count):
        k = rng.integers(len(grounds.patch)) if len(grounds.patch) and rng.random() < _OVER_PICTURES else None
        eye = DrawnEye(*((None, None) if k is None else (grounds.patch[k], grounds.ring[k])), rng)
        patch[i], *shares = eye.draw()
        opening[i], iris[i] = (np.round(255 * share) for share in shares)
    return Eyes(patch, opening, iris)


def train(drawn: Eyes, real: Eyes, *, steps: int, seed: int = 0) -> EyeNet:
    """A network trained on both."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    net = EyeNet()
    optimiser = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=1e-3)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        pictures, wanted = _batch(drawn, real, chance)
        loss = _loss(net(pictures), wanted)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        if step % 100 == 0:
            logger.info("step %d/%d loss %.4f", step, steps, loss)
    return net.eval()


def _loss(seen: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy, and half of the Dice loss (Milletari et al. 2016), which does not forget small irises."""
    likely = torch.sigmoid(seen)
    both, all_of_it = (likely * wanted).sum((2, 3)), likely.sum((2, 3)) + wanted.sum((2, 3))
    dice = 1 - (2 * both + 20) / (all_of_it + 20)
    return functional.binary_cross_entropy_with_logits(seen, wanted) + 0.5 * dice.mean()


def _batch(drawn: Eyes, real: Eyes, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs (B, 3, SEEN, SEEN) and what is wanted (B, 2, SEEN, SEEN), each placed, lit and blurred in another way."""
    layers = []
    for eyes, count in ((drawn, _BATCH - _REAL), (real, _REAL)):
        chosen = torch.randint(len(eyes.patch), (count,), generator=chance).numpy()
        planes = [eyes.patch[chosen], eyes.opening[chosen, ..., None], eyes.iris[chosen, ..., None]]
        layers.append(torch.from_numpy(np.concatenate(planes, -1)).permute(0, 3, 1, 2).float())
    both = torch.cat(layers)

    def spread(*shape: int) -> Tensor:
        return 2 * torch.rand(shape, generator=chance) - 1

    scale = EXTENT / PATCH_EXTENT * torch.exp(0.18 * spread(_BATCH))
    turn, shift = 0.17 * spread(_BATCH), 0.14 * spread(_BATCH, 2)
    c, s = scale * turn.cos(), scale * turn.sin()
    placed = torch.stack([torch.stack([c, -s, shift[:, 0]], 1), torch.stack([s, c, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(placed, [_BATCH, 5, SEEN, SEEN], align_corners=False)
    both = functional.grid_sample(both, grid, align_corners=False, padding_mode="border")
    picture, wanted = both[:, :3], both[:, 3:] / 255

    def some(share: float) -> Tensor:
        return (torch.rand((_BATCH, 1, 1, 1), generator=chance) < share).float()

    picture = torch.lerp(picture, picture.mean(1, keepdim=True).expand_as(picture), some(0.15))
    picture = picture * torch.exp(0.25 * spread(_BATCH, 3, 1, 1)) + 25 * spread(_BATCH, 1, 1, 1)
    side = int(24 + 32 * torch.rand(1, generator=chance))
    coarse = functional.interpolate(picture, size=side, mode="bilinear", antialias=True)
    picture = torch.lerp(picture, functional.interpolate(coarse, size=SEEN, mode="bilinear"), some(0.3))
    noise = torch.randn(picture.shape, generator=chance) * 10 * torch.rand((_BATCH, 1, 1, 1), generator=chance)
    picture = picture + noise * some(0.5)
    return even(torch.lerp(picture, 255 - picture, some(0.03))), wanted


def _pictures(folders: Iterable[Path]) -> list[Path]:
    return [path for folder in folders for path in sorted(folder.glob("*.*"))]


def main() -> None:
    """Reads the arguments, trains, writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path, nargs="+", help="folders of pictures whose eyes the face mesh knows")
    parser.add_argument("--grounds", type=Path, nargs="*", default=[], help="folders of further pictures to draw over")
    parser.add_argument("--drawn", type=int, default=24000, help="how many eyes are drawn")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", type=Path, help="file to write; default: the shipped one")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    real = real_eyes(_pictures(asked.photographs))
    more = real_eyes(_pictures(asked.grounds)) if asked.grounds else None
    grounds = (
        real if more is None else Eyes(*(np.concatenate([getattr(e, n) for e in (real, more)]) for n in vars(real)))
    )
    logger.info("%d eyes of pictures, %d more to draw over", len(real.patch), 0 if more is None else len(more.patch))
    save_small_net(train(drawn_eyes(asked.drawn, grounds), real, steps=asked.steps), asked.out or WEIGHTS)


if __name__ == "__main__":
    main()

"""Trains what finds drawn eyes: ``python -m visiongen.training.eye_net PHOTOGRAPHS [--grounds DRAWINGS]``.

Seven in ten samples are eyes that `visiongen.training.chance_eyes` draws, over plain skin or over the eye of a picture, and
know where they open. The rest are eyes of photographs and paintings, which the face mesh knows: where it is right, the network
shall say the same.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from visiongen.drawn_eyes import EXTENT
from visiongen.drawn_eyes import SIDE as SEEN
from visiongen.eyeballs import EYES
from visiongen.models.drawing_nets import EYES as WEIGHTS
from visiongen.models.drawing_nets import UNet
from visiongen.models.small_nets import save_small_net
from visiongen.patches import eye_patch
from visiongen.training.chance_eyes import EXTENT as PATCH_EXTENT
from visiongen.training.chance_eyes import SIDE, DrawnEye
from visiongen.training.segments import Samples, View, found_faces, pictures_in, train

logger = logging.getLogger(__name__)
_OVER_PICTURES = 0.6
"""Share of drawn eyes that are drawn over a picture's."""
VIEW = View(SEEN, EXTENT / PATCH_EXTENT)


@dataclass(frozen=True)
class Eyes(Samples):
    """N eyes, right ones or mirrored left ones; layers: between the lids, iris."""

    ring: np.ndarray
    """(N, 16, 2) lids, px."""


def real_eyes(pictures: Iterable[Path]) -> Eyes:
    """Eyes of pictures, as the face mesh sees them; of pictures without a face none."""
    found = [_real(image, landmarks, eye) for image, landmarks in found_faces(pictures) for eye in EYES]
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
    return patch.pixels, np.stack([opening, np.minimum(iris, opening)], -1), ring


def drawn_eyes(count: int, grounds: Eyes, *, seed: int = 0) -> Samples:
    """So many eyes drawn by chance, some over those of `grounds`."""
    rng = np.random.default_rng(seed)
    made = Samples(np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty((count, SIDE, SIDE, 2), np.uint8))
    for i in range(count):
        k = rng.integers(len(grounds.patch)) if len(grounds.patch) and rng.random() < _OVER_PICTURES else None
        eye = DrawnEye(*((None, None) if k is None else (grounds.patch[k], grounds.ring[k])), rng)
        made.patch[i], *shares = eye.draw()
        made.layers[i] = np.round(255 * np.stack(shares, -1))
    return made


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
    real = real_eyes(pictures_in(asked.photographs))
    more = real_eyes(pictures_in(asked.grounds)) if asked.grounds else None
    grounds = (
        real if more is None else Eyes(*(np.concatenate([getattr(e, n) for e in (real, more)]) for n in vars(real)))
    )
    logger.info("%d eyes of pictures, %d more to draw over", len(real.patch), 0 if more is None else len(more.patch))
    torch.manual_seed(0)
    net = train(UNet(), drawn_eyes(asked.drawn, grounds), real, view=VIEW, steps=asked.steps)
    save_small_net(net, asked.out or WEIGHTS)


if __name__ == "__main__":
    main()

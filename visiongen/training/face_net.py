"""Trains what finds jaws and mouths of drawings: ``python -m visiongen.training.face_net PHOTOGRAPHS``.

Seven in ten samples are faces that `visiongen.training.chance_faces` draws, before something plain or a piece of a picture, and
know where they end and where their mouth is. The rest are faces of photographs and paintings, which the face mesh knows.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch

from visiongen.drawn_faces import EXTENT
from visiongen.drawn_faces import SIDE as SEEN
from visiongen.landmarks import FACE_OVAL, INNER_LIPS, OUTER_LIPS
from visiongen.models.drawing_nets import FACES as WEIGHTS
from visiongen.models.drawing_nets import UNet, UNetConfig
from visiongen.models.small_nets import save_small_net
from visiongen.patches import face_patch
from visiongen.training.chance_faces import EXTENT as PATCH_EXTENT
from visiongen.training.chance_faces import SIDE, DrawnFace
from visiongen.training.chance_mouths import LEAST_OPENING
from visiongen.training.segments import Samples, View, found_faces, pictures_in, train

logger = logging.getLogger(__name__)
_BEFORE_PICTURES = 0.4
"""Share of drawn faces that are drawn before a piece of a picture."""
_PIECE = 0.35
"""Side of that piece, of a patch."""
_PART = 2600
"""Faces that one process draws."""
VIEW = View(SEEN, EXTENT / PATCH_EXTENT, scale=0.2, turn=0.25, shift=0.16, mirrored=True)
CONFIG = UNetConfig(layers=4, fine=12, deepest=80)


def real_faces(pictures: Iterable[Path]) -> Samples:
    """Faces of pictures, as the face mesh sees them; of pictures without a face none."""
    found = [_real(image, landmarks) for image, landmarks in found_faces(pictures)]
    return Samples(*map(np.array, zip(*found)), unknown=(3,))


def _real(image: np.ndarray, landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    patch = face_patch(image, landmarks, side=SIDE, extent=PATCH_EXTENT)
    layers = np.zeros((4, SIDE, SIDE), np.uint8)
    for layer, ring in zip(layers, (FACE_OVAL, OUTER_LIPS, INNER_LIPS)):
        corners = np.round(patch.placed(landmarks[list(ring)]) * 16 - 8).astype(np.int32)
        cv2.fillPoly(layer, [corners], 255, cv2.LINE_AA, 4)
        if ring is INNER_LIPS:
            thick = max(1, round(LEAST_OPENING * SIDE / PATCH_EXTENT))
            cv2.polylines(layer, [corners[:11]], False, 255, thick, cv2.LINE_AA, 4)
    return patch.pixels, layers.transpose(1, 2, 0)


def drawn_faces(count: int, grounds: np.ndarray, *, seed: int = 0) -> Samples:
    """So many faces drawn by chance, some before pieces of `grounds` (N, SIDE, SIDE, 3)."""
    rng = np.random.default_rng(seed)
    made = Samples(np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty((count, SIDE, SIDE, 4), np.uint8))
    for i in range(count):
        ground = None
        if len(grounds) and rng.random() < _BEFORE_PICTURES:
            side = round(_PIECE * SIDE)
            top, left = rng.integers(SIDE - side, size=2)
            piece = grounds[rng.integers(len(grounds)), top : top + side, left : left + side]
            ground = cv2.resize(piece, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        made.patch[i], shares = DrawnFace(ground, rng).draw()
        made.layers[i] = np.round(255 * np.stack(shares, -1))
    return made


def _drawn_at_once(count: int, grounds: np.ndarray) -> Samples:
    """`drawn_faces`, by all cores."""
    parts = [(min(_PART, count - first), first // _PART) for first in range(0, count, _PART)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        made = list(pool.map(_part, *zip(*parts), [grounds] * len(parts)))
    return Samples(*(np.concatenate([getattr(one, name) for one in made]) for name in ("patch", "layers")))


def _part(count: int, seed: int, grounds: np.ndarray) -> Samples:
    return drawn_faces(count, grounds, seed=seed)


def main() -> None:
    """Reads the arguments, trains, writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path, nargs="+", help="folders of pictures whose faces the face mesh knows")
    parser.add_argument("--drawn", type=int, default=10400, help="how many faces are drawn")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, help="file to write; default: the shipped one")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    real = real_faces(pictures_in(asked.photographs))
    logger.info("%d faces of pictures", len(real.patch))
    torch.manual_seed(0)
    net = train(UNet(CONFIG), _drawn_at_once(asked.drawn, real.patch), real, view=VIEW, steps=asked.steps)
    save_small_net(net, asked.out or WEIGHTS)


if __name__ == "__main__":
    main()

"""Trains what finds covered faces: ``python -m visiongen.training.occlusion CLIPS PICTURES``.

Faces of clips and pictures are covered with drawn and real things (`visiongen.training.occluders`) *before* their
landmarks are looked for, so that the landmarks err as they do behind a real hand. The network learns from the unwrapped
face, and from the same face's usual look in its clip, which cells of it are covered.
"""

from __future__ import annotations

import argparse
import copy
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from visiongen import media
from visiongen.diagnostics.cover_net import CoverConfig, CoverNet, cover_inputs, cover_net, save_cover_net
from visiongen.diagnostics.texture import CELLS, unwrapped
from visiongen.errors import MediaError
from visiongen.landmarks import FaceMesh
from visiongen.training.occluders import KINDS, covered

if TYPE_CHECKING:
    import torch
    from torch import Tensor

logger = logging.getLogger(__name__)
_FACE = 120
"""Width a face is brought to before something is drawn on it, px."""


@dataclass(frozen=True)
class Samples:
    """N faces: how they look, how they look usually, how they face the camera, what is covered."""

    texture: np.ndarray
    """(N, SIDE, SIDE, 3) uint8."""
    usual: np.ndarray
    """(N, SIDE, SIDE, 3) uint8."""
    facing: np.ndarray
    """(N, SIDE, SIDE) float32."""
    hidden: np.ndarray
    """(N, CELLS, CELLS) float32, share of the cell that is covered."""
    source: np.ndarray
    """(N,) which clip or picture it is of."""


def _faces_of(path: Path, mesh: FaceMesh, most: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures of one person with their landmarks, brought to one size: of a clip some frames, of a picture itself."""
    if path.suffix.lower() == ".mp4":
        clip = media.probe(path)
        every = max(1, (clip.num_frames or 100) // most)
        pictures = [
            frame for batch in media.read_frames(clip) for frame, t in zip(batch.pixels, batch.times)
            if round(t * float(clip.fps)) % every == 0
        ]  # fmt: skip
    else:
        pictures = [media.read_picture(path)]
    found = []
    for picture in pictures:
        faces = mesh(picture)
        if len(faces):
            zoom = _FACE / np.ptp(faces[0][:468, 0])
            small = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
            found.append((small, faces[0] * np.float32(zoom)))
    return found


def make_samples(paths: list[Path], *, per_face: int, most: int, seed: int = 0) -> Samples:
    """Covered and free faces of all `paths`."""
    rng = np.random.default_rng(seed)
    rows: list[tuple] = []
    strangers = [media.read_picture(p) for p in paths if p.suffix.lower() != ".mp4"][:60]
    with FaceMesh(max_faces=1) as mesh:
        for number, path in enumerate(paths):
            try:
                faces = _faces_of(path, mesh, most)
            except MediaError as error:
                logger.warning("%s", error)
                continue
            if faces:
                rows += [(*row, number) for row in _of_one(faces, strangers, mesh, per_face, rng)]
            if number % 50 == 0:
                logger.info("%d/%d: %d samples", number, len(paths), len(rows))
    return Samples(*(np.stack(part) for part in zip(*rows)))


def _of_one(faces, strangers, mesh: FaceMesh, per_face: int, rng: np.random.Generator) -> Iterator[tuple]:
    """Samples of one person, without the last entry of `Samples`."""
    clean = [unwrapped(image, points) for image, points in faces]
    usual = np.median([texture for texture, _ in clean], axis=0).astype(np.uint8)
    nothing = np.zeros((CELLS, CELLS), np.float32)
    for (image, points), (texture, facing) in zip(faces, clean):
        yield texture, usual, facing, nothing
        for _ in range(per_face):
            picture, alpha = covered(image, points, strangers, rng, KINDS[int(rng.integers(len(KINDS)))])
            seen = mesh(picture)
            if not len(seen):
                continue
            texture_now, facing_now = unwrapped(picture, seen[0])
            hidden, _ = unwrapped(np.round(255 * alpha).astype(np.uint8), seen[0])
            hidden = cv2.resize(hidden, (CELLS, CELLS), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
            # What covers a face in most of a clip is part of how it usually looks there.
            before = texture_now if rng.random() < 0.35 else usual
            yield texture_now, before, facing_now, hidden


def train(samples: Samples, *, config: CoverConfig, epochs: int, seed: int = 0, threads: int = 1) -> CoverNet:
    """A network trained on `samples`; every tenth person is kept out and judged on."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = np.random.default_rng(seed)
    net = CoverNet(config)
    held = samples.source % 10 == 3
    learn = np.flatnonzero(~held)
    batch, steps = 64, epochs * (len(learn) // 64)
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        loss = _learn(net, optimiser, _batch(samples, rng.choice(learn, batch, replace=False), rng))
        schedule.step()
        if step % 100 == 0:
            logger.info("step %d/%d loss %.4f, kept out %.4f", step, steps, loss, _held_loss(net, samples, held))
    net.eval()
    return net


def tune(
    net: CoverNet, samples: Samples, drawn: Samples, *, steps: int = 280, kept: float = 0.4, seed: int = 0,
    threads: int = 1,
) -> CoverNet:  # fmt: skip
    """A copy of `net` that knows drawn, painted and carved faces too, three in ten of every batch.

    A network that saw photographs only takes their smooth skin for a mask. The weights it had before count with `kept`:
    the mean of both finds what covers a real face as well as before.
    """
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    rng = np.random.default_rng(seed)
    tuned = copy.deepcopy(net).train()
    optimiser = torch.optim.AdamW(tuned.parameters(), lr=1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-3, total_steps=steps, pct_start=0.1)
    learn = [(part, count, np.flatnonzero(part.source % 10 != 3)) for part, count in ((samples, 45), (drawn, 19))]
    for _ in range(steps):
        batches = [_batch(part, rng.choice(indices, count, replace=False), rng) for part, count, indices in learn]
        _learn(tuned, optimiser, [torch.cat(parts) for parts in zip(*batches)])
        schedule.step()
    for part, name in ((samples, "photographs"), (drawn, "drawn")):
        losses = [_held_loss(one, part, part.source % 10 == 3) for one in (net, tuned)]
        logger.info("kept out, %s: %.4f before, %.4f tuned", name, *losses)
    before = net.state_dict()
    mixed = {
        name: kept * before[name] + (1 - kept) * value if value.is_floating_point() else value
        for name, value in tuned.state_dict().items()
    }
    tuned.load_state_dict(mixed)
    return tuned.eval()


def _learn(net: CoverNet, optimiser: torch.optim.Optimizer, batch: Sequence[Tensor]) -> float:
    """One step of training on inputs, target and weight; gives the loss."""
    from torch.nn import functional

    inputs, target, weight = batch
    loss = functional.binary_cross_entropy_with_logits(net(inputs), target, weight=weight)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def _batch(samples: Samples, chosen: np.ndarray, rng: np.random.Generator | None):
    """Inputs, target and weight of some samples; with `rng` in other light and mirrored."""
    import torch

    texture, usual = (array[chosen].astype(np.float32) for array in (samples.texture, samples.usual))
    facing, hidden = samples.facing[chosen], samples.hidden[chosen]
    if rng is not None:
        # How light the whole clip is cancels (see `cover_inputs`); one frame against the others does not.
        count = (len(chosen), 1, 1, 1)
        texture *= rng.normal(1, 0.07, count).astype(np.float32)
        texture *= rng.normal(1, 0.02, (len(chosen), 1, 1, 3)).astype(np.float32)
        texture += rng.standard_normal(texture.shape, np.float32) * rng.uniform(0, 5, count).astype(np.float32)
        np.clip(texture, 0, 255, out=texture)
        turn = rng.random(len(chosen)) < 0.5  # the unwrapped face is symmetric
        for array in (texture, usual, facing, hidden):
            array[turn] = array[turn][:, :, ::-1]
    inputs = cover_inputs(texture, usual, facing)
    near = cv2.resize(facing.transpose(1, 2, 0), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    weight = near.reshape(CELLS, CELLS, -1).transpose(2, 0, 1) > 0.05
    return inputs, torch.from_numpy(hidden), torch.from_numpy(weight.astype(np.float32))


def _held_loss(net: CoverNet, samples: Samples, held: np.ndarray) -> float:
    import torch
    from torch.nn import functional

    net.eval()
    with torch.no_grad():
        inputs, target, weight = _batch(samples, np.flatnonzero(held)[::3], None)
        loss = functional.binary_cross_entropy_with_logits(net(inputs), target, weight=weight).item()
    net.train()
    return loss


def main() -> None:
    """Reads the arguments, trains, writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", type=Path, help="folder of clips, one face each")
    parser.add_argument("pictures", type=Path, help="folder of pictures of faces")
    parser.add_argument("--cache", type=Path, help="file to keep the samples in")
    parser.add_argument("--drawn", type=Path, help="folder of drawn faces: tune the shipped network to them instead")
    parser.add_argument("--out", type=Path, help="file to write; default: the shipped one")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if asked.cache and asked.cache.exists():
        with np.load(asked.cache) as data:
            samples = Samples(*(data[name] for name in Samples.__dataclass_fields__))
    else:
        clips, pictures = sorted(asked.clips.glob("*.mp4")), sorted(asked.pictures.glob("*.*"))
        samples = make_samples(clips + pictures, per_face=3, most=12)
        if asked.cache:
            np.savez(asked.cache, **vars(samples))
    logger.info("%d samples", len(samples.source))
    if asked.drawn:
        drawn = make_samples(sorted(asked.drawn.glob("*.*")), per_face=7, most=1)
        net = tune(cover_net(), samples, drawn, threads=asked.threads)
    else:
        net = train(samples, config=CoverConfig(), epochs=asked.epochs, threads=asked.threads)
    save_cover_net(net, asked.out)


if __name__ == "__main__":
    main()

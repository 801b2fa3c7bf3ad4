"""Training data: preparation of a folder of clips and stills, and the endless stream of pairs drawn from it.

Prepared, every clip or still is a folder of three arrays: ``frames.npy`` (T, 256, 256, 3) uint8 RGB, ``landmarks.npy``
(T, 478, 3) float32 px (NaN: no face), ``matte.npy`` (T, 128, 128) uint8. A still has T = 1.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from visiongen import flow, warping
from visiongen.background import PersonMatte, still_background
from visiongen.errors import MediaError
from visiongen.hair import find_hair
from visiongen.landmarks import FaceMesh
from visiongen.models.vae_gan import SIZE
from visiongen.neck import AXIS
from visiongen.pose import face_model, fit_head
from visiongen.registration import registered
from visiongen.rotations import rotation_matrices

logger = logging.getLogger(__name__)
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
FARTHER, DRAWS = 0.5, 3
"""Share of the pairs of a clip whose second frame is the one, of so many drawn, whose head is turned farthest from the first:
most frames of most clips look nearly the same way."""
TURNED, ASIDE = 0.5, 15.0
"""Share of the stills that are turned away as well as moved, and the degrees of their own turn to the side from which on they
are turned toward the camera: such a still shows what a frontal portrait that turns must look like. It is drawn once more as
often for every so many degrees."""
_TURN, _MOST_TURN, _NOD = 14.0, 30.0, 6.0
"""Standard deviation of the other turns to the side, their limit, and standard deviation of their nods, degrees."""


def prepare(source: Path, target: Path, *, every: int = 2) -> int:
    """Prepares every video and picture below `source` into `target`; what is there already is left alone.

    Clips should show one face, stills be about twice the face's box; what is not square is padded by reflection.

    Args:
        source: Folder, searched recursively.
        target: Folder; made if missing.
        every: Take every n-th frame of a clip.
    Returns:
        Number of clips and stills now prepared.
    """
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES + PICTURE_SUFFIXES)
    done = 0
    with FaceMesh(max_faces=1) as mesh, PersonMatte() as matte:
        for file in files:
            folder = target / file.relative_to(source).with_suffix("")
            if not (folder / "matte.npy").exists():
                try:
                    _prepare_one(file, folder, every, mesh, matte)
                except MediaError as error:
                    logger.warning("left out: %s", error)
                    continue
            done += 1
    return done


def _prepare_one(file: Path, folder: Path, every: int, mesh: FaceMesh, matte: PersonMatte) -> None:
    from visiongen import media

    if file.suffix.lower() in PICTURE_SUFFIXES:
        pictures = iter([media.read_picture(file)])
    else:
        batches = media.read_frames(media.probe(file), batch_size=8)
        numbered = enumerate(picture for batch in batches for picture in batch.pixels)
        pictures = (picture for i, picture in numbered if i % every == 0)
    frames, landmarks, mattes = [], [], []
    for picture in pictures:
        height, width = picture.shape[:2]
        side = max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        square = cv2.copyMakeBorder(
            picture, top, side - height - top, left, side - width - left, cv2.BORDER_REFLECT_101
        )
        faces = mesh(square)
        small = cv2.resize(square, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        frames.append(small)
        landmarks.append(faces[0] * (SIZE / side) if len(faces) else np.full((478, 3), np.nan, np.float32))
        person = cv2.resize(matte(small), (flow.GRID, flow.GRID), interpolation=cv2.INTER_AREA)
        mattes.append(np.round(person * 255).astype(np.uint8))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "frames.npy", np.array(frames))
    np.save(folder / "landmarks.npy", np.array(landmarks, np.float32))
    np.save(folder / "matte.npy", np.array(mattes))  # last: its presence says that the folder is whole


@dataclass(eq=False)
class PreparedClip:
    """One prepared folder, frames left on the disk."""

    frames: np.ndarray
    landmarks: np.ndarray
    """(T, 478, 3), crop units."""
    matte: np.ndarray
    usable: np.ndarray
    """Indices of frames with a face."""
    looking: np.ndarray
    """(U, 3) of every usable frame the direction in which the head looks."""

    @property
    def yaw(self) -> np.ndarray:
        """(U,) degrees, > 0 to the picture's right."""
        return np.rad2deg(np.arctan2(self.looking[:, 0], -self.looking[:, 2]))

    @property
    def yaw_range(self) -> float:
        """Degrees; 0 where no frame is usable."""
        return float(np.ptp(self.yaw)) if len(self.usable) else 0.0

    @staticmethod
    def load(folder: Path) -> PreparedClip:
        """From the disk."""
        landmarks = np.load(folder / "landmarks.npy") / SIZE
        usable = np.flatnonzero(~np.isnan(landmarks[:, 0, 0]))
        looking = -fit_head(landmarks[usable].astype(np.float64))[0][:, :, 2]
        frames, matte = (np.load(folder / name, mmap_mode="r") for name in ("frames.npy", "matte.npy"))
        return PreparedClip(frames, landmarks, matte, usable, looking)

    def pair(self, rng: np.random.Generator) -> tuple[int, int]:
        """Two frames with a face, see `FARTHER`."""
        first, *others = rng.permutation(len(self.usable))[: 1 + DRAWS]
        if rng.random() < FARTHER:
            others.sort(key=lambda other: self.looking[other] @ self.looking[first])
        return int(self.usable[first]), int(self.usable[others[0]])


class PairDataset(IterableDataset):
    """Endless (portrait, frame, target) samples: two frames of one clip, or a still and its own moved copy.

    A still with self-made motion: the still is moved away by the geometric prior with the motion of two frames of some
    clip, and often turned, and the network is asked for the still itself. So it meets many more faces, drawings, and turns than
    there are in clips.
    """

    def __init__(
        self,
        folder: Path,
        *,
        still_share: float = 0.25,
        registered_share: float = 0.6,
        consecutive: bool = False,
        augment: bool = True,
        seed: int = 0,
    ) -> None:
        items = [PreparedClip.load(path.parent) for path in sorted(Path(folder).rglob("matte.npy"))]
        self.clips = [item for item in items if len(item.usable) >= 2]
        self.stills = [item for item in items if len(item.frames) == 1 and len(item.usable) == 1]
        if not self.clips:
            raise MediaError(f"{folder}: no prepared clips; run `visiongen prepare SOURCE TARGET` first")
        # Long clips and clips with turning heads teach more; the root keeps a few from ruling.
        weight = np.array([np.sqrt(len(c.usable)) * (1 + c.yaw_range / 20) for c in self.clips])
        self.clip_weight = weight / weight.sum()
        share = np.array([1 + abs(still.yaw[0]) / ASIDE for still in self.stills])
        self.still_weight = share / share.sum()
        self.still_share = still_share if self.stills else 0.0
        self.registered_share = registered_share
        self.consecutive, self.augment, self.seed = consecutive, augment, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            yield from self.samples(rng)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One sample; see `as_sample` for its entries."""
        return self.samples(rng, 1)[0]

    def samples(self, rng: np.random.Generator, count: int | None = None) -> list[dict[str, torch.Tensor]]:
        """`count` (default: two with `consecutive`, else one) samples: of a clip frames that follow each other, all of one
        portrait and in one light; of a still nothing follows, and only one comes."""
        count = (2 if self.consecutive else 1) if count is None else count
        moving = self.clips[rng.choice(len(self.clips), p=self.clip_weight)]
        first, second = moving.pair(rng)
        if rng.random() < self.still_share:
            still = self.stills[rng.choice(len(self.stills), p=self.still_weight)]
            targets, target_points = [np.array(still.frames[0])], [still.landmarks[0]]
            source_points = transfer(target_points[0], moving.landmarks[first], moving.landmarks[second])
            if rng.random() < TURNED:
                source_points = turned(source_points, *_turn(float(still.yaw[0]), rng))
            whole = still.matte[0].astype(np.float32) / 255
            hair = find_hair(targets[0], target_points[0], whole)
            motion = flow.MotionField(target_points[0], whole, hair=hair).towards(source_points[None])[0].flow
            source, matte = warping.warp(targets[0], motion), warping.warp(np.array(still.matte[0]), motion)
            registered_share = self.registered_share / 2  # with hardly anything that moves by itself, they are easy
        else:
            registered_share = self.registered_share
            source, matte, source_points = (np.array(part[first]) for part in _parts(moving))
            wanted = [i for i in range(second, second + count) if i in moving.usable]
            wanted = wanted if wanted == list(range(second, second + len(wanted))) else [second]
            targets, target_points = ([np.array(part[i]) for i in wanted] for part in (moving.frames, moving.landmarks))
        if self.augment:
            (source, *targets), matte, (source_points, *target_points) = augmented(
                [source, *targets], matte, [source_points, *target_points], rng
            )
        driven = rng.random() < registered_share
        light = relighting(rng)
        return [
            as_sample(
                source, matte, source_points, target, points, driver=light[target] if driven else None, follows=i > 0
            )
            for i, (target, points) in enumerate(zip(targets, target_points, strict=True))
        ]


def _parts(clip: PreparedClip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return clip.frames, clip.matte, clip.landmarks


def transfer(points: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """`points` moved as another face moved from `before` to `after`; all (478, 3) in crop units."""
    rotation, translation, scale = fit_head(np.stack([points, before, after]).astype(np.float64))
    own, from_shape, to_shape = (
        (p - t) @ r / s for p, r, t, s in zip((points, before, after), rotation, translation, scale)
    )
    turned = rotation[2] @ rotation[1].T @ rotation[0]
    grown = np.clip(scale[2] / scale[1], 0.8, 1.25) * scale[0]
    moved = translation[0] + (translation[2] - translation[1]) / scale[1] * scale[0]
    return ((own + to_shape - from_shape) @ turned.T * grown + moved).astype(np.float32)


def turned(points: np.ndarray, yaw: float, pitch: float) -> np.ndarray:
    """(478, 3) landmarks, crop units, of a head that turns about its neck by `yaw` degrees to the picture's right and nods by
    `pitch` degrees."""
    (rotation,), (translation,), (scale,) = fit_head(np.asarray(points, np.float64)[None])
    nod, turn = rotation_matrices(np.deg2rad([[pitch, 0, 0], [0, -yaw, 0]]))
    neck = AXIS @ rotation.T * scale + translation
    return ((points - neck) @ (turn @ nod).T + neck).astype(np.float32)


def _turn(own: float, rng: np.random.Generator) -> tuple[float, float]:
    """Degrees of yaw and pitch by which a still is turned away, whose own yaw is `own`, see `TURNED`."""
    yaw = np.clip(rng.normal(0, _TURN), -_MOST_TURN, _MOST_TURN)
    if abs(own) > ASIDE:
        yaw = -own * rng.uniform(0.3, 1.2)
    return float(yaw), float(rng.normal(0, _NOD))


def augmented(pictures: list[np.ndarray], matte: np.ndarray, points: list[np.ndarray], rng: np.random.Generator):
    """The same mirror, zoom, turn, shift and colours for both pictures, their matte and landmarks."""
    if rng.random() < 0.5:
        pictures, matte = [p[:, ::-1] for p in pictures], matte[:, ::-1]
        points = [(p * [-1, 1, 1] + [1, 0, 0])[face_model().mirror] for p in points]
    if rng.random() < 0.5:
        angle, zoom = np.deg2rad(rng.uniform(-12, 12)), np.exp(rng.uniform(np.log(0.8), np.log(1.25)))
        c, s = zoom * np.cos(angle), zoom * np.sin(angle)
        linear = np.array([[c, -s], [s, c]])
        shift = 0.5 + rng.uniform(-0.06, 0.06, 2) - linear @ [0.5, 0.5]
        pictures = [_similarity(p, linear, shift) for p in pictures]
        matte = _similarity(matte, linear, shift)
        points = [np.c_[p[:, :2] @ linear.T + shift, p[:, 2] * zoom] for p in points]
    gain = np.exp(rng.normal(0, 0.12) + rng.normal(0, 0.05, 3))
    gamma = np.exp(rng.normal(0, 0.15))
    table = np.clip(255 * (np.arange(256)[:, None] / 255) ** gamma * gain, 0, 255).astype(np.uint8)
    pictures = [np.stack([table[p[..., c], c] for c in range(3)], axis=-1) for p in pictures]
    return pictures, matte, [p.astype(np.float32) for p in points]


def _similarity(picture: np.ndarray, linear: np.ndarray, shift: np.ndarray) -> np.ndarray:
    size = picture.shape[0]
    # crop units from outer corners -> OpenCV's pixels from pixel centres
    offset = shift * size - 0.5 + linear @ [0.5, 0.5]
    return cv2.warpAffine(
        picture, np.c_[linear, offset], (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


def relighting(rng: np.random.Generator) -> np.ndarray:
    """(256,) uint8, grey level to grey level in another light: a driving frame is not as bright as the portrait painted
    after it."""
    levels = 255 * (np.arange(256) / 255) ** np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.08))
    return np.clip(levels, 0, 255).astype(np.uint8)


def as_sample(
    source, matte, source_points, target, target_points, *, driver=None, follows=False
) -> dict[str, torch.Tensor]:
    """A sample as tensors.

    Args:
        source, target: (S, S, 3) uint8 RGB.
        matte: (G, G) uint8 of the source.
        source_points, target_points: (478, 3) crop units.
        driver: (S, S, 3) the target as a driving frame to register the source with; None: landmarks alone.
        follows: The target is the frame after the target of the sample before this one, of the same portrait.
    Returns:
        picture, background, target: (3, S, S) uint8; source_maps (4, G, G), matte (1, G, G), candidates
        (K, G, G, 2), prior (K, G, G), maps (12, G, G), landmarks (478, 3) of the target, follows (): float32.
    """
    person = matte.astype(np.float32) / 255
    hair = find_hair(source, source_points, person)
    motion = flow.MotionField(source_points, person, hair=hair).towards(target_points[None])[0]
    if driver is not None:
        motion = registered(motion, source, driver)
    pictures = {"picture": source, "background": still_background(source, matte), "target": target}
    sample = {name: torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1))) for name, p in pictures.items()}
    sample["source_maps"] = torch.from_numpy(flow.drawn_maps(source_points))
    sample["follows"] = torch.tensor(float(follows))
    sample["landmarks"] = torch.from_numpy(np.ascontiguousarray(target_points, np.float32))
    sample["matte"] = torch.from_numpy(person[None])
    for name in ("candidates", "prior", "maps"):
        sample[name] = torch.from_numpy(np.ascontiguousarray(getattr(motion, name), np.float32))
    return sample

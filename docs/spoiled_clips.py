"""Clips spoiled on purpose, for `measure_diagnostics.py`: what is wrong, and in which frames, is known.

Nothing here is shared with what the finder of covered faces was trained on (`visiongen.training.occluders`): hands come
from `sample_media/make_problem_clips.py`, surfaces are photographs of scikit-image.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "sample_media"))
from make_problem_clips import SKIN, hand


@dataclass(frozen=True)
class Spoiled:
    """A spoiled clip."""

    frames: np.ndarray
    """(T, H, W, 3) uint8."""
    bad: np.ndarray
    """(T,) bool: here the defect is plain."""
    unsure: np.ndarray
    """(T,) bool: here it begins or ends; not counted."""


@dataclass(frozen=True)
class Scene:
    """What a defect is made from."""

    frames: np.ndarray
    """(T, H, W, 3) uint8, clean."""
    points: np.ndarray
    """(T, 478, 3) landmarks, px."""
    rng: np.random.Generator
    other: np.ndarray
    """A frame of another clip."""

    @property
    def width(self) -> float:
        """Of the face, px."""
        return float(np.median(np.ptp(self.points[:, :468, 0], axis=1)))

    def near(self) -> np.ndarray:
        """(T,) 0 at both ends, 1 in the middle third: how far a defect has come."""
        total = len(self.frames)
        shift = self.rng.integers(-total // 12, total // 12 + 1)
        return np.interp(np.arange(total) - shift, total * np.array([0.25, 0.33, 0.66, 0.74]), [0, 1, 1, 0])

    def skin(self) -> np.ndarray:
        """(3,) the face's colour."""
        x, y = self.points[0, [50, 280, 101, 330], :2].T.round().astype(int)
        height, width = self.frames.shape[1:3]
        return np.median(self.frames[0, y.clip(0, height - 1), x.clip(0, width - 1)].astype(np.float32), axis=0)


def _mixed(scene: Scene, layer: Callable[[int, float], tuple[np.ndarray, np.ndarray]]) -> Spoiled:
    """Frames with something laid before them; what covers more than a twelfth of the face counts, less is unsure."""
    frames, near = scene.frames.copy(), scene.near()
    shares = np.zeros(len(frames))
    for i in np.flatnonzero(near > 0):
        colour, cover = layer(int(i), float(near[i]))
        cover = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), 0.8)
        frames[i] = np.clip(frames[i] + cover[..., None] * (colour - frames[i]), 0, 255).round()
        hull = np.zeros(cover.shape, np.uint8)
        cv2.fillConvexPoly(hull, cv2.convexHull(scene.points[i, :468, :2].round().astype(np.int32)), 1)
        shares[i] = cover[hull > 0].mean()
    return Spoiled(frames, shares > 1 / 12, (shares > 0.005) & (shares <= 1 / 12))


def covered_by_hand(scene: Scene) -> Spoiled:
    """A drawn hand in the face's own colour, before cheek and mouth, moving with small tremors."""
    side = max(scene.frames.shape[1:3])
    place = scene.rng.uniform([0.1, 0.15], [0.9, 0.5])
    turn, size = scene.rng.uniform(-0.9, 0.9), scene.rng.uniform(1.1, 1.6) * scene.width
    tint = scene.skin() * scene.rng.uniform(0.85, 1.1) / SKIN
    height, width = scene.frames.shape[1:3]

    def layer(i: int, near: float) -> tuple[np.ndarray, np.ndarray]:
        low, high = scene.points[i, :468, :2].min(0), scene.points[i, :468, :2].max(0)
        goal = low + place * (high - low) + [0, 0.35 * scene.width]
        centre = goal + [2 * np.sin(i / 2), (1 - near) * 1.6 * scene.width]
        colour, cover = hand(side, centre, size, turn + 0.05 * np.sin(i / 4))
        return (colour * tint)[:height, :width], cover[:height, :width]

    return _mixed(scene, layer)


def _object(scene: Scene, surface: np.ndarray, size: tuple[float, float], round_: bool) -> Spoiled:
    height, width = scene.frames.shape[1:3]
    place, turn = scene.rng.uniform([0.1, 0.3], [0.9, 0.9]), float(scene.rng.uniform(-40, 40))
    from_side = scene.rng.choice([-1.0, 1.0])
    surface = cv2.resize(surface, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)

    def layer(i: int, near: float) -> tuple[np.ndarray, np.ndarray]:
        low, high = scene.points[i, :468, :2].min(0), scene.points[i, :468, :2].max(0)
        centre = low + place * (high - low) + [(1 - near) * from_side * 1.5 * scene.width, 1.5 * np.sin(i / 3)]
        cover = np.zeros((height, width), np.uint8)
        box = (tuple(map(float, centre)), tuple(float(s * scene.width) for s in size), turn)
        if round_:
            cv2.ellipse(cover, box, 1, -1)
        else:
            cv2.fillPoly(cover, [cv2.boxPoints(box).round().astype(np.int32)], 1)
        return surface, cover

    return _mixed(scene, layer)


def covered_by_phone(scene: Scene) -> Spoiled:
    """A dark plain box."""
    surface = np.full((64, 64, 3), scene.rng.uniform(10, 60), np.uint8)
    return _object(scene, surface, (0.4, 0.8), round_=False)


def covered_by_cup(scene: Scene) -> Spoiled:
    """Something round with a photographed surface."""
    from skimage import data

    return _object(scene, data.coffee(), (0.5, 0.6), round_=True)


def covered_by_cat(scene: Scene) -> Spoiled:
    """A printed card: fur and eyes, much like hair and skin."""
    from skimage import data

    return _object(scene, data.chelsea(), (0.55, 0.75), round_=False)


def blurred(scene: Scene) -> Spoiled:
    """Out of focus, a twentieth of the face's width wide."""
    near = scene.near()
    widths = 0.045 * scene.width * near
    frames = [cv2.GaussianBlur(f, (0, 0), w) if w > 0.2 else f for f, w in zip(scene.frames, widths)]
    return Spoiled(np.stack(frames), near > 0.8, (near > 0) & (near <= 0.8))


def shaken(scene: Scene) -> Spoiled:
    """The camera shakes by 4 to 7 face widths a second, with motion blur."""
    near = scene.near()
    rate = scene.rng.uniform(0.8, 1.1)
    reach = 0.22 * scene.width
    frames = scene.frames.copy()
    for i in np.flatnonzero(near > 0):
        times = i + np.linspace(0, 0.5, 7)
        seen = [_moved(scene.frames[i], (near[i] * reach * np.sin(rate * t), 0.0)) for t in times]
        frames[i] = np.mean(seen, axis=0).round()
    # It shakes to and fro: slow for a frame at each turn, but shaken all the time.
    return Spoiled(frames, near >= 1, (near > 0) & (near < 1))


def _moved(frame: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
    return cv2.warpAffine(frame, matrix, frame.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def lost(scene: Scene) -> Spoiled:
    """The light goes out."""
    near = scene.near()
    light = np.where(near >= 0.5, 0.0, 1 - near)
    frames = (scene.frames * light[:, None, None, None]).astype(np.uint8)
    return Spoiled(frames, near >= 0.5, (near > 0) & (near < 0.5))


def two_faces(scene: Scene) -> Spoiled:
    """A second person stands beside for a while."""
    near = scene.near()
    height = scene.frames.shape[1]
    other = cv2.resize(scene.other, (height, height), interpolation=cv2.INTER_AREA)
    empty = np.full_like(other, 90)
    frames = np.stack([np.hstack([f, other if n >= 0.5 else empty]) for f, n in zip(scene.frames, near)])
    edges = np.abs(near - 0.5) < 0.5
    return Spoiled(frames, near >= 1, edges & (near > 0))


def cut_off(scene: Scene) -> Spoiled:
    """The face goes half out of the frame to one side."""
    near = scene.near()
    width = scene.frames.shape[2]
    middle = scene.points[:, :468, 0].mean(1)
    shifts = near * (width - np.median(middle))
    canvas = [_moved(f, (s, 0.0)) for f, s in zip(scene.frames, shifts)]
    outside = (scene.points[:, :468, 0] + shifts[:, None] > width).mean(1)
    return Spoiled(np.stack(canvas), outside > 0.12, (outside > 0.005) & (outside <= 0.12))


DEFECTS: dict[str, tuple[str, Callable[[Scene], Spoiled]]] = {
    "hand": ("occluded", covered_by_hand),
    "phone": ("occluded", covered_by_phone),
    "cup": ("occluded", covered_by_cup),
    "cat": ("occluded", covered_by_cat),
    "blurred": ("blur", blurred),
    "shaken": ("fast-motion", shaken),
    "dark": ("face-lost", lost),
    "two faces": ("several-faces", two_faces),
    "cut off": ("out-of-frame", cut_off),
}
"""Name -> kind of problem it shall be found as, and what makes it."""

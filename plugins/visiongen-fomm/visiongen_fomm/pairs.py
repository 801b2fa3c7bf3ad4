"""Training pairs: two frames of one clip, or a still and its own moved copy, from a folder made by `visiongen prepare`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from visiongen import MediaError, flow, warping
from visiongen.training.data import PreparedClip, augmented, transfer

GUIDES = (1, 10, 152, 234, 454, 159, 386, 17, 61, 291)
"""Landmarks that guided keypoints are drawn to: tip of the nose, forehead, chin, both sides of the face, upper lids,
lower lip, corners of the mouth."""
_EYES = (33, 133, 159, 145, 362, 263, 386, 374)
_MOUTH = (61, 291, 13, 14, 0, 17)


class PairDataset(IterableDataset):
    """Endless samples ``{"source", "driving": (3, S, S) uint8, "source_guides", "driving_guides": (10, 2) float32 in
    [-1, 1], "weight": (1, S/4, S/4) float32}``; the weight is of the driving picture, higher at eyes and mouth."""

    def __init__(self, folder: Path, *, size: int, still_share: float, seed: int = 0) -> None:
        items = [PreparedClip.load(path.parent) for path in sorted(Path(folder).rglob("matte.npy"))]
        self.clips = [item for item in items if len(item.usable) >= 2]
        self.stills = [item for item in items if len(item.frames) == 1 and len(item.usable) == 1]
        if not self.clips:
            raise MediaError(f"{folder}: no prepared clips; run `visiongen prepare SOURCE TARGET` first")
        weight = np.array([np.sqrt(len(c.usable)) * (1 + c.yaw_range / 20) for c in self.clips])
        self.share = weight / weight.sum()
        self.size, self.seed = size, seed
        self.still_share = still_share if self.stills else 0.0

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        rng = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            yield self.sample(rng)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """One sample."""
        clip = self.clips[rng.choice(len(self.clips), p=self.share)]
        first, second = rng.choice(clip.usable, 2, replace=False)
        if rng.random() < self.still_share:
            still = self.stills[rng.integers(len(self.stills))]
            driving, driving_points = np.array(still.frames[0]), still.landmarks[0]
            source_points = transfer(driving_points, clip.landmarks[first], clip.landmarks[second])
            motion = flow.MotionField(driving_points).towards(source_points[None])[0].flow
            source, matte = warping.warp(driving, motion), np.array(still.matte[0])
        else:
            source, driving, matte = (
                np.array(clip.frames[first]),
                np.array(clip.frames[second]),
                np.array(clip.matte[0]),
            )
            source_points, driving_points = clip.landmarks[first], clip.landmarks[second]
        pictures, _, points = augmented([source, driving], matte, [source_points, driving_points], rng)
        return self._as_sample(pictures, points)

    def _as_sample(self, pictures: list[np.ndarray], points: list[np.ndarray]) -> dict[str, torch.Tensor]:
        if pictures[0].shape[0] != self.size:
            size = (self.size, self.size)
            pictures = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures]
        sample = {"weight": torch.from_numpy(attention(points[1], self.size // 4)[None])}
        for name, picture, where in zip(("source", "driving"), pictures, points):
            sample[name] = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
            sample[f"{name}_guides"] = torch.from_numpy(to_keypoints(where[list(GUIDES), :2], self.size))
        return sample


def to_keypoints(points: np.ndarray, size: int) -> np.ndarray:
    """Points (..., 2) with the picture from 0 to 1, as keypoints: centres of the outermost of `size` pixels at -1, 1."""
    return ((points * size - 0.5) / (size - 1) * 2 - 1).astype(np.float32)


def attention(points: np.ndarray, size: int) -> np.ndarray:
    """(size, size) float32, about 1 on average: the face counts double, eyes and mouth five times.

    Args:
        points: (478, 2 or 3) landmarks with the picture from 0 to 1.
        size: Side of the map, px.
    """
    weight = np.full((size, size), 0.7, np.float32)
    hull = cv2.convexHull((points[:468, :2] * size).astype(np.float32))
    cv2.fillConvexPoly(weight, np.round(hull).astype(np.int32), 1.4)
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    width = np.linalg.norm(points[234, :2] - points[454, :2])
    for part in (_EYES[:4], _EYES[4:], _MOUTH):
        centre = points[list(part), :2].mean(0)
        weight += 2.5 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * (0.13 * width + 1e-3) ** 2))
    return weight.astype(np.float32)

"""Makes ``visiongen/data/mouth.npz`` from prepared clips: ``python -m visiongen.training.mouth_interior FOLDER``.

The median look of open mouths, as shares of the lips' own colour, on a grid from corner to corner and from upper to lower lip.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from visiongen.mouth import COLUMNS, ROWS, gap_lines, lip_colour

OPENINGS = ((0.05, 0.10), (0.10, 0.30))
"""Classes of openings, face widths."""
FRAMES_PER_CLIP = 3


def sampled_mouth(frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(ROWS, COLUMNS, 3) of the inside of one mouth, as shares of the lips' colour.

    Args:
        frame: (S, S, 3) uint8.
        points: (478, 3) landmarks, crop units.
    """
    upper, lower = gap_lines(points, COLUMNS)
    down = ((np.arange(ROWS) + 0.5) / ROWS)[:, None, None]
    at = ((upper * (1 - down) + lower * down) * frame.shape[0] - 0.5).astype(np.float32)
    return cv2.remap(frame, at, None, cv2.INTER_LINEAR).astype(np.float64) / lip_colour(frame, points)


def main(folder: str) -> None:
    """Reads prepared clips below `folder` and writes the medians."""
    found: list[list[np.ndarray]] = [[] for _ in OPENINGS]
    rng = np.random.default_rng(0)
    for path in sorted(Path(folder).glob("*/landmarks.npy")):
        points, frames = np.load(path), np.load(path.with_name("frames.npy"), mmap_mode="r")
        width = np.linalg.norm(points[:, 234] - points[:, 454], axis=-1)
        opening = np.linalg.norm(points[:, 13, :2] - points[:, 14, :2], axis=-1) / width
        for kind, (low, high) in enumerate(OPENINGS):
            for i in rng.permutation(np.flatnonzero((opening > low) & (opening < high)))[:FRAMES_PER_CLIP]:
                frame = np.array(frames[i])
                found[kind].append(sampled_mouth(frame, points[i] / frame.shape[0]))
    medians = np.stack([np.median(kind, axis=0) for kind in found])
    medians = (medians + medians[:, :, ::-1]) / 2  # left and right are alike; our clips are few
    out = Path(__file__).parents[1] / "data" / "mouth.npz"
    np.savez_compressed(out, relative=medians.astype(np.float32), openings=np.mean(OPENINGS, axis=1).astype(np.float32))
    print(f"{out}: medians of {', '.join(str(len(kind)) for kind in found)} mouths")


if __name__ == "__main__":
    main(sys.argv[1])

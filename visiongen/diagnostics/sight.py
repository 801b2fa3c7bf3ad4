"""What the frames of a driving clip show of its face: covered parts, blur, other faces. Streamed, in two passes.

The first learns how the face usually looks in this clip, the second compares every frame with that. No frame is kept; what
is known of each in the end takes 1 kB, its landmarks 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from visiongen import media
from visiongen.datatypes import MotionTrack
from visiongen.diagnostics.texture import CELLS, SIDE, unwrapped
from visiongen.landmarks import FaceMesh, face_size
from visiongen.motion import place

COUNT_EVERY_SECONDS = 0.2
"""How often other faces are looked for: that takes as long as the landmarks do."""
LEAST_OTHER = 0.4
"""A second face smaller than this share of the driver's is somebody in the background."""
_GRAZING = 0.15
"""Cosine below which a cell shows hardly anything."""
_AT_ONCE = 32
_USUAL_FRAMES = 200
"""At most so many frames, evenly spread, say how the face usually looks."""


@dataclass(frozen=True)
class Sight:
    """What was seen in T frames; NaN where nothing was looked at."""

    hidden: np.ndarray
    """(T, CELLS, CELLS) float16: how likely each cell of the face is covered."""
    facing: np.ndarray
    """(T, CELLS, CELLS) float16: how much it faces the camera; 0 where nothing is seen of it."""
    sharpness: np.ndarray
    """(T,) energy of the fine detail of the face, grey values."""
    others: np.ndarray
    """(T,) number of other faces, not much smaller than the driver's."""


def watch(motion: MotionTrack, *, progress: Callable[[int, int | None], None] | None = None) -> Sight:
    """Looks at all frames of ``motion.clip``.

    Args:
        motion: T frames as observed; its clip is read again.
        progress: Called with (frames done, T).
    Raises:
        MediaError: The clip cannot be read.
        ValueError: The motion has no clip.
    """
    if motion.clip is None:
        raise ValueError("this motion has no clip to look at")
    total = len(motion)
    points = place(motion).points
    usual = _usual_look(motion, points)
    cells = [np.zeros((total, CELLS, CELLS), np.float16) for _ in range(2)]
    sharpness, others = np.full(total, np.nan), np.full(total, np.nan)
    every = max(1, round(COUNT_EVERY_SECONDS * float(motion.clip.fps)))
    waiting: list[tuple[int, np.ndarray, np.ndarray]] = []
    with FaceMesh() as mesh:
        for frame, image in enumerate(_pictures(motion)):
            if motion.visible[frame]:
                waiting.append((frame, *unwrapped(image, points[frame])))
                sharpness[frame] = _detail(image, points[frame])
            if frame % every == 0:
                others[frame] = _other_faces(mesh(image), points[frame] if motion.visible[frame] else None)
            if len(waiting) == _AT_ONCE:
                _judge(waiting, usual, *cells)
            if progress:
                progress(frame + 1, total)
    _judge(waiting, usual, *cells)
    return Sight(hidden=cells[0], facing=cells[1], sharpness=sharpness, others=_held(others, every))


def _judge(waiting: list, usual: np.ndarray, hidden: np.ndarray, facing: np.ndarray) -> None:
    """Fills in what is covered of the `waiting` frames, and empties the list."""
    from visiongen.diagnostics.cover_net import hidden_shares  # loads torch: only where frames are looked at

    if waiting:
        frames, textures, cosines = (np.stack(part) for part in zip(*waiting))
        before = np.repeat(usual[None], len(frames), 0).astype(np.float32)
        hidden[frames] = hidden_shares(textures.astype(np.float32), before, cosines)
        small = cv2.resize(cosines.transpose(1, 2, 0), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        facing[frames] = small.reshape(CELLS, CELLS, -1).transpose(2, 0, 1)
        waiting.clear()


def _pictures(motion: MotionTrack) -> Iterator[np.ndarray]:
    pictures = (image for batch in media.read_frames(motion.clip, batch_size=4) for image in batch.pixels)
    return islice(pictures, len(motion))


def _detail(image: np.ndarray, points: np.ndarray) -> float:
    """Energy of the Laplacian of the face, brought to one size; along the sharper direction of the two.

    A face is smeared along its movement only: the direction across keeps its detail. So the weaker one counts.
    """
    low, high = points[:468, :2].min(0), points[:468, :2].max(0)
    height, width = image.shape[:2]
    left, top = np.floor(low).astype(int).clip(0, [width - 1, height - 1])
    right, bottom = np.ceil(high).astype(int).clip([left + 1, top + 1], [width, height])
    grey = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    zoom = 96 / max(high[0] - low[0], 1)
    size = (max(8, round(grey.shape[1] * zoom)), max(8, round(grey.shape[0] * zoom)))
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR).astype(np.float32)
    contrast = float(grey.std()) + 4
    across, down = (cv2.Sobel(grey, cv2.CV_32F, 2 * (1 - axis), 2 * axis, ksize=3) for axis in (0, 1))
    return float(min(np.abs(across).mean(), np.abs(down).mean())) / contrast


def _other_faces(faces: np.ndarray, own: np.ndarray | None) -> int:
    """How many of (F, 478, 3) `faces` are not the driver's and not small beside it."""
    if own is None:
        return max(len(faces) - 1, 0)
    size, middle = face_size(own), own[:468, :2].mean(0)
    return sum(
        face_size(face) > LEAST_OTHER * size and np.linalg.norm(face[:468, :2].mean(0) - middle) > 0.5 * size
        for face in faces
    )


def _held(values: np.ndarray, every: int) -> np.ndarray:
    """(T,) each looked-at number until the next."""
    return values[np.arange(len(values)) // every * every]


def _usual_look(motion: MotionTrack, points: np.ndarray) -> np.ndarray:
    """How the face usually looks in its clip, (SIDE, SIDE, 3) uint8: the median over frames spread over all of it."""
    seen = np.flatnonzero(motion.visible)
    chosen = set(seen[np.linspace(0, len(seen) - 1, min(len(seen), _USUAL_FRAMES)).round().astype(int)].tolist())
    looks = [unwrapped(image, points[i]) for i, image in enumerate(_pictures(motion)) if i in chosen]
    return median_look(*(np.stack(part) for part in zip(*looks))) if looks else np.zeros((SIDE, SIDE, 3), np.uint8)


def median_look(textures: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8 median over time of (T, SIDE, SIDE, 3), of each cell where it faces the camera."""
    result = np.zeros(textures.shape[1:], np.uint8)
    for row in range(len(result)):  # row by row: as floats, all together would take four times their memory
        values = textures[:, row].astype(np.float32)
        values[facing[:, row] < _GRAZING] = np.nan
        known = ~np.isnan(values).all((0, 2))
        result[row, known] = np.nanmedian(values[:, known], axis=0)
    return result

"""The driving clip as the network needs it: where the face is, which frame to start from, and the frames themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from visiongen import DrivingClip, MotionTrack, Portrait, UnsupportedMotionError
from visiongen.generators.targets import source_landmarks, target_landmarks
from visiongen.landmarks import FaceMesh, nearest_face
from visiongen.media import read_frames
from visiongen_fomm.resample import Square

LOOKS = 48
"""Frames of a clip, evenly spread, in which the face is looked for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Driver:
    """What a look through the clip found."""

    square: Square
    """Of the driving frames: shows the face as large and at the place as the portrait's crop shall."""
    reference: np.ndarray
    """(H, W, 3) uint8, the frame that relative motion starts from."""
    reference_time: float
    """Its time, s."""


def needed_clip(motion: MotionTrack) -> DrivingClip:
    """The clip behind a motion.

    Raises:
        UnsupportedMotionError: There is none.
    """
    if motion.clip is None:
        raise UnsupportedMotionError(
            "the generator fomm reads the driving pixels, and this motion has none (it was loaded from a template); "
            "give the driving video itself, or use the generator vae-gan"
        )
    return motion.clip


def look_through(portrait: Portrait, motion: MotionTrack, *, best: bool) -> Driver:
    """Finds the driver's square and the reference frame.

    The square is chosen so that the driver's face lies in it as the fitted motion lies in the portrait's crop: then
    keypoints of both live in one frame of reference, and a movement is as large as the faces demand.

    Args:
        portrait, motion: Fitted to each other.
        best: Start from the frame most like the portrait, else from the first with a face.
    Raises:
        UnsupportedMotionError: No clip, or no face in it.
    """
    clip = needed_clip(motion)
    own = _shape(source_landmarks(portrait))
    wanted = _spread(motion)
    scales, shifts = [], []
    reference, reference_time, least = None, 0.0, np.inf
    previous = None
    with FaceMesh() as mesh:
        for index, frame in _frames(clip, motion.times, wanted):
            seen = nearest_face(mesh(frame), previous)
            if seen is None:
                continue
            previous = seen
            planned = target_landmarks(portrait, motion, slice(index, index + 1))[0, :468, :2]
            found = seen[:468, :2].astype(np.float64)
            scales.append(_radius(found) / _radius(planned))
            shifts.append((found.mean(0), planned.mean(0)))
            unlike = float(((_shape(seen) - own) ** 2).sum()) if best else float(index)
            if unlike < least:
                reference, reference_time, least = frame.copy(), float(motion.times[index]), unlike
    if reference is None:
        raise UnsupportedMotionError(
            f"{clip.path.name}: no face in the {len(wanted)} frames that were looked at; choose another piece of it"
        )
    side = float(np.median(scales))
    left, top = np.median([there - side * here for there, here in shifts], axis=0)
    return Driver(
        square=Square(left=float(left), top=float(top), side=side), reference=reference, reference_time=reference_time
    )


def _spread(motion: MotionTrack) -> np.ndarray:
    """Up to `LOOKS` indices of frames with a face, the first and the last among them."""
    visible = np.flatnonzero(motion.visible)
    if not len(visible):
        visible = np.arange(len(motion))
    return visible[np.unique(np.round(np.linspace(0, len(visible) - 1, LOOKS)).astype(int))]


def _frames(clip: DrivingClip, times: np.ndarray, indices: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    wanted = set(indices.tolist())
    start = 0
    for frames in driving_frames(clip, times, batch=4):
        for offset, frame in enumerate(frames):
            if start + offset in wanted:
                yield start + offset, frame
        start += len(frames)


def driving_frames(clip: DrivingClip, times: np.ndarray, *, batch: int) -> Iterator[np.ndarray]:
    """(B, H, W, 3) uint8: the frame nearest to every time, `batch` at once; the last is held where the clip ends early."""
    waiting: list[np.ndarray] = []
    number, last = 0, None
    half = 0.5 / float(clip.fps)
    for read in read_frames(clip, batch_size=batch):
        for frame, time in zip(read.pixels, read.times):
            last = frame
            while number < len(times) and times[number] < time + half:
                waiting.append(frame)
                number += 1
                if len(waiting) == batch:
                    yield np.stack(waiting)
                    waiting = []
        if number == len(times):
            break
    waiting += [last] * (len(times) - number)
    for first in range(0, len(waiting), batch):
        yield np.stack(waiting[first : first + batch])


def _radius(points: np.ndarray) -> float:
    """Root mean square distance from the centre."""
    return float(np.sqrt(((points - points.mean(0)) ** 2).sum(1).mean()))


def _shape(points: np.ndarray) -> np.ndarray:
    """(468, 2): the face's landmarks, centred, over the root of the area they cover."""
    flat = points[:468, :2].astype(np.float64)
    flat = flat - flat.mean(0)
    try:
        return flat / np.sqrt(ConvexHull(flat).volume)  # the area, in two dimensions
    except QhullError:  # on one line: no face looks like that
        return np.full_like(flat, np.inf)

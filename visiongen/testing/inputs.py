"""Small real inputs, made from the sample media that come with VisionGen 3D."""

from __future__ import annotations

from functools import cache

import numpy as np

from visiongen.datatypes import DrivingClip, FrameBatch, MotionTrack, Portrait
from visiongen.samples import DRIVING, PORTRAIT, sample


@cache
def sample_portrait(size: int = 160) -> Portrait:
    """The astronaut, found and cropped.

    Args:
        size: Longer side of the picture, px; the crop is about two thirds of it.
    """
    from visiongen.pipeline import prepare_portrait

    return prepare_portrait(sample(PORTRAIT), size=size)


@cache
def sample_clip(num_frames: int = 8) -> DrivingClip:
    """The first frames of the sample driving video."""
    from visiongen.media import probe

    path = sample(DRIVING)
    return probe(path, end=(num_frames - 0.5) / float(probe(path).fps))


@cache
def sample_motion(num_frames: int = 8) -> MotionTrack:
    """The driver's own motion in `sample_clip`, with that clip."""
    from visiongen.landmarks import track
    from visiongen.motion import motion_from_landmarks

    clip = sample_clip(num_frames)
    return motion_from_landmarks(track(clip), clip=clip)


@cache
def sample_job(num_frames: int = 8, size: int = 160) -> tuple[Portrait, MotionTrack]:
    """What a generator gets: a portrait, and the sample motion fitted to it."""
    from visiongen.pipeline import fit_motion

    return fit_motion(sample_portrait(size), sample_motion(num_frames))


def sample_batches(num_frames: int = 8, *, height: int = 96, width: int = 96, batch_size: int = 3) -> list[FrameBatch]:
    """What an enhancer or exporter gets: real frames of a face that moves and speaks, a few at a time."""
    pixels = _sample_frames(num_frames, height, width)
    times = np.arange(num_frames) / float(sample_clip(num_frames).fps)
    return [
        FrameBatch(pixels=pixels[first : first + batch_size], times=times[first : first + batch_size])
        for first in range(0, num_frames, batch_size)
    ]


@cache
def sample_landmarks(num_frames: int = 8, *, height: int = 96, width: int = 96) -> np.ndarray:
    """(T, 478, 3) float32 px: the landmarks of the frames of `sample_batches`."""
    from visiongen.motion import place

    seen = place(sample_motion(num_frames))
    points = seen.points * np.float32([width / seen.width, height / seen.height, width / seen.width])
    points.flags.writeable = False
    return points


@cache
def _sample_frames(num_frames: int, height: int, width: int) -> np.ndarray:
    import cv2

    from visiongen.media import read_frames

    frames = [
        cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        for batch in read_frames(sample_clip(num_frames))
        for frame in batch.pixels
    ]
    return np.stack(frames)[:num_frames]

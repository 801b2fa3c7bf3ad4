"""The driving frames, laid over a portrait they can be registered with, as they are asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType

import cv2
import numpy as np

from visiongen import media
from visiongen.datatypes import DrivingClip, FrameBatch, MotionTrack, Portrait
from visiongen.errors import MediaError
from visiongen.landmarks import FaceMesh, nearest_face
from visiongen.motion import place
from visiongen.pose import face_model, fit_similarity
from visiongen.registration import SIDE, likeness

logger = logging.getLogger(__name__)

ALIKE = 0.8
"""Least `visiongen.registration.likeness` of the portrait and the driving frame that is nearest to it. Measured on 22
people: portraits of other people reach 0.5 in 95 of 100 cases, a frame of the clip itself 0.9 and more."""
_APART = 0.05
"""Most difference of targets and driving landmarks, face widths: a motion that was scaled down no longer fits the pixels."""
_LOOKS = 4
"""Further frames in which that is checked."""
_SAME_PLACE = 0.02  # sides of the crop; a detector's noise and smoothing stay below


class DriverFrames:
    """The frames of one job, in their order. Close it, or use it in a ``with`` statement."""

    def __init__(self, clip: DrivingClip, crop_from_driver: np.ndarray) -> None:
        """
        Args:
            clip: The driving clip.
            crop_from_driver: (2, 3), px of a driving frame to px of the crop at `SIDE`.
        """
        self._clip = clip
        self._frames: Iterator[FrameBatch] | None = None
        self.crop_from_driver = crop_from_driver

    def frames(self, times: np.ndarray) -> list[np.ndarray]:
        """The driving frames at some times (s, rising from call to call), each (SIDE, SIDE, 3) at the portrait's place;
        fewer where the clip breaks off."""
        if self._frames is None:
            self._frames = media.read_frames(_from(self._clip, float(times[0])), batch_size=1)
            self._begun = float(times[0])
        drivers = (frame for frame in map(self._at, times) if frame is not None)
        return [laid_over(frame, self.crop_from_driver) for frame in drivers]

    def _at(self, time: float) -> np.ndarray | None:
        for batch in self._frames:
            if batch.times[0] + self._begun > time - 0.5 / float(self._clip.fps):
                return batch.pixels[0]
        return None

    def close(self) -> None:
        """Closes the clip."""
        if self._frames is not None:
            self._frames.close()

    def __enter__(self) -> DriverFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def driver_frames(portrait: Portrait, motion: MotionTrack) -> DriverFrames | None:
    """The driving frames, if the portrait can be registered with them: if it is a frame of the clip, or as good as one,
    and moves as the driver does.

    Args:
        portrait: As it is rendered.
        motion: Fitted to it.
    Returns:
        None where there is no clip, or it shows another person or place.
    """
    clip = motion.clip
    if clip is None or len(motion) < 2:
        return None
    try:
        crop_from_driver = _alignment(clip, portrait, motion)
    except MediaError as error:  # a template outlives its clip
        logger.debug("no registration: %s", error)
        return None
    return None if crop_from_driver is None else DriverFrames(clip, crop_from_driver)


def _alignment(clip: DrivingClip, portrait: Portrait, motion: MotionTrack) -> np.ndarray | None:
    linear, shift = portrait.image_from_crop[:, :2], portrait.image_from_crop[:, 2]
    scale = SIDE / portrait.crop.shape[0]
    crop_linear = np.linalg.inv(linear) * scale
    targets = (place(motion).points[:, :468, :2] - shift) @ crop_linear.T  # (T, 468, 2) px at SIDE
    source = (portrait.landmarks[:468, :2] - shift) @ crop_linear.T
    nearest = int(np.linalg.norm(targets - source, axis=-1).mean(-1).argmin())
    width = float(np.ptp(source[:, 0]))
    with FaceMesh(max_faces=4) as mesh:
        seen = _seen(clip, motion, nearest, mesh)
        if seen is None:
            return None
        frame, points = seen
        crop_from_driver = _similarity(targets[nearest], points)
        if (portrait.image.shape[0] * clip.width) == (portrait.image.shape[1] * clip.height):
            # The same picture or a scaled one: exact where the landmarks allow it, so that nothing shifts at all.
            image_from_driver = portrait.image.shape[0] / clip.height
            exact = np.c_[crop_linear * image_from_driver, -crop_linear @ shift]
            corners = np.array([[0, 0, 1], [clip.width, 0, 1], [0, clip.height, 1], [clip.width, clip.height, 1]])
            if np.abs(corners @ (exact - crop_from_driver).T).max() < _SAME_PLACE * SIDE:
                crop_from_driver = exact
        head = np.zeros((SIDE, SIDE), np.float32)
        cv2.fillConvexPoly(head, cv2.convexHull(np.round(source).astype(np.int32)), 1.0)
        if likeness(resized(portrait.crop, SIDE), laid_over(frame, crop_from_driver), head) < ALIKE:
            return None
        for i in np.linspace(0, len(motion) - 1, _LOOKS).astype(int):
            seen = _seen(clip, motion, i, mesh)
            if seen is not None:
                placed = seen[1] @ crop_from_driver[:, :2].T + crop_from_driver[:, 2]
                if np.linalg.norm(placed - targets[i], axis=-1).mean() > _APART * width:
                    return None
    return crop_from_driver


def _seen(clip: DrivingClip, motion: MotionTrack, i: int, mesh: FaceMesh) -> tuple[np.ndarray, np.ndarray] | None:
    """Frame i and the landmarks (468, 2) px of its largest face; None: no face."""
    frames = media.read_frames(_from(clip, float(motion.times[i])), batch_size=1)
    picture = next(frames).pixels[0]
    frames.close()
    face = nearest_face(mesh(picture), None)
    return None if face is None else (picture, face[:468, :2].astype(np.float64))


def _similarity(target: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(2, 3) similarity that takes `points` to `target`, over what an expression hardly moves."""
    rotation, translation, scale = fit_similarity(target[None], points, face_model().stability[:468])
    return np.c_[scale[0] * rotation[0], translation[0]]


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    """A square picture (side, side, 3) at (size, size, 3)."""
    shrinks = picture.shape[0] > size
    return cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def laid_over(frame: np.ndarray, crop_from_driver: np.ndarray) -> np.ndarray:
    """A driving frame (H, W, 3) at the portrait's place, (SIDE, SIDE, 3)."""
    shrink = float(np.sqrt(abs(np.linalg.det(crop_from_driver[:, :2]))))
    matrix = crop_from_driver.astype(np.float64).copy()
    if shrink < 0.6:  # averaged first: interpolation alone would alias
        size = (max(1, round(frame.shape[1] * shrink)), max(1, round(frame.shape[0] * shrink)))
        matrix[:, :2] = matrix[:, :2] @ np.diag([frame.shape[1] / size[0], frame.shape[0] / size[1]])
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # outer corners -> OpenCV's pixel centres
    return cv2.warpAffine(frame, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _from(clip: DrivingClip, time: float) -> DrivingClip:
    """The rest of a clip from `time` on, s."""
    return replace(clip, start=clip.start + time, num_frames=None)

"""The types that flow between the seven steps: numpy only, frozen, checked when made.

Conventions, valid everywhere in the package:

* Pixels are ``uint8`` RGB, ``(H, W, 3)``; batches ``(B, H, W, 3)``.
* Points are ``(x, y[, z])`` in pixels, x right, y down, z away from the camera, measured from the *outer corner* of
  the top-left pixel: the centre of pixel (row r, column c) is (c + 0.5, r + 0.5).
* Times are seconds from the start of the piece that is used; a frame rate is a ``fractions.Fraction``.
* Angles are radians. A transform from crop to image is named ``image_from_crop``.
* Letters in shapes: B batch, T frames in time, H rows, W columns, N landmarks (478: 468 face mesh + 10 iris).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NUM_LANDMARKS = 478


def _checked(name: str, array: Any, shape: tuple[int | None, ...], dtype: Any) -> np.ndarray:
    """`array` as read-only `dtype`, or a ValueError that says the expected and the actual shape (None: any)."""
    result = np.ascontiguousarray(array, dtype=dtype)
    if result.ndim != len(shape) or any(want is not None and want != got for want, got in zip(shape, result.shape)):
        wanted = "(" + ", ".join("_" if want is None else str(want) for want in shape) + ")"
        raise ValueError(f"{name} must have shape {wanted}, but got {result.shape}")
    if result.flags.writeable:
        result = result.view()  # the caller's own array stays writeable
        result.flags.writeable = False
    return result


def _check_fields(instance: Any, **shapes: tuple[tuple[int | None, ...], Any]) -> None:
    for name, (shape, dtype) in shapes.items():
        object.__setattr__(instance, name, _checked(name, getattr(instance, name), shape, dtype))


def stacked(frames: list[np.ndarray]) -> np.ndarray:
    """Frames (H, W, 3) as one array (B, H, W, 3); of a single one, as large frames come, nothing is copied."""
    return frames[0][None] if len(frames) == 1 else np.stack(frames)


class Drawn(NamedTuple):
    """What of a portrait is no person's, but drawn with lines."""

    face: bool = False
    """Its jaw, mouth and hair are where `visiongen.drawn_faces` sees them, and its nose is a sign on a flat face."""
    eyes: tuple[bool, bool] = (False, False)
    """The right and the left one are so large that lids come down over them, see `visiongen.drawn_eyes`."""


NOT_DRAWN = Drawn()


@dataclass(frozen=True, kw_only=True, eq=False)
class Portrait:
    """One face of one picture, ready for any generator."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, the whole picture."""
    landmarks: np.ndarray
    """(478, 3) float32 px of `image`; z on the same scale as x."""
    crop: np.ndarray
    """(S, S, 3) uint8 RGB, the square around the face that generators work on, at the picture's own resolution."""
    image_from_crop: np.ndarray
    """(2, 3) float64: a point of the crop, px, to a point of the image, px."""
    name: str = "portrait"
    """For messages: usually the file's name."""
    others: np.ndarray = field(default_factory=lambda: np.empty((0, NUM_LANDMARKS, 3), np.float32))
    """(F, 478, 3) float32 px of `image`: landmarks of the other faces in it, which stay as they are."""
    drawn: Drawn = NOT_DRAWN
    """Whether it is a drawing."""

    def __post_init__(self) -> None:
        _check_fields(
            self,
            image=((None, None, 3), np.uint8),
            landmarks=((NUM_LANDMARKS, 3), np.float32),
            others=((None, NUM_LANDMARKS, 3), np.float32),
            crop=((None, None, 3), np.uint8),
            image_from_crop=((2, 3), np.float64),
        )
        if self.crop.shape[0] != self.crop.shape[1]:
            raise ValueError(f"crop must be square, but got {self.crop.shape}")


@dataclass(frozen=True, kw_only=True)
class DrivingClip:
    """A driving video as it was probed, not decoded. Sizes are those of the upright picture."""

    path: Path
    fps: Fraction
    """Frames per second of what `media.read_frames` yields."""
    num_frames: int | None
    """Frames between `start` and `end`; an estimate where the container does not say, None where nothing is known."""
    height: int
    width: int
    has_audio: bool
    start: float = 0.0
    """Seconds into the file where the used piece begins."""
    end: float | None = None
    """Seconds into the file where it ends; None: at the end of the file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameBatch:
    """A few frames in time: what travels through generator, enhancers and exporter."""

    pixels: np.ndarray
    """(B, H, W, 3) uint8 RGB; B may be shorter at the end."""
    times: np.ndarray
    """(B,) float64 s."""

    def __post_init__(self) -> None:
        _check_fields(self, pixels=((None, None, None, 3), np.uint8), times=((None,), np.float64))
        if len(self.pixels) != len(self.times):
            raise ValueError(f"{len(self.pixels)} frames but {len(self.times)} times")

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, kw_only=True, eq=False)
class LandmarkTrack:
    """What was *seen*: landmarks of one face over time."""

    points: np.ndarray
    """(T, 478, 3) float32 px; NaN where no face was seen."""
    visible: np.ndarray
    """(T,) bool: a face was seen in this frame."""
    times: np.ndarray
    """(T,) float64 s."""
    height: int
    """Rows of the pictures that were looked at, px."""
    width: int
    """Columns, px."""

    def __post_init__(self) -> None:
        length = len(self.times)
        _check_fields(
            self,
            points=((length, NUM_LANDMARKS, 3), np.float32),
            visible=((length,), np.bool_),
            times=((length,), np.float64),
        )

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionTrack:
    """What shall *move*: head pose and expression over time, apart from any picture's pixels.

    A landmark in pixels is ``face_width * (translation + scale * rotation @ (rest + offset))`` with the rest face of
    `visiongen.motion.rest_face`, in face widths; see `visiongen.motion.place`.
    """

    rotation: np.ndarray
    """(T, 3, 3) float32, picture axes from head axes; orthonormal."""
    translation: np.ndarray
    """(T, 3) float32, origin of the head frame in face widths from the picture's top-left corner."""
    scale: np.ndarray
    """(T,) float32, size of the face over `face_width`: about 1."""
    offsets: np.ndarray
    """(T, 478, 3) float32, displacement of every landmark from the rest face, head frame, face widths."""
    visible: np.ndarray
    """(T,) bool: seen (True) or filled in (False)."""
    times: np.ndarray
    """(T,) float64 s."""
    face_width: float
    """Width of the face (its median over the track), px: the unit of length."""
    height: int
    """Rows of the picture the motion lives in, px."""
    width: int
    """Columns, px."""
    clip: DrivingClip | None = None
    """Where it comes from, for generators that need driving pixels."""

    def __post_init__(self) -> None:
        length = len(self.times)
        _check_fields(
            self,
            rotation=((length, 3, 3), np.float32),
            translation=((length, 3), np.float32),
            scale=((length,), np.float32),
            offsets=((length, NUM_LANDMARKS, 3), np.float32),
            visible=((length,), np.bool_),
            times=((length,), np.float64),
        )

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a result was made: enough to make it again. Written into the file and returned with it."""

    software: str
    """Name and version, e.g. "VisionGen 3D 0.1.0"."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Plain JSON values: components with their options, motion settings, seed, device, checksums of the inputs."""
    synthetic: bool = True
    """Always true: the picture moves because a machine made it move."""


@dataclass(frozen=True, kw_only=True)
class Animation:
    """A finished result: a file (or folder) and how it was made."""

    path: Path
    fps: Fraction
    num_frames: int
    height: int
    """Rows of the rendered frames, px; a format may add one to make them even (MP4, WebM) or shrink them (GIF)."""
    width: int
    provenance: Provenance

"""LandmarkTrack -> MotionTrack and back: pose and expression, gaps, smoothing, saving, placing.

How a motion is fitted to another face is in `visiongen.retarget`.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from visiongen.arrays import read_arrays
from visiongen.claims import claimed
from visiongen.datatypes import NUM_LANDMARKS, DrivingClip, LandmarkTrack, MotionTrack
from visiongen.errors import MediaError, NoFaceError
from visiongen.pose import face_model, fit_head
from visiongen.rotations import mean_rotation, rotation_matrices, rotation_vectors

TEMPLATE_FORMAT = 1
# Noise of MediaPipe's landmarks on calm clips (median of what a Savitzky-Golay filter leaves), with a third added.
_PLACE_NOISE = 0.0018
"""Of places and offsets, face widths."""
_ROTATION_NOISE = 0.0065
"""Of head turns, radians."""
_SPEED_GAIN, _SPEED_CUTOFF = 32.0, 3.0
"""Of the live filter: rise of its cut-off, Hz, with speed, face widths (or radians) a second; cut-off of that speed, Hz.
With them lips follow within a frame (correlation with the offline result 0.94; 0.83 with 12 and 1) and 0.4 of the
detector's noise is left."""
INTERPOLATE_SECONDS = 0.5
"""Lost frames are interpolated over gaps up to this long; longer ones hold the last pose seen."""


def motion_from_landmarks(track: LandmarkTrack, *, clip: DrivingClip | None = None) -> MotionTrack:
    """Splits landmarks into head pose and expression, and fills the frames in which no face was seen.

    Args:
        track: T frames; at least one with a face.
        clip: Where they come from, for generators that need its pixels.
    Raises:
        NoFaceError: No frame has a face.
    """
    if not track.visible.any():
        raise NoFaceError("no frame of this landmark track shows a face; there is no motion in it")
    seen = np.flatnonzero(track.visible)
    parts = zip(*(_fit(track.points[seen[part]]) for part in blocks(len(seen))))
    rotation, translation, scale, offsets = (np.concatenate(part) for part in parts)
    unit = float(np.median(scale))
    motion = MotionTrack(
        rotation=rotation,
        translation=translation / unit,
        scale=scale / unit,
        offsets=offsets,
        visible=np.ones(len(seen), bool),
        times=track.times[seen],
        face_width=unit,
        height=track.height,
        width=track.width,
        clip=clip,
    )
    return motion if len(seen) == len(track) else _filled(motion, track)


def blocks(length: int, size: int = 256) -> list[slice]:
    """Slices that cover `length` frames: intermediate results of a whole long clip would take more memory than its
    frames."""
    return [slice(first, first + size) for first in range(0, length, size)]


def _fit(points: np.ndarray) -> tuple[np.ndarray, ...]:
    """Head pose (see `fit_head`) and offsets (T, 478, 3) float32, face widths, of landmarks (T, 478, 3), px."""
    points = points.astype(np.float64)
    rotation, translation, scale = fit_head(points)
    head = np.einsum("tji,tnj->tni", rotation, points - translation[:, None]) / scale[:, None, None]
    return rotation, translation, scale, (head - face_model().points).astype(np.float32)


def piece(motion: MotionTrack, frames: slice | np.ndarray) -> MotionTrack:
    """Some frames of a motion: a slice, numbers, or (T,) bool. Times stay as they are."""
    names = ("rotation", "translation", "scale", "offsets", "visible", "times")
    return replace(motion, **{name: getattr(motion, name)[frames] for name in names})


def _filled(motion: MotionTrack, track: LandmarkTrack) -> MotionTrack:
    """`motion`, known at the visible frames of `track`, at all its frames."""
    known, times = motion.times, track.times
    # A long gap holds: time stands still in it until it is over, then the face is where it is seen again.
    ask = np.clip(times, known[0], known[-1])
    before = np.searchsorted(known, ask, side="right") - 1
    after = np.minimum(before + 1, len(known) - 1)
    long_gap = known[after] - known[before] > INTERPOLATE_SECONDS + 1e-9
    ask = np.where(long_gap, known[before], ask)
    share = (ask - known[before]) / np.maximum(known[after] - known[before], 1e-9)

    def between(values: np.ndarray) -> np.ndarray:
        w = share.reshape(-1, *[1] * (values.ndim - 1))
        return values[before] * (1 - w) + values[after] * w

    if len(known) > 1:
        from scipy.spatial.transform import Rotation, Slerp

        rotation = Slerp(known, Rotation.from_matrix(motion.rotation))(ask).as_matrix()
    else:
        rotation = np.repeat(motion.rotation, len(times), axis=0)
    return replace(
        motion,
        rotation=rotation,
        translation=between(motion.translation),
        scale=between(motion.scale),
        offsets=between(motion.offsets),
        visible=track.visible,
        times=times,
    )


def place(motion: MotionTrack) -> LandmarkTrack:
    """Landmarks of a motion in its own picture, px: the inverse of `motion_from_landmarks`."""
    points = np.empty_like(motion.offsets)
    for part in blocks(len(motion)):
        head = face_model().points + motion.offsets[part]
        turned = np.einsum("tij,tnj->tni", motion.rotation[part], head) * motion.scale[part, None, None]
        points[part] = (turned + motion.translation[part, None]) * motion.face_width
    return LandmarkTrack(
        points=points, visible=motion.visible, times=motion.times, height=motion.height, width=motion.width
    )


# -- smoothing ---------------------------------------------------------------------------------------------------------


def smooth(motion: MotionTrack, *, strength: float = 0.5, mode: Literal["offline", "live"] = "offline") -> MotionTrack:
    """Takes the detector's noise out of pose and expression, each by itself, and leaves blinks and nods.

    offline: no lag. A Savitzky-Golay filter estimates the movement; what is left is noise where it is as small as the
    noise of the whole track, and movement where it is larger: a local Wiener filter (Lee, "Digital image enhancement
    and noise filtering by use of local statistics", 1980) keeps as much of it as stands out.
    live: One-Euro filter (Casiez et al., 2012), causal.

    Args:
        motion: T frames.
        strength: 0 (nothing) to 1; how many times the measured noise is taken for noise, times two.
        mode: offline or live.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be in [0, 1], but got {strength}")
    if strength == 0 or len(motion) < 5:
        return motion
    rate = 1 / float(np.median(np.diff(motion.times)))
    one_filter = _one_euro if mode == "live" else _local_wiener

    def smoothed(values: np.ndarray, noise: float) -> np.ndarray:
        flat = values.reshape(len(values), -1, values.shape[-1] if values.ndim > 1 else 1)
        result = np.empty(flat.shape, values.dtype)
        for part in blocks(flat.shape[1], 32):  # of landmarks: each is smoothed by itself, over all times
            result[:, part] = one_filter(flat[:, part].astype(np.float64), strength, rate, noise)
        return result.reshape(values.shape)

    # Rotations are smoothed as vectors relative to their mean, where they are small and do not wrap; live, the mean is
    # not known yet, and the first frame stands for it.
    base = motion.rotation[0] if mode == "live" else mean_rotation(motion.rotation)
    vectors = rotation_vectors(base.T @ motion.rotation)
    return replace(
        motion,
        rotation=base @ rotation_matrices(smoothed(vectors, _ROTATION_NOISE)),
        translation=np.c_[
            smoothed(motion.translation[:, :2], _PLACE_NOISE), smoothed(motion.translation[:, 2:], 4 * _PLACE_NOISE)
        ],
        scale=smoothed(motion.scale, _PLACE_NOISE),
        offsets=smoothed(motion.offsets, _PLACE_NOISE),
    )


def _local_wiener(values: np.ndarray, strength: float, rate: float, most_noise: float) -> np.ndarray:
    """(T, N, D): N points smoothed each by itself."""
    window = max(5, round(7 * rate / 25)) | 1
    window = min(window, len(values) - 1 | 1 if len(values) % 2 else len(values) - 1)
    half = window // 2
    # A point reflection at the ends continues a movement at its speed.
    padded = np.concatenate([2 * values[:1] - values[half:0:-1], values, 2 * values[-1:] - values[-2 : -half - 2 : -1]])
    trend = sum(k * padded[i : i + len(values)] for i, k in enumerate(parabola_kernel(window)))
    rest = values - trend
    energy = np.pad((rest**2).sum(-1), ((1, 1), (0, 0)), mode="edge")
    energy = (energy[:-2] + energy[1:-1] + energy[2:]) / 3  # (T, N)
    # What is usual in this track counts as noise, but no more than the detector makes: a clip that moves in jerks,
    # as one with repeated frames does, is not noisy.
    noise = np.minimum(np.median(energy, axis=0), most_noise**2) * (2 * strength) ** 2
    keep = np.maximum(energy - noise, 0) / np.maximum(energy, 1e-18)
    return trend + keep[..., None] * rest


def parabola_kernel(window: int) -> np.ndarray:
    """(window,) weights that give the middle of the parabola nearest to `window` samples.

    Source: Savitzky and Golay, "Smoothing and differentiation of data by simplified least squares procedures", 1964. SciPy
    has it in `scipy.signal`, whose import takes most of a second.
    """
    at = np.arange(window) - window // 2
    return np.linalg.pinv(np.vander(at.astype(np.float64), 3))[-1]


class OneEuro:
    """A causal low-pass whose cut-off rises with speed: still what rests, and no lag where something moves.

    Source: Casiez et al., "1 € filter: a simple speed-based low-pass filter for noisy input", 2012.
    """

    def __init__(self, strength: float) -> None:
        """
        Args:
            strength: 0 (hardly any smoothing) to 1.
        """
        self._minimum = 0.6 + 6.0 * (1 - strength) ** 2  # Hz
        self._value: np.ndarray | None = None
        self._raw: np.ndarray | None = None
        self._speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray, seconds: float) -> np.ndarray:
        """The smoothed value.

        Args:
            value: (..., D), points of D coordinates, each smoothed by itself; face widths or radians.
            seconds: Since the value before; the first call passes `value` as it is.
        """
        value = np.asarray(value, np.float64)
        before, self._raw = self._raw, value
        if self._value is None or before is None:
            self._value = value
            return value
        change = (value - before) / seconds
        self._speed = self._speed + _share(_SPEED_CUTOFF, seconds) * (change - self._speed)
        cutoff = self._minimum + _SPEED_GAIN * np.linalg.norm(self._speed, axis=-1, keepdims=True)
        self._value = self._value + _share(cutoff, seconds) * (value - self._value)
        return self._value


def _share(cutoff: np.ndarray | float, seconds: float) -> np.ndarray | float:
    """How much of a new value a low-pass of this cut-off, Hz, takes."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * seconds))


def _one_euro(values: np.ndarray, strength: float, rate: float, most_noise: float) -> np.ndarray:
    """(T, N, D), smoothed one after the other."""
    smoother = OneEuro(strength)
    return np.stack([smoother(value, 1 / rate) for value in values])


# -- templates ---------------------------------------------------------------------------------------------------------


def save_motion(motion: MotionTrack, path: Path) -> None:
    """Writes a motion template, ``.npz``: the movement alone, without a picture, for reuse on other portraits.

    Raises:
        MediaError: It cannot be written.
    """
    path = Path(path)
    header = {"format": TEMPLATE_FORMAT, "face_width": motion.face_width, "size": [motion.height, motion.width]}
    arrays = {name: getattr(motion, name) for name in ("rotation", "translation", "scale", "visible", "times")}
    partial = path.with_name(f".{path.name}.part")
    try:
        with claimed(path):
            with partial.open("wb") as file:
                np.savez_compressed(
                    file, offsets=motion.offsets.astype(np.float16), header=json.dumps(header), **arrays
                )
            os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise MediaError(
            f"{path}: cannot write the motion template ({error.strerror}); choose another folder"
        ) from error


_TEMPLATE = {"rotation": (3, 3), "translation": (3,), "scale": (), "offsets": (NUM_LANDMARKS, 3), "visible": (), "times": (),
             "header": None}  # fmt: skip
_FARTHEST, _LARGEST = 1e4, 1e6
"""What no template goes beyond: places and sizes in face widths; seconds, and px of its picture."""


def load_motion(path: Path) -> MotionTrack:
    """Reads a motion template.

    Raises:
        MediaError: Not a motion template, damaged, too large, or of another format.
    """
    path = Path(path)
    try:
        arrays = read_arrays(path, _TEMPLATE)
        header = dict(json.loads(str(arrays.pop("header"))))
        if header.get("format") != TEMPLATE_FORMAT:
            raise MediaError(
                f"{path.name}: a motion template of format {header.get('format')!r}, but this version reads "
                f"{TEMPLATE_FORMAT}; update VisionGen 3D, or make it again with --save-motion"
            )
        height, width = map(int, list(header["size"]) if not isinstance(header["size"], str) else ())
        motion = MotionTrack(**arrays, face_width=float(header["face_width"]), height=height, width=width)
    except OSError as error:
        raise MediaError(f"{path}: cannot read the motion template ({error.strerror or error})") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise MediaError(f"{path.name}: not a motion template of VisionGen, or damaged ({error})") from error
    numbers = (motion.rotation, motion.translation, motion.scale, motion.offsets, motion.times, motion.face_width)
    if not len(motion) or not all(np.isfinite(part).all() for part in numbers):
        raise MediaError(f"{path.name}: a motion template without frames or with numbers that are not finite")
    turns = motion.rotation @ motion.rotation.transpose(0, 2, 1)
    sizes = (motion.face_width, motion.height, motion.width)
    if not (
        np.allclose(turns, np.eye(3), atol=0.01)
        and min(*sizes, motion.scale.min()) > 0
        and max(*sizes, abs(motion.times).max()) <= _LARGEST
        and max(abs(part).max() for part in (motion.translation, motion.scale, motion.offsets)) <= _FARTHEST
        and (np.diff(motion.times) > 0).all()
    ):
        raise MediaError(f"{path.name}: a motion template with sizes, places, times or rotations that cannot be")
    return motion

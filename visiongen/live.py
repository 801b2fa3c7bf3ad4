"""A camera drives a portrait, frame by frame: every picture goes in when it is there, and comes back moved.

    from visiongen.live import LiveSession

    with LiveSession("portrait.jpg") as live:
        for picture in camera:  # (H, W, 3) uint8 RGB
            show(live.push(picture).pixels)

What an ordinary job knows from the whole clip, a live one has to learn at the start: the driver's neutral face, to which
all movement is relative, is the median of the first half second; `LiveSession.calibrate` takes it anew.
"""

from __future__ import annotations

import queue
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from visiongen import plugins
from visiongen.datatypes import MotionTrack, Portrait
from visiongen.errors import UnsupportedMotionError
from visiongen.faces import PasteBack
from visiongen.landmarks import FaceMesh, nearest_face
from visiongen.motion import OneEuro, piece
from visiongen.pipeline import Choice, prepare_portrait, render, resolve_device
from visiongen.pose import face_model, fit_head
from visiongen.retarget import MotionSettings, portrait_motion, retarget

CALIBRATION_SECONDS = 0.5
"""How long the driver's neutral face is looked at; its median is not hurt by a blink."""
_LEAST_CALIBRATION, _MOST_CALIBRATION = 5, 20  # frames
_SLOW_STRENGTH = 0.85  # of smoothing size and depth: heads come nearer slowly, detectors jump
_SHORTEST_STEP, _LONGEST_STEP = 1 / 240, 0.5  # s between two frames, for the smoothing
_FAR_APART = 1000.0
"""Seconds between the neutral frame and the frame of now: nothing is smoothed across them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveFrame:
    """What comes back for a camera's picture."""

    pixels: np.ndarray
    """(H, W, 3) uint8 RGB, the portrait, moved."""
    visible: bool
    """A face was seen in the camera's picture; else the portrait stays as it was."""
    calibrated: bool
    """The driver's neutral face is known; before, it is still being learned."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time spent in "landmarks", "motion" and "generate"."""


@dataclass(frozen=True, eq=False)
class _Face:
    """One observed face."""

    rotation: np.ndarray  # (3, 3)
    translation: np.ndarray  # (3,) px
    scale: float  # px
    offsets: np.ndarray  # (478, 3) face widths


class LiveSession:
    """One portrait and one camera.

    `push` does all; `follow` (camera to motion) and `draw` (motion to picture) are its two halves, which may run at once, so
    that the next picture is looked at while this one is drawn. `follow` belongs to one thread, `draw` to as many as there are
    `drawers`: two small networks on a core each are done sooner than one on two cores. Sooner still are processes of their
    own, each with a `LiveDrawer`, since threads of one process wait for each other's Python.
    """

    def __init__(
        self,
        portrait: Portrait | Path | str | np.ndarray,
        *,
        generator: str | Choice = "vae-gan",
        settings: MotionSettings | None = None,
        size: int | None = 256,
        full: bool = False,
        device: str = "auto",
        drawers: int = 1,
    ) -> None:
        """
        Args:
            portrait: Prepared, or a picture.
            generator: A generator that needs the motion only.
            settings: How the motion is fitted; may be changed at any time. The reference frame is not used: the neutral
                face takes its place.
            size: Side of the crop that is moved, px; None: the portrait's own. Smaller is faster.
            full: Paste the crop back into the whole picture, whose size then comes back; `size` does not apply.
            device: auto, cpu or cuda.
            drawers: How many threads may `draw` at once, each on its share of the processor's cores. Every one has a
                generator of its own. 0: none is loaded here, pictures are drawn elsewhere.
        Raises:
            UnsupportedMotionError: The generator needs the driving pixels.
            VisionGenError: The portrait shows no face, or the generator cannot be loaded.
        """
        choice = Choice(name=generator) if isinstance(generator, str) else generator
        component = plugins.choose("generator", choice.name)
        if component.needs == "pixels":
            raise UnsupportedMotionError(
                f"generator {component.name!r} needs a whole driving clip and cannot follow a camera; choose another one"
            )
        whole = portrait if isinstance(portrait, Portrait) else prepare_portrait(portrait)
        self.portrait = whole if full or size is None else with_crop_of(whole, size)
        self._own = portrait_motion(self.portrait)
        self.settings = settings or MotionSettings()
        self._drawers = drawers
        self._free: queue.SimpleQueue = queue.SimpleQueue()
        """Those that draw nothing now."""
        for _ in range(drawers):
            self._free.put(LiveDrawer(self.portrait, generator=choice, full=full, device=device))
        self._mesh = FaceMesh(max_faces=1)
        self._size = (1, 1)
        self.reset()
        self.seconds: dict[str, float] = {}
        """Time the newest "landmarks", "motion" and "generate" took."""
        self._last_pixels = PasteBack(self.portrait)(self.portrait.crop) if full else self.portrait.crop

    # -- what a caller does ------------------------------------------------------------------------------------------

    def push(self, picture: np.ndarray, *, time: float | None = None) -> LiveFrame:
        """The portrait, moved like the face in a camera's picture.

        Args:
            picture: (H, W, 3) uint8 RGB; 256 to 480 pixels a side are plenty.
            time: When it was taken, s; default: now.
        Raises:
            VisionGenError: A plugin failed.
        """
        motion = self.follow(picture, time=time)
        pixels = self._last_pixels if motion is None else self.draw(motion)
        seconds = self.seconds if motion is not None else {**self.seconds, "generate": 0.0}
        return LiveFrame(
            pixels=pixels,
            visible=motion is not None,
            calibrated=self.calibrated,
            seconds=MappingProxyType(dict(seconds)),
        )

    def follow(self, picture: np.ndarray, *, time: float | None = None) -> MotionTrack | None:
        """The first half of `push`: one frame of motion, fitted to the portrait; None where no face is seen."""
        begun = clock.perf_counter()
        face = self._observed(picture)
        seen = clock.perf_counter()
        motion = None if face is None else self._motion(face, clock.monotonic() if time is None else time)
        self.seconds |= {"landmarks": seen - begun, "motion": clock.perf_counter() - seen}
        return motion

    def draw(self, motion: MotionTrack) -> np.ndarray:
        """The second half of `push`: the portrait (H, W, 3) uint8, moved by one frame of motion from `follow`."""
        from visiongen.generators.parallel import share_of_cores  # loads PyTorch

        if not self._drawers:
            raise RuntimeError("this session was made without drawers")
        drawer = self._free.get()
        begun = clock.perf_counter()
        try:
            with share_of_cores(self._drawers):
                pixels = drawer(motion)
        finally:
            self._free.put(drawer)
        self._last_pixels = pixels
        self.seconds["generate"] = clock.perf_counter() - begun
        return pixels

    def calibrate(self) -> None:
        """Takes the face of the next half second for the driver's neutral one, at which the portrait is as it was."""
        self._neutral.begin()

    def reset(self) -> None:
        """Forgets the driver: whoever is seen next is somebody new."""
        self._neutral = _Neutral()
        self._smoother: _Smoother | None = None
        self._last_time: float | None = None

    @property
    def calibrated(self) -> bool:
        """The driver's neutral face is known and not being learned anew."""
        return not self._neutral.is_learning

    def close(self) -> None:
        """Frees the models."""
        self._mesh.close()

    def __enter__(self) -> LiveSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- camera to motion --------------------------------------------------------------------------------------------

    def _observed(self, picture: np.ndarray) -> _Face | None:
        points = nearest_face(self._mesh(picture), None)
        if points is None:
            return None
        self._size = picture.shape[:2]
        rotation, translation, scale = (part[0] for part in fit_head(points[None].astype(np.float64)))
        head = (points - translation) @ rotation / scale
        return _Face(rotation, translation, float(scale), head - face_model().points)

    def _motion(self, face: _Face, time: float) -> MotionTrack:
        step = _LONGEST_STEP if self._last_time is None else time - self._last_time
        self._last_time = time
        neutral = self._neutral.learned_from(face, time)
        strength = self.settings.smoothing
        if strength and (self._smoother is None or self._smoother.strength != strength):
            self._smoother = _Smoother(strength, face)
        if strength:
            face = self._smoother(face, float(np.clip(step, _SHORTEST_STEP, _LONGEST_STEP)))
        both = MotionTrack(
            rotation=[neutral.rotation, face.rotation],
            translation=np.stack([neutral.translation, face.translation]) / neutral.scale,
            scale=[1.0, face.scale / neutral.scale],
            offsets=np.stack([neutral.offsets, face.offsets]),
            visible=[True, True],
            times=[time - _FAR_APART, time],
            face_width=neutral.scale,
            height=self._size[0],
            width=self._size[1],
        )
        fitted = retarget(both, self.portrait, replace(self.settings, reference_frame=0), own=self._own)
        return piece(fitted, slice(1, 2))


class LiveDrawer:
    """The second half of a `LiveSession` by itself: for a process that only draws. One thread at a time."""

    def __init__(
        self, portrait: Portrait, *, generator: str | Choice = "vae-gan", full: bool = False, device: str = "auto"
    ) -> None:
        """
        Args:
            portrait: `LiveSession.portrait`.
            generator, full, device: As of the session.
        Raises:
            VisionGenError: The generator cannot be loaded.
        """
        choice = Choice(name=generator) if isinstance(generator, str) else generator
        component = plugins.choose("generator", choice.name)
        self._portrait = portrait
        self._generator = plugins.load(component, choice.options, device=resolve_device(device))
        self._paste = PasteBack(portrait) if full else None

    def __call__(self, motion: MotionTrack) -> np.ndarray:
        """The portrait (H, W, 3) uint8, moved by one frame of motion from `LiveSession.follow`."""
        pixels = next(render(self._portrait, motion, generator=self._generator, full=False)).pixels[0]
        return self._paste(pixels) if self._paste else pixels


class _Neutral:
    """The driver's neutral face, learned from the first faces after `begin`."""

    def __init__(self) -> None:
        self._face: _Face | None = None
        self._faces: list[_Face] = []
        self._since = 0.0
        self._is_first = True
        self.is_learning = True

    def begin(self) -> None:
        """Learns it anew; the old one stays in use until then."""
        self._faces, self.is_learning = [], True

    def learned_from(self, face: _Face, time: float) -> _Face:
        """The neutral face after one more face at a time, s."""
        if self.is_learning:
            self._since = time if not self._faces else self._since
            self._faces.append(face)
            count, seconds = len(self._faces), time - self._since
            done = count >= _MOST_CALIBRATION or (count >= _LEAST_CALIBRATION and seconds >= CALIBRATION_SECONDS)
            if done or self._is_first:  # at the very beginning, what there is of it is used at once
                self._face = _median_face(self._faces)
            if done:
                self._faces, self._is_first, self.is_learning = [], False, False
        assert self._face is not None
        return self._face


class _Smoother:
    """Takes the detector's noise out of pose and expression, each by itself."""

    def __init__(self, strength: float, first: _Face) -> None:
        self.strength = strength
        # Turns are smoothed as vectors from the first face, near which they are small and do not wrap.
        self._base, self._unit = Rotation.from_matrix(first.rotation), first.scale
        self._turn, self._place, self._offsets = (OneEuro(strength) for _ in range(3))
        self._depth, self._size = (OneEuro(max(strength, _SLOW_STRENGTH)) for _ in range(2))

    def __call__(self, face: _Face, step: float) -> _Face:
        turn = (self._base.inv() * Rotation.from_matrix(face.rotation)).as_rotvec()
        place = face.translation / self._unit
        place = np.concatenate([self._place(place[:2], step), self._depth(place[2:], step)])
        size = self._size(np.array([face.scale / self._unit]), step)
        return _Face(
            (self._base * Rotation.from_rotvec(self._turn(turn, step))).as_matrix(),
            place * self._unit,
            float(size[0]) * self._unit,
            self._offsets(face.offsets, step),
        )


def _median_face(faces: list[_Face]) -> _Face:
    return _Face(
        Rotation.from_matrix([face.rotation for face in faces]).mean().as_matrix(),
        np.median([face.translation for face in faces], axis=0),
        float(np.median([face.scale for face in faces])),
        np.median([face.offsets for face in faces], axis=0),
    )


def with_crop_of(portrait: Portrait, size: int) -> Portrait:
    """`portrait` with its crop brought to `size` x `size` px; the picture and its landmarks stay as they are."""
    side = portrait.crop.shape[0]
    if side == size:
        return portrait
    method = cv2.INTER_AREA if size < side else cv2.INTER_CUBIC
    matrix = portrait.image_from_crop.copy()
    matrix[:, :2] *= side / size
    crop = cv2.resize(portrait.crop, (size, size), interpolation=method)
    return replace(portrait, crop=crop, image_from_crop=matrix)

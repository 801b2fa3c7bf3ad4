"""What the camera and the moved portrait showed, kept while it is recorded, and written as the files of a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from studio.heard import HeardWarnings
from studio.settings import Settings
from visiongen import FrameBatch, MotionTrack, Portrait, Provenance, choose, load
from visiongen.errors import VisionGenError
from visiongen.marking.marks import FrameMarks, export_signed
from visiongen.marking.settings import MarkSettings
from visiongen.pipeline import resolve_device

FPS = Fraction(25)
"""Of the film: a camera's pictures come when they like, a film's do not."""
LONGEST_SECONDS = 120.0
_THUMBNAIL = 256
_RECORDED = MarkSettings(mark="none")  # the visible mark is in the pictures that were recorded


class Recording:
    """JPEGs with their times; about 1 MB a second."""

    longest = LONGEST_SECONDS

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: list[float] = []
        self._camera: list[bytes] = []
        self._moved: list[bytes] = []
        self._motions: list[MotionTrack | None] = []
        self._is_full = False

    def add(self, time: float, camera: bytes, moved: bytes, motion: MotionTrack | None = None) -> bool:
        """Keeps a picture, what it became and its motion; False once, when the recording has become full."""
        with self._lock:
            if self._is_full:
                return True
            if self._times and time - self._times[0] > LONGEST_SECONDS:
                self._is_full = True
                return False
            if not self._times or time > self._times[-1]:
                self._times.append(time)
                self._camera.append(camera)
                self._moved.append(moved)
                self._motions.append(motion)
        return True

    def save(self, folder: Path, settings: Settings, portrait: Portrait) -> dict[str, Any]:
        """Writes ``result.mp4``, ``driving.mp4``, ``portrait.png`` and ``thumbnail.jpg``.

        Returns:
            Plain values for the run: ``frames``, ``fps``, ``size``, ``device``, ``frames_per_second`` (that the
            session reached), ``warnings``.
        Raises:
            VisionGenError: Less than two pictures, or a file cannot be written.
        """
        with self._lock:
            times = np.array(self._times)
            camera, moved = list(self._camera), list(self._moved)
        if len(times) < 2:
            raise VisionGenError("the recording has no pictures; wait for the portrait to move, then record again")
        numbers = at_constant_rate(times)
        provenance = Provenance(
            software=f"VisionGen 3D {metadata.version('visiongen')}",
            settings={"live": True, **settings.to_dict()} | {"portrait": settings.portrait_name, "driving": "camera"},
        )
        with HeardWarnings() as heard:
            _write_film(folder / "result.mp4", moved, numbers, provenance, marks=_RECORDED)
        copy = Provenance(software=provenance.software, settings={"copy of": "camera"}, synthetic=False)
        _write_film(folder / "driving.mp4", camera, numbers, copy)
        _write_picture(folder / "portrait.png", portrait.image)
        middle = _decoded(moved[len(moved) // 2])
        height, width = middle.shape[:2]
        scale = _THUMBNAIL / max(height, width)
        _write_picture(folder / "thumbnail.jpg", cv2.resize(middle, (round(width * scale), round(height * scale))))
        fps = f"{FPS.numerator}/{FPS.denominator}"
        return {
            "frames": len(numbers), "fps": fps, "size": [height, width], "warnings": heard.texts,
            "device": resolve_device(settings.device),
            "frames_per_second": round((len(times) - 1) / float(times[-1] - times[0]), 2),
        }  # fmt: skip

    def measure(self, folder: Path, settings: Settings, portrait: Portrait) -> dict[str, Any]:
        """Finds the landmarks of what `save` has written; see `studio.live_measuring.measure_recording`."""
        from studio.live_measuring import measure_recording

        with self._lock:
            times, motions = np.array(self._times), list(self._motions)
        return measure_recording(folder, settings, portrait, [motions[number] for number in at_constant_rate(times)])


def at_constant_rate(times: np.ndarray, fps: Fraction = FPS) -> np.ndarray:
    """(F,) which of the pictures taken at `times` (T,) s is shown in each frame of a film: the newest there is."""
    count = max(1, round((times[-1] - times[0]) * float(fps)) + 1)
    asked = times[0] + np.arange(count) / float(fps)
    return np.clip(np.searchsorted(times, asked + 1e-6, side="right") - 1, 0, len(times) - 1)


def _write_film(
    path: Path, pictures: list[bytes], numbers: np.ndarray, provenance: Provenance, marks: MarkSettings | None = None
) -> None:
    exporter, batches = load(choose("exporter", "mp4")), _batches(pictures, numbers)
    if marks is None:
        exporter.export(batches, path, fps=FPS, sound=None, provenance=provenance)
        return
    batches = FrameMarks(marks, provenance).passing(batches)
    export_signed(
        lambda part: exporter.export(batches, part, fps=FPS, sound=None, provenance=provenance), path, marks=marks,
        provenance=provenance,
    )  # fmt: skip


def _batches(pictures: list[bytes], numbers: np.ndarray) -> Iterator[FrameBatch]:
    first = _decoded(pictures[int(numbers[0])])
    last, pixels = int(numbers[0]), first
    for frame, number in enumerate(numbers):
        if int(number) != last:
            last, pixels = int(number), _decoded(pictures[int(number)])
        if pixels.shape != first.shape:  # the camera was turned
            pixels = cv2.resize(pixels, first.shape[1::-1])
        yield FrameBatch(pixels=pixels[None], times=np.array([frame / float(FPS)]))


def _decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert done
    path.write_bytes(data.tobytes())

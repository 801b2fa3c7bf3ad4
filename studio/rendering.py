"""One whole render in the worker process: from the inputs to all files of a run."""

from __future__ import annotations

import os
import platform
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from studio.conversion import signed_export
from studio.heard import HeardWarnings
from studio.measuring import Measuring
from studio.settings import Part, Settings
from visiongen import FrameBatch, MotionTrack, Portrait, Provenance, choose, place, render
from visiongen.errors import VisionGenError
from visiongen.marking.badge import Badge
from visiongen.marking.marks import FrameMarks
from visiongen.media import probe, read_frames, sha256
from visiongen.pipeline import unusual

if TYPE_CHECKING:
    from studio.warm import Warm
    from studio.worker import Teller

RESULT, DRIVING, PORTRAIT, STILL = "result.mp4", "driving.mp4", "portrait.png", "still.png"
PREVIEW_SECONDS = 0.5
LONGEST_COPY = 1280
"""Longer side of the copy of the driving clip, px."""


class Stages:
    """How long each stage took."""

    def __init__(self, teller: Teller) -> None:
        self._teller = teller
        self._begun = time.monotonic()
        self._name = ""
        self.seconds: dict[str, float] = {}

    def begin(self, name: str) -> None:
        """The next stage; stops here if the job was cancelled."""
        self.end()
        self._name = name
        self._teller.check()
        self._teller.tell("stage", name=name)

    def end(self) -> None:
        """No stage any more."""
        now = time.monotonic()
        if self._name:
            self.seconds[self._name] = round(self.seconds.get(self._name, 0.0) + now - self._begun, 3)
        self._name, self._begun = "", now


def render_run(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    """Answers a task with ``folder`` and ``settings`` with what `studio.store.Run` keeps of the result."""
    folder, settings = Path(task["folder"]), Settings.from_dict(task["settings"])
    stages = Stages(teller)
    stages.begin("Loading models")
    device = warm.device(settings)
    teller.tell("device", name=device)
    generator = warm.component("generator", settings.generator, device)
    enhancers = [warm.component("enhancer", part, device) for part in settings.enhancers]
    stages.begin("Finding the face")
    _write_picture(folder / PORTRAIT, warm.portrait(settings).image)
    stages.begin("Reading the clip")
    with HeardWarnings() as heard, ThreadPoolExecutor(1) as beside:
        copy = None if settings.is_template else beside.submit(_copy_clip, settings, folder / DRIVING, teller)
        seen, motion, portrait, fitted = warm.fitted(settings, _progress(teller))
        size = copy.result() if copy else (motion.height, motion.width)
    result = Result(settings, portrait, fitted, motion)
    if not settings.full:  # else it is the picture itself
        _write_picture(folder / STILL, result.portrait())
    stages.begin("Rendering")
    frames = render(portrait, fitted, generator=generator, enhancers=enhancers, full=settings.full)
    driving = (seen if seen is not None else place(motion)).points
    measuring = Measuring(
        settings, result.portrait(), result.fps, teller.tell, targets=result.target(), driving=driving
    )
    with measuring, heard:
        told = _told(result.resized(frames), folder, len(fitted), teller, measuring, Badge(settings.mark))
        count = _export(told, settings, folder, result, device, warm)
    stages.begin("Looking for problems")
    warnings = [
        *unusual(portrait, motion, fitted),
        *result.warnings,
        *map(settings.with_names, heard.texts),
        *measuring.warnings,
    ]
    warnings += diagnosed(motion, portrait, fitted, settings, folder)
    stages.begin("Finishing")
    write_arrays(folder, result, seen, motion, fitted, measuring, size)
    _write_thumbnail(folder)
    stages.end()
    rendering = stages.seconds["Rendering"]
    return {
        "fps": f"{result.fps.numerator}/{result.fps.denominator}", "frames": count, "size": list(result.size),
        "device": device, "stage_seconds": stages.seconds, "frames_per_second": round(count / max(rendering, 1e-6), 2),
        "summary": measuring.summary(), "warnings": warnings,
    }  # fmt: skip


def _progress(teller: Teller) -> Any:
    def progress(_stage: str, done: int, total: int | None) -> None:
        teller.check()
        teller.tell("progress", done=done, total=total)

    return progress


class Result:
    """Size and coordinates of the result's frames."""

    def __init__(self, settings: Settings, portrait: Portrait, fitted: MotionTrack, motion: MotionTrack) -> None:
        self._settings, self._portrait, self._fitted = settings, portrait, fitted
        self.warnings: list[str] = []
        self.sound = motion.clip if motion.clip is not None and motion.clip.has_audio else None
        self.fps = motion.clip.fps if motion.clip is not None else _rate(motion)
        side = settings.size or portrait.crop.shape[0]
        self.size = portrait.image.shape[:2] if settings.full else (side, side)

    def portrait(self) -> np.ndarray:
        """The portrait as it is in the result before anything moves."""
        return self._portrait.image if self._settings.full else self._fit(self._portrait.crop)

    def _fit(self, pixels: np.ndarray) -> np.ndarray:
        if pixels.shape[:2] == tuple(self.size):
            return pixels
        smaller = pixels.shape[0] > self.size[0]
        return cv2.resize(pixels, self.size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)

    def resized(self, batches: Iterator[FrameBatch]) -> Iterator[FrameBatch]:
        """Frames in the size that was asked for."""
        for batch in batches:
            if batch.pixels.shape[1:3] == tuple(self.size):
                yield batch
            else:
                yield FrameBatch(pixels=np.stack([self._fit(one) for one in batch.pixels]), times=batch.times)

    def points(self, of_image: np.ndarray) -> np.ndarray:
        """(..., 3) px of the portrait's picture -> px of the result."""
        if self._settings.full:
            return of_image
        matrix = cv2.invertAffineTransform(self._portrait.image_from_crop)
        scale = self.size[0] / self._portrait.crop.shape[0]
        plane = (of_image[..., :2] @ matrix[:, :2].T + matrix[:, 2]) * scale
        depth = of_image[..., 2:] * np.sqrt(abs(np.linalg.det(matrix[:, :2]))) * scale
        return np.concatenate([plane, depth], -1).astype(np.float32)

    def target(self) -> np.ndarray:
        """(T, 478, 3) px of the result: where the landmarks shall be."""
        return self.points(place(self._fitted).points)

    def reference(self) -> np.ndarray:
        """(478, 3) px of the result: the portrait's own landmarks."""
        return self.points(self._portrait.landmarks)

    def landmarks(self) -> np.ndarray:
        """(478, 3) px of the whole picture: the portrait's own landmarks."""
        return self._portrait.landmarks

    def others(self) -> np.ndarray:
        """(F, 478, 3) px of the whole picture: landmarks of the faces beside it."""
        return self._portrait.others

    def drawn(self) -> np.ndarray:
        """(3,) bool: whether the face, its right and its left eye are drawn."""
        face, eyes = self._portrait.drawn
        return np.array([face, *eyes])


def _rate(motion: MotionTrack) -> Fraction:
    if len(motion) < 2:
        return Fraction(25)
    return Fraction((len(motion) - 1) / float(motion.times[-1] - motion.times[0])).limit_denominator(1001)


def _copy_clip(settings: Settings, out: Path, teller: Teller) -> tuple[int, int]:
    """The used piece as a video every browser plays; its height and width, px."""
    from visiongen import load

    clip = probe(settings.driving, start=settings.start, end=settings.end)
    scale = min(1.0, LONGEST_COPY / max(clip.height, clip.width))
    size = (round(clip.width * scale), round(clip.height * scale))

    def frames() -> Iterator[FrameBatch]:
        for batch in read_frames(clip, batch_size=8):
            teller.check()
            if scale < 1:
                pixels = np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in batch.pixels])
                batch = FrameBatch(pixels=pixels, times=batch.times)
            yield batch

    provenance = Provenance(software=_software(), settings={"copy of": settings.driving_name}, synthetic=False)
    exporter = load(choose("exporter", "mp4"))
    exporter.export(frames(), out, fps=clip.fps, sound=None, provenance=provenance)
    return size[1], size[0]


def _told(
    batches: Iterator[FrameBatch], folder: Path, total: int, teller: Teller, measuring: Measuring, badge: Badge
) -> Iterator[FrameBatch]:
    """The same frames, counted, measured, and shown now and then."""
    done, shown = 0, 0.0
    try:
        for batch in batches:
            teller.check()
            measuring.add(batch)
            done += len(batch)
            teller.tell("progress", done=done, total=total)
            if time.monotonic() - shown > PREVIEW_SECONDS:
                shown = time.monotonic()
                _write_picture(folder / "preview.jpg", badge(_small(batch.pixels[-1], 640)))
                teller.tell("preview")
            yield batch
    finally:
        if close := getattr(batches, "close", None):
            close()


def _export(
    batches: Iterator[FrameBatch], settings: Settings, folder: Path, result: Result, device: str, warm: Warm
) -> int:
    """Writes ``result.mp4`` and, beside it while the frames pass, the format that was chosen."""
    provenance = _provenance(settings, device)
    how = {"fps": result.fps, "sound": result.sound, "provenance": provenance}
    batches = FrameMarks(settings.marks(), provenance).passing(batches)
    is_mp4 = settings.exporter.name == "mp4"
    main = warm.component("exporter", settings.exporter if is_mp4 else Part(name="mp4"), device)
    if is_mp4:
        return signed_export(main, batches, folder / RESULT, settings, how)
    from studio.conversion import Branch, result_name

    other = warm.component("exporter", settings.exporter, device)
    with Branch(other, folder / result_name(settings.exporter.name), how, settings) as branch:
        count = signed_export(main, branch.passing(batches), folder / RESULT, settings, how)
    result.warnings += branch.problems
    return count


def _software() -> str:
    return f"VisionGen 3D {metadata.version('visiongen')}"


def _provenance(settings: Settings, device: str) -> Provenance:
    """As `visiongen.animate` writes it, so that ``visiongen reproduce`` can make the result again."""
    values: dict[str, Any] = {
        "face": settings.face, "start": settings.start, "end": settings.end, "full": settings.full, "size": settings.size,
        "device": device, "seed": settings.seed, "generator": _described("generator", settings.generator),
        "enhancer": [_described("enhancer", one) for one in settings.enhancers],
        "exporter": _described("exporter", settings.exporter), "motion": asdict(settings.motion), "remedies": [],
        "python": platform.python_version(),
    }  # fmt: skip
    values |= {"fills": [list(one) for one in settings.fills]} if settings.fills else {}
    for name in ("portrait", "driving"):
        values[name] = {"name": getattr(settings, f"{name}_name"), "sha256": sha256(getattr(settings, name))}
    return Provenance(software=_software(), settings=values | settings.marks().to_settings())


def _described(kind: str, part: Part) -> dict[str, Any]:
    options = part.choice(kind).options
    return {"name": part.name, "plugin": choose(kind, part.name).plugin, "options": asdict(options)}


def diagnosed(
    motion: MotionTrack, portrait: Portrait, fitted: MotionTrack, settings: Settings, folder: Path,
    *, without: tuple[str, ...] = (),
) -> list[str]:  # fmt: skip
    """Writes the failure cases; what went wrong with that costs only them, and comes back as warnings.

    Args:
        motion, portrait, fitted: See `visiongen.diagnostics.diagnose`.
        settings: Of the run.
        folder: Of the run.
        without: Kinds that say nothing about it.
    """
    from visiongen.diagnostics import diagnose, save_problems

    try:
        found = diagnose(motion, portrait=portrait, fitted=fitted, settings=settings.motion)
        save_problems([problem for problem in found if problem.kind not in without], folder / "problems.json")
    except VisionGenError as error:
        return [f"failure cases were not looked for: {error}"]
    return []


def write_arrays(
    folder: Path, result: Result, seen: Any, motion: MotionTrack, fitted: MotionTrack, measuring: Measuring,
    driving_size: tuple[int, int],
) -> None:  # fmt: skip
    """Writes ``tracks.npz`` and ``series.npz``.

    Args:
        folder: Of the run.
        result: Its size and coordinates.
        seen: Landmarks of the driver; None for a motion template.
        motion, fitted: The driver's, and what it became on the portrait.
        measuring: What was found in the result.
        driving_size: Height and width of ``driving.mp4``, px.
    """
    observed = seen if seen is not None else place(motion)
    scale = np.array([driving_size[1] / observed.width, driving_size[0] / observed.height,
                      driving_size[1] / observed.width], np.float32)  # fmt: skip
    _save_arrays(
        folder / "tracks.npz",
        driving=observed.points * scale, driving_visible=observed.visible, target=result.target(),
        generated=measuring.landmarks(len(fitted)), times=fitted.times, rotation=fitted.rotation,
        driver_rotation=motion.rotation, reference=result.reference(), driving_size=driving_size,
        result_size=result.size, portrait=result.landmarks(), others=result.others(), drawn=result.drawn(),
    )  # fmt: skip
    series = measuring.series(len(fitted))
    _save_arrays(folder / "series.npz", **{name: values.astype(np.float32) for name, values in series.items()})


def _save_arrays(path: Path, **arrays: Any) -> None:
    """Whole or not at all: a process may be killed while it writes."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _small(pixels: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    """Whole or not at all: pages read it at any time."""
    part = path.with_name(f".{threading.get_ident()}{path.suffix}")
    # OpenCV says nothing of a full disk when it writes itself, so it only encodes.
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    try:
        part.write_bytes(data.tobytes())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _write_thumbnail(folder: Path) -> None:
    frames = read_frames(probe(folder / RESULT), batch_size=8)
    with suppress(VisionGenError):
        first = next(frames).pixels
        _write_picture(folder / "thumbnail.jpg", _small(first[len(first) // 2], 256))
    frames.close()
    if not (folder / "thumbnail.jpg").exists():
        shutil.copyfile(folder / "preview.jpg", folder / "thumbnail.jpg")

"""The reading entrance: prepare_portrait, extract_motion, fit_motion, render, animate. Each stage from one type to the next.

picture -> prepare_portrait -> Portrait ─────────────────────┐
video -> extract_motion -> MotionTrack -> fit_motion ────────┴─> render -> FrameBatch ... -> exporter -> Animation
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from visiongen import media, plugins
from visiongen.datatypes import Animation, FrameBatch, MotionTrack, Portrait, Provenance
from visiongen.errors import MediaError, VisionGenError
from visiongen.exporters import check_target
from visiongen.faces import Face, PasteBack, choose_face, find_faces, make_portrait
from visiongen.hookspecs import Enhancer, Generator
from visiongen.landmarks import track
from visiongen.motion import load_motion, motion_from_landmarks, piece, place, smooth
from visiongen.pose import euler_angles
from visiongen.retarget import MotionSettings, retarget

Progress = Callable[[str, int, int | None], None]
"""Called with (stage, done, total or None); raise in it to stop."""

TEMPLATE_SUFFIX = ".npz"
logger = logging.getLogger(__name__)
_MOST_YAW, _MOST_PITCH = 45, 30  # degrees: beyond, a single picture does not show enough of the head
_LARGE_FRAME = 4_000_000  # bytes; larger frames travel one by one, so that memory does not depend on the batch


def prepare_portrait(picture: Path | str | np.ndarray, *, face: int = 0, size: int | None = None) -> Portrait:
    """Finds, chooses and crops a face.

    Args:
        picture: A file, or (H, W, 3) uint8 RGB.
        face: Which of several faces, 0 is the largest.
        size: Longer side the picture is brought to first, px; default: as it is.
    Raises:
        MediaError: The picture cannot be read.
        NoFaceError: It shows no face, or not that many.
    """
    name = "the picture" if isinstance(picture, np.ndarray) else Path(picture).name
    image = picture if isinstance(picture, np.ndarray) else media.read_picture(Path(picture))
    if size:
        image = _with_longer_side(image, size)
    return make_portrait(image, choose_face(find_faces(image), face, name=name), name=name)


def extract_motion(
    driving: Path | str, *, start: float = 0.0, end: float | None = None, progress: Progress | None = None
) -> MotionTrack:
    """Head pose and expression of a driving video, or of a saved motion template (.npz).

    Args:
        driving: A video or a template.
        start, end: The piece to use, s (of a template too).
        progress: Called with ("landmarks", frames done, frames expected).
    Raises:
        MediaError: It cannot be read.
        NoFaceError: No frame shows a face.
    """
    path = Path(driving)
    if path.suffix.lower() == TEMPLATE_SUFFIX:
        return _piece(load_motion(path), start, end, path.name)
    clip = media.probe(path, start=start, end=end)
    report = (lambda done, total: progress("landmarks", done, total)) if progress else None
    return motion_from_landmarks(track(clip, progress=report), clip=clip)


def _piece(motion: MotionTrack, start: float, end: float | None, name: str) -> MotionTrack:
    inside = (motion.times >= start - 1e-9) & (motion.times < (np.inf if end is None else end) - 1e-9)
    if not inside.any():
        asked = f"from {start:g} s to {'the end' if end is None else f'{end:g} s'}"
        raise MediaError(
            f"{name}: it is {motion.times[-1]:.2f} s long, so it has nothing {asked}; give a start within it"
        )
    part = piece(motion, inside)
    return replace(part, times=part.times - part.times[0])


def fit_motion(
    portrait: Portrait, motion: MotionTrack, settings: MotionSettings | None = None
) -> tuple[Portrait, MotionTrack]:
    """Smooths a motion, fits it to a portrait, and widens the portrait's crop to where the face will move."""
    settings = settings or MotionSettings()
    fitted = retarget(smooth(motion, strength=settings.smoothing), portrait, settings)
    points = place(fitted).points[:, :468, :2]
    # The 1st and 99th percentile over time: one wild frame must not make the face small in all others.
    reach = np.concatenate(
        [np.quantile(points.min(1), 0.01, axis=0)[None], np.quantile(points.max(1), 0.99, axis=0)[None]]
    )
    height, width = portrait.image.shape[:2]
    reach = np.clip(reach, 0, [width, height])
    return make_portrait(portrait.image, Face(portrait.landmarks), name=portrait.name, reach=reach), fitted


def render(
    portrait: Portrait,
    motion: MotionTrack,
    *,
    generator: Generator,
    enhancers: Iterable[Enhancer] = (),
    full: bool = True,
) -> Iterator[FrameBatch]:
    """Frames of `portrait` moved by a fitted `motion`, a few at a time. Close the iterator to stop.

    Args:
        portrait, motion: From `fit_motion`.
        generator, enhancers: Loaded components; enhancers in the order they are applied.
        full: Paste the crop back into the whole picture; else frames are the crop.
    """
    batches: Iterator[FrameBatch] = generator.render(portrait, motion)
    for enhancer in enhancers:
        batches = enhancer.enhance(batches, portrait)
    return _pasted(batches, portrait) if full else batches


@contextmanager
def _closed(batches: Iterator[FrameBatch]) -> Iterator[Iterator[FrameBatch]]:
    """Closes `batches` at the end; a plugin's iterator need not be a generator, and then there is nothing to close."""
    try:
        yield batches
    finally:
        if close := getattr(batches, "close", None):
            close()


def _pasted(batches: Iterator[FrameBatch], portrait: Portrait) -> Iterator[FrameBatch]:
    paste = PasteBack(portrait)
    at_once = max(1, _LARGE_FRAME // portrait.image.nbytes)
    with _closed(batches):
        for batch in batches:
            for first in range(0, len(batch), at_once):
                part = slice(first, first + at_once)
                pixels = np.stack([paste(frame) for frame in batch.pixels[part]])
                yield FrameBatch(pixels=pixels, times=batch.times[part])


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A component by name, with options; None: its defaults."""

    name: str
    options: Any = None


def animate(
    portrait: Path | str | np.ndarray | Portrait,
    driving: Path | str | MotionTrack,
    out: Path | str,
    *,
    generator: str | Choice = "vae-gan",
    enhancers: Sequence[str | Choice] = (),
    exporter: str | Choice | None = None,
    settings: MotionSettings | None = None,
    face: int = 0,
    start: float = 0.0,
    end: float | None = None,
    full: bool = True,
    size: int | None = None,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Animation:
    """Moves the face of a picture like the face of a video, and writes the result.

    Args:
        portrait: Picture file, pixels, or a prepared portrait.
        driving: Video, motion template (.npz), or a motion.
        out: File to write; its ending chooses the exporter (none: a folder of PNG).
        generator, enhancers, exporter: Names, or `Choice` with options.
        settings: How the motion is fitted.
        face: Which face of the picture, 0 is the largest.
        start, end: Piece of the driving video, s.
        full: The whole picture; else the face's crop.
        size: Longer side of the result, px; default: the picture's (or crop's) own.
        device: auto, cpu or cuda.
        seed: For components that draw random numbers.
        overwrite: Replace an existing result.
        progress: Called with (stage, done, total); raise in it to stop: nothing half-written stays.
    Raises:
        VisionGenError: With one sentence on what failed and what to do; see `visiongen.errors`.
    """
    out = Path(out)
    exporter = exporter or plugins.exporter_for(out).name
    writer = plugins.choose("exporter", exporter if isinstance(exporter, str) else exporter.name)
    check_target(out, overwrite=overwrite, folder=not writer.suffixes)
    # Everything that can be wrong with names and options is found before the work begins.
    device = resolve_device(device)
    _set_seed(seed)
    loaded = _Components(generator, enhancers, exporter, device=device)
    settings = settings or MotionSettings()
    own_size = size if full else None
    source = portrait if isinstance(portrait, Portrait) else prepare_portrait(portrait, face=face, size=own_size)
    motion = driving
    if not isinstance(motion, MotionTrack):
        motion = extract_motion(motion, start=start, end=end, progress=progress)
    try:
        source, fitted = fit_motion(source, motion, settings)
    except ValueError as error:
        raise VisionGenError(f"{_name(driving)}: {error}") from error
    for warning in unusual(source, motion, fitted):
        logger.warning("%s: %s", _name(driving), warning)
    frames = render(source, fitted, generator=loaded.generator, enhancers=loaded.enhancers, full=full)
    if size and not full:
        frames = _resized(frames, size)
    how = {"face": face, "start": start, "end": end, "full": full, "size": size, "device": device, "seed": seed}
    provenance = Provenance(
        software=f"VisionGen 3D {metadata.version('visiongen')}",
        settings={
            **loaded.description,
            "motion": asdict(settings),
            **how,
            "python": platform.python_version(),
            "portrait": _fingerprint(portrait),
            "driving": _fingerprint(driving),
        },
    )
    fps = motion.clip.fps if motion.clip else _rate(motion)
    sound = motion.clip if motion.clip and motion.clip.has_audio else None
    height, width = source.image.shape[:2] if full else (size or source.crop.shape[0],) * 2
    with _closed(_counted(frames, len(fitted), progress)) as counted:
        count = loaded.exporter.export(counted, out, fps=fps, sound=sound, provenance=provenance)
    return Animation(path=out, fps=fps, num_frames=count, height=height, width=width, provenance=provenance)


def unusual(portrait: Portrait, motion: MotionTrack, fitted: MotionTrack) -> list[str]:
    """What makes some frames of a job likely to look wrong, one sentence each; none for an ordinary clip.

    Args:
        portrait: The portrait that is moved.
        motion: The driver's own motion.
        fitted: The same, fitted to the portrait.
    """
    found = []
    total = len(motion)
    if lost := int((~motion.visible).sum()):
        found.append(f"no face was seen in {lost} of {total} frames; their motion is filled in from the frames around")
    turned = np.rad2deg(np.abs(euler_angles(fitted.rotation)))
    if extreme := int(((turned[:, 0] > _MOST_YAW) | (turned[:, 1] > _MOST_PITCH)).sum()):
        found.append(
            f"the head turns further than {_MOST_YAW} degrees sideways or {_MOST_PITCH} up or down in {extreme} of {total} "
            "frames, where the picture shows too little of it; a lower --pose gain or another --reference-frame helps"
        )
    points = place(fitted).points[:, :468, :2]
    height, width = portrait.image.shape[:2]
    outside = ((points < 0) | (points > [width, height])).any(-1).mean(1) > 0.1
    if count := int(outside.sum()):
        found.append(f"the face leaves the picture in {count} of {total} frames; a lower --pose gain keeps it inside")
    return found


class _Components:
    """Chosen components, loaded, and what they are called in the provenance."""

    def __init__(
        self,
        generator: str | Choice,
        enhancers: Sequence[str | Choice],
        exporter: str | Choice,
        *,
        device: str,
    ) -> None:
        chosen = [("generator", generator), *(("enhancer", e) for e in enhancers), ("exporter", exporter)]
        choices = [(kind, Choice(name=c) if isinstance(c, str) else c) for kind, c in chosen]
        parts = [plugins.choose(kind, choice.name) for kind, choice in choices]
        self.description: dict[str, Any] = {"enhancer": []}
        for part, (kind, choice) in zip(parts, choices):
            options = choice.options if choice.options is not None else part.options()
            entry = {"name": part.name, "plugin": part.plugin, "options": asdict(options)}
            if kind == "enhancer":
                self.description[kind].append(entry)
            else:
                self.description[kind] = entry
        loaded = [plugins.load(part, c.options, device=device) for part, (_, c) in zip(parts, choices)]
        self.generator, *self.enhancers, self.exporter = loaded


def resolve_device(device: str) -> str:
    """The device really used for "auto", "cpu" or "cuda".

    Raises:
        VisionGenError: cuda was asked for and is not there.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise VisionGenError(f"unknown device {device!r}; choose one of: auto, cpu, cuda")
    if device == "cpu":
        return device
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise VisionGenError("device cuda was asked for, but PyTorch finds no CUDA GPU here; use --device cpu or auto")
    return "cuda" if available else "cpu"


def _set_seed(seed: int) -> None:
    import torch

    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - plugins may use the global generator


def _name(source: Any) -> str:
    return Path(source).name if isinstance(source, (str, Path)) else type(source).__name__


def _fingerprint(source: Any) -> Mapping[str, str]:
    if isinstance(source, MotionTrack) and source.clip is not None:
        source = source.clip.path
    if isinstance(source, (str, Path)):
        return {"name": Path(source).name, "sha256": media.sha256(Path(source))}
    return {"name": type(source).__name__}


def _rate(motion: MotionTrack) -> Fraction:
    """Frame rate of a motion without a clip."""
    if len(motion) < 2:
        return Fraction(25)
    return Fraction((len(motion) - 1) / float(motion.times[-1] - motion.times[0])).limit_denominator(1001)


def _counted(batches: Iterator[FrameBatch], total: int, progress: Progress | None) -> Iterator[FrameBatch]:
    done = 0
    with _closed(batches):
        for batch in batches:
            yield batch
            done += len(batch)
            if progress:
                progress("render", done, total)


def _resized(batches: Iterator[FrameBatch], size: int) -> Iterator[FrameBatch]:
    with _closed(batches):
        for batch in batches:
            yield FrameBatch(pixels=np.stack([_with_longer_side(f, size) for f in batch.pixels]), times=batch.times)


def _with_longer_side(image: np.ndarray, size: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)

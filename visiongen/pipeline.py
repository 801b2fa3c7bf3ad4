"""The reading entrance: prepare_portrait, extract_motion, fit_motion, render, animate. Each stage from one type to the next.

picture -> prepare_portrait -> Portrait ─────────────────────┐
video -> extract_motion -> MotionTrack -> fit_motion ────────┴─> render -> FrameBatch ... -> exporter -> Animation
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from visiongen import guards, media, mediapipe_graphs, plugins
from visiongen.datatypes import Animation, Drawn, FrameBatch, MotionTrack, Portrait, Provenance, stacked
from visiongen.diagnostics import Problem, apply_remedies, diagnose, warnings
from visiongen.drawn_eyes import with_drawn_eyes
from visiongen.drawn_faces import with_drawn_face
from visiongen.errors import VisionGenError
from visiongen.exporters import check_target
from visiongen.faces import Face, PasteBack, choose_face, find_faces, make_portrait, with_longer_side
from visiongen.hookspecs import Enhancer, Exporter, Generator, MotionExporter
from visiongen.marking.job import input_files, job_provenance
from visiongen.marking.marks import FrameMarks, export_signed
from visiongen.marking.settings import MarkSettings
from visiongen.memory import few_arenas
from visiongen.motion import place, smooth
from visiongen.outlines import has_outlines
from visiongen.retarget import MotionSettings, retarget

Progress = Callable[[str, int, int | None], None]
"""Called with (stage, done, total or None); raise in it to stop."""

logger = logging.getLogger(__name__)
_LARGE_FRAME = 4_000_000  # bytes; larger frames travel one by one, so that memory does not depend on the batch


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A component by name, with options; None: its defaults."""

    name: str
    options: Any = None
    loaded: Any = None
    """What was loaded before with these options, for the same device, to be used again; None: it is loaded."""


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
    image = with_longer_side(image, size)
    reader = None if isinstance(picture, np.ndarray) else mediapipe_graphs.reader
    found = reader.faces_of_picture(Path(picture), size) if reader else None
    faces = find_faces(image) if found is None else [Face(points) for points in found]
    chosen = choose_face(faces, face, name=name)
    others = (one for one in faces if one is not chosen)
    landmarks, eyes = with_drawn_eyes(image, chosen.landmarks)
    drawn = Drawn(landmarks is not chosen.landmarks or has_outlines(image, landmarks), eyes)
    if drawn.face:
        landmarks = with_drawn_face(image, landmarks)
    return make_portrait(image, Face(landmarks, drawn), name=name, others=others)


def extract_motion(
    driving: Path | str,
    *,
    source: str | Choice | None = None,
    start: float = 0.0,
    end: float | None = None,
    progress: Progress | None = None,
) -> MotionTrack:
    """Head pose and expression of a driving video, of a saved motion template (.npz), or of what else is installed.

    Args:
        driving: A file.
        source: Name of the motion source that reads it, or a `Choice`; None: the ending decides.
        start, end: The piece to use, s (of a template too).
        progress: Called with ("landmarks", frames done, frames expected).
    Raises:
        MediaError: It cannot be read.
        NoFaceError: No frame shows a face.
    """
    path, outside = Path(driving), guards.Outside()
    choice = Choice(name=source or plugins.motion_source_for(path).name) if not isinstance(source, Choice) else source
    reader = plugins.load(plugins.choose("motion-source", choice.name), choice.options)
    report = outside.function(lambda done, total: progress("landmarks", done, total)) if progress else None
    who = plugins.title_of(reader)
    with guards.plugin_errors(who, f"failed while it read {path.name}", outside):
        motion = reader.extract(path, start=start, end=end, progress=report)
    return guards.check_motion(motion, path, who=who)


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
    others = map(Face, portrait.others)
    face = Face(portrait.landmarks, portrait.drawn)
    return make_portrait(portrait.image, face, name=portrait.name, reach=reach, others=others), fitted


def _fitted(
    portrait: Portrait, motion: MotionTrack, settings: MotionSettings, *, name: str
) -> tuple[Portrait, MotionTrack]:
    """As `fit_motion`, for settings that a user chose."""
    try:
        return fit_motion(portrait, motion, settings)
    except ValueError as error:
        raise VisionGenError(f"{name}: {error}") from error


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
    like = {"shape": portrait.crop.shape, "times": motion.times}
    batches = guards.checked_frames(lambda: generator.render(portrait, motion), who=plugins.title_of(generator), **like)
    for enhancer in enhancers:
        batches = guards.checked_frames(
            partial(enhancer.enhance, batches, portrait), who=plugins.title_of(enhancer), source=batches, **like
        )
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
                pixels = stacked([paste(frame) for frame in batch.pixels[part]])
                yield FrameBatch(pixels=pixels, times=batch.times[part])


def animate(
    portrait: Path | str | np.ndarray | Portrait,
    driving: Path | str | MotionTrack,
    out: Path | str,
    *,
    generator: str | Choice = "vae-gan",
    enhancers: Sequence[str | Choice] = (),
    exporter: str | Choice | None = None,
    motion_source: str | Choice | None = None,
    settings: MotionSettings | None = None,
    face: int = 0,
    start: float = 0.0,
    end: float | None = None,
    full: bool = True,
    size: int | None = None,
    device: str = "auto",
    seed: int = 0,
    overwrite: bool = False,
    remedy: bool = False,
    marks: MarkSettings | None = None,
    progress: Progress | None = None,
) -> Animation:
    """Moves the face of a picture like the face of a video, and writes the result.

    Args:
        portrait: Picture file, pixels, or a prepared portrait.
        driving: Video, motion template (.npz), or a motion.
        out: File to write; its ending chooses the exporter (none: a folder of PNG).
        generator, enhancers, exporter: Names, or `Choice` with options. An exporter that writes motion (a 3D model,
            curves) needs no frames: then generator and enhancers are not run.
        motion_source: What reads `driving`; default: its ending decides.
        settings: How the motion is fitted.
        face: Which face of the picture, 0 is the largest.
        start, end: Piece of the driving video, s.
        full: The whole picture; else the face's crop.
        size: Longer side of the result, px; default: the picture's (or crop's) own.
        device: auto, cpu or cuda.
        seed: For components that draw random numbers.
        overwrite: Replace an existing result.
        remedy: Look for covered faces, extreme poses and the like first, and do what can be done about them.
        marks: How the result says that a machine made it; by default visibly, invisibly, and signed.
        progress: Called with (stage, done, total); raise in it to stop: nothing half-written stays.
    Raises:
        VisionGenError: With one sentence on what failed and what to do; see `visiongen.errors`.
    """
    few_arenas()
    out, settings, marks = Path(out), settings or MotionSettings(), marks or MarkSettings()
    exporter = exporter or plugins.exporter_for(out).name
    writer = plugins.choose("exporter", exporter if isinstance(exporter, str) else exporter.name)
    check_target(out, overwrite=overwrite, folder=not writer.suffixes)
    # Everything that can be wrong with names and options is found before the work begins.
    device = resolve_device(device)
    _set_seed(seed)
    loaded = _Components(generator, enhancers, exporter, device=device, rendered=writer.writes == "frames")
    own_size = size if full else None
    source = portrait if isinstance(portrait, Portrait) else prepare_portrait(portrait, face=face, size=own_size)
    motion = driving
    if not isinstance(motion, MotionTrack):
        motion = extract_motion(motion, source=motion_source, start=start, end=end, progress=progress)
    source, fitted = _fitted(source, motion, settings, name=_name(driving))
    remedies: dict[str, Any] = {"remedies": []}
    if remedy:
        problems = diagnose(motion, portrait=source, fitted=fitted, settings=settings, progress=progress)
        remedies = {"remedy": True, "asked_motion": asdict(settings), "remedies": _applied_labels(problems)}
        motion, settings = apply_remedies(problems, motion, settings)
        source, fitted = _fitted(source, motion, settings, name=_name(driving))
    for warning in unusual(source, motion, fitted):
        logger.warning("%s: %s", _name(driving), warning)
    how = {"face": face, "start": start, "end": end, "full": full, "size": size, "device": device, "seed": seed}
    how |= {**loaded.description, "motion": asdict(settings), **remedies}
    provenance = job_provenance(how | marks.to_settings(), portrait, driving)
    fps = motion.clip.fps if motion.clip else _rate(motion)
    sound = motion.clip if motion.clip and motion.clip.has_audio else None
    like = source.image if full else with_longer_side(source.crop, size)
    if writer.writes == "motion":
        count = _export_motion(loaded.exporter, source, fitted, out, fps=fps, provenance=provenance)
    else:
        frames = render(source, fitted, generator=loaded.generator, enhancers=loaded.enhancers, full=full)
        frames = _counted(_resized(frames, size) if size and not full else frames, len(fitted), progress)
        how = {"fps": fps, "sound": sound, "provenance": provenance, "marks": marks, "folder": not writer.suffixes}
        how |= {"inputs": input_files(portrait, driving), "like": like}
        count = _export(loaded.exporter, frames, len(fitted), out, **how)
    return Animation(path=out, fps=fps, num_frames=count, height=len(like), width=like.shape[1], provenance=provenance)


def _applied_labels(problems: Iterable[Problem]) -> list[str]:
    """What `apply_remedies` does about `problems`, each once."""
    return list(dict.fromkeys(p.remedy.label for p in problems if p.remedy is not None and p.remedy.automatic))


def _export(
    exporter: Exporter,
    batches: Iterator[FrameBatch],
    total: int,
    out: Path,
    *,
    marks: MarkSettings,
    like: np.ndarray,
    inputs: Mapping[str, Path],
    folder: bool,
    provenance: Provenance,
    **how: Any,
) -> int:
    """Number of frames written, of `total`, with their marks, see `FrameMarks`; the file is signed before it has its name."""
    outside, who = guards.Outside(), plugins.title_of(exporter)
    marked = FrameMarks(marks, provenance, like=like).passing(batches)

    def export(path: Path) -> int:
        with _closed(outside.frames(marked)) as frames:
            with guards.plugin_errors(who, f"failed while it wrote {out.name}", outside):
                count = exporter.export(frames, path, provenance=provenance, **how)
        return guards.check_written(count, path, who=who, taken=outside.num_frames, total=total)

    return export_signed(export, out, marks=marks, provenance=provenance, inputs=inputs, folder=folder)


def _export_motion(exporter: MotionExporter, portrait: Portrait, motion: MotionTrack, out: Path, **how: Any) -> int:
    """Number of frames written."""
    who = plugins.title_of(exporter)
    with guards.plugin_errors(who, f"failed while it wrote {out.name}"):
        count = exporter.export_motion(portrait, motion, out, **how)
    return guards.check_written(count, out, who=who, taken=len(motion), total=len(motion))


def unusual(portrait: Portrait, motion: MotionTrack, fitted: MotionTrack) -> list[str]:
    """What makes some frames of a job likely to look wrong, one sentence each; none for an ordinary clip.

    Args:
        portrait: The portrait that is moved.
        motion: The driver's own motion.
        fitted: The same, fitted to the portrait.
    """
    return warnings(diagnose(motion, portrait=portrait, fitted=fitted, look=False), motion)


class _Components:
    """Chosen components, loaded, and what they are called in the provenance."""

    def __init__(
        self,
        generator: str | Choice,
        enhancers: Sequence[str | Choice],
        exporter: str | Choice,
        *,
        device: str,
        rendered: bool,
    ) -> None:
        chosen = [("generator", generator), *(("enhancer", e) for e in enhancers), ("exporter", exporter)]
        if not rendered:
            chosen = chosen[-1:]
        choices = [(kind, Choice(name=c) if isinstance(c, str) else c) for kind, c in chosen]
        parts = [plugins.choose(kind, choice.name) for kind, choice in choices]
        self.description: dict[str, Any] = {"enhancer": []} if rendered else {}
        for part, (kind, choice) in zip(parts, choices):
            options = choice.options if choice.options is not None else part.options()
            entry = {"name": part.name, "plugin": part.plugin, "options": asdict(options)}
            if kind == "enhancer":
                self.description[kind].append(entry)
            else:
                self.description[kind] = entry
        ready = [choice.loaded for _, choice in choices]
        loaded = [
            plugins.load(part, choice.options, device=device) if found is None else found
            for part, (_, choice), found in zip(parts, choices, ready)
        ]
        self.exporter = loaded.pop()
        self.generator, self.enhancers = (loaded[0], loaded[1:]) if rendered else (None, [])


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
            yield FrameBatch(pixels=np.stack([with_longer_side(f, size) for f in batch.pixels]), times=batch.times)

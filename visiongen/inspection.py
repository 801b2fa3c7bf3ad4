"""``visiongen inspect``: what is seen in a picture or clip, as files to work with and a film to look at.

========================  ============================================================================================
``landmarks.npz``         points (T, 478, 3) float32 px, NaN where no face was seen; visible (T,); times (T,) s; size
                          (height, width)
``landmarks.json``        the same for other languages, with head pose and the landmarks' regions: see docs/inspect.md
``motion.npz``            motion template: `visiongen.extract_motion` reads it, ``visiongen animate`` is driven by it
``flow.npz``              displacement (T, 64, 64, 2) float16: the generators' dense backward motion from the reference
                          in sides of a square round the face; image_from_square (2, 3) takes a point of that square,
                          0 to 1, to pixels
``overlay.mp4``, ``.png`` landmarks by region, motion vectors from the reference, axes and angles of the head, lost frames
``problems.json``         with --diagnose: what is likely to look wrong, see `visiongen.diagnostics`
``problems.png``          with --diagnose, and where there are problems: the worst frame of each
========================  ============================================================================================

The reference is the first frame with a face of a clip; of a picture, the mean face turned to the camera, in its place.
With a portrait and a clip, the landmarks are where the portrait's shall go, and the reference is the portrait itself.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from tyro.conf import Positional, arg

from visiongen import media, plugins
from visiongen.datatypes import DrivingClip, FrameBatch, LandmarkTrack, MotionTrack, Portrait, Provenance
from visiongen.diagnostics import Problem, diagnose, save_problems
from visiongen.diagnostics.sheet import contact_sheet, shown_frames
from visiongen.errors import MediaError
from visiongen.exporters import check_target
from visiongen.exporters.target import writing
from visiongen.faces import Face, make_portrait
from visiongen.flow import GRID, MotionField, pixel_centres
from visiongen.generators.targets import to_crop_units
from visiongen.landmarks import track
from visiongen.motion import motion_from_landmarks, place, save_motion
from visiongen.overlay import REGIONS, Sight, drawn
from visiongen.pipeline import Progress, extract_motion, fit_motion, prepare_portrait
from visiongen.pose import euler_angles
from visiongen.retarget import portrait_motion

FLOW_GRID = GRID // 2
JSON_FORMAT = 1
PROBLEMS, PROBLEM_SHEET = "problems.json", "problems.png"
_VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
_FILES = (
    "landmarks.npz", "landmarks.json", "motion.npz", "flow.npz", "overlay.mp4", "overlay.png", PROBLEMS, PROBLEM_SHEET,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class InspectConfig:
    """Write landmarks, motion and flow of a picture or clip, and a film that shows them."""

    input: Positional[Annotated[Path, arg(metavar="INPUT")]]
    """Picture or video of a face."""
    driving: Positional[Annotated[Path | None, arg(metavar="[DRIVING]", help_behavior_hint="")]] = None
    """With a picture: a video or motion template that drives it, to see where its landmarks shall go."""
    out: Annotated[Path, arg(aliases=["-o"], metavar="FOLDER")]
    """Folder to write to; made if missing."""
    face: Annotated[int, arg(metavar="N")] = 0
    """Which face of a picture, 0 is the largest."""
    start: Annotated[float, arg(metavar="SECONDS")] = 0.0
    """Where the used piece of a video begins."""
    end: Annotated[float | None, arg(metavar="SECONDS", help_behavior_hint="(default: the end of the video)")] = None
    """Where it ends."""
    overwrite: Annotated[bool, arg(help_behavior_hint="")] = False
    """Replace results that are in the folder."""
    diagnose: Annotated[bool, arg(help_behavior_hint="")] = False
    """Also look for what is likely to go wrong: covered or lost faces, extreme poses, fast movement, and more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Inspected:
    """A picture or clip that was looked at."""

    name: str
    pictures: Callable[[], Iterator[np.ndarray]]
    """Gives T pictures (H, W, 3), again for every call."""
    track: LandmarkTrack
    """What was seen."""
    motion: MotionTrack
    """The same without gaps, in the same picture."""
    reference: np.ndarray
    """(478, 3) px, where motion is measured from."""
    clip: DrivingClip | None
    """Rate and sound of the overlay; None: a picture."""
    driver: MotionTrack | None = None
    """With a portrait and a clip: the driver's own motion."""
    portrait: Portrait | None = None
    """The portrait then, in the crop for this motion."""


def inspect(config: InspectConfig, *, progress: Progress | None = None) -> list[Path]:
    """Looks, writes the files, and returns them. They appear in the folder when all are whole.

    Raises:
        MediaError: The input cannot be read or the folder not be written to, or it holds results already.
        NoFaceError: No face is seen.
    """
    progress = progress or (lambda stage, done, total: None)
    out = config.out
    _check_folder(out, overwrite=config.overwrite)
    seen = look(config, progress)
    scratch = out.parent / f".{out.name}.part"
    shutil.rmtree(scratch, ignore_errors=True)
    with writing(out):
        scratch.mkdir()
    try:
        with writing(out):
            save_landmarks(seen, scratch)
            save_motion(seen.motion, scratch / "motion.npz")
            save_flow(seen, scratch / "flow.npz", progress)
        save_overlay(seen, scratch, progress)
        if config.diagnose:
            save_diagnosis(seen, scratch, progress)
        with writing(out):
            out.mkdir(exist_ok=True)
            for name in _FILES:
                (out / name).unlink(missing_ok=True)
            written = [out / file.name for file in sorted(scratch.iterdir())]
            for path in written:
                os.replace(scratch / path.name, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return written


def _check_folder(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise MediaError(f"{out} is a file; give the name of a folder")
    present = [name for name in _FILES if (out / name).exists()]
    if present and not overwrite:
        raise MediaError(f"the folder {out} holds {present[0]} already; choose another one or allow --overwrite")
    check_target(out / _FILES[0] if out.is_dir() else out, overwrite=True)


def look(config: InspectConfig, progress: Progress) -> Inspected:
    """Finds the landmarks of what `config` names."""
    path = config.input
    if config.driving is not None:
        portrait = prepare_portrait(path, face=config.face)
        driver = extract_motion(config.driving, start=config.start, end=config.end, progress=progress)
        portrait, motion = fit_motion(portrait, driver)
        return Inspected(
            name=path.name,
            pictures=lambda: (portrait.image for _ in motion.times),
            track=place(motion),
            motion=motion,
            reference=portrait.landmarks,
            clip=motion.clip or _clip_like(motion, config.driving),
            driver=driver,
            portrait=portrait,
        )
    if _is_picture(path):
        portrait = prepare_portrait(path, face=config.face)
        motion = portrait_motion(portrait)
        frontal = place(replace(motion, rotation=np.eye(3)[None], offsets=np.zeros_like(motion.offsets)))
        return Inspected(
            name=path.name,
            pictures=lambda: iter([portrait.image]),
            track=LandmarkTrack(
                points=portrait.landmarks[None], visible=[True], times=[0.0], height=motion.height, width=motion.width
            ),
            motion=motion,
            reference=frontal.points[0],
            clip=None,
        )
    clip = media.probe(path, start=config.start, end=config.end)
    seen = track(clip, progress=lambda done, total: progress("landmarks", done, total))
    motion = motion_from_landmarks(seen, clip=clip)
    return Inspected(
        name=path.name,
        pictures=lambda: (picture for batch in media.read_frames(clip, batch_size=4) for picture in batch.pixels),
        track=seen,
        motion=motion,
        reference=place(motion).points[int(np.argmax(seen.visible))],
        clip=clip,
    )


def _is_picture(path: Path) -> bool:
    """A still picture, or nothing that can be read at all and is not called a video: a picture's error tells more."""
    if path.suffix.lower() in _VIDEO_SUFFIXES:
        return False
    try:
        media.probe(path)
    except MediaError:
        return True
    return False


def _clip_like(motion: MotionTrack, path: Path) -> DrivingClip:
    """Rate and length of a motion template, for the overlay's video."""
    step = float(np.median(np.diff(motion.times))) if len(motion) > 1 else 0.04
    return DrivingClip(
        path=path,
        fps=Fraction(1 / step).limit_denominator(1001),
        num_frames=len(motion),
        height=motion.height,
        width=motion.width,
        has_audio=False,
    )


# --- files ------------------------------------------------------------------------------------------------------------


def save_landmarks(seen: Inspected, folder: Path) -> None:
    """``landmarks.npz`` and ``landmarks.json``."""
    found = seen.track
    size = np.array([found.height, found.width])
    np.savez_compressed(
        folder / "landmarks.npz", points=found.points, visible=found.visible, times=found.times, size=size
    )
    angles = np.rad2deg(euler_angles(seen.motion.rotation)).round(2).tolist()
    head = {
        "format": JSON_FORMAT,
        "source": seen.name,
        "height": found.height,
        "width": found.width,
        "fps": str(seen.clip.fps) if seen.clip else None,
        "regions": REGIONS,
    }
    with (folder / "landmarks.json").open("w", encoding="utf-8") as file:
        # Written frame by frame, one a line: the whole text of a long clip is never in memory.
        file.write(json.dumps(head)[:-1] + ', "frames": [')
        for i, (time, visible, (yaw, pitch, roll)) in enumerate(zip(found.times, found.visible, angles, strict=True)):
            points = [[round(float(v), 2) for v in point] for point in found.points[i]] if visible else None
            frame = {"time": round(float(time), 6), "visible": bool(visible)}
            frame |= {"yaw": yaw, "pitch": pitch, "roll": roll, "points": points}
            file.write((",\n" if i else "\n") + json.dumps(frame))
        file.write("\n]}\n")


def save_flow(seen: Inspected, path: Path, progress: Progress) -> None:
    """``flow.npz``, streamed: only one frame's motion is in memory."""
    points = place(seen.motion)
    square = _square(seen, points)
    field = MotionField(to_crop_units(seen.reference[None], square)[0])
    linear, shift = square.image_from_crop[:, :2], square.image_from_crop[:, 2:]
    arrays = {
        "image_from_square": np.concatenate([linear * square.crop.shape[0], shift], axis=1),
        "reference": seen.reference,
        "visible": seen.track.visible,
        "times": seen.track.times,
    }
    total = len(seen.motion)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        with archive.open("displacement.npy", "w", force_zip64=True) as file:
            shape = (total, FLOW_GRID, FLOW_GRID, 2)
            header = {"descr": "<f2", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            for i in range(total):
                flow = field.towards(to_crop_units(points.points[i : i + 1], square))[0].flow
                moved = cv2.resize(flow - pixel_centres(GRID), (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA)
                file.write(np.ascontiguousarray(moved, "<f2").tobytes())
                progress("flow", i + 1, total)


def _square(seen: Inspected, points: LandmarkTrack) -> Portrait:
    """The square round the face that the motion is given in: the crop the generators would work on."""
    shown = points.points[:, :468, :2]
    reach = np.stack([np.quantile(shown.min(1), 0.01, axis=0), np.quantile(shown.max(1), 0.99, axis=0)])
    reach = np.clip(reach, 0, [points.width, points.height])
    blank = np.zeros((points.height, points.width, 3), np.uint8)
    return make_portrait(blank, Face(seen.reference.astype(np.float32)), reach=reach)


def save_overlay(seen: Inspected, folder: Path, progress: Progress) -> None:
    """``overlay.mp4``, or ``overlay.png`` of a picture."""
    if seen.clip is None:
        picture = next(_overlays(seen, progress)).pixels[0]
        with writing(folder):
            _, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            (folder / "overlay.png").write_bytes(png.tobytes())
        return
    exporter = plugins.load(plugins.choose("exporter", "mp4"))
    made_by = Provenance(software="VisionGen 3D, inspect", settings={"input": seen.name}, synthetic=False)
    sound = seen.clip if seen.clip.has_audio else None
    exporter.export(
        _overlays(seen, progress), folder / "overlay.mp4", fps=seen.clip.fps, sound=sound, provenance=made_by
    )


def _overlays(seen: Inspected, progress: Progress) -> Iterator[FrameBatch]:
    points = place(seen.motion).points
    angles = np.rad2deg(euler_angles(seen.motion.rotation))
    total = len(points)
    for i, picture in zip(range(total), seen.pictures(), strict=False):
        time = float(seen.track.times[i])
        sight = Sight(
            points=points[i],
            reference=seen.reference,
            rotation=seen.motion.rotation[i],
            angles=tuple(angles[i]),
            visible=bool(seen.track.visible[i]),
            label=f"frame {i}  {time:.2f} s" if seen.clip else seen.name,
        )
        yield FrameBatch(pixels=drawn(picture, sight)[None], times=[time])
        progress("overlay", i + 1, total)


def save_diagnosis(seen: Inspected, folder: Path, progress: Progress) -> list[Problem]:
    """``problems.json`` and, where there are any, ``problems.png`` with the driver's frames (the portrait's of a template).

    A picture by itself has no frames in which something could go wrong over time; it is judged as one frame.
    """
    problems = diagnose(
        seen.driver or seen.motion,
        portrait=seen.portrait,
        fitted=seen.motion if seen.driver else None,
        progress=progress,
    )
    with writing(folder):
        save_problems(problems, folder / PROBLEMS)
    if problems:
        wanted = shown_frames(problems)
        clip = (seen.driver or seen.motion).clip
        source = (
            seen.pictures() if clip is None else (f for b in media.read_frames(clip, batch_size=4) for f in b.pixels)
        )
        pictures = {i: picture for i, picture in enumerate(source) if i in wanted}
        with writing(folder):
            sheet = cv2.cvtColor(contact_sheet(problems, pictures), cv2.COLOR_RGB2BGR)
            (folder / PROBLEM_SHEET).write_bytes(cv2.imencode(".png", sheet)[1].tobytes())
    return problems

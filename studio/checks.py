"""Looks at files of users in the worker process: what they are, whether they can be used, how a browser can show them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2

from studio.heard import HeardWarnings
from visiongen import FrameBatch, Provenance, choose, load, load_motion
from visiongen.containers import opened
from visiongen.errors import MediaError
from visiongen.media import probe, read_frames, read_picture

if TYPE_CHECKING:
    from studio.worker import Teller

MIN_SIDE = 64
PLAYABLE_CODECS = ("h264", "vp8", "vp9", "av1")
PLAYABLE_FORMATS = ("mp4", "webm")
LONGEST_PLAYED = 960
"""Longer side of a copy made for the browser, px."""


def check_picture(task: dict[str, Any]) -> dict[str, Any]:
    """Answers a task with ``path`` and ``max_side`` with ``path`` (another where it was scaled down), ``size`` (height,
    width) and ``scaled``.

    Raises:
        MediaError: Not a picture, or too small.
    """
    path = Path(task["path"])
    pixels = read_picture(path)
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise MediaError(f"{path} is {width} x {height} pixels; give a picture of at least {MIN_SIDE} x {MIN_SIDE}")
    scale = task["max_side"] / max(height, width)
    if scale < 1:
        path = path.with_name(f"{path.stem}-small.png")
        size = (round(width * scale), round(height * scale))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return {"path": str(path), "size": list(pixels.shape[:2]), "scaled": scale < 1}


def check_clip(task: dict[str, Any], root: Path, teller: Teller) -> dict[str, Any]:
    """Answers a task with ``path``, ``max_side`` and ``max_seconds`` with the fields of `studio.uploads.DrivingFile`.

    Raises:
        MediaError: Neither a video nor a motion template, or beyond a limit.
    """
    path = Path(task["path"])
    if path.suffix.lower() == ".npz":
        return _template(path, task["max_seconds"])
    with HeardWarnings() as heard:
        clip = probe(path, to_end=True)
    frames = clip.num_frames or 0
    seconds = float(frames / clip.fps)
    if seconds > task["max_seconds"]:
        raise MediaError(f"{path} is {seconds:.0f} s long, but at most {task['max_seconds']} s are taken; cut it first")
    if max(clip.height, clip.width) > task["max_side"] or min(clip.height, clip.width) < MIN_SIDE:
        raise MediaError(
            f"{path} is {clip.width} x {clip.height} pixels; give a video of {MIN_SIDE} to {task['max_side']} pixels a side"
        )
    # A file may begin well and break off: its last second is decoded too.
    late = probe(path, start=max(0.0, seconds - 1.0)) if seconds > 1.5 else clip
    for _ in read_frames(late, batch_size=8):
        teller.check()
    return {
        "seconds": seconds, "fps": float(clip.fps), "frames": frames, "size": [clip.height, clip.width],
        "has_audio": clip.has_audio, "playable": str(playable(path, root, teller)),
        "note": " ".join(heard.texts),
    }  # fmt: skip


def _template(path: Path, max_seconds: float) -> dict[str, Any]:
    motion = load_motion(path)
    step = float(motion.times[-1] - motion.times[0]) / max(len(motion) - 1, 1) or 0.04
    seconds = len(motion) * step
    if seconds > max_seconds:
        raise MediaError(f"{path} is {seconds:.0f} s long, but at most {max_seconds} s are taken; cut it first")
    size = [motion.height, motion.width]
    return {"seconds": seconds, "fps": 1 / step, "frames": len(motion), "size": size, "playable": None}


def playable(path: Path, root: Path, teller: Teller) -> Path:
    """The file itself where browsers play it, else a copy in the cache that they do."""
    if _plays(path):
        return path
    stat = os.stat(path)
    name = hashlib.sha256(f"{path}|{stat.st_mtime_ns}|{stat.st_size}".encode()).hexdigest()[:32]
    copy = root / "cache" / f"{name}.mp4"
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_copy(path, copy, longest=LONGEST_PLAYED, teller=teller)
    return copy


def _plays(path: Path) -> bool:
    try:
        with opened(path) as container:
            context = container.streams.video[0].codec_context
            names = container.format.name.split(",")
            return (
                context.name in (*PLAYABLE_CODECS, "libdav1d", "libvpx-vp9", "libvpx")
                and context.pix_fmt in ("yuv420p", "yuvj420p")
                and any(name in PLAYABLE_FORMATS for name in names)
                and path.suffix.lower() in (".mp4", ".webm", ".m4v", ".mov")
            )
    except (MediaError, IndexError):
        return False


def write_copy(path: Path, out: Path, *, longest: int, teller: Teller) -> None:
    """Writes a video as MP4 that every browser plays, with its sound, its longer side at most `longest` px."""
    clip = probe(path)
    scale = min(1.0, longest / max(clip.height, clip.width))
    size = (max(2, round(clip.width * scale)), max(2, round(clip.height * scale)))

    def frames() -> Iterator[FrameBatch]:
        for batch in read_frames(clip, batch_size=8):
            teller.check()
            for pixels, time in zip(batch.pixels, batch.times):
                small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
                yield FrameBatch(pixels=small[None], times=[time])

    component = choose("exporter", "mp4")
    exporter = load(component, component.options(crf=23, preset="veryfast"))
    provenance = Provenance(software="VisionGen 3D", settings={"copy of": path.name}, synthetic=False)
    exporter.export(frames(), out, fps=clip.fps, sound=clip if clip.has_audio else None, provenance=provenance)

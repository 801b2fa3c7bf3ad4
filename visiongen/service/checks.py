"""Looks at uploads in a worker process by decoding them: whether they can be used, and within the limits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from visiongen.errors import MediaError
from visiongen.media import probe, read_frames, read_picture
from visiongen.motion import load_motion

MIN_SIDE = 32


def check_upload(task: Mapping[str, Any], progress: Callable[[str, int, int | None], None]) -> dict[str, Any]:
    """Answers a task with ``portrait`` and ``driving`` (paths), ``max_side``, ``max_seconds``, ``start`` and ``end``.

    Returns:
        ``seconds`` and ``frames`` of the piece that is used, ``side``, the longer side of the picture, px.
    Raises:
        MediaError: Neither can be used, or is beyond a limit.
    """
    pixels = read_picture(task["portrait"])
    if min(pixels.shape[:2]) < MIN_SIDE:
        raise MediaError(f"{task['portrait']} is smaller than {MIN_SIDE} x {MIN_SIDE} pixels; give a larger picture")
    return {"side": max(pixels.shape[:2]), **_driving(Path(task["driving"]), task, progress)}


def _driving(path: Path, task: Mapping[str, Any], progress: Callable[[str, int, int | None], None]) -> dict[str, Any]:
    if path.suffix == ".npz":
        motion = load_motion(path)
        end = float(motion.times[-1]) if task["end"] is None else min(task["end"], float(motion.times[-1]))
        used = (motion.times >= task["start"]) & (motion.times <= end)
        return _within(path, max(0.0, end - task["start"]), int(used.sum()), task["max_seconds"])
    piece = {"end": task["end"], "to_end": True}  # of a clip that breaks off, what can be read is used, and counts
    clip = probe(path, start=task["start"], **piece)
    if max(clip.height, clip.width) > task["max_side"]:
        raise MediaError(f"{path} is {clip.width} x {clip.height} pixels; at most {task['max_side']} a side are taken")
    frames = clip.num_frames or 0
    found = _within(path, float(frames / clip.fps), frames, task["max_seconds"])
    late = clip.start + max(0.0, found["seconds"] - 1.0)
    last = probe(path, start=late, **piece)  # its end may be damaged
    with contextlib.closing(read_frames(last, batch_size=8)) as batches:
        for number, _ in enumerate(batches):
            progress("check", number, None)
    return found


def _within(path: Path, seconds: float, frames: int, most: float) -> dict[str, Any]:
    if seconds > most:
        raise MediaError(f"{path} is {seconds:.0f} s long, but at most {most:g} s are taken; cut it, or give an end")
    return {"seconds": seconds, "frames": frames}

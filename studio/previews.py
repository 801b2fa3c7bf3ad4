"""Quick looks: one frame of what some settings would give, and the faces of a picture."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from studio.settings import Settings
from visiongen import FrameBatch, MotionTrack, Portrait, render
from visiongen.faces import choose_face, find_faces, make_portrait
from visiongen.hookspecs import FrameGenerator
from visiongen.marking.badge import Badge
from visiongen.media import probe, read_frames, read_picture
from visiongen.motion import piece

if TYPE_CHECKING:
    from studio.warm import Warm
    from studio.worker import Teller

LONGEST_PREVIEW = 1024
"""Longer side of what is sent to the page, px."""


def png(pixels: np.ndarray, *, longest: int = LONGEST_PREVIEW) -> str:
    """(H, W, 3) uint8 RGB as PNG, base64; larger pictures are scaled down."""
    scale = longest / max(pixels.shape[:2])
    if scale < 1:
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done
    return base64.b64encode(data.tobytes()).decode()


def preview_frame(task: dict[str, Any], warm: Warm, teller: Teller) -> dict[str, Any]:
    """Answers a task with ``settings`` and ``frame`` with ``png`` and ``device``.

    The landmarks of a piece are read once. Of a long one, whose landmarks are not known yet, only some frames are looked
    at: the preview is then nearly, not exactly, what will be rendered.
    """
    settings = Settings.from_dict(task["settings"])
    device = warm.device(settings)
    generator = warm.component("generator", settings.generator, device)
    enhancers = [warm.component("enhancer", part, device) for part in settings.enhancers]

    def progress(_stage: str, done: int, total: int | None) -> None:
        teller.check()
        teller.tell("progress", done=done, total=total)

    portrait, fitted, frame = warm.fitted_for_preview(settings, int(task["frame"]), progress)
    one = piece(fitted, slice(frame, frame + 1))
    if isinstance(generator, FrameGenerator):
        generator = _OfWhole(generator, fitted, frame)
    batch = next(iter(render(portrait, one, generator=generator, enhancers=enhancers, full=settings.full)))
    return {"png": png(Badge(settings.mark)(batch.pixels[0])), "device": device}


class _OfWhole:
    """A generator for one frame of a motion that is known as a whole."""

    def __init__(self, generator: FrameGenerator, motion: MotionTrack, frame: int) -> None:
        self._generator, self._motion, self._frame = generator, motion, frame

    def render(self, portrait: Portrait, _one: MotionTrack) -> Iterator[FrameBatch]:
        """See `visiongen.hookspecs.Generator`."""
        yield self._generator.render_frame(portrait, self._motion, self._frame)


def find_portrait_faces(task: dict[str, Any], warm: Warm) -> dict[str, Any]:
    """Answers a task with ``picture`` (a path) with ``faces``: per face ``box`` (left, top, right, bottom, px),
    ``corners`` of its crop (4 points, px) and ``crop``, a small PNG; and ``size`` (height, width)."""
    image = read_picture(task["picture"])
    faces = find_faces(image)
    if not faces:
        choose_face(faces, name=task.get("name") or "the picture")  # says what is wrong
    found = []
    for face in faces:
        portrait = make_portrait(image, face)
        side = portrait.crop.shape[0]
        square = np.array([[0, 0], [side, 0], [side, side], [0, side]], float)
        corners = square @ portrait.image_from_crop[:, :2].T + portrait.image_from_crop[:, 2]
        found.append(
            {"box": list(face.box), "corners": corners.round(1).tolist(), "crop": png(portrait.crop, longest=256)}
        )
    return {"faces": found, "size": list(image.shape[:2])}


def clip_frame(task: dict[str, Any]) -> dict[str, Any]:
    """Answers a task with ``path``, ``time`` (s) and perhaps ``out`` with ``png`` of the clip's frame at that time; `out`
    is a file to write it to at its full size."""
    clip = probe(task["path"], start=max(0.0, float(task["time"])))
    batches = read_frames(clip, batch_size=1)
    pixels = next(batches).pixels[0]
    batches.close()
    if task.get("out"):
        cv2.imwrite(task["out"], cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return {"png": png(pixels, longest=320), "size": list(pixels.shape[:2])}

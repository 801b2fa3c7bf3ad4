"""Animated WebP. Pillow compresses single pictures; the film is put together here, so that memory stays flat.

(The encoders of ffmpeg and Pillow for whole animations keep all of it until the end.) Only the rectangle that changes
is written: a still background costs nothing. Format: https://developers.google.com/speed/webp/docs/riff_container
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from visiongen.datatypes import DrivingClip, FrameBatch, Provenance
from visiongen.errors import MediaError
from visiongen.exporters import WebpOptions
from visiongen.exporters.provenance import as_xmp
from visiongen.exporters.target import checked_frames, released, whole_file, writing

MAX_SIDE = 16383  # of the format, px
HAS_XMP, HAS_ANIMATION = 0x04, 0x02
DO_NOT_BLEND = 0x02


class WebpExporter:
    """An `Exporter`, see above."""

    def __init__(self, options: WebpOptions | None = None) -> None:
        self.options = options or WebpOptions()

    def export(
        self,
        batches: Iterable[FrameBatch],
        path: Path,
        *,
        fps: Fraction,
        sound: DrivingClip | None,
        provenance: Provenance,
    ) -> int:
        """Writes `batches` without sound."""
        path, count, animation = Path(path), 0, None
        with whole_file(path) as part, ExitStack() as stack:
            with writing(path):
                file = stack.enter_context(released(part.open("wb")))
            for pixels in checked_frames(batches, path):
                if max(pixels.shape[1:3]) > MAX_SIDE:
                    raise MediaError(f"{path} cannot be written: WebP ends at {MAX_SIDE} px a side; choose mp4 or png")
                with writing(path):
                    if animation is None:
                        animation = _Animation(file, pixels.shape[1], pixels.shape[2], Fraction(fps), self.options)
                    for image in pixels:
                        animation.add(image)
                count += len(pixels)
            with writing(path):
                animation.finish(as_xmp(provenance))
                file.close()
        return count


class _Animation:
    """A WebP file while it is written. A frame waits until the next one tells how long it stands."""

    def __init__(self, file: BinaryIO, height: int, width: int, fps: Fraction, options: WebpOptions) -> None:
        self.file, self.fps, self.options = file, fps, options
        self.count = 0
        self.last: np.ndarray | None = None
        self.waiting: tuple[int, int, int, int, bytes, int] | None = None
        size = _uint24(width - 1) + _uint24(height - 1)
        file.write(b"RIFF\0\0\0\0WEBP")
        file.write(_chunk(b"VP8X", bytes([HAS_XMP | HAS_ANIMATION, 0, 0, 0]) + size))
        file.write(_chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, 0)))  # white behind it, endless

    def add(self, image: np.ndarray) -> None:
        """Takes one more frame (H, W, 3)."""
        top, bottom, left, right = _changed(self.last, image)
        if bottom > top:
            self._write_waiting()
            picture = io.BytesIO()
            part = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
            part.save(picture, "WEBP", quality=self.options.quality, method=self.options.effort)
            body = picture.getvalue()[12:]  # without "RIFF", size, "WEBP"
            self.waiting = (left, top, right - left, bottom - top, body, self.count)
            self.last = image
        self.count += 1

    def _write_waiting(self) -> None:
        if self.waiting is None:
            return
        left, top, width, height, body, first = self.waiting
        # From rounded times, not rounded durations: 33 ms a frame would run away from 30000/1001 per second.
        duration = round(self.count * 1000 / self.fps) - round(first * 1000 / self.fps)
        head = [left // 2, top // 2, width - 1, height - 1, min(duration, 2**24 - 1)]
        self.file.write(_chunk(b"ANMF", b"".join(map(_uint24, head)) + bytes([DO_NOT_BLEND]) + body))
        self.waiting = None

    def finish(self, xmp: bytes) -> None:
        """Writes the last frame, the metadata and the length."""
        self._write_waiting()
        self.file.write(_chunk(b"XMP ", xmp))
        size = self.file.tell() - 8
        if size >= 2**32:
            raise OSError("a WebP file ends at 4 GB; choose mp4")
        self.file.seek(4)
        self.file.write(struct.pack("<I", size))


def _changed(before: np.ndarray | None, after: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of the rectangle that differs; it begins at even pixels, as the format wants."""
    if before is None:
        return 0, after.shape[0], 0, after.shape[1]
    different = (before != after).any(axis=2)
    rows, columns = np.flatnonzero(different.any(axis=1)), np.flatnonzero(different.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return rows[0] // 2 * 2, rows[-1] + 1, columns[0] // 2 * 2, columns[-1] + 1


def _uint24(value: int) -> bytes:
    return int(value).to_bytes(3, "little")


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

"""Frames of a film as small JPEGs in one file: any frame at once, for the scrubber and for pictures under charts.

Seeking in a film means decoding from the last key frame on, which is neither instant nor frame-exact in a browser. A
pack is made once and kept beside the film. The file is, for every frame, its length (uint32, little endian) and its
JPEG, so that a browser can show the first frames while the last ones still arrive.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from visiongen import media
from visiongen.errors import MediaError

_LENGTH = np.dtype("<u4")
_QUALITY = 82
# Longer side of the frames by their number: a pack of a long film must still fit a browser's memory.
_SIDES = ((300, 480), (750, 400), (1500, 320))
_SMALLEST_SIDE = 256
_AT_ONCE = 500
"""Frames of a film that take about two seconds."""


@dataclass(frozen=True, eq=False)
class FramePack:
    """The frames of a film; `path` is what the browser fetches."""

    path: Path
    offsets: tuple[int, ...]
    """Where each frame's JPEG begins; and one more, the end of the file plus the length of a length."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def jpeg(self, frame: int) -> bytes:
        """One frame as it is stored; the nearest one where `frame` is beyond the ends."""
        frame = min(max(frame, 0), len(self) - 1)
        first, after = self.offsets[frame], self.offsets[frame + 1] - _LENGTH.itemsize
        try:
            with self.path.open("rb") as file:
                file.seek(first)
                return file.read(after - first)
        except OSError as error:
            raise MediaError(f"frame {frame} of {self.path.name} cannot be read ({error}); reload the page") from error

    def picture(self, frame: int) -> np.ndarray:
        """One frame, (h, w, 3) uint8 RGB."""
        found = cv2.imdecode(np.frombuffer(self.jpeg(frame), np.uint8), cv2.IMREAD_COLOR)
        if found is None:
            raise MediaError(f"frame {frame} of {self.path.name} is damaged; delete that file and reload the page")
        return cv2.cvtColor(found, cv2.COLOR_BGR2RGB)


def frame_pack(film: Path, *, progress: Callable[[int, int | None], None] | None = None) -> FramePack:
    """The pack of a film, made now where there is none or the film is newer.

    Args:
        film: MP4 or another film.
        progress: Called with (frames done, frames expected or None).
    Raises:
        MediaError: The film cannot be read, or its folder not be written to.
    """
    path = film.with_name(f".{film.stem}.frames")
    try:
        if not path.is_file() or path.stat().st_mtime < film.stat().st_mtime:
            _write(film, path, progress or (lambda done, total: None))
        return FramePack(path, _offsets(path))
    except OSError as error:
        raise MediaError(f"the frames of {film.name} cannot be kept in {film.parent} ({error.strerror})") from error


def prepare_packs(folder: Path) -> None:
    """Makes the packs of a run's films before Inspect or Compare ask for them; not of long ones, since other renders wait,
    and nothing happens where it cannot be done: the pages make them, too."""
    for name in ("driving.mp4", "result.mp4"):
        film = folder / name
        with contextlib.suppress(MediaError):
            if film.is_file() and (media.probe(film).num_frames or 0) <= _AT_ONCE:
                frame_pack(film)


def _write(film: Path, path: Path, progress: Callable[[int, int | None], None]) -> None:
    clip = media.probe(film)
    expected = clip.num_frames or 0
    side = next((side for most, side in _SIDES if expected <= most), _SMALLEST_SIDE)
    shrink = min(1.0, side / max(clip.height, clip.width))
    size = (max(1, round(clip.width * shrink)), max(1, round(clip.height * shrink)))
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")  # two sessions may open the same run at once
    done = 0
    try:
        with part.open("wb") as file:
            for batch in media.read_frames(clip, batch_size=8):
                for pixels in batch.pixels:
                    small = pixels if shrink == 1 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
                    _, jpeg = cv2.imencode(
                        ".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
                    )
                    file.write(_LENGTH.type(len(jpeg)).tobytes() + jpeg.tobytes())
                done += len(batch)
                progress(done, clip.num_frames)
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _offsets(path: Path) -> tuple[int, ...]:
    length, offsets = path.stat().st_size, [_LENGTH.itemsize]
    with path.open("rb") as file:
        while offsets[-1] - _LENGTH.itemsize < length:
            file.seek(offsets[-1] - _LENGTH.itemsize)
            size = np.frombuffer(file.read(_LENGTH.itemsize), _LENGTH)
            if len(size) != 1 or offsets[-1] + int(size[0]) > length:
                raise MediaError(f"{path.name} is cut off; delete it and reload the page")
            offsets.append(offsets[-1] + int(size[0]) + _LENGTH.itemsize)
    return tuple(offsets)

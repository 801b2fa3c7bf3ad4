"""Pictures for the report: strips of frames beside the real ones, and the worst frames, as small JPEGs inside the page."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from visiongen import media
from visiongen.datatypes import DrivingClip
from visiongen.errors import MediaError
from visiongen.evaluation.inputs import Job

STRIP_FRAMES = 6
_SMALL, _LARGE = 112, 176
_QUALITY = 82


def data_uri(picture: np.ndarray) -> str:
    """(H, W, 3) uint8 RGB as a JPEG for ``<img src=...>``."""
    _, coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()


def strip(job: Job, films: Mapping[str, Path], frames: int) -> tuple[str, list[int]]:
    """One picture: a row of frames for the real clip and one for every film, and the numbers of the frames."""
    wanted = sorted({round(i) for i in np.linspace(0, frames - 1, STRIP_FRAMES)})
    rows = []
    for clip in (real_clip(job), *(_probed(path) for path in films.values())):
        found = frames_at(clip, wanted)
        rows.append(np.concatenate([_square(found.get(number), _SMALL) for number in wanted], axis=1))
    return data_uri(np.concatenate(rows)), wanted


def pair(job: Job, film: Path, frame: int) -> str:
    """Real and generated frame side by side."""
    sides = [frames_at(clip, [frame]).get(frame) for clip in (real_clip(job), _probed(film))]
    return data_uri(np.concatenate([_square(side, _LARGE) for side in sides], axis=1))


def real_clip(job: Job) -> DrivingClip | None:
    """The piece of the clip that was used, from its start."""
    return _probed(job.clip, start=job.start)


def _probed(path: Path, **piece: float) -> DrivingClip | None:
    try:
        return media.probe(path, **piece)
    except MediaError:  # a film that is gone costs its pictures, not the report
        return None


def frames_at(clip: DrivingClip | None, numbers: Sequence[int]) -> dict[int, np.ndarray]:
    """Frames of a clip by number, as far as it has them."""
    found: dict[int, np.ndarray] = {}
    if clip is None or not len(numbers):
        return found
    for number, frame in enumerate(_each(media.read_frames(clip, batch_size=8))):
        if number in numbers:
            found[number] = frame
        if number >= max(numbers):
            break
    return found


def _each(batches: Iterable) -> Iterable[np.ndarray]:
    for batch in batches:
        yield from batch.pixels


def _square(picture: np.ndarray | None, side: int) -> np.ndarray:
    """Fitted into a square; grey where there is nothing."""
    square = np.full((side, side, 3), 128, np.uint8)
    if picture is None:
        return square
    scale = side / max(picture.shape[:2])
    height, width = (max(1, round(n * scale)) for n in picture.shape[:2])
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return square

"""What users bring: checked by decoding it, limited, kept under random names, and removed when nobody needs it."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.limits import check_upload
from studio.settings import with_name
from studio.store import Store
from visiongen.errors import MediaError, VisionGenError
from visiongen.media import probe
from visiongen.samples import sample

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
VIDEOS = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".gif", ".ogv", ".wmv", ".flv", ".ts")
TEMPLATES = (".npz",)
MAX_PICTURE_BYTES, MAX_VIDEO_BYTES = 40 << 20, 200 << 20
MAX_SIDE = 4096
"""Of videos; larger pictures are scaled down to it, px."""
MAX_SECONDS = 600
CHECK_SECONDS = 60
"""A check that takes longer is given up."""
DAY = 24 * 3600.0
SAMPLE_PORTRAITS = {
    "Astronaut": "astronaut.jpg", "Painting": "painting.png", "Cartoon": "cartoon.png", "Statue": "statue.png",
}  # fmt: skip
SAMPLE_CLIP = "driving.mp4"


@dataclass(frozen=True, kw_only=True)
class PortraitFile:
    """A picture that can be animated."""

    path: str
    name: str
    """What the user calls it."""
    size: tuple[int, int]
    """Height and width, px."""
    source: str = "upload"
    """sample, upload, camera or clip."""
    note: str = ""
    """What was done to it, for the user."""
    of_clip: str = ""
    """The clip it is a frame of."""


@dataclass(frozen=True, kw_only=True)
class DrivingFile:
    """A clip, or a motion template, that can drive a picture."""

    path: str
    name: str
    seconds: float
    fps: float
    frames: int
    size: tuple[int, int]
    """Height and width, px."""
    playable: str | None = None
    """A copy that browsers play; None for a template."""
    source: str = "upload"
    """sample, upload, record or template."""
    has_audio: bool = False
    note: str = ""
    """What is wrong with it though it can be used, for the user; empty, where nothing is."""

    @property
    def is_template(self) -> bool:
        """Motion without pictures."""
        return self.playable is None


Ask = Callable[..., dict[str, Any]]
"""`studio.jobs.JobQueue.ask`: has the worker look at a file, so that a file that kills a decoder kills no server."""


def add_portrait(
    data: bytes, name: str, *, store: Store, session: str, ask: Ask, source: str = "upload"
) -> PortraitFile:
    """Keeps an uploaded picture, if it is one.

    Args:
        data: Its bytes.
        name: What the user calls it; only for messages.
        store, session: Where to keep it, and whose it is.
        ask: See `Ask`.
        source: Where it comes from.
    Raises:
        MediaError: It is too large, or not a picture; one sentence.
    """
    name = shown_name(name, "picture")
    _check_size(data, name, MAX_PICTURE_BYTES)
    path = _write(data, name, PICTURES, store, session)
    try:
        answer = ask({"do": "check_picture", "path": str(path), "max_side": MAX_SIDE}, seconds=CHECK_SECONDS)
    except VisionGenError as error:
        path.unlink(missing_ok=True)
        raise MediaError(with_name(str(error), path, name)) from error
    kept = Path(answer["path"])
    if kept != path:
        path.unlink(missing_ok=True)
    note = f"scaled down to {answer['size'][1]} x {answer['size'][0]} pixels" if answer["scaled"] else ""
    return PortraitFile(path=str(kept), name=name, size=tuple(answer["size"]), source=source, note=note)


def add_driving(data: bytes, name: str, *, store: Store, session: str, ask: Ask, source: str = "upload") -> DrivingFile:
    """Keeps an uploaded video or motion template, if it is one; arguments and errors as of `add_portrait`."""
    name = shown_name(name, "clip")
    _check_size(data, name, MAX_VIDEO_BYTES)
    path = _write(data, name, VIDEOS + TEMPLATES, store, session)
    try:
        return look_at_driving(path, name, ask=ask, source=source)
    except VisionGenError as error:
        path.unlink(missing_ok=True)
        raise MediaError(with_name(str(error), path, name)) from error


def look_at_driving(path: Path, name: str, *, ask: Ask, source: str) -> DrivingFile:
    """A clip or template that is already on this machine, checked.

    Raises:
        MediaError: It cannot be used.
    """
    task = {"do": "check_clip", "path": str(path), "max_side": MAX_SIDE, "max_seconds": MAX_SECONDS}
    answer = ask(task, seconds=CHECK_SECONDS)
    told = {"size": tuple(answer["size"]), "note": with_name(answer.get("note", ""), path, name)}
    return DrivingFile(**{**answer, **told}, path=str(path), name=name, source=source)


def sample_portrait(title: str) -> PortraitFile:
    """One of `SAMPLE_PORTRAITS`."""
    from PIL import Image

    path = sample(SAMPLE_PORTRAITS[title])
    with Image.open(path) as image:
        size = (image.height, image.width)
    return PortraitFile(path=str(path), name=path.name, size=size, source="sample")


def sample_driving() -> DrivingFile:
    """The bundled clip. It is known to be sound, so that no worker has to look at it."""
    path = sample(SAMPLE_CLIP)
    clip = probe(path)
    frames = clip.num_frames or 0
    return DrivingFile(path=str(path), name=SAMPLE_CLIP, seconds=float(frames / clip.fps), fps=float(clip.fps),
                       frames=frames, size=(clip.height, clip.width), playable=str(path), source="sample",
                       has_audio=clip.has_audio)  # fmt: skip


def is_sample(path: str) -> bool:
    """Whether a file came with the package."""
    folder = sample(SAMPLE_CLIP).parent
    return Path(path).parent == folder


def shown_name(name: str, default: str) -> str:
    """A user's file name without folders and control characters, for messages and titles; never used as a path."""
    last = re.split(r"[\\/]", str(name))[-1]
    return "".join(one for one in last if one.isprintable()).strip()[:80] or default


def _check_size(data: bytes, name: str, most: int) -> None:
    if not data:
        raise MediaError(f"{name} is empty (0 bytes); it was probably not saved completely")
    if len(data) > most:
        raise MediaError(
            f"{name} has {len(data) / 2**20:.0f} MB, but at most {most >> 20} MB are taken; make it smaller or shorter"
        )


def _write(data: bytes, name: str, endings: tuple[str, ...], store: Store, session: str) -> Path:
    ending = Path(name).suffix.lower()
    if ending not in endings:
        raise MediaError(f"{name} is of no kind that can be used here; give one of: {', '.join(sorted(set(endings)))}")
    folder = upload_folder(store, session)
    check_upload(folder, name, len(data))
    path = folder / f"{uuid.uuid4().hex}{ending}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise MediaError(f"{name} cannot be kept ({error.strerror}); make room on the disk of {store.root}") from error
    return path


def upload_folder(store: Store, session: str) -> Path:
    """Where the uploads of a session are."""
    return store.root / "uploads" / (re.sub(r"[^0-9a-zA-Z_-]", "", session)[:64] or "session")


def clean_up(store: Store, *, age: float = DAY, now: float | None = None) -> int:
    """Removes uploads and cached files older than `age` that no run needs; half-written files too.

    Args:
        store: Whose.
        age: s since they were last written.
        now: Unix time, s; for tests.
    Returns:
        How many files were removed.
    """
    now = time.time() if now is None else now
    needed = {path for run in store.runs() for path in (run.settings.portrait, run.settings.driving)}
    removed = 0
    for folder in ("uploads", "cache"):
        for path in sorted((store.root / folder).rglob("*"), reverse=True):
            with suppress(OSError):
                if path.is_dir():
                    path.rmdir()  # only where it is empty
                elif str(path) not in needed and now - path.stat().st_mtime > age:
                    path.unlink()
                    removed += 1
    return removed


def forget_session(store: Store, session: str) -> None:
    """Removes the uploads of a session that no run needs, at the user's wish."""
    needed = {path for run in store.runs() for path in (run.settings.portrait, run.settings.driving)}
    folder = upload_folder(store, session)
    if not any(Path(path).is_relative_to(folder) for path in needed):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.glob("*"):
        if str(path) not in needed:
            with suppress(OSError):
                os.unlink(path)

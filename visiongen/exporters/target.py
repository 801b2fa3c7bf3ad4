"""Where a result is written: checked before, whole or not there at all afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from visiongen.claims import claimed
from visiongen.datatypes import FrameBatch
from visiongen.errors import MediaError
from visiongen.names import can_name_a_file

FRAME_NAME = "frame_{:06d}.png"
PROVENANCE_NAME = "provenance.json"
_OURS = re.compile(rf"frame_\d{{6,}}\.png|{re.escape(PROVENANCE_NAME)}")

_REASONS = {
    errno.ENOSPC: "the disk is full; make room or choose another one",
    errno.EDQUOT: "your share of the disk is used up; make room or choose another one",
    errno.EFBIG: "the file became larger than the disk or a limit allows; choose another disk or a shorter clip",
    errno.EACCES: "that place may not be written to; choose another one",
    errno.EPERM: "that place may not be written to; choose another one",
    errno.EROFS: "that disk may only be read; choose another one",
    errno.ENOENT: "its folder does not exist; create it or choose another one",
    errno.ENOTDIR: "its folder is a file; choose another one",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}


def check_target(path: Path | str, *, overwrite: bool = False, folder: bool = False) -> None:
    """Does nothing if a result may be written to `path`.

    Args:
        path: The file (or folder) to be written.
        overwrite: It may be there already. Of folders only those are replaced that hold nothing but frames.
        folder: A folder of frames is to be written, not a file.
    Raises:
        MediaError: It may not, or cannot, be written.
    """
    path = Path(path)
    with writing(path):
        _check_parent(path)
        try:
            path.lstat()
        except FileNotFoundError:
            return
        if folder:
            _check_folder(path, overwrite)
        elif path.is_dir():
            raise MediaError(f"{path} is a folder; give the name of a file in it")
        elif not overwrite:
            raise MediaError(f"{path} exists; choose another name or allow overwriting (--overwrite)")


def _check_parent(path: Path) -> None:
    parent = path.parent
    if not path.name or not can_name_a_file(path):
        raise MediaError(f"{str(path)!a} is no name of a result; give one, such as result.mp4")
    if not parent.is_dir():
        raise MediaError(f"the folder {parent} does not exist; create it or choose another place for {path.name}")
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise MediaError(f"the folder {parent} may not be written to; choose another place for {path.name}")


def _check_folder(path: Path, overwrite: bool) -> None:
    if not path.is_dir():
        raise MediaError(f"{path} is a file, but a folder of frames is to be written; choose another name")
    names = os.listdir(path)
    if names and not overwrite:
        raise MediaError(f"the folder {path} is not empty; choose another name or allow overwriting (--overwrite)")
    if foreign := [name for name in names if not _OURS.fullmatch(name)]:
        raise MediaError(f"the folder {path} holds other files ({foreign[0]}), so it is not replaced; choose another")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Makes MediaError of the OSErrors of the block; only for blocks that write `path` and do nothing else."""
    try:
        yield
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: Exception) -> MediaError:
    """Why `path` could not be written, in a sentence."""
    reason = _REASONS.get(getattr(error, "errno", None) or 0, f"{getattr(error, 'strerror', None) or error}")
    return MediaError(f"{path} cannot be written: {reason}")


@contextlib.contextmanager
def released(resource: Any) -> Iterator[Any]:
    """Closes `resource` at the end. Errors of that go unheard: what was written counts as closed before, or failed."""
    try:
        yield resource
    finally:
        with contextlib.suppress(Exception):
            resource.close()


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to. It becomes `path` at the end of the block, or is removed when that fails.

    Raises:
        MediaError: It cannot be written, or another render writes it now.
    """
    with _claimed(path), scratch_file(path, path.suffix) as part:
        yield part
        with writing(path):
            os.replace(part, path)


@contextlib.contextmanager
def _claimed(path: Path) -> Iterator[None]:
    """Nobody else writes `path` meanwhile; where somebody does, this is refused, and nothing of theirs is touched."""
    with contextlib.ExitStack() as stack:
        with writing(path):
            _check_parent(path)
            stack.enter_context(claimed(path))
        yield


@contextlib.contextmanager
def scratch_file(path: Path, suffix: str) -> Iterator[Path]:
    """The name ``.NAME.part.SUFFIX`` beside `path`, free to be written, and removed at the end.

    Only inside `whole_file` of the same `path`, which sees to it that nobody else uses the name.
    """
    # With the ending: result.mp4 and result.webm may be written side by side, each with sound of its own.
    part = path.with_name(f".{path.name}.part{suffix}")
    with writing(path):
        _check_parent(path)
        part.unlink(missing_ok=True)  # of a run that was killed
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into. It becomes `path` at the end, or is removed when that fails.

    A folder that is already there is replaced when it holds nothing but frames.

    Raises:
        MediaError: It cannot be written, or another render writes it now.
    """
    with _claimed(path):
        yield from _whole_folder(path)


def _whole_folder(path: Path) -> Iterator[Path]:
    part, old = (path.with_name(f".{path.name}.{end}") for end in ("part", "old"))
    with writing(path):
        check_target(path, overwrite=True, folder=True)
        if old.exists() and not path.exists():  # killed between two renames: what was there before comes back
            os.replace(old, path)
        for stale in (part, old):
            shutil.rmtree(stale, ignore_errors=True)
        part.mkdir()
    try:
        yield part
        with writing(path):
            if path.exists():
                os.replace(path, old)
            try:
                os.replace(part, path)
            except BaseException:
                if old.exists():
                    os.replace(old, path)
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)


def checked_frames(batches: Iterable[FrameBatch], path: Path) -> Iterator[np.ndarray]:
    """The pixels (B, H, W, 3) of every batch that is not empty, all of one size.

    Raises:
        MediaError: There are no frames, or they change their size.
    """
    size = None
    for batch in batches:
        if not len(batch):
            continue
        if size is not None and batch.pixels.shape[1:] != size:
            (height, width, _), (h, w, _) = size, batch.pixels.shape[1:]
            raise MediaError(f"{path} cannot be written: frames change from {width}x{height} to {w}x{h} px on the way")
        size = batch.pixels.shape[1:]
        yield batch.pixels
    if size is None:
        raise MediaError(f"{path} is not written: there are no frames; check the driving clip and its start and end")

"""Who works on a file: a claim that ends with its process, however that ends.

A claim is an advisory lock on a small file. The system releases it when the process dies, also by kill -9, so that what a
killed process left behind can be told from work in progress of somebody else.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from visiongen.errors import MediaError

_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK)
_ATTEMPTS = 20


class Claim:
    """A lock file that is held; see `claim`."""

    def __init__(self, path: Path, descriptor: int | None) -> None:
        self.path, self._descriptor = path, descriptor

    def release(self) -> None:
        """Lets go, and removes the lock file; once is enough."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        with contextlib.suppress(OSError):  # while it is still held: nobody else's file can be meant
            self.path.unlink()
        os.close(descriptor)
        with contextlib.suppress(OSError):  # Windows removes no open files
            if os.name == "nt":
                self.path.unlink()

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def claim(path: Path) -> Claim | None:
    """Takes the lock file `path`, made where it is not there; None where a living process holds it.

    Where the file system knows no locks (some network disks), everybody gets the claim: work goes on as it did without.

    Raises:
        OSError: The file cannot be made.
    """
    for _ in range(_ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno in _TAKEN:
                return None
            return Claim(path, None)
        if _is_still(path, descriptor):
            with contextlib.suppress(OSError):  # a full disk: the lock holds, only its owner's number is missing
                os.truncate(descriptor, 0) if os.name != "nt" else None
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0) if os.name != "nt" else None
            return Claim(path, descriptor)
        os.close(descriptor)  # who held it removed it a moment ago; what we locked is no file any more
    return None


def is_claimed(path: Path) -> bool:
    """Whether a living process holds the lock file `path`."""
    if not path.exists():
        return False
    with contextlib.suppress(OSError):
        if (mine := claim(path)) is None:
            return True
        mine.release()
    return False


def lock_file(path: Path) -> Path:
    """The lock file of a result that is to be written to `path`; beside it, hidden."""
    return path.with_name(f".{path.name}.lock")


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Holds the claim on a result while it is written.

    Raises:
        MediaError: Another process, or another thread of this one, writes it now.
        OSError: Its folder cannot be written to.
    """
    lock = lock_file(Path(path))
    mine = claim(lock)
    if mine is None:
        raise MediaError(f"{path} is being written by another render{owner(lock)}; wait for it or choose another name")
    with mine:
        yield


def owner(lock: Path) -> str:
    """Who holds a lock file, as words for a message; empty where it is not known."""
    with contextlib.suppress(OSError, ValueError):
        return f" (process {int(lock.read_text())})"
    return ""


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _lock(descriptor: int) -> None:
    """Locks without waiting.

    Raises:
        OSError: It is locked already, or cannot be.
    """
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

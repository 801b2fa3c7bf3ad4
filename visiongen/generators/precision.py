"""In which numbers a network computes: float32 everywhere, bfloat16 where the device has it and is quicker with it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal, TypeVar

import torch

Result = TypeVar("Result")
Precision = Literal["auto", "float32", "bfloat16"]

_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16")
"""Of processors, by PyTorch's names; without one of them bfloat16 is emulated, and takes several times as long."""
_WORTH = 0.9
"""Of float32's time: what bfloat16 must not exceed to be chosen."""
_ROUNDS = 3

_quickest: dict[str, torch.dtype] = {}
"""What was measured in this process, by kind of device."""
_measuring = threading.Lock()


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device itself computes in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    told = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of PyTorch do not tell
    return any(told.get(name, False) for name in _INSTRUCTIONS)


class NetworkPrecision:
    """Does a network's work in the precision that was asked for; may be used by several threads."""

    def __init__(self, wanted: Precision, device: torch.device) -> None:
        """
        Args:
            wanted: "auto": bfloat16 where the device has it and the first piece of work takes at most nine tenths of the time
                with it (measured once a process, six times that work); otherwise float32.
            device: Where the network is.
        """
        self._device, self._dtype = device, None if wanted == "auto" else getattr(torch, wanted)

    def __call__(self, work: Callable[[], Result]) -> Result:
        """``work()``; whatever PyTorch holds to need all its digits stays float32 (autocast)."""
        if self._dtype is None:
            self._dtype = self._quickest(work)
        return self._in(self._dtype, work)

    def _quickest(self, work: Callable[[], object]) -> torch.dtype:
        with _measuring:  # one measures, and the other threads wait: they would take its time
            if self._device.type not in _quickest:
                _quickest[self._device.type] = self._measured(work) if has_bfloat16(self._device) else torch.float32
            return _quickest[self._device.type]

    def _measured(self, work: Callable[[], object]) -> torch.dtype:
        found: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
        for _ in range(_ROUNDS):
            for dtype, seconds in found.items():
                seconds.append(self._seconds(dtype, work))
        single, half = (min(seconds) for seconds in found.values())
        return torch.bfloat16 if half <= _WORTH * single else torch.float32

    def _seconds(self, dtype: torch.dtype, work: Callable[[], object]) -> float:
        begun = time.perf_counter()
        self._in(dtype, work)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter() - begun

    def _in(self, dtype: torch.dtype, work: Callable[[], Result]) -> Result:
        with torch.autocast(self._device.type, torch.bfloat16, enabled=dtype is torch.bfloat16):
            return work()

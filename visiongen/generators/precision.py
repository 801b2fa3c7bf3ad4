"""In which numbers a network computes: float32 everywhere, bfloat16 where the device has instructions for it.

Decided by what the device is, not by what is quicker at the moment: the same job shall give the same frames again. With
AVX-512's instructions a frame takes 0.7 to 0.9 of the time, emulated several times as long (docs/benchmark.md, and
docs/benchmark-avx2.md); pictures differ by less than 0.0002 of SSIM.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]

_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")
"""Of processors, by PyTorch's names."""


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device itself computes in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    told = getattr(torch.cpu, "get_capabilities", dict)()  # older versions of PyTorch do not tell
    return any(told.get(name, False) for name in _INSTRUCTIONS)


def computing_in(wanted: Precision, device: torch.device) -> AbstractContextManager:
    """A block in which a network on `device` computes in the precision that is wanted; whatever PyTorch holds to need all its
    digits stays float32 (autocast).

    Args:
        wanted: "auto": bfloat16 where the device has it, otherwise float32.
        device: Where the network is.
    """
    reduced = wanted == "bfloat16" or (wanted == "auto" and has_bfloat16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=reduced)

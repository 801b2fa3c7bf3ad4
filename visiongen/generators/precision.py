"""In which numbers a network computes: float32 everywhere, bfloat16 where the device has instructions for it.

Decided by what the device is, not by what is quicker at the moment: the same job shall give the same frames again. With
AVX-512's instructions a whole job takes 0.88 (256 px) to 0.99 (1024 px) of the time, emulated more than twice as long
(docs/benchmark.md, docs/benchmark-avx2.md); on no clip of 22 do the two differ by more than 0.0002 of SSIM.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

from visiongen.generators.options import Precision

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

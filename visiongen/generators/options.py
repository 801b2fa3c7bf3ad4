"""Options of the built-in generators; apart from them, so that listing options loads no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
"""Of what a network computes in, see `visiongen.generators.precision`."""


@dataclass(frozen=True, kw_only=True)
class VaeGanOptions:
    """Options of `vae-gan`."""

    weights: str = ""
    """Checkpoint, a .safetensors file with its .json card beside it; empty: the shipped one."""
    painting: float = field(default=1.0, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How much of the network's new content is blended in, 0 (moved picture only) to 1 (all)."""
    register: bool = True
    """Where the portrait is a frame of the driving clip, or painted over one: measure the motion of hair, neck, shoulders
    and background in the clip's pixels too. Other portraits are driven by landmarks alone either way."""
    feedback: Literal["registered", "always", "never"] = "registered"
    """Look at every rendered face and move it to where the driver's landmarks are: of portraits that are registered with
    their clip, always, or never. Takes about a third more time; lips and lids follow more closely."""
    precision: Precision = "auto"
    """Numbers that the network computes in. auto: bfloat16 where processor or GPU have instructions for it."""
    batch: int = field(default=4, metadata={"range": (1, 64), "step": 1})
    """Frames computed at once; more is faster on a GPU and takes more memory."""

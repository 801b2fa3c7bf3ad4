"""Options of the generator; apart from it, so that listing options loads no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class FommOptions:
    """Options of `fomm`."""

    weights: str = ""
    """Checkpoint: a public .pth.tar, as it is; a .safetensors file with its .json card beside it; or `vox-adv`, the public
    one, see `download`; empty: the shipped one."""
    download: bool = False
    """Fetch `vox-adv` (228 MB, checked) if it is not here yet; without this nothing is ever downloaded."""
    motion: Literal["relative", "absolute"] = "relative"
    """relative: keypoints move as the driver's moved since the reference frame; absolute: they go where the driver's are, and
    the face takes the driver's shape."""
    reference: Literal["best", "first"] = "best"
    """Frame that relative motion starts from: best, the one in which the driver looks most like the portrait; or first."""
    adapt_scale: bool = False
    """Scale relative movement by the size of the portrait's keypoints over the driver's."""
    detail: float = field(default=1.0, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How much of the portrait's detail that the network does not reproduce is carried along by the motion, 0 (the network's
    picture alone, as published) to 1."""
    size: int = field(default=0, metadata={"range": (0, 1024), "step": 64})
    """Side of the pictures the network paints, px; 0: what it was trained on. Motion is always found at the trained size."""
    align_corners: bool = True
    """How the network warps: true, as the public weights were trained; false, as their code runs with today's PyTorch."""
    batch: int = field(default=4, metadata={"range": (1, 64), "step": 1})
    """Frames computed at once; more is faster on a GPU and takes more memory."""

"""A plugin for VisionGen 3D: an enhancer that makes a drawing of every frame, without flicker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from visiongen import Component, hookimpl


@dataclass(frozen=True, kw_only=True)
class CartoonOptions:
    """Settings of the `cartoon` enhancer."""

    flatten: float = field(default=0.5, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How far texture is smoothed away within areas of one colour, 0 (not at all) to 1."""
    levels: int = field(default=8, metadata={"range": (2, 32), "step": 1})
    """Number of steps of brightness; fewer look more like a poster."""
    softness: float = field(default=0.35, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How gently one step of brightness passes into the next, 0 (hard edges, which flicker) to 1 (no steps)."""
    lines: float = field(default=0.8, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How dark the outlines are, 0 (none) to 1 (black)."""
    line_width: float = field(default=1.0, metadata={"range": (0.5, 4.0), "step": 0.1})
    """Width of the outlines, px for a frame of 256 px; grows with the frame."""
    saturation: float = field(default=1.25, metadata={"range": (0.0, 2.0), "step": 0.05})
    """Colour, 0 (grey) to 2 (twice as strong); 1 leaves it."""
    steadiness: float = field(default=0.6, metadata={"range": (0.0, 0.95), "step": 0.05})
    """How much of the drawing is kept from the frame before where nothing moves, 0 (none) to 0.95."""


def _load(options: CartoonOptions, *, device: str) -> Any:
    from visiongen_cartoon.cartoon import Cartoon

    return Cartoon(options)


@hookimpl
def visiongen_enhancers() -> Iterable[Component]:
    """Offer cartoon."""
    yield Component(
        name="cartoon",
        summary="A drawing: flat colours, steps of brightness, outlines; steady over time",
        load=_load,
        options=CartoonOptions,
    )

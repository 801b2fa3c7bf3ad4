"""The built-in enhancers and their options; each works in the file of its name, imported when it is chosen.

They may be combined freely; sensible is this order: deflicker, artefacts, colour, sharpen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from visiongen.hookspecs import Component, Enhancer, hookimpl


@dataclass(frozen=True, kw_only=True)
class DeflickerOptions:
    """Settings of `visiongen.enhancers.deflicker`."""

    strength: float = field(default=1.0, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How much of the flicker and noise is taken away, 0 (nothing) to 1."""
    memory: float = field(default=0.5, metadata={"range": (0.05, 5.0), "step": 0.05})
    """Changes of brightness or colour that take longer than this are kept, seconds."""
    noise: float = field(default=3.0, metadata={"range": (0.0, 20.0), "step": 0.5})
    """A place that changes by less than this from frame to frame counts as still, grey levels of 255; 0 leaves all
    pixels unblended."""


@dataclass(frozen=True, kw_only=True)
class ArtefactsOptions:
    """Settings of `visiongen.enhancers.artefacts`."""

    strength: float = field(default=1.0, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How much of a speck is replaced by its surroundings, 0 (nothing) to 1."""
    threshold: float = field(default=28.0, metadata={"range": (4.0, 128.0), "step": 1.0})
    """How far a speck must stand out from its surroundings to be one, grey levels of 255; lower removes more."""


@dataclass(frozen=True, kw_only=True)
class ColourOptions:
    """Settings of `visiongen.enhancers.colour`."""

    strength: float = field(default=1.0, metadata={"range": (0.0, 1.0), "step": 0.05})
    """How far colours are moved to the portrait's, 0 (not at all) to 1."""
    smoothing: float = field(default=1.0, metadata={"range": (0.0, 10.0), "step": 0.1})
    """Time over which the correction is averaged so that it cannot flicker, seconds."""


@dataclass(frozen=True, kw_only=True)
class SharpenOptions:
    """Settings of `visiongen.enhancers.sharpen`."""

    amount: float = field(default=0.6, metadata={"range": (0.0, 3.0), "step": 0.05})
    """How much fine detail is added to itself, 0 (nothing) to 3."""
    radius: float = field(default=1.0, metadata={"range": (0.3, 5.0), "step": 0.1})
    """Size of the detail, px of a frame of 256 px; it grows with the frame."""
    threshold: float = field(default=2.0, metadata={"range": (0.0, 20.0), "step": 0.5})
    """Detail weaker than this is taken for noise and left alone, grey levels of 255."""


def _load_deflicker(options: DeflickerOptions, *, device: str) -> Enhancer:
    from visiongen.enhancers.deflicker import Deflicker

    return Deflicker(options)


def _load_artefacts(options: ArtefactsOptions, *, device: str) -> Enhancer:
    from visiongen.enhancers.artefacts import Artefacts

    return Artefacts(options)


def _load_colour(options: ColourOptions, *, device: str) -> Enhancer:
    from visiongen.enhancers.colour import Colour

    return Colour(options)


def _load_sharpen(options: SharpenOptions, *, device: str) -> Enhancer:
    from visiongen.enhancers.sharpen import Sharpen

    return Sharpen(options)


def _offer(name: str, summary: str, load: Any, options: type) -> Component:
    return Component(name=name, summary=summary, load=load, options=options)


@hookimpl
def visiongen_enhancers() -> Iterable[Component]:
    """Offer deflicker, artefacts, colour and sharpen."""
    yield _offer("deflicker", "Steady brightness, colour and noise over time", _load_deflicker, DeflickerOptions)
    yield _offer(
        "artefacts", "Remove isolated specks that the portrait does not have", _load_artefacts, ArtefactsOptions
    )
    yield _offer("colour", "Keep the colours of the portrait", _load_colour, ColourOptions)
    yield _offer("sharpen", "Crisper detail without halos or added noise", _load_sharpen, SharpenOptions)

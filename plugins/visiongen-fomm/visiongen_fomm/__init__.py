"""First Order Motion Model for VisionGen 3D: a generator that learned by itself which points of a face move."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from visiongen import Component, hookimpl
from visiongen_fomm.options import FommOptions


def _load(options: FommOptions, *, device: str) -> Any:
    from visiongen_fomm.generator import FommGenerator

    return FommGenerator(options, device=device)


@hookimpl
def visiongen_generators() -> Iterable[Component]:
    """Offer the generator."""
    yield Component(
        name="fomm",
        summary="First Order Motion Model: keypoints found in the pixels themselves",
        load=_load,
        options=FommOptions,
        needs="pixels",
    )

"""A plugin for VisionGen 3D: the moving face as animated glTF, and as curves; and curves that drive a face."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from visiongen import Component, NoOptions, hookimpl


@dataclass(frozen=True, kw_only=True)
class GltfOptions:
    """Settings of the `glb` and `gltf` exporters."""

    tolerance: float = field(default=0.002, metadata={"range": (0.0, 0.05), "step": 0.0005})
    """How far a vertex may be from where it belongs, face widths (0.002 is a third of a millimetre); larger values give
    fewer morph targets and smaller files."""
    max_targets: int = field(default=48, metadata={"range": (1, 256), "step": 1})
    """Most morph targets; more than this are not made even where `tolerance` is missed."""
    texture_size: int = field(default=1024, metadata={"range": (64, 4096), "step": 64})
    """Longest side of the texture, px; the portrait is never enlarged."""
    mouth: Literal["auto", "dark", "texture"] = "auto"
    """What is between the lips: the portrait's own texture, or dark; auto: dark where the portrait's mouth is closed."""
    face_width: float = field(default=0.14, metadata={"range": (0.01, 10.0), "step": 0.01})
    """Width of the face in the scene, metres."""


def _load_glb(options: GltfOptions, *, device: str) -> Any:
    from visiongen_gltf.gltf import GltfExporter

    return GltfExporter(options, binary=True)


def _load_gltf(options: GltfOptions, *, device: str) -> Any:
    from visiongen_gltf.gltf import GltfExporter

    return GltfExporter(options, binary=False)


def _load_csv(options: NoOptions, *, device: str) -> Any:
    from visiongen_gltf.curves import CsvExporter

    return CsvExporter()


def _load_json(options: NoOptions, *, device: str) -> Any:
    from visiongen_gltf.curves import JsonExporter

    return JsonExporter()


def _load_curves(options: NoOptions, *, device: str) -> Any:
    from visiongen_gltf.curve_source import CurveSource

    return CurveSource()


@hookimpl
def visiongen_exporters() -> Iterable[Component]:
    """Offer glb, gltf, curves-csv and curves-json."""
    for name, load, summary in (
        ("glb", _load_glb, "Animated 3D face with its texture, one binary glTF file"),
        ("gltf", _load_gltf, "Animated 3D face with its texture, glTF as JSON with all data inside"),
    ):
        yield Component(
            name=name, summary=summary, load=load, options=GltfOptions, suffixes=(f".{name}",), writes="motion"
        )
    for ending, load in (("csv", _load_csv), ("json", _load_json)):
        yield Component(
            name=f"curves-{ending}",
            summary=f"Head pose and the 52 ARKit blendshapes of every frame, {ending.upper()}",
            load=load,
            suffixes=(f".{ending}",),
            writes="motion",
        )


@hookimpl
def visiongen_motion_sources() -> Iterable[Component]:
    """Offer curves."""
    yield Component(
        name="curves",
        summary="Head pose and ARKit blendshapes from a CSV or JSON file",
        load=_load_curves,
        suffixes=(".csv", ".json"),
    )

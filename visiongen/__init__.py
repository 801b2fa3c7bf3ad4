"""VisionGen 3D: bring one picture of a face to life with a short driving video.

    import visiongen
    visiongen.animate("portrait.jpg", "driving.mp4", "result.mp4")

Importing the package is light: torch, mediapipe, av and the rest are loaded by what needs them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from visiongen.datatypes import (
        Animation,
        DrivingClip,
        FrameBatch,
        LandmarkTrack,
        MotionTrack,
        Portrait,
        Provenance,
    )
    from visiongen.errors import (
        MediaError,
        NoFaceError,
        PluginError,
        UnsupportedMotionError,
        VisionGenError,
        WeightsError,
    )
    from visiongen.hookspecs import Component, NoOptions, hookimpl
    from visiongen.motion import load_motion, place, save_motion
    from visiongen.pipeline import Choice, animate, extract_motion, fit_motion, prepare_portrait, render
    from visiongen.plugins import choose, load, plugin_failures
    from visiongen.retarget import MotionSettings

_HOMES = {
    "datatypes": ("Animation", "DrivingClip", "FrameBatch", "LandmarkTrack", "MotionTrack", "Portrait", "Provenance"),
    "errors": (
        "MediaError",
        "NoFaceError",
        "PluginError",
        "UnsupportedMotionError",
        "VisionGenError",
        "WeightsError",
    ),
    "hookspecs": ("Component", "NoOptions", "hookimpl"),
    "motion": ("load_motion", "place", "save_motion"),
    "pipeline": ("Choice", "animate", "extract_motion", "fit_motion", "prepare_portrait", "render"),
    "plugins": ("choose", "load", "plugin_failures"),
    "retarget": ("MotionSettings",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'visiongen' has no attribute {name!r}")
    return getattr(importlib.import_module(f"visiongen.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__

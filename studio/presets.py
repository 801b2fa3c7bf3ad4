"""Ways to move, by name: a first choice before the sliders."""

from __future__ import annotations

from dataclasses import dataclass

from visiongen import MotionSettings


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Motion settings under a name."""

    name: str
    summary: str
    settings: MotionSettings


PRESETS = (
    Preset(name="Natural", summary="as the driver moves", settings=MotionSettings()),
    Preset(
        name="Calm",
        summary="smaller head movements, smoother",
        settings=MotionSettings(pose=0.6, mouth=0.9, brows=0.8, smoothing=0.7, scale="lock"),
    ),
    Preset(
        name="Lively",
        summary="stronger mouth, eyes and brows",
        settings=MotionSettings(pose=1.1, mouth=1.3, eyes=1.15, brows=1.4, smoothing=0.3),
    ),
    Preset(
        name="Face only",
        summary="the head stays still, the face moves",
        settings=MotionSettings(pose=0.0, scale="lock"),
    ),
    Preset(
        name="Follow",
        summary="the face takes the driver's place, size and pose",
        settings=MotionSettings(mode="absolute"),
    ),
)


def preset(name: str) -> Preset:
    """The preset of this name."""
    return next(one for one in PRESETS if one.name == name)


def preset_of(settings: MotionSettings) -> str | None:
    """The name of the preset that `settings` are; None: of none."""
    return next((one.name for one in PRESETS if one.settings == settings), None)

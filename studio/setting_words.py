"""What settings and their values are called on the pages: where a run is told in words, it names what its controls say."""

from __future__ import annotations

from typing import Any

from studio.forms import title_of
from visiongen.diagnostics.advice import PIECE, REMEDY, worded

_LABELS = {
    "driving": "Driving clip", "start": "Piece from, s", "end": "Piece to, s", "face": "Face to move", "full": "Framing",
    "size": "Longer side, px", "mark": "Visible mark", "exporter": "Format", "fills": "Frames filled in",
    "self_reenactment": "Portrait is a frame of the clip", "consent": "Consent confirmed",
}  # fmt: skip
_NOTHING = {"end": "its end", "size": "as the picture", "enhancers": "none", "fills": "none",
            "motion reference_frame": "automatic"}  # fmt: skip
_MOTION = "motion "
_CONTROLS = {PIECE: "**Piece to use**", REMEDY: "a remedy"}


def label_of(name: str) -> str:
    """A setting as `studio.compare_data` lists it: "motion pose_limit" -> "Pose limit"; of a component: "gif colours"."""
    own = name.removeprefix(_MOTION)
    return _LABELS.get(name) or (own.replace("_", " ") if " " in own else title_of(own))  # "vae-gan batch": as it is


def value_text(name: str, value: Any) -> str:
    """A value of such a setting, in words."""
    if value is None or value == () or value == []:
        return _NOTHING.get(name, "–")
    if name == "full":
        return "Whole picture" if value else "Face crop"
    if name == "face":
        return str(value + 1) if isinstance(value, int) else str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def advice_text(advice: str) -> str:
    """Advice of a diagnosis in Markdown, with the names of the controls."""
    return worded(advice, lambda name: _CONTROLS.get(name) or f"**{label_of(_MOTION + name)}**")

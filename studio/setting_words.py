"""What settings and their values are called on the pages: where a run is told in words, it names what its controls say."""

from __future__ import annotations

import re
from typing import Any

from studio.forms import title_of

_LABELS = {
    "driving": "Driving clip", "start": "Piece from, s", "end": "Piece to, s", "face": "Face to move", "full": "Framing",
    "size": "Longer side, px", "mark": "Visible mark", "exporter": "Format", "fills": "Frames filled in",
    "self_reenactment": "Portrait is a frame of the clip", "consent": "Consent confirmed",
}  # fmt: skip
_NOTHING = {"end": "its end", "size": "as the picture", "enhancers": "none", "fills": "none",
            "motion reference_frame": "automatic"}  # fmt: skip
_MOTION = "motion "
_CONTROLS = {"start and --end": "**Piece to use**", "remedy": "a remedy"}
"""Flags of the command line that are no option of a component -> what does the same here."""
_FLAG = re.compile(r"--(start and --end|[a-z][a-z-]*)((?: to)? [0-9.]+)?(?: \((?:in the studio: )?[A-Z][a-z ]*\))?")


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


def without_flags(advice: str) -> str:
    """Advice that names flags of the command line, in Markdown with the names of the controls instead."""

    def control(found: re.Match[str]) -> str:
        name = found[1]
        said = _CONTROLS.get(name) or f"**{title_of(name.replace('-', '_'))}**"
        return f"{said}{found[2] or ''}"

    return _FLAG.sub(control, advice)

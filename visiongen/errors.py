"""What can go wrong, as one tree. Every message says what failed, on which input, and what to do.

VisionGenError
├─ MediaError               a picture, a video or an output file cannot be read or written
├─ NoFaceError              no face where one is needed
├─ UnsupportedMotionError   this generator cannot use this motion
├─ WeightsError             a checkpoint is missing, damaged or of another architecture
└─ PluginError              an unknown name, a clash of names, a plugin that failed

Wrong arguments stay ``ValueError`` / ``TypeError``; they are programming errors, not user input.
"""

from __future__ import annotations

import re

_LONGEST = 1500
"""Characters of a message; what a damaged file says of itself may have any length."""


class VisionGenError(Exception):
    """Anything a user can be told in one sentence. Command line and studio catch this one class.

    As text it is one line that any terminal and page can show: names of files and foreign messages may hold line breaks,
    control characters and bytes that are no text.
    """

    def __str__(self) -> str:
        text = " ".join(re.split(r"[\t\n\r\f\v]+", super().__str__()))
        text = "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)
        return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class MediaError(VisionGenError):
    """A picture, a video or an output file cannot be read or written."""


class NoFaceError(VisionGenError):
    """No face was found where one is needed."""


class UnsupportedMotionError(VisionGenError):
    """The generator cannot use this motion, for example because it needs the driving pixels."""


class WeightsError(VisionGenError):
    """A checkpoint is missing, damaged or belongs to another architecture."""


class PluginError(VisionGenError):
    """An unknown component, two components of one name, or a plugin that failed."""

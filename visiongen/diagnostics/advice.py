"""Advice that names options: they are data in its text, ``{pose_limit}``, and called what they are where it is shown."""

from __future__ import annotations

import re
from collections.abc import Callable

PIECE, REMEDY = "piece", "remedy"
"""Named like the fields of `visiongen.MotionSettings`: the piece of the clip that is used; letting the remedy be applied."""
_OPTION = re.compile(r"\{([a-z_]+)\}")
_FLAGS = {PIECE: "--start and --end", REMEDY: "--remedy"}


def options_in(advice: str) -> list[str]:
    """The options that are named, in their order."""
    return _OPTION.findall(advice)


def worded(advice: str, name_of: Callable[[str], str]) -> str:
    """Advice for people, in which options are called what `name_of` says.

    >>> worded("Lower {pose}.", str.upper)
    'Lower POSE.'
    """
    return _OPTION.sub(lambda found: name_of(found[1]), advice)


def with_flags(advice: str) -> str:
    """Advice for the command line.

    >>> with_flags("Damp turns with {pose_limit} 35.")
    'Damp turns with --pose-limit 35.'
    """
    return worded(advice, lambda name: _FLAGS.get(name) or "--" + name.replace("_", "-"))

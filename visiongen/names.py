"""Names of files that users give: whether they can be one, and what the system says where one cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterable

_LONGEST_SHOWN = 120


def can_name_a_file(text: str | os.PathLike[str]) -> bool:
    """Whether the system could know a file of this name: it has no zero byte and no half of a character."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def unusable_path(error: Exception, given: Iterable[str]) -> str | None:
    """What the system said about a path that the user gave, in a sentence.

    Args:
        error: Any; only an OSError that names a path in which one of `given` stands is about them.
        given: The words of a command line.
    Returns:
        None for errors about anything else.
    """
    if not isinstance(error, OSError) or not isinstance(error.filename, str) or not error.strerror:
        return None
    if not any(word.strip("./\\") and word in error.filename for word in given):
        return None
    path = error.filename if len(error.filename) <= _LONGEST_SHOWN else f"{error.filename[:_LONGEST_SHOWN]}..."
    return f"{path} cannot be used: {error.strerror[0].lower()}{error.strerror[1:]}; choose another name or place"

"""Files that widgets give are taken once, and wholly.

Streamlit may break a run of a page off wherever it touches the page or the session's state: when something else was
clicked meanwhile. A mark "is taken" that is set before the file is kept would lose it then; set after it, a file would be
looked at twice. So the mark is the outcome itself, in an object that Streamlit does not watch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from visiongen.errors import VisionGenError

_STATE = "taken"


@dataclass
class Taken:
    """What has become of a file."""

    file_id: str
    kept: Any = None
    """What `add` gave; None: it failed."""
    problem: str = ""
    """Why it failed."""
    is_used: bool = False
    """For who took it: whether the page has it already."""


def take(slot: str, file_id: str, add: Callable[[], Any]) -> Taken:
    """What has become of a file; it is added if it is not the one that `slot` took last.

    Args:
        slot: What the file is for, in this session.
        file_id: Tells files apart.
        add: Keeps the file; a `VisionGenError` of it is told as the problem.
    """
    outcomes: dict[str, Taken] = st.session_state.setdefault(_STATE, {})
    mine = outcomes.get(slot)
    if mine is None or mine.file_id != file_id:
        try:
            mine = Taken(file_id, add())
        except VisionGenError as error:
            mine = Taken(file_id, problem=str(error))
        outcomes[slot] = mine
    return mine

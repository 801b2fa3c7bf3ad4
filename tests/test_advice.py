"""Advice: options are data in it, and all of them are options that there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from visiongen import MotionSettings
from visiongen.diagnostics import advice
from visiongen.options import option_fields

FOLDER = Path(advice.__file__).parent


def texts() -> Iterator[str]:
    """What the diagnosis advises, as it stands in its source; numbers that are put in are 35."""
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_advice = isinstance(node, ast.keyword) and node.arg == "change"
            if is_advice or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "change"):
                parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
                yield "".join(getattr(one, "value", "") if isinstance(one, ast.Constant) else "35" for one in parts)


def test_all_advice_names_options_that_there_are():
    known = {one.name for one in option_fields(MotionSettings)} | {advice.PIECE, advice.REMEDY}
    found = [text for text in texts() if text]
    assert sum(bool(advice.options_in(text)) for text in found) >= 8
    for text in found:
        assert set(advice.options_in(text)) <= known
        assert "--" not in text, "an option is data, not a flag"


def test_options_are_worded_by_whoever_shows_them():
    text = "Raise {smoothing} to 0.7, or cut the piece out with {piece}; {Not one}."
    assert advice.options_in(text) == ["smoothing", "piece"]
    assert (
        advice.with_flags(text) == "Raise --smoothing to 0.7, or cut the piece out with --start and --end; {Not one}."
    )
    assert advice.worded(text, str.title) == "Raise Smoothing to 0.7, or cut the piece out with Piece; {Not one}."
    assert advice.with_flags("Choose a {reference_frame}.") == "Choose a --reference-frame."

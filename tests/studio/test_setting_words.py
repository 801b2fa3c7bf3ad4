"""Settings and advice in the words of the pages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from renders import ROOT

from studio.setting_words import label_of, value_text, without_flags
from visiongen import MotionSettings
from visiongen.options import option_fields


def test_settings_are_called_what_their_controls_are():
    assert label_of("full") == "Framing" and label_of("driving") == "Driving clip"
    assert label_of("motion pose_limit") == "Pose limit"
    assert label_of("vae-gan batch") == "vae-gan batch"  # an option with its component, whose name it is


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("full", True, "Whole picture"), ("full", False, "Face crop"), ("face", 0, "1"), ("end", None, "its end"),
     ("size", None, "as the picture"), ("motion reference_frame", None, "automatic"), ("gif loop", True, "yes"),
     ("motion pose", 0.5, "0.5"), ("start", 0.0, "0"), ("mark", "none", "none"), ("gif colours", None, "–")],
)  # fmt: skip
def test_values_are_words(name, value, text):
    assert value_text(name, value) == text


@pytest.mark.parametrize(
    ("advice", "shown"),
    [
        ("Part the lips, or lower --mouth (Mouth).", "Part the lips, or lower **Mouth**."),
        ("Damp large turns with --pose-limit 35 (Pose limit), lower --pose (Head movement), or choose another "
         "--reference-frame (Reference frame).",
         "Damp large turns with **Pose limit** 35, lower **Pose**, or choose another **Reference frame**."),
        ("Raise --smoothing to 0.7 (Smoothing).", "Raise **Smoothing** to 0.7."),
        ("Use --start and --end (in the studio: Trim) to leave these frames out, or let the gap be bridged smoothly with "
         "--remedy (Apply).",
         "Use **Piece to use** to leave these frames out, or let the gap be bridged smoothly with a remedy."),
        ("Nothing to change (yet).", "Nothing to change (yet)."),
    ],
)  # fmt: skip
def test_advice_names_controls_instead_of_flags(advice, shown):
    assert without_flags(advice) == shown


def advice_of_diagnostics() -> Iterator[str]:
    """What the library advises, as it stands in its source; numbers that are put in are 35."""
    for file in (ROOT / "visiongen" / "diagnostics").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            is_advice = isinstance(node, ast.keyword) and node.arg == "change"
            if is_advice or (isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "change"):
                parts = node.value.values if isinstance(node.value, ast.JoinedStr) else [node.value]
                yield "".join(getattr(one, "value", "") if isinstance(one, ast.Constant) else "35" for one in parts)


def test_all_advice_names_only_what_the_studio_has():
    known = {label_of(f"motion {one.name}") for one in option_fields(MotionSettings)} | {"Piece to use"}
    told = [without_flags(advice) for advice in advice_of_diagnostics()]
    assert sum("**" in one for one in told) >= 8
    for advice in told:
        assert "--" not in advice and not re.search(r"\*\* \(", advice)
        assert set(re.findall(r"\*\*(.+?)\*\*", advice)) <= known

"""Settings and advice in the words of the pages."""

from __future__ import annotations

import pytest

from studio.setting_words import advice_text, label_of, value_text


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
        ("Damp large turns with {pose_limit} 35, lower {pose}, or choose another {reference_frame}.",
         "Damp large turns with **Pose limit** 35, lower **Pose**, or choose another **Reference frame**."),
        ("Use {piece} to leave these frames out, or let the gap be bridged smoothly with {remedy}.",
         "Use **Piece to use** to leave these frames out, or let the gap be bridged smoothly with a remedy."),
        ("Nothing to change (yet).", "Nothing to change (yet)."),
    ],
)  # fmt: skip
def test_advice_names_controls(advice, shown):
    assert advice_text(advice) == shown


def test_options_of_advice_are_called_what_their_controls_are(studio):
    app = studio(fine_tune=True)
    app.session_state["fine_tune"] = True
    app.run()
    controls = {one.label for kind in ("slider", "number_input", "select_slider", "toggle") for one in app.get(kind)}
    for option in ("pose", "pose_limit", "mouth", "eyes", "brows", "smoothing", "reference_frame"):
        assert advice_text(f"{{{option}}}").strip("*") in controls

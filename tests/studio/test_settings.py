"""Settings: JSON and back, the command line, remedies."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from renders import sample_settings

from studio.presets import PRESETS, preset_of
from studio.settings import Part, Settings, part_of, without_ending
from visiongen import Choice, MotionSettings, choose
from visiongen.diagnostics import Remedy
from visiongen.errors import PluginError, VisionGenError
from visiongen.exporters import GifOptions


def rich_settings() -> Settings:
    return sample_settings(
        enhancers=(Part(name="deflicker"), Part(name="sharpen", options={"amount": 0.3})),
        exporter=part_of("gif", GifOptions(max_side=128)),
        motion=MotionSettings(pose=0.5, reference_frame=3, scale="lock"),
        fills=((2, 4),),
        start=0.2,
        full=False,
        seed=7,
    )


def test_messages_get_the_names_that_users_know():
    settings = sample_settings(portrait="/kept/ab12.png", portrait_name="me.png", driving="/kept/cd34.mp4",
                               driving_name="holiday.mp4")  # fmt: skip
    assert settings.with_names("/kept/ab12.png does not fit cd34.mp4") == "me.png does not fit holiday.mp4"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("me.png", "me"),
        ("driving at 0.00 s", "driving at 0.00 s"),
        ("v1.2.mp4", "v1.2"),
        ("a/b.webm", "b"),
        ("clip", "clip"),
    ],
)
def test_titles_are_names_without_their_endings(name, title):
    assert without_ending(name) == title


def test_json_round_trip():
    settings = rich_settings()
    again = Settings.from_dict(json.loads(json.dumps(settings.to_dict())))
    assert again == settings
    assert again.enhancers[1].options == {"amount": 0.3} and again.fills == ((2, 4),)


def test_what_a_later_version_adds_is_left_out():
    values = {**sample_settings().to_dict(), "sound_effects": True}
    values["motion"]["ears"] = 2.0
    assert Settings.from_dict(values) == sample_settings()


@pytest.mark.parametrize("broken", [{}, {"portrait": "a"}, {"portrait": "a", "driving": "b", "motion": {"pose": 9.0}},
                                    {"portrait": "a", "driving": "b", "generator": 3},
                                    {"portrait": "a", "driving": "b", "device": "toaster"},
                                    {"portrait": "a", "driving": "b", "start": 3.0, "end": 2.0}])  # fmt: skip
def test_broken_settings_are_told_in_one_sentence(broken):
    with pytest.raises(VisionGenError, match="cannot be read"):
        Settings.from_dict(broken)


def test_only_changed_options_are_kept():
    assert part_of("gif", GifOptions()).options == {}
    assert part_of("gif", GifOptions(colours=16)).options == {"colours": 16}
    choice = Part(name="gif", options={"colours": 16}).choice("exporter")
    assert choice == Choice(name="gif", options=GifOptions(colours=16))


@pytest.mark.parametrize("part, error", [(Part(name="gif", options={"colours": 1}), "colours"),
                                         (Part(name="gif", options={"size": 1}), "no option 'size'"),
                                         (Part(name="gift"), "did you mean 'gif'")])  # fmt: skip
def test_unusable_parts(part, error):
    with pytest.raises(VisionGenError, match=error):
        part.choice("exporter")
    assert issubclass(PluginError, VisionGenError)


def test_command_line_is_understood_by_the_command_line_tool():
    """Every word of it is parsed by the very parser of `visiongen animate`, and gives the same settings."""
    import tyro

    from visiongen.animate_command import parser_type
    from visiongen.component_flags import flag_groups

    settings = rich_settings()
    words = shlex.split(settings.command_line())
    assert words[:2] == ["visiongen", "animate"]
    flags = tyro.cli(parser_type(flag_groups()), args=words[2:])
    assert (flags.portrait, flags.driving) == (Path(settings.portrait), Path(settings.driving))
    assert flags.generator == "warp" and flags.enhancers == ("deflicker", "sharpen") and flags.out.suffix == ".gif"
    assert (flags.pose, flags.reference_frame, flags.scale_lock, flags.crop) == (0.5, 3, True, True)
    assert (flags.start, flags.end, flags.seed, flags.size) == (0.2, 0.6, 7, 256)
    groups = {group.component.name: getattr(flags, group.field) for group in flag_groups()}
    assert groups["gif"].max_side == 128 and groups["sharpen"].amount == 0.3


def test_command_line_of_the_defaults_is_short():
    settings = Settings(portrait="my face.jpg", driving="clip.mp4")
    assert settings.command_line() == "visiongen animate 'my face.jpg' clip.mp4 -o result.mp4"


def test_remedies():
    settings = sample_settings(start=1.0, end=3.0)
    filled = settings.with_remedy(Remedy(label="fill", fill=(10, 12)), 25)
    assert filled.fills == ((10, 12),) and filled.start == 1.0
    cut = filled.with_remedy(Remedy(label="cut", trim=(5, 29)), 25)
    assert (cut.start, cut.end) == (1.2, 2.2) and cut.fills == ((5, 7),)
    gentle = settings.with_remedy(Remedy(label="less", settings={"pose": 0.5}), 25)
    assert gentle.motion.pose == 0.5 and gentle.motion.mouth == settings.motion.mouth


def test_presets_differ_and_are_recognised():
    assert len({repr(one.settings) for one in PRESETS}) == len(PRESETS)
    assert [preset_of(one.settings) for one in PRESETS] == [one.name for one in PRESETS]
    assert preset_of(MotionSettings(pose=0.123)) is None
    assert PRESETS[0].settings == MotionSettings()
    assert choose("generator", Settings.generator.name)

"""Options dataclasses as flags: every field once, with its default, range and help, and back again."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

import pytest
import tyro

from visiongen import plugins
from visiongen.component_flags import (
    FlagGroup,
    chosen_options,
    flag_groups,
    flag_help,
    given_groups,
    installed_components,
    with_component_flags,
)
from visiongen.errors import PluginError
from visiongen.hookspecs import Component
from visiongen.options import option_fields


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Nothing of its own."""


@dataclass(frozen=True, kw_only=True)
class ManyOptions:
    amount: float = field(default=0.5, metadata={"range": (0.0, 1.0)})
    """How much."""
    two_words: int = field(default=3, metadata={"range": (1, None)})
    """How many."""
    fast: bool = True
    """Quickly."""
    mode: Literal["soft", "hard"] = "soft"
    """In which way."""
    limit: float | None = None
    """At most."""
    name: str = ""
    """Of a file."""


GROUP = FlagGroup(
    prefix="3d-many",
    field="options_0",
    kind="enhancer",
    component=Component(name="3d-many", summary="Many options", load=print, options=ManyOptions),
)
CHOSEN = {"generator": ["vae-gan"], "enhancer": ["3d-many"], "exporter": ["mp4"]}


def parsed(*arguments: str):
    flags = tyro.cli(with_component_flags(Plain, [GROUP]), args=list(arguments))
    return chosen_options(flags, [GROUP], given_groups(arguments, [GROUP]), CHOSEN)[("enhancer", "3d-many")]


def test_without_flags_the_defaults():
    assert parsed() == ManyOptions()


def test_every_kind_of_field():
    given = parsed(
        "--3d-many.amount", "0.25", "--3d-many.two-words", "7", "--3d-many.no-fast", "--3d-many.mode", "hard",
        "--3d-many.limit", "1.5", "--3d-many.name", "a b",
    )  # fmt: skip
    assert given == ManyOptions(amount=0.25, two_words=7, fast=False, mode="hard", limit=1.5, name="a b")


def test_help_tells_ranges(capsys):
    with pytest.raises(SystemExit):
        parsed("--help")
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in (
        "How much. Range: 0 to 1. (default: 0.5)",
        "How many. Range: at least 1.",
        "{soft,hard}",
        "Many options",
    ):
        assert words in text
    assert [flag_help(option) for option in option_fields(ManyOptions)][2] == "Quickly."


@pytest.mark.parametrize("spelling", ["--3d-many.two-words", "--3d-many.two_words", "--3d_many.two-words"])
def test_flags_of_what_is_not_chosen_are_refused(spelling):
    given = given_groups([spelling, "3"], [GROUP])
    assert given == [GROUP]
    with pytest.raises(PluginError, match="choose it with --enhancers 3d-many or leave them out"):
        chosen_options(None, [GROUP], given, CHOSEN | {"enhancer": []})
    assert chosen_options(None, [GROUP], [], CHOSEN | {"enhancer": []}) == {}


def test_every_option_of_every_installed_component_has_one_flag():
    groups = flag_groups()
    components = [one for found in installed_components().values() for one in found.values()]
    assert {group.component.name for group in groups} == {one.name for one in components if fields(one.options)}
    assert len({group.prefix for group in groups}) == len(groups)


def test_components_of_one_name_get_different_prefixes(monkeypatch):
    twin = Component(name="mp4", summary="", load=print, options=ManyOptions)
    monkeypatch.setattr(plugins, "generators", lambda: {"mp4": twin})
    prefixes = {(group.kind, group.component.name): group.prefix for group in flag_groups()}
    assert prefixes[("generator", "mp4")] == "mp4" and prefixes[("exporter", "mp4")] == "exporter-mp4"

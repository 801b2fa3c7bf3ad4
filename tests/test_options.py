"""Options read as data."""

from dataclasses import dataclass, field
from typing import Literal, Optional

import pytest

from visiongen.options import check_options, option_fields


@dataclass(frozen=True, kw_only=True)
class Base:
    shared: bool = False
    """Of the base class."""
    speed: float = 0.5
    """Overridden below."""


@dataclass(frozen=True, kw_only=True)
class Sample(Base):
    """A class docstring, no field's."""

    speed: float = field(default=1.0, metadata={"range": (0.0, 2.0), "step": 0.1})
    """How fast,
    in frames."""
    count: int = field(default=3, metadata={"range": (1, None)})
    mode: Literal["a", "b"] = "b"
    """Which one."""
    level: Literal[1, 2] = 1
    title: str | None = None
    """What to write."""
    limit: Optional[float] = field(default=None, metadata={"range": (None, 9.0)})  # noqa: UP045


def test_fields_are_read_with_their_docstrings():
    fields = {option.name: option for option in option_fields(Sample)}
    assert list(fields) == ["shared", "speed", "count", "mode", "level", "title", "limit"]
    assert fields["shared"].type is bool and fields["shared"].help == "Of the base class."
    speed = fields["speed"]
    assert (speed.type, speed.default, speed.range, speed.step) == (float, 1.0, (0.0, 2.0), 0.1)
    assert speed.help == "How fast,\nin frames."
    assert fields["count"].help == "" and fields["count"].range == (1, None)
    assert fields["mode"].choices == ("a", "b") and fields["mode"].type is str
    assert fields["level"].choices == (1, 2) and fields["level"].type is int
    assert fields["title"].optional and fields["title"].type is str and fields["title"].default is None
    assert fields["limit"].optional and fields["limit"].range == (None, 9.0)


def test_nested_classes_have_docstrings_too():
    @dataclass(frozen=True)
    class Nested:
        width: int = 1
        """How wide,
not indented."""

    (width,) = option_fields(Nested)
    assert width.help == "How wide,\nnot indented."


def test_without_source_the_help_is_empty():
    space = {"__name__": "typed_into_a_shell", "dataclass": dataclass}
    exec("@dataclass(frozen=True)\nclass Typed:\n    width: int = 1\n    'How wide.'", space)
    (width,) = option_fields(space["Typed"])
    assert (width.name, width.type, width.help) == ("width", int, "")


def test_fields_that_cannot_become_flags_are_refused():
    @dataclass(frozen=True)
    class Many:
        widths: tuple[int, ...] = ()

    @dataclass(frozen=True)
    class Mixed:
        width: int | str = 1

    @dataclass(frozen=True)
    class Needy:
        width: int

    for options, message in ((Many, "Many.widths must be"), (Mixed, "Mixed.width must be"), (Needy, "needs a default")):
        with pytest.raises(TypeError, match=message):
            option_fields(options)
    with pytest.raises(TypeError, match="must be a dataclass"):
        option_fields(dict)


@pytest.mark.parametrize(
    "values",
    [
        {"speed": -0.1},
        {"speed": float("nan")},
        {"speed": float("inf")},
        {"speed": None},
        {"count": 0},
        {"count": True},
        {"count": 2.0},
        {"mode": "c"},
        {"level": True},
        {"level": "1"},
        {"title": 1},
        {"limit": 9.1},
        {"shared": 1},
    ],
)
def test_wrong_values_are_named(values):
    (name,) = values
    with pytest.raises(ValueError, match=f"^{name} is "):
        check_options(Sample(**values))


def test_right_values_pass():
    check_options(Sample())
    check_options(Sample(speed=0, count=10**6, mode="a", level=2, title="", limit=-1e9, shared=True))

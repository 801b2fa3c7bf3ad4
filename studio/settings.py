"""Everything that decides what one render looks like, as one value that goes through JSON and back."""

from __future__ import annotations

import dataclasses
import math
import re
import reprlib
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from visiongen import Choice, MotionSettings, choose
from visiongen.errors import VisionGenError
from visiongen.marking.settings import MarkSettings
from visiongen.options import check_options, option_fields

if TYPE_CHECKING:
    from visiongen.diagnostics import Remedy

TEMPLATE_SUFFIX = ".npz"
DEVICES = ("auto", "cpu", "cuda")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("portrait", "driving", "portrait_name", "driving_name", "device", "mark", "consent"), (str,)),
    **dict.fromkeys(("self_reenactment", "full"), (bool,)),
    **dict.fromkeys(("face", "seed"), (int,)),
    "size": (int, type(None)),
    "start": (int, float),
    "end": (int, float, type(None)),
}
"""What the plain fields of `Settings` may be."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A component by its name, with those of its options that are not the default."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def choice(self, kind: str) -> Choice:
        """The same with an instance of the component's own options class.

        Raises:
            PluginError: No such component is installed.
            VisionGenError: An option is unknown or out of range.
        """
        component = choose(kind, self.name)
        known = {option.name for option in option_fields(component.options)}
        if unknown := set(self.options) - known:
            raise VisionGenError(
                f"{kind} {self.name!r} has no option {sorted(unknown)[0]!r}; another version of it made these settings"
            )
        try:
            options = component.options(**self.options)
            check_options(options)
        except (TypeError, ValueError) as error:
            raise VisionGenError(f"{kind} {self.name!r}: option {error}") from error
        return Choice(name=self.name, options=options)


def part_of(name: str, options: Any = None) -> Part:
    """A `Part` from a component's name and an instance of its options class (None: defaults)."""
    if options is None:
        return Part(name=name)
    changed = {
        option.name: getattr(options, option.name)
        for option in option_fields(type(options))
        if getattr(options, option.name) != option.default
    }
    return Part(name=name, options=changed)


def with_name(text: str, path: Path, name: str) -> str:
    """A message about a file, with the user's name of it in place of ours."""
    return text.replace(str(path), name).replace(path.name, name)


def without_ending(name: str) -> str:
    """A user's name of a file without ".mp4" and the like; "driving at 0.00 s" has no ending."""
    return re.sub(r"\.[A-Za-z][A-Za-z0-9]{1,4}$", "", Path(name).name)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One render: inputs, how the motion is fitted, components."""

    portrait: str
    """Picture file on this machine."""
    driving: str
    """Video file, or a motion template (.npz)."""
    portrait_name: str = ""
    """What the user calls it; default: the file's name."""
    driving_name: str = ""
    self_reenactment: bool = False
    """The portrait is a frame of the driving clip itself, so that result and clip can be compared frame by frame."""
    generator: Part = Part(name="vae-gan")
    enhancers: tuple[Part, ...] = ()
    """In the order they are applied."""
    exporter: Part = Part(name="mp4")
    motion: MotionSettings = field(default_factory=MotionSettings)
    fills: tuple[tuple[int, int], ...] = ()
    """(first, last) frames of the piece whose motion is made from the frames around them."""
    face: int = 0
    """Which face of the portrait, 0 is the largest."""
    start: float = 0.0
    """Piece of the driving clip, s."""
    end: float | None = None
    full: bool = True
    """The whole picture; else the crop round the face."""
    size: int | None = None
    """Longer side of the result, px; None: as large as the picture."""
    device: str = "auto"
    seed: int = 0
    mark: str = "bottom-right"
    """Where the visible mark "AI" is: a corner, or none."""
    consent: str = ""
    """What the user confirmed about the use of the inputs; "": nothing."""

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(f"device is {self.device!r}, but must be one of: {', '.join(DEVICES)}")
        self.marks()
        if self.face < 0 or self.start < 0 or (self.end is not None and self.end <= self.start):
            raise ValueError(f"face {self.face}, start {self.start} and end {self.end} do not fit together")
        if self.size is not None and self.size < 32:
            raise ValueError(f"size is {self.size}, but must be at least 32 pixels")
        for name, path in (("portrait_name", self.portrait), ("driving_name", self.driving)):
            if not getattr(self, name):
                object.__setattr__(self, name, Path(path).name)

    @property
    def is_template(self) -> bool:
        """The motion comes from a saved template, without driving pixels."""
        return Path(self.driving).suffix.lower() == TEMPLATE_SUFFIX

    def with_names(self, text: str) -> str:
        """A message about the inputs, with the users' names of their files in place of ours."""
        for path, name in ((self.portrait, self.portrait_name), (self.driving, self.driving_name)):
            text = with_name(text, Path(path), name)
        return text

    def marks(self) -> MarkSettings:
        """How the result says that a machine made it."""
        return MarkSettings(mark=self.mark, consent=self.consent)

    def replace(self, **changes: Any) -> Settings:
        """The same with other values."""
        return dataclasses.replace(self, **changes)

    def with_remedy(self, remedy: Remedy, fps: Fraction | float) -> Settings:
        """The same after a remedy of `visiongen.diagnostics` for a run of this very piece, whose rate is `fps`."""
        fills, start, end = self.fills, self.start, self.end
        if remedy.fill is not None:
            fills = (*fills, remedy.fill)
        if remedy.trim is not None:
            first, last = remedy.trim
            start, end = self.start + first / float(fps), self.start + (last + 1) / float(fps)
            moved = [(max(a - first, 0), min(b, last) - first) for a, b in fills]
            fills = tuple((a, b) for a, b in moved if a <= b)
        motion = dataclasses.replace(self.motion, **remedy.settings)
        return self.replace(
            fills=fills, start=round(start, 6), end=None if end is None else round(end, 6), motion=motion
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        lists = {"enhancers": [asdict(one) for one in self.enhancers], "fills": [list(one) for one in self.fills]}
        return {**asdict(self), **lists}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """The inverse of `to_dict`; what a later version may have added is left out.

        Raises:
            VisionGenError: Something needed is missing or cannot be.
        """
        try:
            known = {one.name for one in dataclasses.fields(cls)}
            given = {name: value for name, value in values.items() if name in known}
            for name in ("generator", "exporter"):
                if name in given:
                    given[name] = _part(given[name])
            given["fills"] = tuple((int(a), int(b)) for a, b in given.get("fills", ()))
            given["enhancers"] = tuple(_part(one) for one in given.get("enhancers", ()))
            if wrong := [name for name in _KINDS if name in given and not isinstance(given[name], _KINDS[name])]:
                raise TypeError(f"{wrong[0]} is {reprlib.repr(given[wrong[0]])}")
            if wrong := [n for n in ("start", "end") if not math.isfinite(given.get(n) or 0.0)]:
                raise ValueError(f"{wrong[0]} is not finite")
            if "motion" in given:
                names = {option.name for option in option_fields(MotionSettings)}
                given["motion"] = MotionSettings(**{n: v for n, v in given["motion"].items() if n in names})
                check_options(given["motion"])
            return cls(**given)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise VisionGenError(
                f"these settings cannot be read ({error}); make them again on the page Animate"
            ) from error

    def command_line(self) -> str:
        """The ``visiongen animate`` that makes the same result."""
        words = ["visiongen", "animate", self.portrait, self.driving, "-o", f"result{_ending(self.exporter.name)}"]
        if self.generator.name != Settings.generator.name:
            words += ["--generator", self.generator.name]
        if self.enhancers:
            words += ["--enhancers", *(one.name for one in self.enhancers)]
        if not _chosen_by_ending(self.exporter.name):
            words += ["--exporter", self.exporter.name]
        for kind, part in (("generator", self.generator), *(("enhancer", e) for e in self.enhancers),
                           ("exporter", self.exporter)):  # fmt: skip
            words += _option_words(kind, part)
        words += self._motion_words()
        for flag, value, default in (
            ("--face", self.face, 0),
            ("--start", self.start, 0.0),
            ("--end", self.end, None),
            ("--size", self.size, None),
            ("--device", self.device, "auto"),
            ("--seed", self.seed, 0),
            ("--mark", self.mark, Settings.mark),
            ("--consent", self.consent, ""),
        ):
            words += [] if value == default else [flag, f"{value:g}" if isinstance(value, float) else str(value)]
        words += [] if self.full else ["--crop"]
        words += ["--remedy"] if self.fills else []  # finds the frames to fill in by itself
        return shlex.join(words)

    def _motion_words(self) -> list[str]:
        motion, default = self.motion, MotionSettings()
        words = ["--absolute"] if motion.mode == "absolute" else []
        words += ["--scale-lock"] if motion.scale == "lock" else []
        for name in (option.name for option in option_fields(MotionSettings)):
            value = getattr(motion, name)
            if name not in ("mode", "scale") and value != getattr(default, name):
                words += [f"--{name.replace('_', '-')}", f"{value:g}"]
        return words


def _part(values: Any) -> Part:
    return Part(name=str(values["name"]), options=dict(values.get("options") or {}))


def _ending(exporter: str) -> str:
    try:
        return (choose("exporter", exporter).suffixes or ("",))[0]
    except VisionGenError:
        return ".mp4"


def _chosen_by_ending(exporter: str) -> bool:
    from visiongen.plugins import exporter_for

    try:
        return exporter_for(Path(f"result{_ending(exporter)}")).name == exporter
    except VisionGenError:
        return False


def _option_words(kind: str, part: Part) -> list[str]:
    from visiongen.component_flags import flag_groups

    prefixes = {(group.kind, group.component.name): group.prefix for group in flag_groups()}
    prefix = prefixes.get((kind, part.name), part.name)
    words: list[str] = []
    for name, value in part.options.items():
        flag = f"--{prefix}.{name.replace('_', '-')}"
        words += [flag, f"{value:g}" if isinstance(value, float) else str(value)]
    return words

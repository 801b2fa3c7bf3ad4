"""The options of one animation as plain values, name -> value: how manifests and requests give them, and back to flags.

The names are those of the flags of ``visiongen animate`` without the leading dashes (``size``, ``reference-frame``,
``vae-gan.feedback``), so that nothing is listed twice.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from visiongen.animate_command import chosen_job, parser_type
from visiongen.component_flags import FlagGroup, flag_groups
from visiongen.errors import VisionGenError
from visiongen.options import check_options

_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_NOT_HERE = ("demo",)
"""Flags that mean nothing in a list of jobs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Known:
    """All options of an animation that can be given here."""

    flags: type
    """What `visiongen.animate_command.parser_type` made."""
    groups: tuple[FlagGroup, ...]
    types: Mapping[str, Any]
    """Name of an option -> its type."""


def known_options() -> Known:
    """Those of the command and of all installed components."""
    return _known(flag_groups())


@lru_cache(maxsize=4)
def _known(groups: tuple[FlagGroup, ...]) -> Known:
    flags = parser_type(groups)
    of_groups = {group.field: group for group in groups}
    types: dict[str, Any] = {}
    for name, kind in get_type_hints(flags).items():
        if name in of_groups:
            nested = get_type_hints(kind)
            types |= {f"{of_groups[name].prefix}.{option}": found for option, found in nested.items()}
        elif name not in _NOT_HERE:
            types[name] = kind
    return Known(flags=flags, groups=groups, types=types)


def option_name(given: str, known: Known) -> str:
    """The option that `given` means; dashes and underscores are one.

    Raises:
        VisionGenError: There is none; the message names the nearest.
    """
    prefix, dot, option = str(given).strip().lower().rpartition(".")
    name = f"{prefix.replace('_', '-')}{dot}{option.replace('-', '_')}"
    if name in known.types:
        return name
    near = difflib.get_close_matches(name, known.types, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "see `visiongen animate --help` for their names"
    raise VisionGenError(f"there is no option {str(given)[:80]!r}; {hint}")


def converted(name: str, value: Any, known: Known) -> Any:
    """`value`, from a text (CSV) or from JSON, as a plain value of the option's type.

    Raises:
        VisionGenError: It is none.
    """
    try:
        return _as(value, known.types[name])
    except (TypeError, ValueError, OverflowError) as error:
        wanted = str(error) or "another value"
        raise VisionGenError(f"{name} is {str(value)[:80]!r}, but must be {wanted}") from error


def _as(value: Any, kind: Any) -> Any:
    origin, members = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _as_one_of(value, members)
    if origin is Literal:
        for choice in members:
            if str(value) == str(choice) and isinstance(value, str | type(choice)):
                return choice
        raise ValueError(f"one of: {', '.join(map(str, members))}")
    if origin is tuple:
        parts = value.replace(",", " ").replace(";", " ").split() if isinstance(value, str) else list(value)
        return [_as(part, members[0]) for part in parts]
    if kind is bool:
        return _as_bool(value)
    if kind in (int, float):
        return _as_number(value, kind)
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise ValueError("a text")
    return str(value)


def _as_one_of(value: Any, kinds: tuple[Any, ...]) -> Any:
    if value is None and type(None) in kinds:
        return None
    problems = []
    for kind in kinds:
        if kind is not type(None):
            try:
                return _as(value, kind)
            except (TypeError, ValueError, OverflowError) as error:
                problems.append(str(error))
    raise ValueError(" or ".join(problems))


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).strip().lower() in _YES + _NO and not isinstance(value, float):
        return str(value).strip().lower() in _YES
    raise ValueError("true or false")


def _as_number(value: Any, kind: type) -> Any:
    wanted = "a whole number" if kind is int else "a number"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(wanted)
    try:
        number = kind(value)
        exact = math.isfinite(number) and (isinstance(value, str) or number == value)
    except (ValueError, OverflowError):
        exact = False
    if not exact:
        raise ValueError(wanted)
    return number


def flags_of(values: Mapping[str, Any], known: Known) -> tuple[Any, list[FlagGroup]]:
    """Converted `values` as flags of ``visiongen animate``, and the groups of components of which an option is given."""
    groups = {group.prefix: group for group in known.groups}
    plain: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        prefix, _, option = name.rpartition(".")
        if prefix:
            nested.setdefault(prefix, {})[option] = value
        else:
            plain[name] = _python_value(value, known.types[name])
    flags = known.flags(**plain)
    with_options = {
        groups[prefix].field: dataclasses.replace(getattr(flags, groups[prefix].field), **found)
        for prefix, found in nested.items()
    }
    return dataclasses.replace(flags, **with_options), [groups[prefix] for prefix in nested]


def _python_value(value: Any, kind: Any) -> Any:
    if is_path(kind) and value is not None:
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


def is_path(kind: Any) -> bool:
    """Whether an option of this type names a file."""
    return kind is Path or Path in get_args(kind)


def check_values(values: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The arguments of `visiongen.animate` that converted `values` mean, looked at as far as no file is needed.

    Raises:
        VisionGenError: Options exclude each other, are out of range, or name components that are not there.
    """
    flags, given = flags_of(values, known)
    job = chosen_job(flags, known.groups, given)
    for choice in (job["generator"], *job["enhancers"], job["exporter"], job["motion_source"]):
        if choice.options is not None:
            try:
                check_options(choice.options)
            except ValueError as error:
                raise VisionGenError(f"{choice.name}: option {error}") from error
    return job

"""A component's options read as data: for command-line flags, for widgets, and for checking values.

Options are frozen dataclasses with plain fields (`visiongen.hookspecs.Component.options`); nothing about them is
listed twice: name, type and default come from the field, range and step from its metadata, the help text from the
docstring under it.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import math
import numbers
import types
from functools import lru_cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptionField:
    """One option of a component, as command line and studio show it."""

    name: str
    type: type
    """bool, int, float or str."""
    default: Any
    help: str
    """The docstring under the field; "" where the source cannot be read."""
    optional: bool = False
    """None is a value too."""
    range: tuple[float | None, float | None] | None = None
    """Lowest and highest value, both included; None: open."""
    step: float | None = None
    """Sensible step of a slider."""
    choices: tuple[Any, ...] | None = None
    """The only values (of a Literal)."""


@lru_cache(maxsize=256)
def option_fields(options_type: type) -> tuple[OptionField, ...]:
    """The fields of `options_type` in their order.

    Raises:
        TypeError: It is not a dataclass, or a field has no default or not a plain type.
    """
    helps = _field_docstrings(options_type)
    return tuple(dataclasses.replace(option, help=helps.get(option.name, "")) for option in _read_fields(options_type))


def check_options(options: Any) -> None:
    """Does nothing if every value has its field's type and lies in its range.

    Raises:
        ValueError: One does not; the message names field, value and what is allowed.
        TypeError: `options` is not made of a dataclass with plain fields.
    """
    for option in _read_fields(type(options)):
        value = getattr(options, option.name)
        if value is None and option.optional:
            continue
        if option.choices is not None:
            if not any(value == choice and type(value) is type(choice) for choice in option.choices):
                choices = ", ".join(map(str, option.choices))
                raise ValueError(f"{option.name} is {value!r}, but must be one of: {choices}")
            continue
        if not _is_a(value, option.type):
            raise ValueError(f"{option.name} is {value!r}, but must be {_PLAIN[option.type]}")
        low, high = option.range or (None, None)
        if option.type in (int, float) and (
            math.isnan(value) or (low is not None and value < low) or (high is not None and value > high)
        ):
            raise ValueError(f"{option.name} is {value!r}, but must be {_PLAIN[option.type]}{_range_text(low, high)}")


def _is_a(value: Any, wanted: type) -> bool:
    if isinstance(value, bool) or wanted is bool:  # True is an int to Python, but not to a user
        return wanted is bool and isinstance(value, bool)
    return isinstance(value, {int: numbers.Integral, float: numbers.Real, str: str}[wanted])


def _range_text(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of at least {low:g}"
    return f" of at most {high:g}" if high is not None else ""


@lru_cache(maxsize=256)
def _read_fields(options_type: type) -> tuple[OptionField, ...]:
    """Everything but the help texts, which need the source: listing components must not read files."""
    if not (isinstance(options_type, type) and dataclasses.is_dataclass(options_type)):
        raise TypeError(f"options must be a dataclass, not {options_type!r}")
    try:
        hints = get_type_hints(options_type)
    except Exception as error:  # an annotation may hold any expression
        raise TypeError(f"the annotations of {options_type.__name__} cannot be read: {error}") from error
    return tuple(
        _read_field(options_type, field, hints[field.name]) for field in dataclasses.fields(options_type) if field.init
    )


def _read_field(options_type: type, field: dataclasses.Field, annotation: Any) -> OptionField:
    where = f"{options_type.__name__}.{field.name}"
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        raise TypeError(f"{where} needs a default")
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        optional = len(members) < len(get_args(annotation))
        annotation = members[0] if len(members) == 1 else annotation
    choices = None
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
        annotation = type(choices[0]) if len({type(choice) for choice in choices}) == 1 else annotation
    if annotation not in _PLAIN:
        raise TypeError(f"{where} must be bool, int, float, str, a Literal or an Optional of these, not {annotation}")
    return OptionField(
        name=field.name,
        type=annotation,
        default=default,
        help="",
        optional=optional,
        range=field.metadata.get("range"),
        step=field.metadata.get("step"),
        choices=choices,
    )


def _field_docstrings(options_type: type) -> dict[str, str]:
    """Field name -> the string literal under it, also of base classes; a subclass overrides."""
    found: dict[str, str] = {}
    for cls in reversed(options_type.__mro__[:-1]):
        try:
            source = inspect.getsource(cls)
            if source[:1].isspace():  # a nested class; dedenting would touch the texts inside
                source = "if True:\n" + source
            body = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)).body
        except (OSError, TypeError, SyntaxError, StopIteration):  # typed into a shell, or shipped without its source
            continue
        for field, text in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                if isinstance(text.value, ast.Constant) and isinstance(text.value.value, str):
                    found[field.target.id] = inspect.cleandoc(text.value.value)
    return found

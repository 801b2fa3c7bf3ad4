"""Options of components as command-line flags ``--COMPONENT.option``, made from their dataclasses, and back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Optional

import tyro

from visiongen import plugins
from visiongen.errors import PluginError
from visiongen.hookspecs import Component
from visiongen.options import OptionField, option_fields

KINDS = ("generator", "enhancer", "exporter", "motion-source")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FlagGroup:
    """The flags of one component."""

    prefix: str
    """What stands before the dot: the component's name, or KIND-NAME where two kinds share a name."""
    field: str
    """Its field in the parsed arguments."""
    kind: str
    component: Component


def installed_components() -> dict[str, dict[str, Component]]:
    """Kind -> name -> component, of the kinds that take part in an animation."""
    found = (plugins.generators(), plugins.enhancers(), plugins.exporters(), plugins.motion_sources())
    return dict(zip(KINDS, found, strict=True))


def flag_groups() -> tuple[FlagGroup, ...]:
    """A group for every installed component that has options."""
    groups: list[FlagGroup] = []
    for kind, components in installed_components().items():
        for name, component in components.items():
            if option_fields(component.options):
                prefix = f"{kind}-{name}" if any(group.prefix == name for group in groups) else name
                groups.append(FlagGroup(prefix=prefix, field=f"options_{len(groups)}", kind=kind, component=component))
    return tuple(groups)


def with_flags(flags: type, options: Iterable[OptionField]) -> type:
    """`flags`, a frozen dataclass for tyro, with a field for every option."""
    return _extended(flags, [flag_field(option) for option in options])


def with_component_flags(flags: type, groups: Iterable[FlagGroup]) -> type:
    """`flags`, a frozen dataclass for tyro, with a nested one for every group."""
    fields = []
    for group in groups:
        options = [flag_field(option) for option in option_fields(group.component.options)]
        nested = dataclasses.make_dataclass(f"{group.kind}_options", options, frozen=True)
        nested.__doc__ = f"{group.kind}: {group.component.summary}"
        # With its help here, since tyro would look for one in the sources of all classes: a tenth of a second.
        about = tyro.conf.arg(name=group.prefix, help=nested.__doc__)
        fields.append((group.field, Annotated[nested, about], nested()))
    return _extended(flags, fields)


def _extended(flags: type, fields: list[tuple[str, Any, Any]]) -> type:
    extended = dataclasses.make_dataclass(flags.__name__, fields, bases=(flags,), frozen=True, kw_only=True)
    extended.__doc__ = flags.__doc__
    return extended


def flag_field(option: OptionField) -> tuple[str, Any, Any]:
    """Name, annotated type and default of a dataclass field."""
    plain: Any = Literal[option.choices] if option.choices else option.type
    if option.optional:
        plain = Optional[plain]  # noqa: UP045 - `|` does not take a Literal made at run time
    return option.name, Annotated[plain, tyro.conf.arg(help=flag_help(option))], option.default


def flag_help(option: OptionField) -> str:
    """The help text of an option with its range."""
    low, high = option.range or (None, None)
    if low is None and high is None:
        return option.help
    text = (
        f"{low:g} to {high:g}"
        if None not in (low, high)
        else f"at least {low:g}"
        if high is None
        else f"up to {high:g}"
    )
    return f"{option.help} Range: {text}."


def given_groups(arguments: Sequence[str], groups: Iterable[FlagGroup]) -> list[FlagGroup]:
    """The groups of which the command line names a flag, whether or not with its default."""
    prefixes = {match.group(1).replace("_", "-") for a in arguments if (match := re.match(r"--([\w-]+)\.", a))}
    return [group for group in groups if group.prefix in prefixes]


def chosen_options(
    parsed: Any, groups: Iterable[FlagGroup], given: Iterable[FlagGroup], chosen: dict[str, Sequence[str]]
) -> dict[tuple[str, str], Any]:
    """Options of the chosen components.

    Args:
        parsed: Instance of what `with_component_flags` made.
        groups: All groups.
        given: Those named on the command line.
        chosen: Kind -> names of the components that will be used.
    Returns:
        (kind, name) -> instance of the component's own options class.
    Raises:
        PluginError: Options are given for a component that is not used.
    """
    for group in given:
        if group.component.name not in chosen[group.kind]:
            raise PluginError(
                f"--{group.prefix}.* are options of the {group.kind} {group.component.name!r}, which is not used here; "
                f"choose it with --{group.kind}{'s' * (group.kind == 'enhancer')} {group.component.name} or leave them out"
            )
    return {
        (group.kind, group.component.name): group.component.options(**_values(getattr(parsed, group.field)))
        for group in groups
        if group.component.name in chosen[group.kind]
    }


def _values(options: Any) -> dict[str, Any]:
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}

"""Flags of commands that take options of many components: ``--vae-gan.weights``, ``--identity.every``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import tyro

from visiongen import plugins
from visiongen.component_flags import FlagGroup, given_groups, with_component_flags
from visiongen.errors import PluginError
from visiongen.options import option_fields

Config = TypeVar("Config")
_LISTINGS = {"generator": plugins.generators, "metric": plugins.metrics}


def parsed(
    config_type: type[Config],
    arguments: list[str],
    *,
    command: str,
    chosen: Callable[[Config], Mapping[str, Sequence[str]]],
) -> tuple[Config, dict[tuple[str, str], Any]]:
    """The configuration, and (kind, name) -> options of the components it chooses.

    Args:
        config_type: A dataclass; fields without default are positional.
        arguments: After the command's name.
        command: Its name.
        chosen: Kind -> names of the components that a configuration uses; kinds: generator, metric.
    Raises:
        PluginError: Options are given for a component that is not used.
    """
    groups = _groups()
    parser = with_component_flags(config_type, groups)
    style = (tyro.conf.FlagCreatePairsOff, tyro.conf.PositionalRequiredArgs)
    found = tyro.cli(parser, prog=f"visiongen {command}", args=arguments, config=style)
    config = config_type(**{f.name: getattr(found, f.name) for f in dataclasses.fields(config_type)})
    names = chosen(config)
    for group in given_groups(arguments, groups):
        if group.component.name not in names.get(group.kind, ()):
            raise PluginError(
                f"--{group.prefix}.* are options of the {group.kind} {group.component.name!r}, which is not used here; name "
                "it among those to be used, or leave them out"
            )
    options = {}
    for group in groups:
        if group.component.name in names.get(group.kind, ()):
            given = getattr(found, group.field)
            values = {option.name: getattr(given, option.name) for option in option_fields(group.component.options)}
            options[group.kind, group.component.name] = group.component.options(**values)
    return config, options


def _groups() -> list[FlagGroup]:
    """A group for every generator and metric that has options."""
    groups: list[FlagGroup] = []
    for kind, listing in _LISTINGS.items():
        for name, component in listing().items():
            if option_fields(component.options):
                prefix = f"{kind}-{name}" if any(group.prefix == name for group in groups) else name
                groups.append(FlagGroup(prefix=prefix, field=f"options_{len(groups)}", kind=kind, component=component))
    return groups

"""``visiongen plugins``: what is installed, switching plugins on and off, and beginning a new one."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from tyro.conf import Positional, arg

from visiongen import plugins
from visiongen.catalogue import as_text, catalogue
from visiongen.errors import PluginError
from visiongen.plugin_switches import (
    DISABLED_VARIABLE,
    normalized,
    settings_file,
    switch,
    switched_off_by_environment,
    switched_off_by_user,
)
from visiongen.plugin_template import new_plugin


@dataclass(frozen=True, kw_only=True)
class ListFlags:
    """List all components with their options, and plugins that are switched off or cannot be used.

    `visiongen plugins disable NAME` switches a plugin off for this user, and `enable NAME` on again;
    `visiongen plugins new NAME --kind KIND` begins a package of your own.
    """

    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Write JSON."""


@dataclass(frozen=True, kw_only=True)
class SwitchFlags:
    """Switch a plugin on or off for this user; programs that run already see it at their next look."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """Of the plugin or its distribution, as `visiongen plugins` shows it."""


@dataclass(frozen=True, kw_only=True)
class NewFlags:
    """Begin a plugin package that installs, works and passes its own tests."""

    name: Positional[Annotated[str, arg(metavar="NAME")]]
    """Of the plugin and its component, such as old-film."""
    kind: Literal["generator", "enhancer", "exporter", "metric", "motion-source"]
    """What it offers."""
    into: Path = Path(".")
    """Folder in which visiongen-NAME is made."""


def run(arguments: list[str]) -> int:
    """Parses and does it."""
    actions = {"list": _list, "enable": _enable, "disable": _disable, "new": _new}
    if not arguments or arguments[0].startswith("-"):
        return _list(arguments)
    action, rest = arguments[0], arguments[1:]
    if action not in actions:
        near = difflib.get_close_matches(action, actions, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise PluginError(f"`visiongen plugins {action}` is no command{hint}; there are: {', '.join(actions)}")
    return actions[action](rest)


def _parsed(flags: Any, name: str, arguments: list[str]) -> Any:
    return tyro.cli(flags, prog=f"visiongen plugins {name}".rstrip(), args=arguments)


def _list(arguments: list[str]) -> int:
    flags = _parsed(ListFlags, "", arguments)
    found = catalogue()
    print(json.dumps(found, indent=1) if flags.json else as_text(found))
    return 0


def _disable(arguments: list[str]) -> int:
    name = _parsed(SwitchFlags, "disable", arguments).name
    _check_known(name)
    switch(name, on=False)
    print(f"{name} is switched off ({settings_file()}); `visiongen plugins enable {name}` switches it on again")
    return 0


def _enable(arguments: list[str]) -> int:
    name = _parsed(SwitchFlags, "enable", arguments).name
    if normalized(name) not in switched_off_by_user():
        _check_known(name)
    switch(name, on=True)
    if normalized(name) in switched_off_by_environment():
        raise PluginError(f"{name} is on in your settings, but {DISABLED_VARIABLE} still switches it off; change that")
    print(f"{name} is switched on")
    return 0


def _check_known(name: str) -> None:
    """Raises `PluginError` unless a third-party plugin or distribution of this name is installed."""
    found = (*plugins.installed_plugins(), *plugins.switched_off_plugins(), *plugins.plugin_failures())
    third_party: set[str] = set()
    for one in found:
        if one.distribution and one.distribution != "visiongen":
            third_party |= {getattr(one, "name", None) or one.plugin, one.distribution}
    if normalized(name) in {normalized(one) for one in third_party}:
        return
    if normalized(name) in {"visiongen", *map(normalized, plugins.BUILT_INS)}:
        raise PluginError(f"{name} belongs to VisionGen 3D itself and cannot be switched off")
    choices = f"installed: {', '.join(sorted(third_party))}" if third_party else "none is installed"
    raise PluginError(f"there is no plugin {name!r} to switch on or off; {choices}")


def _new(arguments: list[str]) -> int:
    flags = _parsed(NewFlags, "new", arguments)
    files = new_plugin(flags.name, flags.kind, flags.into)
    folder = files[0].parent
    print(*files, sep="\n")
    print(f'\nnow: pip install -e "{folder}[test]" && pytest {folder}')
    return 0

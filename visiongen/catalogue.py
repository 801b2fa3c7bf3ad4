"""What is installed: components with their options, plugins, and what cannot be used; for listings."""

from __future__ import annotations

import textwrap
from typing import Any

from visiongen import plugins
from visiongen.component_flags import flag_groups, flag_help
from visiongen.options import option_fields

_INDENT = " " * 6


def catalogue() -> dict[str, Any]:
    """Plain JSON values: ``components`` (kind -> list), ``plugins``, ``switched_off``, ``failures``."""
    prefixes = {(group.kind, group.component.name): group.prefix for group in flag_groups()}
    components = {
        kind: [_component(kind, component, prefixes.get((kind, name), name)) for name, component in found.items()]
        for kind, found in plugins.components().items()
    }
    loaded = [
        {"name": p.name, "distribution": p.distribution, "version": p.version, "offers": p.offers}
        for p in plugins.installed_plugins()
    ]
    failures = [
        {"plugin": f.plugin, "distribution": f.distribution, "version": f.version, "reason": f.reason}
        for f in plugins.plugin_failures()
    ]
    off = [
        {"name": p.name, "distribution": p.distribution, "version": p.version} for p in plugins.switched_off_plugins()
    ]
    return {"components": components, "plugins": loaded, "switched_off": off, "failures": failures}


def _component(kind: str, component: Any, prefix: str) -> dict[str, Any]:
    options = [
        {
            "flag": f"--{prefix}.{option.name.replace('_', '-')}",
            "type": option.type.__name__,
            "default": option.default,
            "choices": option.choices,
            "help": flag_help(option),
        }
        for option in option_fields(component.options)
    ]
    found = {"name": component.name, "summary": component.summary, "plugin": component.plugin, "options": options}
    if kind == "generator":
        found["needs"] = component.needs
    if kind in ("exporter", "motion-source"):
        found["suffixes"] = component.suffixes
    if kind == "exporter":
        found["writes"] = component.writes
    return found


def as_text(found: dict[str, Any], *, width: int = 110) -> str:
    """The catalogue for a terminal."""
    lines: list[str] = []
    for kind, components in found["components"].items():
        lines += [f"{kind}s"]
        for component in components:
            endings = " ".join(component.get("suffixes", ()))
            lines += [f"  {component['name']:<12}  {component['summary']}{f' ({endings})' if endings else ''}"]
            lines += [f"{_INDENT}from {component['plugin']}"]
            for option in component["options"]:
                lines += textwrap.wrap(
                    f"{option['flag']} ({_default(option)})  {option['help']}",
                    width,
                    initial_indent=_INDENT,
                    subsequent_indent=_INDENT + "    ",
                )
        lines += [""]
    if found["switched_off"]:
        lines += ["switched off"]
        for plugin in found["switched_off"]:
            lines += [f"  {plugin['name']} ({plugin['distribution']} {plugin['version']})"]
        lines += [f"{_INDENT}by `visiongen plugins disable` or VISIONGEN_DISABLED", ""]
    if found["failures"]:
        lines += ["cannot be used"]
        for failure in found["failures"]:
            source = f" ({failure['distribution']} {failure['version']})" if failure["distribution"] else ""
            lines += textwrap.wrap(
                f"{failure['plugin']}{source}: {failure['reason']}",
                width,
                initial_indent="  ",
                subsequent_indent=_INDENT,
            )
        lines += [""]
    return "\n".join(lines).rstrip()


def _default(option: dict[str, Any]) -> str:
    choices = f"{'|'.join(map(str, option['choices']))}, " if option["choices"] else ""
    return f"{choices}default {option['default']!r}"

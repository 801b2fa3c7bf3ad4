"""Installed components by kind and name, chosen and loaded; how they are found is in `visiongen.plugin_host`.

``VISIONGEN_PLUGINS`` in the environment chooses among third-party plugins: unset all, empty none, a comma list of
plugin or distribution names only these. ``VISIONGEN_DISABLED`` and the user's setting (`visiongen.plugin_switches`)
switch some of them off. A process sees newly installed plugins after a restart.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import weakref
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

from visiongen.errors import MediaError, PluginError, VisionGenError
from visiongen.hookspecs import Component
from visiongen.options import check_options
from visiongen.plugin_host import (
    ANYTHING,
    BUILT_INS,
    ENVIRONMENT_VARIABLE,
    PROTOCOLS,
    Host,
    InstalledPlugin,
    Kind,
    PluginFailure,
    build_manager,
    wanted_protocol,
)
from visiongen.plugin_switches import switched_off_by_environment, switched_off_by_user
from visiongen.shortages import shortage

__all__ = [
    "BUILT_INS",
    "ENVIRONMENT_VARIABLE",
    "PROTOCOLS",
    "Host",
    "InstalledPlugin",
    "Kind",
    "PluginFailure",
    "build_manager",
    "choose",
    "components",
    "enhancers",
    "exporter_for",
    "exporters",
    "generators",
    "host",
    "installed_plugins",
    "load",
    "metrics",
    "motion_source_for",
    "motion_sources",
    "plugin_failures",
    "switched_off_plugins",
    "title_of",
]


@lru_cache(maxsize=8)
def _host(only: str | None, without: frozenset[str], damage: str) -> Host:
    found = build_manager(only=only, without=without)
    if damage:
        found.fail(InstalledPlugin(name="settings", distribution="", version=""), damage)
    return found


def host() -> Host:
    """The host of this process, built when first asked for, and again when plugins were switched on or off."""
    without, damage = switched_off_by_environment(), ""
    try:
        without |= switched_off_by_user()
    except MediaError as error:  # a damaged setting must not hide all components
        damage = str(error)
    return _host(os.environ.get(ENVIRONMENT_VARIABLE), without, damage)


def _components(kind: str) -> dict[str, Component]:
    return dict(sorted(host().components[kind].items()))


def generators() -> dict[str, Component]:
    """All generators by name."""
    return _components("generator")


def enhancers() -> dict[str, Component]:
    """All enhancers by name."""
    return _components("enhancer")


def exporters() -> dict[str, Component]:
    """All exporters by name."""
    return _components("exporter")


def metrics() -> dict[str, Component]:
    """All metrics by name."""
    return _components("metric")


def motion_sources() -> dict[str, Component]:
    """All motion sources by name."""
    return _components("motion-source")


def components() -> dict[str, dict[str, Component]]:
    """Kind -> name -> component, of all kinds."""
    return {kind: _components(kind) for kind in PROTOCOLS}


def installed_plugins() -> tuple[InstalledPlugin, ...]:
    """All plugins that were loaded, the built-ins first."""
    return tuple(host().plugins.values())


def switched_off_plugins() -> tuple[InstalledPlugin, ...]:
    """All that are installed and switched off; their modules are not imported."""
    return tuple(host().switched_off)


def plugin_failures() -> tuple[PluginFailure, ...]:
    """All that cannot be used, with the reason."""
    return tuple(host().failures)


def choose(kind: Kind, name: str) -> Component:
    """The component of this name.

    Raises:
        PluginError: There is none; the message names the choices and the nearest of them.
    """
    found = _components(kind)
    if name in found:
        return found[name]
    near = difflib.get_close_matches(str(name).lower(), found, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise PluginError(f"no {kind} named {name!r}{hint}; {_listing(found)}{_failure_hint()}")


def exporter_for(path: Path | str) -> Component:
    """The exporter that the ending of `path` chooses; without an ending, the one that fills a folder.

    Where several plugins write one ending, built-ins come first, then the plugin whose name comes first.

    Raises:
        PluginError: No exporter writes this ending; the message names those that are written.
    """
    path = Path(path)
    offers = host().components["exporter"].values()
    if not path.suffix:
        fitting = [offer for offer in offers if not offer.suffixes]
    else:
        name = path.name.lower()
        matches = [(len(end), offer) for offer in offers for end in offer.suffixes if name.endswith(end.lower())]
        longest = max((length for length, _ in matches), default=0)  # ".tar.gz" before ".gz"
        fitting = [offer for length, offer in matches if length == longest]
    if fitting:
        return fitting[0]
    endings = sorted({end for offer in offers for end in offer.suffixes})
    folder = " (or no ending, for a folder of pictures)" if any(not offer.suffixes for offer in offers) else ""
    what = f"ending in {path.suffix!r}" if path.suffix else "without an ending"
    raise PluginError(f"no exporter writes {path.name!r}, a name {what}; {_listing(endings)}{folder}{_failure_hint()}")


def motion_source_for(path: Path | str) -> Component:
    """The motion source that the ending of `path` chooses; `video` for endings that none claims."""
    name = Path(path).name.lower()
    offers = host().components["motion-source"].values()
    matches = [(len(end), offer) for offer in offers for end in offer.suffixes if name.endswith(end.lower())]
    longest = max((length for length, _ in matches), default=0)
    return next((offer for length, offer in matches if length == longest), None) or choose("motion-source", "video")


def load(component: Component, options: Any = None, *, device: str = "cpu", kind: Kind | None = None) -> Any:
    """What `component` offers (a generator, an enhancer, ...), ready for use.

    Args:
        component: From `choose`, `exporter_for`, `motion_source_for` or a listing.
        options: An instance of ``component.options``; None: its defaults.
        device: "cpu" or "cuda".
        kind: Of the component; None: found out, which needs it to be installed.
    Raises:
        PluginError: The options are of another type or out of range, or the plugin failed.
        VisionGenError: What the component itself reports, such as missing weights.
    """
    found = [kind] if kind else [k for k in PROTOCOLS if host().components[k].get(component.name) == component]
    kinds = found or list(PROTOCOLS)
    title = f"{kinds[0] if len(kinds) == 1 else 'component'} {component.name!r}"
    maker = component.plugin or "an unnamed plugin"
    options = component.options() if options is None else options
    if not isinstance(options, component.options):
        raise PluginError(f"{title} takes {component.options.__name__}, not {type(options).__name__}")
    try:
        check_options(options)
    except ValueError as error:
        raise PluginError(f"{title}: option {error}") from error
    try:
        loaded = component.load(options, device=device)
    except VisionGenError:
        raise
    except ANYTHING as error:
        reason = shortage(error) or f"{type(error).__name__}: {error}"
        raise PluginError(f"{title} of {maker} failed to load: {reason}") from error
    wanted = tuple(wanted_protocol(kind, component) for kind in kinds)
    if isinstance(loaded, type) or not isinstance(loaded, wanted):
        names = " or ".join(protocol.__name__ for protocol in wanted)
        raise PluginError(f"{title} of {maker} gave {loaded!r}, which is no {names}")
    with contextlib.suppress(TypeError):  # what cannot be noted down is called by its class
        _TITLES[loaded] = f"{title} of {maker}"
    return loaded


_TITLES: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


def title_of(loaded: Any) -> str:
    """How messages call a loaded component: kind, name and the plugin it came from."""
    with contextlib.suppress(TypeError):
        if loaded in _TITLES:
            return _TITLES[loaded]
    return f"the component {type(loaded).__name__}"


def _listing(names: Collection[str]) -> str:
    return f"choose one of: {', '.join(names)}" if names else "there is none to choose from"


def _failure_hint() -> str:
    count = len(host().failures)
    return f" ({count} plugin problem{'s' * (count > 1)}: see `visiongen plugins`)" if count else ""

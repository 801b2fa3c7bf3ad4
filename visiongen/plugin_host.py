"""How plugins are found and looked through: every broken one is kept from costing more than itself.

The built-in components are plugins too and come through the same door, first. Then every entry point of the group
``visiongen`` of every installed distribution is loaded, in alphabetical order, inside its own ``try``: pluggy's own
loader stops at the first broken one. Whatever goes wrong is kept as a `PluginFailure` and shown by listings.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import re
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import Distribution, EntryPoint
from types import ModuleType
from typing import Any, Literal

import pluggy

from visiongen import hookspecs
from visiongen.errors import PluginError
from visiongen.hookspecs import Component
from visiongen.options import check_options
from visiongen.plugin_switches import normalized

BUILT_INS = (
    "visiongen.generators",
    "visiongen.enhancers",
    "visiongen.exporters",
    "visiongen.metrics",
    "visiongen.motion_sources",
)
ENVIRONMENT_VARIABLE = "VISIONGEN_PLUGINS"

Kind = Literal["generator", "enhancer", "exporter", "metric", "motion-source"]
PROTOCOLS: dict[str, type] = {
    "generator": hookspecs.Generator,
    "enhancer": hookspecs.Enhancer,
    "exporter": hookspecs.Exporter,
    "metric": hookspecs.Metric,
    "motion-source": hookspecs.MotionSource,
}
"""Kind of component -> what its `load` must give; the hook of a kind is ``visiongen_<kind>s``."""

ANYTHING = (Exception, SystemExit)
"""What third-party code may raise: some modules exit when imported."""


def hook_name(kind: str) -> str:
    """The hook that offers components of this kind."""
    return f"visiongen_{kind.replace('-', '_')}s"


def wanted_protocol(kind: str, component: Component) -> type:
    """What `component` of this kind must give when it is loaded."""
    if kind == "exporter" and component.writes == "motion":
        return hookspecs.MotionExporter
    return PROTOCOLS[kind]


@dataclass(frozen=True, kw_only=True)
class InstalledPlugin:
    """A plugin that was loaded."""

    name: str
    """The key of its entry point, or the module of a built-in."""
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    offers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Kind -> names of its components that can be chosen."""

    def __str__(self) -> str:
        return f"plugin {self.name!r} ({self.distribution} {self.version})"


@dataclass(frozen=True, kw_only=True)
class PluginFailure:
    """A plugin, or a part of one, that cannot be used."""

    plugin: str
    """The key of its entry point."""
    distribution: str
    """"" where there is none."""
    version: str
    reason: str
    """One sentence."""
    details: str = field(default="", compare=False)
    """The traceback, for the plugin's author; "" where there is none."""

    def __str__(self) -> str:
        source = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"{self.plugin}{source}: {self.reason}"


@dataclass(kw_only=True)
class Host:
    """A manager and all that was found with it."""

    manager: pluggy.PluginManager
    plugins: dict[str, InstalledPlugin] = field(default_factory=dict)
    """By name, in order of precedence."""
    components: dict[str, dict[str, Component]] = field(default_factory=lambda: {kind: {} for kind in PROTOCOLS})
    """Kind -> name -> component, in order of precedence."""
    failures: list[PluginFailure] = field(default_factory=list)
    switched_off: list[InstalledPlugin] = field(default_factory=list)
    """Installed, but not even imported."""

    def fail(self, plugin: InstalledPlugin, error: BaseException | str) -> None:
        """Notes that (a part of) `plugin` cannot be used."""
        reason, details = str(error), ""
        if isinstance(error, BaseException):
            details = "".join(traceback.format_exception(error))
            if not isinstance(error, PluginError):
                reason = f"{type(error).__name__}: {error}"
        self.failures.append(
            PluginFailure(
                plugin=plugin.name,
                distribution=plugin.distribution,
                version=plugin.version,
                reason=" ".join(reason.split()),
                details=details,
            )
        )


def build_manager(
    installed: Iterable[Distribution] | None = None, *, only: str | None = None, without: Collection[str] = ()
) -> Host:
    """Everything the built-ins and the plugins of `installed` offer.

    Args:
        installed: Distributions to look through; None: all that are installed.
        only: As the environment variable: None all, "" none, comma list only these third-party plugins.
        without: Third-party plugins (or their distributions) that are switched off.
    """
    manager = pluggy.PluginManager("visiongen")
    manager.add_hookspecs(hookspecs)
    host = Host(manager=manager)
    for name in BUILT_INS:
        plugin = InstalledPlugin(name=name, distribution="visiongen", version=_own_version())
        _register(host, plugin, partial(importlib.import_module, name))
    found = sorted(_entry_points(host, installed), key=lambda pair: (pair[0].name, pair[0].distribution))
    off = {normalized(name) for name in without}
    for plugin, entry_point in _selected(host, found, only):
        if {normalized(plugin.name), normalized(plugin.distribution)} & off:
            host.switched_off.append(plugin)
            continue
        _register(host, plugin, entry_point.load)
    for kind in PROTOCOLS:
        _read_offers(host, kind)
    return host


def _own_version() -> str:
    try:
        return importlib.metadata.version("visiongen")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"  # run from a checkout


def _entry_points(host: Host, installed: Iterable[Distribution] | None) -> Iterator[tuple[InstalledPlugin, EntryPoint]]:
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions() if installed is None else installed:
        try:
            if "visiongen" not in (distribution.read_text("entry_points.txt") or ""):
                continue  # almost all; their metadata need not be parsed
            plugin = _distribution_of(distribution)
            if normalized(plugin.distribution) in seen:  # one distribution on the path twice: the first is imported
                continue
            seen.add(normalized(plugin.distribution))
            for entry_point in distribution.entry_points:
                if entry_point.group == "visiongen":
                    yield dataclasses.replace(plugin, name=entry_point.name, offers={}), entry_point
        except Exception as error:  # damaged files
            plugin = _distribution_of(distribution)
            if normalized(plugin.name).startswith("visiongen"):  # other people's damage is not ours to report
                host.fail(plugin, error)


def _distribution_of(distribution: Distribution) -> InstalledPlugin:
    try:
        name, version = distribution.metadata["Name"] or "", distribution.metadata["Version"] or "?"
    except Exception:  # a left-over of an interrupted installation
        name, version = "", "?"
    return InstalledPlugin(name=name, distribution=name, version=version)


def _selected(
    host: Host, found: list[tuple[InstalledPlugin, EntryPoint]], only: str | None
) -> list[tuple[InstalledPlugin, EntryPoint]]:
    if only is None:
        return found
    wanted = {name.strip(): False for name in only.split(",") if name.strip()}  # name -> was found
    chosen = []
    for plugin, entry_point in found:
        names = [name for name in wanted if name == plugin.name or normalized(name) == normalized(plugin.distribution)]
        wanted.update(dict.fromkeys(names, True))
        if names:
            chosen.append((plugin, entry_point))
    for name in (name for name, was_found in wanted.items() if not was_found):
        host.fail(
            InstalledPlugin(name=name, distribution="", version=""),
            f"{ENVIRONMENT_VARIABLE} names {name!r}, but no such plugin is installed; "
            f"installed: {', '.join(sorted({plugin.name for plugin, _ in found})) or 'none'}",
        )
    return chosen


def _register(host: Host, plugin: InstalledPlugin, load: Callable[[], Any]) -> None:
    if plugin.name in host.plugins:
        host.fail(plugin, f"the plugin name {plugin.name!r} is already taken by {host.plugins[plugin.name]}")
        return
    try:
        module = load()
        if not isinstance(module, ModuleType):  # a class would register, and fail when its hooks are called
            raise PluginError(f"the entry point must name a module, not {module!r}")
        host.manager.register(module, name=plugin.name)
        host.manager.check_pending()  # raises for a misspelt hook, which would otherwise never be called
        hooks = tuple(sorted(caller.name for caller in host.manager.get_hookcallers(module) or ()))
        if not hooks:
            raise PluginError("the module implements no hook; is @hookimpl missing above visiongen_...()?")
    except ANYTHING as error:
        if host.manager.has_plugin(plugin.name):  # pluggy 1.6 leaves half-registered plugins behind
            host.manager.unregister(name=plugin.name)
        host.fail(plugin, error)
    else:
        host.plugins[plugin.name] = dataclasses.replace(plugin, hooks=hooks)


def _read_offers(host: Host, kind: str) -> None:
    precedence = list(host.plugins)
    caller = getattr(host.manager.hook, hook_name(kind))
    # Called one by one: in pluggy's own call, one that raises loses the offers of all.
    for implementation in sorted(caller.get_hookimpls(), key=lambda found: precedence.index(found.plugin_name)):
        plugin = host.plugins[implementation.plugin_name]
        try:
            offers = implementation.function()
            if isinstance(offers, str | Component) or not isinstance(offers, Iterable):
                raise PluginError(f"{caller.name}() must return an iterable of Component, not {offers!r}")
            for offer in offers:
                _add_offer(host, kind, plugin, offer)
        except ANYTHING as error:
            host.fail(plugin, error)


def _add_offer(host: Host, kind: str, plugin: InstalledPlugin, offer: Any) -> None:
    taken = host.components[kind]
    try:
        check_offer(kind, offer)
        if offer.name in taken:
            raise PluginError(
                f"{kind} {offer.name!r} is already offered by {taken[offer.name].plugin}; that of {plugin} is left out"
            )
    except ANYTHING as error:
        host.fail(plugin, error)
        return
    taken[offer.name] = dataclasses.replace(offer, plugin=f"{plugin.distribution} {plugin.version}")
    plugin.offers[kind] = (*plugin.offers.get(kind, ()), offer.name)


def check_offer(kind: str, offer: Any) -> None:
    """Does nothing if `offer` can be used as a component of this kind.

    Raises:
        PluginError: It cannot; the message names the rule that is broken.
    """
    if not isinstance(offer, Component):
        raise PluginError(f"{hook_name(kind)}() must offer Components, not {offer!r}")
    if not (isinstance(offer.name, str) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", offer.name)):
        raise PluginError(f"{kind} {offer.name!r}: a name consists of lower case letters, digits and single dashes")
    if not (isinstance(offer.summary, str) and callable(offer.load) and offer.needs in ("motion", "pixels")):
        raise PluginError(f"{kind} {offer.name!r} needs a summary, a callable `load`, and `needs` 'motion' or 'pixels'")
    if offer.writes not in ("frames", "motion"):
        raise PluginError(f"{kind} {offer.name!r}: `writes` is 'frames' or 'motion', not {offer.writes!r}")
    suffixes = offer.suffixes
    if not (isinstance(suffixes, tuple) and all(isinstance(one, str) and one.startswith(".") for one in suffixes)):
        raise PluginError(f"{kind} {offer.name!r}: `suffixes` is a tuple like ('.mp4',), not {suffixes!r}")
    try:
        check_options(offer.options())
        if not offer.options.__dataclass_params__.frozen:
            raise TypeError(f"{offer.options.__name__} is not frozen; write @dataclass(frozen=True)")
    except (TypeError, ValueError) as error:
        raise PluginError(f"the options of {kind} {offer.name!r} cannot be used: {error}") from error

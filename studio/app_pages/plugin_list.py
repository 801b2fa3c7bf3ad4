"""Plugins: what is installed, what it offers, what failed and why, what this session uses, and how to write one."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from studio.session import DISABLED_PLUGINS
from visiongen import plugins
from visiongen.errors import VisionGenError
from visiongen.hookspecs import Component
from visiongen.options import OptionField, option_fields
from visiongen.plugin_switches import settings_file, switch

_OWN = "visiongen"
_TEMPLATE = '''"""visiongen_vivid.py: an enhancer in one file."""

from dataclasses import dataclass, field

import numpy as np

from visiongen import Component, FrameBatch, hookimpl


@dataclass(frozen=True, kw_only=True)
class VividOptions:
    amount: float = field(default=1.2, metadata={"range": (1.0, 2.0), "step": 0.05})
    """Colourfulness; 1 changes nothing."""


class Vivid:
    def __init__(self, options):
        self.options = options

    def enhance(self, batches, portrait):
        for batch in batches:
            grey = batch.pixels.mean(-1, keepdims=True)
            pixels = grey + self.options.amount * (batch.pixels - grey)
            yield FrameBatch(pixels=np.clip(pixels, 0, 255).astype(np.uint8), times=batch.times)


@hookimpl
def visiongen_enhancers():
    yield Component(name="vivid", summary="stronger colours", load=lambda options, device: Vivid(options),
                    options=VividOptions)
'''
_PROJECT = """[build-system]
requires = ["setuptools>=70"]
build-backend = "setuptools.build_meta"

[project]
name = "visiongen-vivid"
version = "1.0"
dependencies = ["visiongen>=0.1,<1"]

[project.entry-points.visiongen]
vivid = "visiongen_vivid"

[tool.setuptools]
py-modules = ["visiongen_vivid"]
"""


def by_plugin() -> dict[str, list[tuple[str, Component]]]:
    """Distribution and version -> its components with their kind, the built-in ones first."""
    found: dict[str, list[tuple[str, Component]]] = {}
    for kind, offers in plugins.components().items():
        for component in offers.values():
            found.setdefault(component.plugin, []).append((kind, component))
    return dict(sorted(found.items(), key=lambda item: (not _is_own(item[0]), item[0])))


def _is_own(name: str) -> bool:
    return name.split(" ")[0] == _OWN


def option_rows(component: Component) -> list[dict[str, str]]:
    """The options of a component, as they are shown."""
    return [
        {"option": one.name, "values": _values(one), "default": "automatic" if one.default is None else str(one.default),
         "what it does": one.help}
        for one in option_fields(component.options)
    ]  # fmt: skip


def _values(option: OptionField) -> str:
    if option.choices is not None:
        return ", ".join(map(str, option.choices))
    name = {bool: "yes or no", int: "whole number", float: "number", str: "text"}[option.type]
    low, high = option.range or (None, None)
    if low is None and high is None:
        return name
    ends = ["" if end is None else f"{end:g}" for end in (low, high)]
    return f"{name}, {ends[0] or '…'} to {ends[1] or '…'}"


def plugin_card(name: str, offers: list[tuple[str, Component]]) -> None:
    """One plugin: a switch and its components."""
    state = st.session_state
    with st.container(border=True):
        title, use = st.columns([4, 1.2], vertical_alignment="center")
        title.markdown(f"#### {name}{'  :gray-badge[built in]' if _is_own(name) else ''}", anchors=False)
        if not _is_own(name):
            disabled: set[str] = state.setdefault(DISABLED_PLUGINS, set())
            wanted = use.toggle("Use in this session", value=name not in disabled, key=f"use {name}",
                                help="Off: the other pages offer nothing of this plugin until you switch it on again or "
                                     "close the browser's tab.")  # fmt: skip
            (disabled.discard if wanted else disabled.add)(name)
        for kind in dict.fromkeys(kind for kind, _ in offers):
            st.caption(f"{kind.replace('-', ' ')}s".upper())
            own = [component for one, component in offers if one == kind]
            for component in own:
                if option_fields(component.options):
                    _with_options(kind, component)
            if plain := [_label(component) for component in own if not option_fields(component.options)]:
                with st.container(border=True, key=f"without_options {name} {kind}"):
                    st.markdown("\n\n".join(plain))


def _label(component: Component) -> str:
    notes = [*component.suffixes, *(["reads the driving pixels"] if component.needs == "pixels" else [])]
    extra = f" ({', '.join(notes)})" if notes else ""
    return f"**{component.name}**: {component.summary}{extra}"


def _with_options(kind: str, component: Component) -> None:
    count = len(option_fields(component.options))
    label = f"{_label(component)} · {count} option{'s' * (count > 1)}"
    options = st.expander(label, key=f"options {kind} {component.name}", on_change="rerun")
    if options.open:  # a dozen tables take the browser longer than the rest of the page
        options.table(pd.DataFrame(option_rows(component)).set_index("option"))


def failures() -> None:
    """What cannot be used, and why."""
    found = plugins.plugin_failures()
    if not found:
        return
    st.subheader("Cannot be used", anchor=False)
    for number, failure in enumerate(found):
        with st.container(border=True, key=f"failure {number}"):
            source = f" ({failure.distribution} {failure.version})" if failure.distribution else ""
            st.error(f"**{failure.plugin}**{source}: {failure.reason}")
            st.caption("Update, repair or uninstall it, then start the studio again. Everything else works without it.")
            if failure.details:
                with st.expander("Traceback, for its author"):
                    st.code(failure.details, language="text")


def switched_off() -> None:
    """Plugins that are installed and were switched off for good."""
    found = plugins.switched_off_plugins()
    if not found:
        return
    st.subheader("Switched off", anchor=False)
    st.caption(f"By `visiongen plugins disable`, kept in {settings_file()}, or by an environment variable.")
    for plugin in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"**{plugin.name}** ({plugin.distribution} {plugin.version})")
            if st.button("Switch on", key=f"on {plugin.name}", help="For this user, from now on."):
                try:
                    switch(plugin.name, on=True)
                    st.rerun()
                except VisionGenError as error:
                    st.error(str(error))


def how_to() -> None:
    """A plugin in two files."""
    st.markdown(
        "A plugin is an ordinary Python package with one entry point of the group `visiongen`. Its module offers components; "
        "each has options that become flags of the command line and widgets here by themselves. Write these two files into "
        "one folder, run `pip install -e .` there, and start the studio again. `plugins/README.md` describes every hook."
    )
    module, project = st.tabs(["visiongen_vivid.py", "pyproject.toml"])
    with module:
        st.code(_TEMPLATE, language="python")
    with project:
        st.code(_PROJECT, language="toml")
    st.caption("Plugins run with your rights: install only those whose authors you trust.")


def list_installed(found: Mapping[str, list[tuple[str, Component]]]) -> None:
    """What is there, what is broken and what is switched off."""
    failures()
    for name, offers in found.items():
        plugin_card(name, offers)
    if len(found) == 1:
        st.caption("No plugins beside the built-in components. `pip install` one and start the studio again.")
    switched_off()


def show(found: Mapping[str, list[tuple[str, Component]]]) -> None:
    """The page."""
    counts = {kind: len(offers) for kind, offers in plugins.components().items() if offers}
    broken = len(plugins.plugin_failures())
    line = ", ".join(f"{count} {kind.replace('-', ' ')}{'s' * (count > 1)}" for kind, count in counts.items())
    st.write(f"{line}, from {len(found)} package{'s' * (len(found) > 1)}"
             + (f"; {broken} problem{'s' * (broken > 1)}." if broken else "; all of them work."))  # fmt: skip
    installed, write = st.tabs(["Installed", "Write one"], key="plugins.tab", on_change="rerun")
    if write.open:  # its code is coloured by a megabyte of script
        with write:
            how_to()
    else:
        with installed:
            list_installed(found)


st.title("Plugins", anchor=False)
show(by_plugin())

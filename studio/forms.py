"""Widgets made from options dataclasses: nothing about an option is listed twice."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st

from visiongen import MotionSettings
from visiongen.hookspecs import Component
from visiongen.options import OptionField, option_fields

_FEW = 4
"""So many choices fit on one line of buttons."""


def component_form(component: Component, key: str) -> Any:
    """Widgets for the options of a component, and what they say.

    Args:
        component: A generator, enhancer or exporter.
        key: Start of the widgets' keys, unique on the page; the widget of a field is ``f"{key}.{field}"``.
    Returns:
        An instance of ``component.options``.
    """
    return options_form(component.options, key)


def motion_form(key: str, *, only: Collection[str] | None = None) -> MotionSettings:
    """Widgets for how a motion is fitted to a portrait, and what they say; see `options_form`."""
    return options_form(MotionSettings, key, only=only)


def options_form(options_type: type, key: str, *, only: Collection[str] | None = None) -> Any:
    """Widgets for the fields of a frozen options dataclass, in their order.

    Values survive a switch to another page. To set one from code, use `set_form` before the widgets are drawn.

    Args:
        options_type: The dataclass; see `visiongen.options.option_fields`.
        key: Start of the widgets' keys.
        only: Fields to show; the others keep what was set with `set_form`, else their default.
    Returns:
        An instance of it.
    """
    values = {}
    for option in option_fields(options_type):
        name = f"{key}.{option.name}"
        if only is None or option.name in only:
            values[option.name] = _widget(option, name)
        else:
            values[option.name] = st.session_state.get(name, option.default)
    return options_type(**values)


def set_form(options_type: type, key: str, values: Any = None) -> None:
    """Puts values into the widgets of a form; call it before they are drawn, as in a callback.

    Args:
        options_type: The dataclass.
        key: As in `options_form`.
        values: An instance, or a mapping of some fields; what is not given becomes the default.
    """
    for option in option_fields(options_type):
        if isinstance(values, Mapping):
            value = values.get(option.name, option.default)
        else:
            value = option.default if values is None else getattr(values, option.name)
        st.session_state[f"{key}.{option.name}"] = _for_widget(option, value)


def title_of(name: str) -> str:
    """A field's name as a label: ``reference_frame`` -> "Reference frame"."""
    return name.replace("_", " ").capitalize()


def _for_widget(option: OptionField, value: Any) -> Any:
    if value is None:
        return None
    return option.type(value)


def _widget(option: OptionField, key: str) -> Any:
    """One widget; its value has the type and range of the field."""
    common: dict[str, Any] = {"key": key, "help": _help(option), "persist_state": "session"}
    label = title_of(option.name)
    st.session_state.setdefault(key, _for_widget(option, option.default))
    if option.choices is not None:
        return _choice(option, label, common)
    if option.type is bool:
        return st.toggle(label, **common)
    if option.type is str:
        value = st.text_input(label, **common)
        return None if option.optional and not value else value
    return _number(option, label, common)


def _choice(option: OptionField, label: str, common: dict[str, Any]) -> Any:
    choices = list(option.choices or ())
    if option.optional:
        choices = [None, *choices]
    shown = lambda one: "automatic" if one is None else str(one)  # noqa: E731
    if len(choices) <= _FEW and not option.optional:
        return st.segmented_control(label, choices, format_func=shown, required=True, **common)
    return st.selectbox(label, choices, format_func=shown, placeholder=shown(None), **common)


def _number(option: OptionField, label: str, common: dict[str, Any]) -> Any:
    low, high = option.range or (None, None)
    kind = option.type
    step = kind(option.step) if option.step else (1 if kind is int else 0.05)
    limits = [None if one is None else kind(one) for one in (low, high)]
    if option.optional:
        return st.number_input(
            label, min_value=limits[0], max_value=limits[1], step=step, placeholder="automatic", **common
        )
    if None not in limits:
        return st.slider(label, min_value=limits[0], max_value=limits[1], step=step, **common)
    return st.number_input(label, min_value=limits[0], max_value=limits[1], step=step, **common)


def _help(option: OptionField) -> str:
    default = "automatic" if option.default is None else option.default
    default = f"`{default}`" if default != "" else "empty"
    return f"{option.help or title_of(option.name)}\n\nDefault: {default}."

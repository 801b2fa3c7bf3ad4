"""Forms made from options: every field has a widget with its range, help and value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest
from streamlit.testing.v1 import AppTest

from studio.forms import title_of
from visiongen.options import option_fields


@dataclass(frozen=True, kw_only=True)
class EveryKind:
    """One field of each kind that options may have."""

    on: bool = True
    """A switch."""
    count: int = field(default=3, metadata={"range": (1, 9), "step": 2})
    """A whole number with a range."""
    share: float = field(default=0.5, metadata={"range": (0.0, 1.0), "step": 0.1})
    """A number with a range."""
    open_end: float = field(default=2.0, metadata={"range": (0.0, None)})
    """A number with one limit."""
    text: str = ""
    """A text."""
    few: Literal["a", "b"] = "b"
    """A choice of few."""
    many: Literal["one", "two", "three", "four", "five"] = "three"
    """A choice of many."""
    perhaps: int | None = None
    """A number or nothing."""
    either: Literal["a", "b"] | None = None
    """A choice or nothing."""


def page():
    import streamlit as st
    from test_forms import EveryKind

    from studio.forms import options_form, set_form

    if st.session_state.pop("fill", None):
        set_form(EveryKind, "form", {"count": 5, "few": "a", "perhaps": 7})
    st.session_state["got"] = options_form(EveryKind, "form")


@pytest.fixture
def form():
    return AppTest.from_function(page).run()


def test_defaults_come_back(form):
    assert not form.exception, form.exception
    assert form.session_state["got"] == EveryKind()


def test_every_field_has_a_labelled_widget_with_its_help(form):
    widgets = {one.key: one for one in [*form.slider, *form.toggle, *form.number_input, *form.text_input,
                                        *form.selectbox, *form.get("button_group")] if one.key}  # fmt: skip
    for option in option_fields(EveryKind):
        widget = widgets[f"form.{option.name}"]
        assert widget.label == title_of(option.name)
        assert option.help in widget.help and "Default" in widget.help


def test_a_choice_that_is_open_says_so(form):
    assert form.selectbox(key="form.either").placeholder == "automatic"


def test_ranges_and_steps(form):
    count = form.slider(key="form.count")
    assert (count.min, count.max, count.step, count.value) == (1, 9, 2, 3)
    assert form.number_input(key="form.open_end").min == 0


def test_changes_come_back_with_the_type_of_the_field(form):
    form.slider(key="form.share").set_value(0.8)
    form.toggle(key="form.on").set_value(False)
    form.selectbox(key="form.many").set_value("five")
    form.number_input(key="form.perhaps").set_value(4)
    got = form.run().session_state["got"]
    assert (got.share, got.on, got.many, got.perhaps) == (0.8, False, "five", 4)
    assert isinstance(got.perhaps, int) and isinstance(got.share, float)


def test_values_set_from_code(form):
    form.slider(key="form.share").set_value(0.8).run()
    form.session_state["fill"] = True
    assert form.run().session_state["got"] == EveryKind(count=5, few="a", perhaps=7)


@pytest.mark.parametrize("kind", ["generator", "enhancer", "exporter"])
def test_every_installed_component_has_a_form(kind):
    def every_form(kind):
        import streamlit as st

        from studio.forms import component_form
        from studio.session import components
        from visiongen.options import check_options

        for name, component in components(kind).items():
            options = component_form(component, f"{kind}.{name}")
            check_options(options)
            assert options == component.options()
            st.write(name)

    app = AppTest.from_function(every_form, args=(kind,)).run()
    assert not app.exception, app.exception
    assert len(app.markdown) >= 1
